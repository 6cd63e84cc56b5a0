//! One address space: "read these bytes at this virtual address". Knows no file format.

mod recording;
mod regions;
mod thinned;
mod touched;

pub use recording::RecordingMemory;
pub use regions::{Backing, LazyBytes, ReadAt, Region, Regions};
pub use thinned::Thinned;
pub use touched::Touched;

use crate::addr::Address;
use std::fmt;

/// The smallest page of the targets known, in bytes: what the kernel maps, pads and dumps by.
pub const PAGE_SIZE: u64 = 4096;

/// Why bytes at a virtual address could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultCause {
    /// No mapping of the target covers the address.
    NotMapped,
    /// The address was mapped, but whoever wrote the dump left its bytes out.
    NotDumped,
    /// The dump says that it holds the bytes, but its file ends before them.
    Truncated,
    /// The bytes belong to a file that was mapped there and that could not be found, or is not the same file.
    FileMissing,
    /// Whoever holds the process could not read it, and does not say why.
    NotReadable,
    /// The user asked to stop before it was read.
    Interrupted,
}

impl fmt::Display for FaultCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FaultCause::NotMapped => "not mapped in the process",
            FaultCause::NotDumped => "left out of the dump",
            FaultCause::Truncated => "cut off: the dump is truncated",
            FaultCause::FileMissing => "in a mapped file that is not at hand",
            FaultCause::NotReadable => "the debugger cannot read it",
            FaultCause::Interrupted => "not read, as the user interrupted",
        })
    }
}

/// A read that failed: the first virtual address that could not be read, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{at}: {cause}")]
pub struct Fault {
    /// The first virtual address without bytes.
    pub at: Address,
    /// Why there are none.
    pub cause: FaultCause,
}

/// A range of virtual addresses that the target had mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first virtual address.
    pub start: Address,
    /// The length, in bytes.
    pub size: u64,
    /// Whether the target could write there.
    pub writable: bool,
    /// Whether the target could execute there.
    pub executable: bool,
}

impl Range {
    /// The first virtual address behind the range.
    pub fn end(&self) -> Address {
        self.start.add(self.size)
    }

    /// Whether `at` lies within.
    pub fn contains(&self, at: Address) -> bool {
        at >= self.start && at.0 - self.start.0 < self.size
    }
}

/// An address space to read from: a core, a minidump, a live process, a debugger.
pub trait Memory {
    /// Fills `buffer` with the bytes at `at`; all of them, or a fault.
    ///
    /// # Errors
    /// The first address that could not be read. `buffer` is then unspecified.
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault>;

    /// As [`read`](Memory::read), to pass over bytes in search of something: what is found is read once more.
    ///
    /// # Errors
    /// The first address that could not be read. `buffer` is then unspecified.
    fn pass_over(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        self.read(at, buffer)
    }

    /// Says what is going to be read, places and sizes in bytes, to who can have it faster at once.
    fn expect(&self, _places: &[(Address, usize)]) {}

    /// What was mapped, ascending and without overlaps.
    fn ranges(&self) -> Vec<Range>;
}

impl Memory for Box<dyn Memory + '_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        self.as_ref().read(at, buffer)
    }

    fn pass_over(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        self.as_ref().pass_over(at, buffer)
    }

    fn expect(&self, places: &[(Address, usize)]) {
        self.as_ref().expect(places);
    }

    fn ranges(&self) -> Vec<Range> {
        self.as_ref().ranges()
    }
}

impl<M: Memory> Memory for &M {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        (**self).read(at, buffer)
    }

    fn pass_over(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        (**self).pass_over(at, buffer)
    }

    fn ranges(&self) -> Vec<Range> {
        (**self).ranges()
    }
}

/// Typed reads on any [`Memory`]. The targets known so far are all little-endian with 8-byte pointers;
/// the container readers refuse others.
impl dyn Memory + '_ {
    /// An array of bytes of a size known at compile time.
    ///
    /// # Errors
    /// The first address that could not be read.
    pub fn array<const N: usize>(&self, at: Address) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.read(at, &mut bytes)?;
        Ok(bytes)
    }

    /// One byte.
    ///
    /// # Errors
    /// The first address that could not be read.
    pub fn u8(&self, at: Address) -> Result<u8, Fault> {
        Ok(u8::from_le_bytes(self.array(at)?))
    }

    /// An unsigned 16-bit integer.
    ///
    /// # Errors
    /// The first address that could not be read.
    pub fn u16(&self, at: Address) -> Result<u16, Fault> {
        Ok(u16::from_le_bytes(self.array(at)?))
    }

    /// An unsigned 32-bit integer.
    ///
    /// # Errors
    /// The first address that could not be read.
    pub fn u32(&self, at: Address) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    /// An unsigned 64-bit integer.
    ///
    /// # Errors
    /// The first address that could not be read.
    pub fn u64(&self, at: Address) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.array(at)?))
    }

    /// A pointer.
    ///
    /// # Errors
    /// The first address that could not be read.
    pub fn pointer(&self, at: Address) -> Result<Address, Fault> {
        Ok(Address(self.u64(at)?))
    }

    /// `size` bytes. The caller bounds `size`; memory is taken only as bytes arrive.
    ///
    /// # Errors
    /// The first address that could not be read.
    pub fn bytes(&self, at: Address, size: usize) -> Result<Vec<u8>, Fault> {
        const CHUNK: usize = 1 << 16;
        let mut bytes = Vec::new();
        while bytes.len() < size {
            let done = bytes.len();
            bytes.resize(size.min(done + CHUNK), 0);
            self.read(at.add(done as u64), bytes.get_mut(done..).unwrap_or_default())?;
        }
        Ok(bytes)
    }

    /// A NUL-terminated string of at most `limit` bytes, without the NUL; cut at `limit`.
    ///
    /// # Errors
    /// The first address that could not be read before the NUL was found.
    pub fn c_string(&self, at: Address, limit: usize) -> Result<Vec<u8>, Fault> {
        let mut length = 0;
        let with_end = loop {
            let from = at.add(length as u64);
            let mut chunk = [0u8; 64];
            let mut size = chunk.len().min(limit - length);
            if size == 0 {
                break length;
            }
            if let Err(fault) = self.pass_over(from, chunk.get_mut(..size).unwrap_or_default()) {
                size = size.min(fault.at.0.wrapping_sub(from.0) as usize);
                if size == 0 {
                    return Err(fault);
                }
                self.pass_over(from, chunk.get_mut(..size).unwrap_or_default())?;
            }
            if let Some(end) = chunk.iter().take(size).position(|&byte| byte == 0) {
                break length + end + 1;
            }
            length += size;
        };
        let mut string = self.bytes(at, with_end)?;
        string.pop_if(|last| *last == 0);
        Ok(string)
    }
}
