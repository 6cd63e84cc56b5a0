//! Where interpreters keep their static types, and what these are called: `layouts/static-types.yaml`.

use serde::Deserialize;
use std::collections::HashMap;

/// The names of static types by where they can be met, for one version.
#[derive(Debug, Default)]
pub struct StaticTypes {
    /// `tp_name` by `module.attribute`, of types that are attributes of modules.
    pub types: HashMap<String, String>,
    /// `tp_name` by `module.attribute`, of the types of attributes of modules.
    pub instances: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    types: HashMap<String, Names>,
    instances: HashMap<String, Names>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Several(Vec<Name>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    /// The last version, `3.9`; of the newest name, none.
    until: Option<String>,
    name: String,
}

impl StaticTypes {
    /// Those of a version of Python: major and minor.
    pub(super) fn of(python: (u8, u8)) -> Self {
        let text = include_str!("../../layouts/static-types.yaml");
        let Ok(File { types, instances }) = serde_yaml::from_str(text) else { return StaticTypes::default() };
        let named = |all: HashMap<String, Names>| {
            all.into_iter().filter_map(|(path, names)| Some((path, names.of(python)?))).collect()
        };
        StaticTypes { types: named(types), instances: named(instances) }
    }
}

impl Names {
    fn of(self, python: (u8, u8)) -> Option<String> {
        match self {
            Names::One(name) => Some(name),
            Names::Several(names) => names
                .into_iter()
                .find(|name| name.until.as_deref().and_then(version).is_none_or(|until| python <= until))
                .map(|name| name.name),
        }
    }
}

fn version(text: &str) -> Option<(u8, u8)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_version() {
        let of = |minor| StaticTypes::of((3, minor));
        for minor in [6, 9, 13, 20] {
            assert_eq!(of(minor).types["types.CodeType"], "code");
            assert_eq!(of(minor).types["builtins.int"], "int");
            assert_eq!(of(minor).instances["builtins.None"], "NoneType");
        }
        assert_eq!(of(9).types["_weakref.ref"], "weakref");
        assert_eq!(of(10).types["_weakref.ref"], "weakref.ReferenceType");
    }

    #[test]
    fn every_version_that_ends_a_name_is_one() {
        let file: File = serde_yaml::from_str(include_str!("../../layouts/static-types.yaml")).unwrap();
        for names in file.types.values().chain(file.instances.values()) {
            if let Names::Several(names) = names {
                let (last, others) = names.split_last().unwrap();
                assert!(last.until.is_none());
                assert!(others.iter().all(|name| version(name.until.as_ref().unwrap()).is_some()));
            }
        }
    }
}
