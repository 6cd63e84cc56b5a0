//! Where in a YAML text a value is.

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::fmt;

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(&'static str),
    Index(usize),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// `rules[3].set.link`.
pub(super) fn joined(path: &[Step]) -> String {
    let mut joined = String::new();
    for step in path {
        if matches!(step, Step::Key(_)) && !joined.is_empty() {
            joined.push('.');
        }
        joined += &step.to_string();
    }
    joined
}

/// The line and column, from 1 on, of the value that `path` leads to; of the last one on the way to it where it ends.
///
/// It is read anew and refused at that value, because an error is what serde_yaml gives a place to.
pub(super) fn place(yaml: &str, path: &[Step]) -> Option<(usize, usize)> {
    let refused = At(path).deserialize(serde_yaml::Deserializer::from_str(yaml)).err()?;
    refused.location().map(|location| (location.line(), location.column()))
}

struct At<'a>(&'a [Step]);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something else")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if let Some((Step::Key(wanted), rest)) = self.0.split_first() {
            while let Some(key) = map.next_key::<String>()? {
                if key == *wanted {
                    return map.next_value_seed(At(rest));
                }
                map.next_value::<IgnoredAny>()?;
            }
        }
        Err(A::Error::custom("here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if let Some((Step::Index(wanted), rest)) = self.0.split_first() {
            for _ in 0..*wanted {
                list.next_element::<IgnoredAny>()?;
            }
            if list.next_element_seed(At(rest))?.is_some() {
                IgnoredAny::deserialize(serde::de::value::SeqAccessDeserializer::new(list))?;
            }
        }
        Err(A::Error::custom("here"))
    }
}
