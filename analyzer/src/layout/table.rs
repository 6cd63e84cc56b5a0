//! A table of offsets and its YAML form.
//!
//! ```yaml
//! schema: pycore.layout/1
//! name: cpython-3.11-lp64
//! python: "3.11"
//! abi: lp64
//! unicode: "14.0.0"
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
//! integer of `size` bytes at `offset`. A struct or field that the interpreter does not have is left out.

use super::schema::{Bits, Place, STRUCTS, Structs};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt::{self, Write as _};
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
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Abi::Lp64 => "lp64",
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
}

/// Where each field of CPython's structs lies, for one version and ABI.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// The format of the file.
    schema: SchemaName,
    /// `cpython-3.11-lp64`.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// Major and minor version of Python.
    #[serde(deserialize_with = "minor_version")]
    pub python: (u8, u8),
    /// The data model.
    pub abi: Abi,
    /// The version of the Unicode database that this Python decides by which characters `repr` escapes, `14.0.0`.
    #[serde(deserialize_with = "unicode_version")]
    pub unicode: String,
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
            schema: SchemaName,
            name,
            python,
            abi: Abi::Lp64,
            unicode,
            provenance: Vec::new(),
            structs: Structs::default(),
        }
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
        serde_yaml::from_str(text).map_err(|source| TableError::Invalid { origin: origin.to_owned(), source })
    }

    /// The table as text that [`Layout::from_yaml`] reads, structs and fields in the order of the schema.
    pub fn to_yaml(&self) -> String {
        let (major, minor) = self.python;
        let mut yaml = format!(
            "schema: {}\nname: {}\npython: \"{major}.{minor}\"\nabi: {}\nunicode: \"{}\"\n",
            self.schema, self.name, self.abi, self.unicode
        );
        yaml.push_str(if self.provenance.is_empty() { "provenance: []\n" } else { "provenance:\n" });
        for Provenance { file, python, build_id, producer } in &self.provenance {
            let _ = writeln!(yaml, "  - file: {}", quoted(file));
            let _ = writeln!(yaml, "    python: {}", quoted(python));
            let _ = writeln!(yaml, "    build_id: {}", quoted(build_id));
            let _ = writeln!(yaml, "    producer: {}", quoted(producer));
        }
        let structs = self.structs_to_yaml();
        yaml.push_str(if structs.is_empty() { "structs: {}\n" } else { "structs:\n" });
        yaml + &structs
    }

    fn structs_to_yaml(&self) -> String {
        let mut yaml = String::new();
        for spec in STRUCTS {
            let mut fields = String::new();
            for field in spec.fields {
                let place = self.structs.field(spec.name, field.name).and_then(|field| field.place);
                if let Some(Place { offset, size, bits }) = place {
                    let _ = match bits {
                        None => writeln!(fields, "      {}: [{offset}, {size}]", field.name),
                        Some(Bits { shift, width }) => {
                            writeln!(fields, "      {}: [{offset}, {size}, {shift}, {width}]", field.name)
                        }
                    };
                }
            }
            let size = self.structs.size(spec.name).unwrap_or_default();
            if size == 0 && fields.is_empty() {
                continue;
            }
            let none = if fields.is_empty() { " {}" } else { "" };
            let _ = write!(yaml, "  {}:\n    size: {size}\n    fields:{none}\n{fields}", spec.name);
        }
        yaml
    }
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The value of `schema`, which says nothing but that the file is a table of the version that this program reads.
#[derive(Clone, Debug)]
struct SchemaName;

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEMA)
    }
}

impl<'de> Deserialize<'de> for SchemaName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        if found == SCHEMA {
            Ok(SchemaName)
        } else {
            Err(D::Error::custom(format!("schema is {found:?}; this version of pycore reads {SCHEMA:?}")))
        }
    }
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
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

impl<'de> Deserialize<'de> for Structs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllStructs;
        impl<'de> Visitor<'de> for AllStructs {
            type Value = Structs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("structs by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Structs, A::Error> {
                let mut structs = Structs::default();
                let mut seen = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    let repeated = seen.contains(&name);
                    map.next_value_seed(OneStruct { structs: &mut structs, name: &name, repeated })?;
                    seen.push(name);
                }
                Ok(structs)
            }
        }
        deserializer.deserialize_map(AllStructs)
    }
}

