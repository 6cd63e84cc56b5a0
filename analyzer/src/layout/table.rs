//! A table of offsets and its YAML form.
//!
//! ```yaml
//! schema: pycore.layout/1
//! name: cpython-3.11-lp64
//! python: "3.11"
//! unicode: "14.0.0"
//! abi: lp64
//! provenance:
//!   - file: "libpython3.11.so.1.0"
//!     python: "3.11.7"
//!     build_id: "0123456789abcdef"
//!     producer: "GNU C17 12.2.0"
//! structs:
//!   PyASCIIObject:
//!     size: 48
//!     fields:
//!       length: [16, 8]
//!       kind: [32, 4, 2, 3]
//! ```
//!
//! A field is `[offset, size]` in bytes; a bit-field adds the bits to the right of it and its width, within the
//! integer of `size` bytes at `offset`. A struct or field that the interpreter does not have is left out. A table may be
//! an [`overlay`] on another.

use super::overlay;
use super::schema::Structs;
use super::yaml::write_common;
use crate::addr::Machine;
use serde::de::{Deserialize, Deserializer, Error as _};
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The name of this file format, with its version.
const SCHEMA: &str = "pycore.layout/1";

/// The longest table that is read, in bytes.
const FILE_LIMIT: u64 = 1 << 20;

/// No struct is as large as this, in bytes.
pub(super) const STRUCT_LIMIT: u32 = 1 << 20;

/// The sizes of C's basic types, by the customary name of the data model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Abi {
    /// `long` and pointers have 8 bytes, `wchar_t` has 4: Linux and macOS on 64-bit machines. Little-endian.
    Lp64,
    /// Pointers have 8 bytes, `long` has 4, `wchar_t` has 2: Windows on 64-bit machines. Little-endian.
    Llp64,
}

impl Abi {
    fn from_name(name: &str) -> Option<Self> {
        [Abi::Lp64, Abi::Llp64].into_iter().find(|abi| abi.to_string() == name)
    }

    /// `sizeof(long)`, in bytes.
    pub fn long_size(self) -> u32 {
        match self {
            Abi::Lp64 => 8,
            Abi::Llp64 => 4,
        }
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Abi::Lp64 => "lp64",
            Abi::Llp64 => "llp64",
        })
    }
}

/// Which interpreters a table is for: everything that moves fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Major and minor version of Python.
    pub python: (u8, u8),
    /// Whether it is for builds with `--disable-gil`: `t` in `sys.abiflags`.
    pub free_threaded: bool,
    /// Whether it is for builds with `Py_TRACE_REFS`, whose objects begin with two more pointers: what `--with-pydebug`
    /// implied up to 3.7.
    pub trace_refs: bool,
    /// The data model.
    pub abi: Abi,
    /// The machine, for tables that hold for this one only.
    pub machine: Option<Machine>,
}

impl Target {
    /// Reads the name of a built-in table: `cpython-3.13t-llp64`, `cpython-2.7d-lp64-aarch64`.
    pub(super) fn from_name(name: &str) -> Option<Target> {
        let mut parts = name.split('-');
        let (cpython, version, abi) = (parts.next()?, parts.next()?, parts.next()?);
        let (major, minor) = version.split_once('.')?;
        let digits = minor.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let flags = minor.get(digits.len()..)?;
        let machine = match parts.next() {
            None => None,
            Some("x86_64") => Some(Machine::X86_64),
            Some("aarch64") => Some(Machine::Aarch64),
            Some(_) => return None,
        };
        let abi = Abi::from_name(abi)?;
        (cpython == "cpython" && parts.next().is_none()).then_some(Target {
            python: (major.parse().ok()?, digits.parse().ok()?),
            free_threaded: flags.contains('t'),
            trace_refs: flags.contains('d'),
            abi,
            machine,
        })
    }
}

/// A file that a table was extracted from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Its name, without directories.
    pub file: String,
    /// The version of the interpreter that it belongs to, `3.11.7`.
    pub python: String,
    /// Its build id in hexadecimal; empty where it has none.
    pub build_id: String,
    /// The compiler and its options, as `DW_AT_producer` gives them.
    pub producer: String,
    /// What else is to be known of how it was made; mostly empty.
    #[serde(default)]
    pub note: String,
}

/// Where each field of CPython's structs lies, for one version and ABI.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    #[serde(deserialize_with = "schema")]
    pub(super) schema: String,
    /// `cpython-3.11-lp64`.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// Major and minor version of Python.
    #[serde(deserialize_with = "minor_version")]
    pub python: (u8, u8),
    /// Whether it is for builds with `--disable-gil`.
    #[serde(default)]
    pub free_threaded: bool,
    /// Whether it is for builds with `Py_TRACE_REFS`.
    #[serde(default)]
    pub trace_refs: bool,
    /// The machine, for tables that hold for this one only.
    #[serde(default)]
    pub machine: Option<Machine>,
    /// The table that this one is but for some structs.
    #[serde(skip)]
    pub base: Option<String>,
    /// Whether `Py_UNICODE` has 2 bytes instead of 4: in 2.7, an option of the build that moves no field.
    #[serde(default)]
    pub narrow_unicode: bool,
    /// The data model.
    pub abi: Abi,
    /// The version of the Unicode database that this Python decides by which characters `repr` escapes, `14.0.0`.
    #[serde(deserialize_with = "unicode_version")]
    pub unicode: String,
    /// The number of the instruction `PUSH_EXC_INFO`, which begins every handler from 3.11 on.
    #[serde(default)]
    pub push_exc_info: Option<u8>,
    /// What the table was extracted from.
    pub provenance: Vec<Provenance>,
    /// The offsets.
    pub structs: Structs,
}

