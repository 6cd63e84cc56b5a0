//! What a rule compares numbers, versions and dates with.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use time::Date;
use time::format_description::well_known::Iso8601;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Operator {
    /// The operator that `text` begins with, and what is behind it.
    fn read(text: &str) -> (Self, &str) {
        const OPERATORS: [(&str, Operator); 6] = [
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let text = text.trim();
        OPERATORS
            .iter()
            .find_map(|&(sign, operator)| text.strip_prefix(sign).map(|rest| (operator, rest.trim())))
            .unwrap_or((Self::Equal, text))
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Greater => ordering.is_gt(),
        }
    }
}

/// A number, or `>= 10`; several with commas between them, which all have to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number(Vec<(Operator, usize)>);

impl Number {
    /// Whether it holds for `number`.
    pub(super) fn matches(&self, number: usize) -> bool {
        self.0.iter().all(|(operator, bound)| operator.holds(number.cmp(bound)))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a comparison such as \">= 10\"")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                let number = usize::try_from(number).map_err(E::custom)?;
                Ok(Number(vec![(Operator::Equal, number)]))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                let one = |part: &str| {
                    let (operator, number) = Operator::read(part);
                    let number = number.parse();
                    number
                        .map(|number| (operator, number))
                        .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
                };
                text.split(',').map(one).collect::<Result<_, E>>().map(Number)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl JsonSchema for Number {
    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number, or comparisons that all have to hold: `>= 10`, `> 1, < 5`.",
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^\s*([<>]=?|[=!]=)?\s*\d+\s*(,\s*([<>]=?|[=!]=)?\s*\d+\s*)*$"},
            ],
        })
    }
}

/// Versions: `3.11` (and all its patch releases), `>= 3.12`, `>= 3.9, < 3.12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Versions(Vec<(Operator, Vec<u32>)>);

impl Versions {
    /// Whether they hold for `version`, of which what follows the digits (`t`, `rc1`) is not looked at.
    pub(super) fn matches(&self, version: &str) -> bool {
        let numbers: Vec<u32> = version
            .split('.')
            .map_while(|part| {
                let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
                part.get(..end)?.parse().ok()
            })
            .collect();
        self.0.iter().all(|(operator, bound)| {
            let same = numbers.iter().copied().chain(std::iter::repeat(0)).take(bound.len());
            operator.holds(same.cmp(bound.iter().copied()))
        })
    }
}

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Versions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("versions such as \"3.11\" or \">= 3.9, < 3.12\"")
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Versions, E> {
                Err(E::custom("a number; put the version in quotes, as 3.10 would be read as 3.1"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Versions, E> {
                let one = |part: &str| {
                    let (operator, version) = Operator::read(part);
                    let numbers = version.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>();
                    match numbers {
                        Ok(numbers) if numbers.len() <= 3 => Ok((operator, numbers)),
                        _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                    }
                };
                text.split(',').map(one).collect::<Result<_, E>>().map(Versions)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl JsonSchema for Versions {
    fn schema_name() -> Cow<'static, str> {
        "Versions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        const ONE: &str = r"\s*([<>]=?|[=!]=)?\s*\d+(\.\d+){0,2}\s*";
        json_schema!({
            "description": "Versions: `3.11` with all its patch releases, `>= 3.9, < 3.12`.",
            "type": "string",
            "pattern": format!("^{ONE}(,{ONE})*$"),
        })
    }
}

/// A day of the calendar, as `2026-12-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(pub(super) Date);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Day;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a day such as 2026-12-31")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Day, E> {
                match Date::parse(text, &Iso8601::DATE) {
                    Ok(date) if date.to_string() == text => Ok(Day(date)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl JsonSchema for Day {
    fn schema_name() -> Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "A day, as `2026-12-31`.", "type": "string", "format": "date"})
    }
}
