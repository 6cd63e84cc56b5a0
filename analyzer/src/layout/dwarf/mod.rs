//! Extracts a table from the DWARF of an interpreter and its extension modules.
//!
//! Only the top level of each unit is looked at, as C has its types there; subtrees are skipped by their siblings.
//! A struct's members are read when a field of it is wanted.

mod files;
#[cfg(test)]
mod tests;
mod types;

use super::schema::{Place, STRUCTS, StructSpec, Structs};
use super::table::{Abi, Layout, Provenance};
use crate::addr::Machine;
use files::{Container, DebugFile, Files};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use types::{Die, Types};

/// What debug information does not tell about an interpreter.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// The name for the table.
    pub name: String,
    /// The interpreter's version: major, minor, and the whole (`3.11.7`).
    pub python: (u8, u8, String),
    /// Its `unicodedata.unidata_version`.
    pub unicode: String,
    /// Its `opcode.opmap["PUSH_EXC_INFO"]`, from 3.11.
    pub push_exc_info: Option<u8>,
}

/// Why no table could be extracted.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not an object file, or a damaged one.
    #[error("{}: not an object file that can be read: {source}", path.display())]
    Object {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: object::read::Error,
    },
    /// A file is for a machine whose tables pycore does not know.
    #[error("{}: not for a 64-bit little-endian machine", path.display())]
    Abi {
        /// The file.
        path: PathBuf,
    },
    /// A file carries no debug information.
    #[error("{}: no debug information (.debug_info); build it with -g and do not strip it", path.display())]
    NoDebugInfo {
        /// The file.
        path: PathBuf,
    },
    /// Debug information is larger than any interpreter's.
    #[error("{}: {section} has {size} bytes, more than pycore reads", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The section.
        section: &'static str,
        /// Its size when decompressed, in bytes.
        size: u64,
    },
    /// Debug information is damaged.
    #[error("{}: damaged debug information: {source}", path.display())]
    Dwarf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: gimli::Error,
    },
    /// Debug information says something that pycore does not understand.
    #[error("{}: debug information at {offset:#x}: {what}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The offset of the entry in `.debug_info`.
        offset: usize,
        /// What is not understood.
        what: &'static str,
    },
    /// Two definitions of a struct have all its wanted fields, at different places.
    #[error("two different definitions of {name}: {first}, and {second}")]
    Ambiguous {
        /// The struct's name in the tables.
        name: &'static str,
        /// Where one is defined.
        first: String,
        /// Where the other is defined.
        second: String,
    },
    /// The files define none of the structs.
    #[error("none of the structs that pycore reads is in the debug information of the files given")]
    NoStructs,
}

/// The data model of an object file: that of Windows for COFF and PE files.
///
/// # Errors
/// When the file cannot be read.
pub fn abi(file: &Path) -> Result<Abi, ExtractError> {
    Container::open(file).map(|container| container.abi)
}

/// The machine that an object file is for.
///
/// # Errors
/// When the file cannot be read, or is for a machine that pycore does not know.
pub fn machine(file: &Path) -> Result<Machine, ExtractError> {
    let unknown = || ExtractError::Abi { path: file.to_owned() };
    Container::open(file)?.machine.ok_or_else(unknown)
}

/// Makes the table of an interpreter from the debug information of `files`, as [`structs`] does.
///
/// # Errors
/// As [`structs`].
pub fn extract(files: &[PathBuf], interpreter: &Interpreter) -> Result<Layout, ExtractError> {
    let (major, minor, version) = &interpreter.python;
    let mut layout = Layout::new(interpreter.name.clone(), (*major, *minor), interpreter.unicode.clone());
    layout.push_exc_info = interpreter.push_exc_info;
    if let Some(file) = files.first() {
        layout.abi = abi(file)?;
    }
    (layout.structs, layout.provenance) = structs(files, version, None)?;
    layout.free_threaded = layout.structs.PyObject.ob_gc_bits.exists();
    // `_PyObject_HEAD_EXTRA`, Include/object.h: two pointers before the count of references.
    layout.trace_refs = layout.structs.PyObject.ob_refcnt.place.is_some_and(|place| place.offset == 16);
    Ok(layout)
}

/// Extracts the places of all fields of the schema from the debug information of `files`, together those of one
/// interpreter: the executable or libpython, and extension modules. With a package, its structs instead of CPython's.
/// `version`, the interpreter's, is for the provenance, one for each file.
///
/// # Errors
/// When a file cannot be read or has no debug information, and when definitions of a struct contradict each other.
pub fn structs(
    files: &[PathBuf],
    version: &str,
    package: Option<&str>,
) -> Result<(Structs, Vec<Provenance>), ExtractError> {
    let containers = files.iter().map(|path| Container::open(path)).collect::<Result<Vec<_>, _>>()?;
    let files = Files::parse(&containers)?;
    let types = Types::index(&files)?;

    let mut structs = Structs::default();
    let mut found = false;
    for spec in STRUCTS.iter().filter(|spec| spec.package == package) {
        let Some(shape) = best_shape(&types, spec)? else { continue };
        found = true;
        if let Some(size) = structs.size_mut(spec.name) {
            *size = shape.size;
        }
        for (field, place) in spec.fields.iter().zip(shape.places) {
            if let Some(field) = structs.field_mut(spec.name, field.name) {
                field.place = place;
            }
        }
    }
    if !found {
        return Err(ExtractError::NoStructs);
    }
    let provenance = |(container, file): (&Container, &DebugFile<'_>)| {
        Ok(Provenance {
            file: container.file_name(),
            python: version.to_owned(),
            build_id: container.build_id.clone(),
            producer: file.producer()?,
            note: String::new(),
        })
    };
    let provenance = containers.iter().zip(files.iter()).map(provenance).collect::<Result<_, _>>()?;
    Ok((structs, provenance))
}

/// A struct as one definition of it has it: the places of the fields in the order of the schema.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Shape {
    size: u32,
    places: Vec<Option<Place>>,
}

impl Shape {
    fn of(types: &Types<'_>, spec: &StructSpec, definition: Die) -> Result<Self, ExtractError> {
        let mut places = Vec::with_capacity(spec.fields.len());
        for field in spec.fields {
            let mut place = None;
            for path in field.c_paths {
                place = types.member(definition, path)?;
                if place.is_some() {
                    break;
                }
            }
            places.push(place);
        }
        Ok(Shape { size: types.size(definition)?, places })
    }

    fn found(&self) -> usize {
        self.places.iter().flatten().count()
    }
}

/// Of all definitions under the struct's names, the one with the most wanted fields: other code may use the same
/// name for something else.
fn best_shape(types: &Types<'_>, spec: &StructSpec) -> Result<Option<Shape>, ExtractError> {
    let mut shapes: HashMap<Shape, Die> = HashMap::new();
    for definition in types.definitions(spec.c_names)? {
        let shape = Shape::of(types, spec, definition)?;
        if shape.found() > 0 {
            shapes.entry(shape).or_insert(definition);
        }
    }
    let most = shapes.keys().map(Shape::found).max().unwrap_or_default();
    shapes.retain(|shape, _| shape.found() == most);
    let mut definitions: Vec<Die> = shapes.values().copied().collect();
    definitions.sort();
    if let [first, second, ..] = *definitions {
        return Err(ExtractError::Ambiguous {
            name: spec.name,
            first: types.describe(first),
            second: types.describe(second),
        });
    }
    Ok(shapes.into_keys().next())
}
