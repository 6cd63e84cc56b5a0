//! Where each field of CPython's structs lies: tables, pure data, one per version and ABI.

pub mod dwarf;
mod schema;
mod table;

pub use schema::{Bits, Field, FieldSpec, Place, STRUCTS, StructSpec, Structs};
pub use table::{Abi, Layout, Provenance, TableError};
