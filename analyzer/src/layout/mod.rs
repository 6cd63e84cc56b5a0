//! Where each field of CPython's structs lies: tables, pure data, one per version and ABI.

mod capabilities;
pub mod dwarf;
mod schema;
mod table;

pub use capabilities::{FrameModel, IntModel, LineTableModel, ManagedDict, SplitOrder};
pub use schema::{Bits, Field, FieldSpec, Place, STRUCTS, StructSpec, Structs};
pub use table::{Abi, Layout, Provenance, TableError};