/// Reads `{size, fields}` of the struct `name` into `structs`. Names are checked here, not where they are read, so
/// that errors carry the line of the struct.
struct OneStruct<'a> {
    structs: &'a mut Structs,
    name: &'a str,
    repeated: bool,
}

impl<'de> DeserializeSeed<'de> for OneStruct<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneStruct<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a struct's `size` and `fields`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let OneStruct { structs, name, repeated } = self;
        if repeated {
            return Err(A::Error::custom(format!("struct {name} is there twice")));
        }
        if structs.size(name).is_none() {
            return Err(A::Error::custom(format!("pycore reads no struct {name}")));
        }
        let mut struct_size = None;
        let mut places = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "size" => struct_size = Some(map.next_value::<u32>()?),
                "fields" => map.next_value_seed(Fields { structs, structure: name, places: &mut places })?,
                _ => return Err(A::Error::unknown_field(&key, &["size", "fields"])),
            }
        }
        let struct_size = struct_size.ok_or_else(|| A::Error::missing_field("size"))?;
        if struct_size > STRUCT_LIMIT {
            return Err(A::Error::custom(format!("{name} is larger than {STRUCT_LIMIT} bytes")));
        }
        for (field, place) in &places {
            let end = place.offset.saturating_add(place.size);
            if struct_size != 0 && end > struct_size {
                return Err(A::Error::custom(format!(
                    "{name}.{field} ends at byte {end}, behind the struct's size of {struct_size}"
                )));
            }
        }
        if let Some(size) = structs.size_mut(name) {
            *size = struct_size;
        }
        Ok(())
    }
}

/// Reads the fields of one struct into `structs`, and lists them in `places`.
struct Fields<'a> {
    structs: &'a mut Structs,
    structure: &'a str,
    places: &'a mut Vec<(String, Place)>,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let place = map.next_value_seed(OneField {
                structs: self.structs,
                structure: self.structure,
                field: &name,
            })?;
            self.places.push((name, place));
        }
        Ok(())
    }
}

/// Reads the place of one field into `structs`.
struct OneField<'a> {
    structs: &'a mut Structs,
    structure: &'a str,
    field: &'a str,
}

impl<'de> DeserializeSeed<'de> for OneField<'_> {
    type Value = Place;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Place, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for OneField<'_> {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[offset, size] or [offset, size, shift, width]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Place, A::Error> {
        let OneField { structs, structure, field: name } = self;
        let Some(field) = structs.field_mut(structure, name) else {
            return Err(A::Error::custom(format!("pycore reads no field {structure}.{name}")));
        };
        if field.place.is_some() {
            return Err(A::Error::custom(format!("{field} is there twice")));
        }
        let mut numbers = Vec::with_capacity(4);
        while let Some(number) = seq.next_element::<u32>()? {
            numbers.push(number);
            if numbers.len() > 4 {
                break;
            }
        }
        let (offset, size, bits) = match *numbers {
            [offset, size] => (offset, size, None),
            [offset, size, shift, width] => {
                let fits = (1..=8).contains(&size)
                    && width > 0
                    && shift.checked_add(width).is_some_and(|end| end <= 8 * size);
                if !fits {
                    return Err(A::Error::custom(format!(
                        "{field}: {width} bits from bit {shift} do not fit an integer of {size} bytes"
                    )));
                }
                (offset, size, Some(Bits { shift: shift as u8, width: width as u8 }))
            }
            _ => return Err(A::Error::invalid_length(numbers.len(), &"2 or 4 numbers")),
        };
        if offset > STRUCT_LIMIT || size > STRUCT_LIMIT {
            return Err(A::Error::custom(format!("{field} lies beyond {STRUCT_LIMIT} bytes")));
        }
        let place = Place { offset, size, bits };
        field.place = Some(place);
        Ok(place)
    }
}
