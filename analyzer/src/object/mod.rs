//! Typed views of Python objects: what `repr()` would print, decoded from memory, never executed.
//!
//! One file per family of types. Everything here takes addresses of objects and an [`Inspector`]; nothing knows
//! where the memory comes from or which version of CPython it is beyond what the layout says.

mod aliases;
mod array;
mod assumed;
mod asyncio;
mod attributes;
mod callables;
mod classic;
mod classic_library;
mod collected;
mod containers;
mod datetime;
mod decimal;
mod dict;
mod environment;
mod exceptions;
mod files;
mod greenlet;
mod handles;
mod inspector;
mod logging;
mod lookup;
mod members;
mod mimalloc;
mod network;
mod numbers;
mod numpy;
mod printable;
mod reprs;
mod static_names;
mod stdlib;
mod struct_sequence;
mod text;
mod types;
mod values;
mod windows_path;

pub(crate) use asyncio::FutureFields;
pub(crate) use collected::MAX_TRACKED;
pub use dict::DictEntries;
pub use exceptions::ExceptionFields;
pub(crate) use greenlet::{GreenletFields, SavedStack};
pub use inspector::{Inspector, Unreadable};
pub(crate) use lookup::{Key, NoPart, Part, near_names};
pub use text::Text;
pub use types::{MethodSource, TypeInfo};
pub use values::{Limits, REPR_LEVELS};
