//! The YAML form of what tables have in common: the places of fields, and where they come from.

use super::Abi;
use super::schema::{Bits, Place, STRUCTS, Structs};
use super::table::{Provenance, STRUCT_LIMIT};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt::{self, Write as _};

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { offset, size, bits } = self;
        match bits {
            None => write!(f, "[{offset}, {size}]"),
            Some(Bits { shift, width }) => write!(f, "[{offset}, {size}, {shift}, {width}]"),
        }
    }
}

/// The end of a table: its data model, its provenance and its structs.
pub(super) fn write_common(yaml: &mut String, abi: Abi, provenance: &[Provenance], structs: &Structs) {
    let _ = writeln!(yaml, "abi: {abi}");
    write_provenance(yaml, provenance);
    write_structs(yaml, structs);
}

/// What a table was extracted from.
pub(super) fn write_provenance(yaml: &mut String, provenance: &[Provenance]) {
    yaml.push_str(if provenance.is_empty() { "provenance: []\n" } else { "provenance:\n" });
    for Provenance { file, python, build_id, producer, note } in provenance {
        let _ = writeln!(yaml, "  - file: {}", quoted(file));
        let _ = writeln!(yaml, "    python: {}", quoted(python));
        let _ = writeln!(yaml, "    build_id: {}", quoted(build_id));
        let _ = writeln!(yaml, "    producer: {}", quoted(producer));
        if !note.is_empty() {
            let _ = writeln!(yaml, "    note: {}", quoted(note));
        }
    }
}

/// The structs of a table, in the order of the schema.
pub(super) fn write_structs(yaml: &mut String, structs: &Structs) {
    let structs = structs_to_yaml(structs);
    yaml.push_str(if structs.is_empty() { "structs: {}\n" } else { "structs:\n" });
    yaml.push_str(&structs);
}

fn structs_to_yaml(structs: &Structs) -> String {
    let mut yaml = String::new();
    for spec in STRUCTS {
        let mut fields = String::new();
        for field in spec.fields {
            if let Some(place) = structs.field(spec.name, field.name).and_then(|field| field.place) {
                let _ = writeln!(fields, "      {}: {place}", field.name);
            }
        }
        let size = structs.size(spec.name).unwrap_or_default();
        if size == 0 && fields.is_empty() {
            continue;
        }
        let none = if fields.is_empty() { " {}" } else { "" };
        let _ = write!(yaml, "  {}:\n    size: {size}\n    fields:{none}\n{fields}", spec.name);
    }
    yaml
}

/// A JSON string is a YAML string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
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

#[cfg(test)]
mod tests {
    use crate::layout::{Bits, Layout, Place, Provenance};

    /// A table with these lines under `structs:`.
    fn table(structs: &str) -> String {
        let head = "schema: pycore.layout/1\nname: test\npython: \"3.11\"\nunicode: \"14.0.0\"\nabi: lp64\n";
        format!("{head}provenance: []\nstructs:\n{structs}")
    }

    /// The error's text without the name of the origin.
    fn error(yaml: &str) -> String {
        let error = Layout::from_yaml(yaml, "table").unwrap_err().to_string();
        error.strip_prefix("table: not a valid layout table: ").unwrap().to_owned()
    }

    fn struct_error(structs: &str) -> String {
        error(&table(structs))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut layout = Layout::new("test".to_owned(), (3, 11), "14.0.0".to_owned());
        layout.provenance.push(Provenance {
            file: "lib \"x\": #1\n.so".to_owned(),
            python: "3.11.7".to_owned(),
            build_id: String::new(),
            producer: "GNU C17 'é'".to_owned(),
            note: "of \"headers\" alone".to_owned(),
        });
        layout.structs.PyObject.size_of = 16;
        layout.structs.PyObject.ob_type.place = Some(Place { offset: 8, size: 8, bits: None });
        layout.structs.PyASCIIObject.size_of = 48;
        layout.structs.PyASCIIObject.kind.place =
            Some(Place { offset: 32, size: 4, bits: Some(Bits { shift: 2, width: 3 }) });
        layout.structs.PyCellObject.size_of = 24;
        let yaml = layout.to_yaml();
        let read = Layout::from_yaml(&yaml, "test").unwrap();
        assert_eq!(read.provenance, layout.provenance);
        assert_eq!(read.structs.PyASCIIObject.kind.place, layout.structs.PyASCIIObject.kind.place);
        assert_eq!(read.structs.PyCellObject.size_of, 24);
        assert!(!read.structs.PyObject.ob_refcnt.exists());
        assert_eq!(read.to_yaml(), yaml);
    }

    #[test]
    fn an_empty_table_is_read_again() {
        let yaml = Layout::new("test".to_owned(), (3, 11), "14.0.0".to_owned()).to_yaml();
        assert_eq!(Layout::from_yaml(&yaml, "test").unwrap().to_yaml(), yaml);
    }

