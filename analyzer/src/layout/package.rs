//! Tables of packages whose own structs pycore reads, such as numpy. They have the form of a [`Layout`], with the
//! package in the place of Python's version.
//!
//! [`Layout`]: super::Layout

use super::schema::Structs;
use super::table::{Abi, Provenance, TableError, known_schema, name};
use super::yaml::{quoted, write_common};
use serde::de::Deserializer;

/// The name of this file format, with its version.
const SCHEMA: &str = "pycore.package-layout/1";

/// Where each field of a package's structs lies.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageLayout {
    #[serde(deserialize_with = "schema")]
    schema: String,
    /// `numpy-2-lp64`.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// The package: `numpy`.
    pub package: String,
    /// The version of the package that the table was extracted from: `2.4.6`.
    pub version: String,
    /// The data model.
    pub abi: Abi,
    /// What the table was extracted from.
    pub provenance: Vec<Provenance>,
    /// The offsets: none of CPython's structs, only the package's own.
    pub structs: Structs,
}

impl PackageLayout {
    /// A table without any offsets.
    pub fn new(name: String, package: String, version: String) -> Self {
        PackageLayout {
            schema: SCHEMA.to_owned(),
            name,
            package,
            version,
            abi: Abi::Lp64,
            provenance: Vec::new(),
            structs: Structs::default(),
        }
    }

    /// Parses and validates a table; `origin` is named in errors.
    ///
    /// # Errors
    /// When the text is not a valid table, with the line where one can be given.
    pub fn from_yaml(text: &str, origin: &str) -> Result<Self, TableError> {
        serde_yaml::from_str(text).map_err(|source| TableError::Invalid { origin: origin.to_owned(), source })
    }

    /// Whether it was extracted from a build for that version of Python: the structs of some packages hold structs of
    /// CPython's.
    pub fn is_of_python(&self, (major, minor): (u8, u8)) -> bool {
        let of = format!("{major}.{minor}.");
        self.provenance.iter().any(|provenance| provenance.python.starts_with(&of))
    }

    /// The table as text that [`PackageLayout::from_yaml`] reads.
    pub fn to_yaml(&self) -> String {
        let mut yaml = format!(
            "schema: {}\nname: {}\npackage: {}\nversion: {}\n",
            self.schema,
            self.name,
            quoted(&self.package),
            quoted(&self.version)
        );
        write_common(&mut yaml, self.abi, &self.provenance, &self.structs);
        yaml
    }
}

fn schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    known_schema(deserializer, SCHEMA)
}
