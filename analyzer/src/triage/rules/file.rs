//! What a file of rules may say.

use super::pattern::{Dotted, Path, Patterns, Text};
use super::test::{Day, Number, Versions};
use crate::report::Severity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Rules of `pycore triage`: what groups of crashes are, whose they are, how bad they are, and which to ignore.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub(super) version: u32,
    /// Whether the rules that pycore brings (`pycore triage rules starter`) come before those of this file.
    #[serde(default)]
    pub(super) starter: bool,
    /// What is your own code: names of packages, modules and functions with all below them, `app`, and folders of sources,
    /// `/srv/app/`. All else is treated as Python's own library is.
    #[serde(default)]
    pub(super) in_app: Strings,
    /// What says nothing of a crash, as decorators and middleware: `app.tools.retry`, named likewise. Fingerprints, titles
    /// and owners are not made of it.
    #[serde(default)]
    pub(super) skip: Strings,
    /// The labels that rules may set, and what they mean. Where absent, they may set any.
    #[serde(default)]
    pub(super) labels: Option<BTreeMap<String, String>>,
    /// They are tried from top to bottom, and all that match apply: labels add up, of the rest the last one counts.
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// Its name, which no other rule has.
    pub(super) name: String,
    /// What it is for.
    #[serde(default, rename = "description")]
    pub(super) _description: Option<String>,
    /// Which groups it matches.
    pub(super) when: Condition,
    /// What it says of them.
    pub(super) set: Settings,
}

/// What a rule says of the groups that it matches.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// How bad it is.
    #[serde(default)]
    pub(super) severity: Option<Severity>,
    /// Labels.
    #[serde(default)]
    pub(super) labels: Strings,
    /// Who is to look at it: `@user`, `@org/team`, an address. This goes before CODEOWNERS.
    #[serde(default)]
    pub(super) owner: Strings,
    /// Where to read more: an `https` or `http` URL.
    #[serde(default)]
    #[schemars(extend("format" = "uri", "pattern" = "^https?://"))]
    pub(super) link: Option<String>,
    /// What to tell who looks at it.
    #[serde(default)]
    pub(super) note: Option<String>,
    /// Whether to ignore it for ever; `false` takes back what a rule above said.
    #[serde(default)]
    pub(super) ignore: Option<bool>,
    /// Ignore it up to this day and on it (UTC).
    #[serde(default)]
    pub(super) ignore_until: Option<Day>,
}

/// What has to be true of a group: all that is given here. Facts of the process and its frames are those of the dump that
/// represents the group.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct Condition {
    /// The type of an exception that was being raised or handled, or reached the top: `ValueError`, `app.errors.*`. Classes
    /// derived from it are not meant.
    #[serde(default)]
    pub(super) exception: Option<Patterns<Text>>,
    /// The type of an exception that was the cause or context of one.
    #[serde(default)]
    pub(super) caused_by: Option<Patterns<Text>>,
    /// What any of the exceptions says.
    #[serde(default)]
    pub(super) message: Option<Patterns<Text>>,
    /// A Python frame of the thread that died, or of where its first exception was raised.
    #[serde(default)]
    pub(super) frame: Option<Frames>,
    /// The module of a Python frame of that thread, or a package that it is in.
    #[serde(default)]
    pub(super) module: Option<Patterns<Dotted>>,
    /// A variable of a Python frame of that thread.
    #[serde(default)]
    pub(super) local: Option<Local>,
    /// How many Python frames it had; of more than 256 the middle is not counted.
    #[serde(default)]
    pub(super) depth: Option<Number>,
    /// The name of the signal, `SIGSEGV`, or of the exception code on Windows, `EXCEPTION_STACK_OVERFLOW`.
    #[serde(default)]
    pub(super) signal: Option<Patterns<Text>>,
    /// `crash`, `abort`, `killed`, `snapshot`, `no-python`.
    #[serde(default)]
    pub(super) category: Option<Patterns<Text>>,
    /// The one line that says what happened.
    #[serde(default)]
    pub(super) summary: Option<Patterns<Text>>,
    /// The name of the thread that died.
    #[serde(default)]
    pub(super) thread: Option<Patterns<Text>>,
    /// How many threads there were.
    #[serde(default)]
    pub(super) threads: Option<Number>,
    /// Whether that thread held the global interpreter lock.
    #[serde(default)]
    pub(super) holds_gil: Option<bool>,
    /// Whether the garbage collector ran in it.
    #[serde(default)]
    pub(super) collecting_garbage: Option<bool>,
    /// The file of native code that the processor was in.
    #[serde(default)]
    pub(super) native_module: Option<Patterns<Path>>,
    /// A native module that the process had loaded.
    #[serde(default)]
    pub(super) library: Option<Patterns<Path>>,
    /// The main program.
    #[serde(default)]
    pub(super) executable: Option<Patterns<Path>>,
    /// The version of Python in any of the group's dumps.
    #[serde(default)]
    pub(super) python: Option<Versions>,
    /// Whether Python was built without the global interpreter lock.
    #[serde(default)]
    pub(super) free_threaded: Option<bool>,
    /// The instruction set, `x86_64`.
    #[serde(default)]
    pub(super) arch: Option<Patterns<Text>>,
    /// `linux`, `windows`, `macos`.
    #[serde(default)]
    pub(super) os: Option<Patterns<Text>>,
    /// A machine where any of the group's processes died.
    #[serde(default)]
    pub(super) host: Option<Patterns<Text>>,
    /// A fingerprint of the group: `v1:...`.
    #[serde(default)]
    pub(super) fingerprint: Option<Patterns<Text>>,
    /// How many dumps are in the group.
    #[serde(default)]
    pub(super) count: Option<Number>,
    /// One of these has to be true.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(super) any: Option<Vec<Condition>>,
    /// All of these have to be true.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(super) all: Option<Vec<Condition>>,
    /// This must not be true.
    #[serde(default)]
    pub(super) not: Option<Box<Condition>>,
}