    #[test]
    fn unknown_names_are_refused_with_their_line() {
        assert_eq!(
            struct_error(
                "  PyObject:\n    size: 16\n    fields: {}\n  PyMystery:\n    size: 8\n    fields: {}\n"
            ),
            "structs.PyMystery: pycore reads no struct PyMystery at line 12 column 5"
        );
        assert_eq!(
            struct_error("  PyObject:\n    size: 16\n    fields:\n      ob_mystery: [0, 8]\n"),
            "structs.PyObject.fields.ob_mystery: pycore reads no field PyObject.ob_mystery at line 11 column 19"
        );
        assert!(
            struct_error("  PyObject:\n    size: 16\n    color: red\n").contains("unknown field `color`")
        );
        assert!(error(&format!("color: red\n{}", table("  {}"))).contains("unknown field `color`"));
    }

    #[test]
    fn names_that_come_twice_are_refused() {
        let object = "  PyObject:\n    size: 16\n    fields: {}\n";
        assert!(struct_error(&object.repeat(2)).contains("struct PyObject is there twice"));
        assert!(
            struct_error(
                "  PyObject:\n    size: 16\n    fields:\n      ob_type: [8, 8]\n      ob_type: [8, 8]\n"
            )
            .contains("PyObject.ob_type is there twice")
        );
    }

    #[test]
    fn fields_lie_within_their_struct() {
        let with = |size: u32, place: &str| {
            table(&format!("  PyBytesObject:\n    size: {size}\n    fields:\n      ob_sval: {place}\n"))
        };
        let accepted = |size, place| Layout::from_yaml(&with(size, place), "table").is_ok();
        assert!(accepted(40, "[39, 1]"));
        assert!(accepted(32, "[32, 0]"), "a flexible array");
        assert!(accepted(0, "[32, 1]"), "a struct of unknown size");
        assert!(error(&with(40, "[33, 8]")).contains("ends at byte 41, behind the struct's size of 40"));
        assert!(error(&with(40, "[4294967295, 4294967295]")).contains("beyond 1048576 bytes"));
        assert!(error(&with(0, "[1048577, 1]")).contains("beyond 1048576 bytes"));
        assert!(error(&with(1_048_577, "[0, 1]")).contains("larger than 1048576 bytes"));
        assert!(error(&with(40, "[-1, 1]")).contains("invalid type"), "{}", error(&with(40, "[-1, 1]")));
        assert!(error(&with(40, "[32]")).contains("2 or 4 numbers"));
        assert!(error(&with(40, "[32, 1, 0]")).contains("2 or 4 numbers"));
        assert!(error(&with(40, "[1, 1, 1, 1, 1, 1]")).contains("2 or 4 numbers"));
        assert!(error(&with(40, "32")).contains("invalid type"));
        assert!(error(&table("  PyBytesObject:\n    fields: {}\n")).contains("missing field `size`"));
    }

    #[test]
    fn bits_lie_within_their_integer() {
        let with = |place: &str| {
            table(&format!("  PyASCIIObject:\n    size: 48\n    fields:\n      kind: {place}\n"))
        };
        assert!(Layout::from_yaml(&with("[32, 4, 31, 1]"), "table").is_ok());
        for place in
            ["[32, 4, 30, 3]", "[32, 4, 0, 0]", "[32, 9, 0, 1]", "[32, 0, 0, 1]", "[32, 4, 4294967295, 2]"]
        {
            assert!(error(&with(place)).contains("do not fit an integer"), "{place}");
        }
    }

    #[test]
    fn the_head_of_a_table_is_checked() {
        let refuses = |from: &str, to: &str, why: &str| {
            let message = error(&table("  {}").replace(from, to));
            assert!(message.contains(why), "{message}");
        };
        refuses("layout/1", "layout/2", "this version of pycore reads \"pycore.layout/1\"");
        refuses("name: test", "name: \"a b\"", "is no name for a table");
        refuses("name: test", "name: 7up", "is no name for a table");
        refuses("3.11", "3", "is no minor version of Python");
        refuses("3.11", "3.1111", "is no minor version of Python");
        refuses("14.0.0", "14", "is no version of the Unicode database");
        refuses("lp64", "ilp32", "unknown variant `ilp32`");
        refuses("provenance: []\n", "", "missing field `provenance`");
    }

    #[test]
    fn hostile_yaml_ends_in_an_error() {
        let deep = "[".repeat(100_000);
        assert!(Layout::from_yaml(&deep, "table").is_err());
        let mut bomb = String::from("a0: &a0 [x]\n");
        for level in 1..30 {
            let before = level - 1;
            bomb += &format!(
                "a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}, *a{before}]\n"
            );
        }
        assert!(Layout::from_yaml(&bomb, "table").is_err());
        assert!(Layout::from_yaml("\0", "table").is_err());
        assert!(Layout::from_yaml("", "table").is_err());
    }

    #[test]
    fn a_file_that_is_no_table_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, " ".repeat((1 << 20) + 1)).unwrap();
        let message = Layout::load(file.path()).unwrap_err().to_string();
        assert!(message.contains("longer than 1048576 bytes"), "{message}");
        std::fs::write(&file, b"\x7fELF\xff").unwrap();
        assert!(Layout::load(file.path()).is_err());
        assert!(Layout::load(std::path::Path::new("/nonexistent")).is_err());
    }
}
