//! Where each field of CPython's structs lies: tables, pure data, one per version and ABI.

mod asyncio_offsets;
mod behaviour;
mod capability;
pub mod check;
mod debug_offsets;
pub mod dwarf;
mod overlay;
mod package;
mod registry;
mod schema;
mod static_types;
mod table;
mod yaml;

pub use asyncio_offsets::AsyncioOffsets;
pub use behaviour::{FrameState, SplitOrder};
pub use capability::{
    DictModel, FrameModel, GilModel, HandledModel, InstanceDictModel, IntModel, LineTableModel, RaisedModel,
    StrModel, VariablesModel,
};
pub use debug_offsets::{DEBUG_COOKIE, DebugOffsets, DebugOffsetsError};
pub use overlay::overlay;
pub use package::PackageLayout;
pub use registry::{Entry, LayoutRegistry, Origin, PackageEntry};
pub use schema::{Bits, Field, FieldSpec, Place, STRUCTS, StructSpec, Structs};
pub use static_types::StaticTypes;
pub use table::{Abi, Layout, Provenance, TableError, Target};