impl Condition {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.exception.is_none()
            && self.caused_by.is_none()
            && self.message.is_none()
            && self.frame.is_none()
            && self.module.is_none()
            && self.local.is_none()
            && self.depth.is_none()
            && self.signal.is_none()
            && self.category.is_none()
            && self.summary.is_none()
            && self.thread.is_none()
            && self.threads.is_none()
            && self.holds_gil.is_none()
            && self.collecting_garbage.is_none()
            && self.native_module.is_none()
            && self.library.is_none()
            && self.executable.is_none()
            && self.python.is_none()
            && self.free_threaded.is_none()
            && self.arch.is_none()
            && self.os.is_none()
            && self.host.is_none()
            && self.fingerprint.is_none()
            && self.count.is_none()
            && self.any.is_none()
            && self.all.is_none()
            && self.not.is_none()
    }
}

/// A frame, by what is given: a glob of `module.function` or of `function`, or what has to be true of it.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) name: Option<Patterns<Text>>,
    pub(super) details: FrameDetails,
}

/// What has to be true of a frame: all that is given.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct FrameDetails {
    /// `__name__` of its module, or a package that this is in.
    #[serde(default)]
    pub(super) module: Option<Patterns<Dotted>>,
    /// The qualified name of its function; the name alone up to Python 3.10.
    #[serde(default)]
    pub(super) function: Option<Patterns<Text>>,
    /// The path of its source, or the end of that.
    #[serde(default)]
    pub(super) file: Option<Patterns<Path>>,
    /// One of its variables.
    #[serde(default)]
    pub(super) local: Option<Local>,
    /// How far from the innermost one it may be: 1 is the innermost one.
    #[serde(default)]
    pub(super) within: Option<usize>,
}

/// Frames, of which one has to match.
#[derive(Debug)]
pub(super) struct Frames(pub(super) Vec<Frame>);

/// A variable: a glob of its type, or what has to be true of it.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) name: Option<Patterns<Text>>,
    pub(super) type_name: Option<Patterns<Text>>,
}

/// A text, or a list of texts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Strings(pub(super) Vec<String>);

fn patterns<E: Error>(text: &str) -> Result<Option<Patterns<Text>>, E> {
    Patterns::deserialize(StrDeserializer::new(text)).map(Some)
}

impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Frame;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a frame such as `app.models.User.save`, or its `module`, `function`, `file`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Frame, E> {
                Ok(Frame { name: patterns(text)?, details: FrameDetails::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Frame, A::Error> {
                let details = FrameDetails::deserialize(MapAccessDeserializer::new(map))?;
                let FrameDetails { module, function, file, local, within } = &details;
                if module.is_none() && function.is_none() && file.is_none() && local.is_none() {
                    return Err(A::Error::custom("it needs a `module`, `function`, `file` or `local`"));
                }
                if *within == Some(0) {
                    return Err(A::Error::custom("`within` counts from 1, the innermost frame"));
                }
                Ok(Frame { name: None, details })
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl<'de> Deserialize<'de> for Frames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Frames;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a frame such as `app.models.User.save`, its `module`, `function`, `file`, or a list of these")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Frames, E> {
                Ok(Frames(vec![Frame::deserialize(StrDeserializer::new(text))?]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Frames, A::Error> {
                Ok(Frames(vec![Frame::deserialize(MapAccessDeserializer::new(map))?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Frames, A::Error> {
                let mut frames = Vec::new();
                while let Some(frame) = list.next_element()? {
                    frames.push(frame);
                }
                if frames.is_empty() {
                    return Err(A::Error::custom("an empty list, which nothing can match"));
                }
                Ok(Frames(frames))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl<'de> Deserialize<'de> for Local {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Details {
            #[serde(default)]
            name: Option<Patterns<Text>>,
            #[serde(default, rename = "type")]
            type_name: Option<Patterns<Text>>,
        }
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Local;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the type of a variable such as `app.models.User`, or its `name` and `type`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Local, E> {
                Ok(Local { name: None, type_name: patterns(text)? })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Local, A::Error> {
                let Details { name, type_name } = Details::deserialize(MapAccessDeserializer::new(map))?;
                if name.is_none() && type_name.is_none() {
                    return Err(A::Error::custom("it needs a `name` or a `type`"));
                }
                Ok(Local { name, type_name })
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Strings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Strings, E> {
                Ok(Strings(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Strings, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Strings(texts))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// A text, or an object of the schema `details`.
fn text_or(details: &Schema, description: &str) -> Schema {
    json_schema!({"description": description, "anyOf": [{"type": "string", "minLength": 1}, details]})
}

impl JsonSchema for Frame {
    fn schema_name() -> Cow<'static, str> {
        "Frame".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let details = generator.subschema_for::<FrameDetails>();
        text_or(
            &details,
            "A glob of `module.function` or of `function`, or what has to be true of the frame.",
        )
    }
}

impl JsonSchema for Frames {
    fn schema_name() -> Cow<'static, str> {
        "Frames".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Frame>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    }
}

impl JsonSchema for Local {
    fn schema_name() -> Cow<'static, str> {
        "Local".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let patterns = generator.subschema_for::<Patterns<Text>>();
        let details = json_schema!({
            "type": "object",
            "properties": {"name": patterns, "type": patterns},
            "minProperties": 1,
            "additionalProperties": false,
        });
        text_or(&details, "A glob of the variable's type, or what has to be true of it.")
    }
}

impl JsonSchema for Strings {
    fn schema_name() -> Cow<'static, str> {
        "Strings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
    }
}
