//! What a rule compares texts with: globs and regular expressions, one or several.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The largest compiled regular expression, in bytes.
const REGEX_LIMIT: usize = 1 << 20;

/// How globs of a kind of text are meant.
pub(super) trait Kind {
    /// What the text is, for error messages.
    const WHAT: &'static str;
    /// Whether `*` stops at a `/`.
    const PATH: bool;
    /// The globs that a glob stands for.
    fn globs(glob: &str) -> Vec<String>;
}

/// Any text: the glob has to match all of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {}

impl Kind for Text {
    const WHAT: &'static str = "a glob such as `*Error`";
    const PATH: bool = false;

    fn globs(glob: &str) -> Vec<String> {
        vec![glob.to_owned()]
    }
}

/// A dotted name: the glob matches it and all below it, `app` also `app.models`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dotted {}

impl Kind for Dotted {
    const WHAT: &'static str = "the name of a module or package such as `app.models`";
    const PATH: bool = false;

    fn globs(glob: &str) -> Vec<String> {
        vec![glob.to_owned(), format!("{glob}.*")]
    }
}

/// The path of a file: the glob matches all of it, or its last components.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path {}

impl Kind for Path {
    const WHAT: &'static str = "a path or its end such as `libtorch*.so*`";
    const PATH: bool = true;

    fn globs(glob: &str) -> Vec<String> {
        if glob.starts_with('/') {
            vec![glob.to_owned()]
        } else {
            vec![glob.to_owned(), format!("**/{glob}")]
        }
    }
}

/// Patterns, of which one has to match: a glob, `{regex: ...}`, or a list of these.
#[derive(Clone, Debug)]
pub(super) struct Patterns<K> {
    /// Boxed, as conditions have many and are read recursively.
    patterns: Box<(GlobSet, Vec<Regex>)>,
    kind: PhantomData<K>,
}

impl<K: Kind> Patterns<K> {
    /// Whether one of them matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text = if K::PATH && text.contains('\\') {
            Cow::Owned(text.replace('\\', "/"))
        } else {
            Cow::Borrowed(text)
        };
        let (globs, regexes) = self.patterns.as_ref();
        globs.is_match(text.as_ref()) || regexes.iter().any(|regex| regex.is_match(&text))
    }
}

struct Builder<K> {
    globs: GlobSetBuilder,
    regexes: Vec<Regex>,
    kind: PhantomData<K>,
}

impl<K: Kind> Builder<K> {
    fn new() -> Self {
        Self { globs: GlobSetBuilder::new(), regexes: Vec::new(), kind: PhantomData }
    }

    fn glob<E: Error>(&mut self, glob: &str) -> Result<(), E> {
        if glob.is_empty() {
            return Err(E::custom(format!("an empty text; expected {}", K::WHAT)));
        }
        for glob in K::globs(glob) {
            let glob = GlobBuilder::new(&glob).literal_separator(K::PATH).backslash_escape(true).build();
            self.globs.add(glob.map_err(|error| E::custom(format!("a bad glob: {}", error.kind())))?);
        }
        Ok(())
    }

    fn regex<E: Error>(&mut self, regex: &str) -> Result<(), E> {
        let regex = RegexBuilder::new(regex).size_limit(REGEX_LIMIT).build();
        self.regexes.push(
            regex.map_err(|error| E::custom(format!("a bad regular expression: {}", last_line(&error))))?,
        );
        Ok(())
    }

    fn map<'de, A: MapAccess<'de>>(&mut self, mut map: A) -> Result<(), A::Error> {
        let mut any = false;
        while let Some(key) = map.next_key::<String>()? {
            if key != "regex" {
                return Err(A::Error::unknown_field(&key, &["regex"]));
            }
            map.next_value_seed(AsRegex(self))?;
            any = true;
        }
        if any { Ok(()) } else { Err(A::Error::missing_field("regex")) }
    }

    fn build<E: Error>(self) -> Result<Patterns<K>, E> {
        let globs = self.globs.build().map_err(E::custom)?;
        Ok(Patterns { patterns: Box::new((globs, self.regexes)), kind: PhantomData })
    }
}

/// The message of an error of `regex` in one line: the last one, without the picture above it.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

struct AsRegex<'a, K>(&'a mut Builder<K>);

impl<'de, K: Kind> serde::de::DeserializeSeed<'de> for AsRegex<'_, K> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<K: Kind> Visitor<'_> for AsRegex<'_, K> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a regular expression")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.regex(text)
    }
}

/// Adds one pattern.
struct One<'a, K>(&'a mut Builder<K>);

impl<'de, K: Kind> serde::de::DeserializeSeed<'de> for One<'_, K> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, K: Kind> Visitor<'de> for One<'_, K> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or `regex: ...`", K::WHAT)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.glob(text)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.map(map)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Patterns<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Some<K>(PhantomData<K>);
        impl<'de, K: Kind> Visitor<'de> for Some<K> {
            type Value = Patterns<K>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, `regex: ...`, or a list of these", K::WHAT)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let mut builder = Builder::new();
                builder.glob(text)?;
                builder.build()
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let mut builder = Builder::new();
                builder.map(map)?;
                builder.build()
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut builder = Builder::new();
                let mut any = false;
                while list.next_element_seed(One(&mut builder))?.is_some() {
                    any = true;
                }
                if !any {
                    return Err(A::Error::custom("an empty list, which nothing can match"));
                }
                builder.build()
            }
        }
        deserializer.deserialize_any(Some(PhantomData))
    }
}

impl<K: Kind> JsonSchema for Patterns<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Patterns".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<OnePattern>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    }
}

/// One pattern, for the schema.
struct OnePattern;

impl JsonSchema for OnePattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A glob (`*` any characters, `?` one, `[ab]` one of these, `{a,b}` either), or a regular \
                            expression, which may match anywhere.",
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "properties": {"regex": {"type": "string", "format": "regex"}},
                    "required": ["regex"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