/// Why a table could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is longer than any table.
    #[error("{}: longer than {FILE_LIMIT} bytes, so not a layout table", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a valid table.
    #[error("{origin}: not a valid layout table: {source}")]
    Invalid {
        /// The file, or the name of a built-in table.
        origin: String,
        /// What is wrong, with its line.
        source: serde_yaml::Error,
    },
}

impl Layout {
    /// A table without any offsets.
    pub fn new(name: String, python: (u8, u8), unicode: String) -> Self {
        Layout {
            schema: SCHEMA.to_owned(),
            name,
            python,
            free_threaded: false,
            trace_refs: false,
            machine: None,
            base: None,
            narrow_unicode: false,
            abi: Abi::Lp64,
            unicode,
            push_exc_info: None,
            provenance: Vec::new(),
            structs: Structs::default(),
        }
    }

    /// Which interpreters the table is for.
    pub fn target(&self) -> Target {
        let Layout { python, free_threaded, trace_refs, abi, machine, .. } = *self;
        Target { python, free_threaded, trace_refs, abi, machine }
    }

    /// Reads and validates a user's table.
    ///
    /// # Errors
    /// When the file cannot be read, is longer than 1 MiB, or is not a valid table.
    pub fn load(path: &Path) -> Result<Self, TableError> {
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(FILE_LIMIT + 1).read_to_string(&mut text))
            .map_err(|source| TableError::Read { path: path.to_owned(), source })?;
        if text.len() as u64 > FILE_LIMIT {
            return Err(TableError::TooLong { path: path.to_owned() });
        }
        Self::from_yaml(&text, &path.display().to_string())
    }

    /// Parses and validates a table; `origin` is named in errors.
    ///
    /// # Errors
    /// When the text is not a valid table, with the line where one can be given.
    pub fn from_yaml(text: &str, origin: &str) -> Result<Self, TableError> {
        let parsed =
            if overlay::is_overlay(text) { overlay::from_yaml(text) } else { serde_yaml::from_str(text) };
        parsed.map_err(|source| TableError::Invalid { origin: origin.to_owned(), source })
    }

    /// The table as text that [`Layout::from_yaml`] reads, structs and fields in the order of the schema.
    pub fn to_yaml(&self) -> String {
        if let Some(base) = &self.base {
            return overlay::to_yaml(self, base);
        }
        let (major, minor) = self.python;
        let mut yaml = format!(
            "schema: {}\nname: {}\npython: \"{major}.{minor}\"\nunicode: \"{}\"\n",
            self.schema, self.name, self.unicode
        );
        for (key, is_set) in [
            ("free_threaded", self.free_threaded),
            ("trace_refs", self.trace_refs),
            ("narrow_unicode", self.narrow_unicode),
        ] {
            if is_set {
                yaml.push_str(&format!("{key}: true\n"));
            }
        }
        if let Some(machine) = self.machine {
            yaml.push_str(&format!("machine: {machine}\n"));
        }
        if let Some(opcode) = self.push_exc_info {
            yaml.push_str(&format!("push_exc_info: {opcode}\n"));
        }
        write_common(&mut yaml, self.abi, &self.provenance, &self.structs);
        yaml
    }
}

/// The value of `schema` in a table of CPython.
pub(super) fn schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    known_schema(deserializer, SCHEMA)
}

/// The value of `schema`: the only format that this program reads.
pub(super) fn known_schema<'de, D: Deserializer<'de>>(
    deserializer: D,
    known: &str,
) -> Result<String, D::Error> {
    let found = String::deserialize(deserializer)?;
    if found == known {
        Ok(found)
    } else {
        Err(D::Error::custom(format!("schema is {found:?}; this version of pycore reads {known:?}")))
    }
}

/// The name of a table.
pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= 64
        && name.bytes().all(plain)
    {
        Ok(name)
    } else {
        Err(D::Error::custom(format!(
            "{name:?} is no name for a table: a letter, then up to 63 letters, digits, '.', '_', '-'"
        )))
    }
}

fn minor_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(u8, u8), D::Error> {
    let text = String::deserialize(deserializer)?;
    text.split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
        .ok_or_else(|| D::Error::custom(format!("{text:?} is no minor version of Python such as \"3.11\"")))
}

fn unicode_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.split('.').count() == 3 && text.split('.').all(|part| part.parse::<u8>().is_ok()) {
        Ok(text)
    } else {
        Err(D::Error::custom(format!("{text:?} is no version of the Unicode database such as \"14.0.0\"")))
    }
}
