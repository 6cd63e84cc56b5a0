//! Where each field of CPython's structs lies: tables, pure data, one per version and ABI.

mod schema;

pub use schema::{Bits, Field, FieldSpec, Place, STRUCTS, StructSpec, Structs};
