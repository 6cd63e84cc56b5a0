//! What images of files in memory have in common, of whatever format.

use crate::addr::Address;
use crate::memory::{Fault, FaultCause, Memory};
use object::pod::Pod;

/// The largest structure of the formats that are read, in bytes: PE's optional header with its magic.
const LARGEST_STRUCT: usize = 128;

/// Why an image of a file in memory could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Some of its bytes are not at hand.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Where the file begins there is no header of a format that is read: little-endian ELF of 64 bits, PE.
    #[error("{0}: no header of a 64-bit little-endian ELF file or of a PE file")]
    Unknown(Address),
    /// What it says of itself makes no sense.
    #[error("{at}: {what}")]
    Malformed {
        /// Where it says so.
        at: Address,
        /// What is wrong.
        what: &'static str,
    },
}

/// A structure of a file's format, at most 128 bytes long.
pub(crate) fn read_struct<T: Pod>(memory: &dyn Memory, at: Address) -> Result<T, Fault> {
    const {
        assert!(size_of::<T>() <= LARGEST_STRUCT);
    }
    let mut buffer = [0; LARGEST_STRUCT];
    let (bytes, _) = buffer.split_at_mut(size_of::<T>());
    memory.read(at, bytes)?;
    object::pod::from_bytes(bytes)
        .map(|(value, _)| *value)
        .map_err(|()| Fault { at, cause: FaultCause::NotMapped })
}
