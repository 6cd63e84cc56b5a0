//! Compares a table with the debug information of an interpreter.

use super::schema::{Place, STRUCTS, Structs};
use std::fmt;

/// What a table and debug information disagree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The size of a struct, in bytes; 0 where the table does not have it.
    Size {
        /// The struct.
        name: &'static str,
        /// Its size in the table.
        table: u32,
        /// Its size in the files.
        files: u32,
    },
    /// The place of a field.
    Place {
        /// `PyTypeObject.tp_name`.
        field: &'static str,
        /// Its place in the table.
        table: Option<Place>,
        /// Its place in the files.
        files: Option<Place>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |place: &Option<Place>| place.map_or("absent".to_owned(), |place| place.to_string());
        match self {
            Difference::Size { name, table, files } => {
                write!(f, "sizeof {name}: {table} in the table, {files} in the files")
            }
            Difference::Place { field, table, files } => {
                write!(f, "{field}: {} in the table, {} in the files", shown(table), shown(files))
            }
        }
    }
}

/// A comparison of a table with debug information.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// What differs, in the order of the schema.
    pub differences: Vec<Difference>,
    /// The structs that were compared.
    pub compared: Vec<&'static str>,
    /// The structs of the table that the files do not define, so that nothing can be said of them.
    pub undefined: Vec<&'static str>,
}

/// Compares the structs of a table with those `found` in files by [`structs`](super::dwarf::structs).
pub fn compare(table: &Structs, found: &Structs) -> Comparison {
    let mut comparison = Comparison::default();
    for spec in STRUCTS {
        let size = |structs: &Structs| structs.size(spec.name).unwrap_or_default();
        match (size(table), size(found)) {
            (0, 0) => continue,
            (_, 0) => {
                comparison.undefined.push(spec.name);
                continue;
            }
            (table, files) if table != files => {
                comparison.differences.push(Difference::Size { name: spec.name, table, files });
            }
            _ => {}
        }
        comparison.compared.push(spec.name);
        for field in spec.fields {
            if let (Some(table), Some(found)) =
                (table.field(spec.name, field.name), found.field(spec.name, field.name))
                && table.place != found.place
            {
                let (field, table, files) = (table.name, table.place, found.place);
                comparison.differences.push(Difference::Place { field, table, files });
            }
        }
    }
    comparison
}
