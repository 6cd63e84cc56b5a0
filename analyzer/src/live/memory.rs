//! The memory of a live process.

use super::place::Place;
use super::remote::Remote;
use crate::addr::Address;
use crate::memory::{Fault, FaultCause, Memory, Range};
use nix::errno::Errno;
use nix::unistd::Pid;
use std::io;

/// The memory of a live process as it is now: two reads may see two different states.
pub(super) struct LiveMemory<'p> {
    remote: Remote,
    ranges: &'p [Range],
}

impl<'p> LiveMemory<'p> {
    /// The memory of the process at `place`, in which `ranges` are mapped.
    pub(super) fn new(place: Place, ranges: &'p [Range]) -> Self {
        LiveMemory { remote: Remote::new(place.living), ranges }
    }

    /// As [`Remote::gather`].
    pub(super) fn gather(&self, pieces: &[(Address, usize)], buffer: &mut [u8]) -> Result<usize, Errno> {
        self.remote.gather(pieces, buffer)
    }

    /// Whether it may be read at all.
    pub(super) fn check(&self) -> io::Result<()> {
        let mut byte = [0];
        let first = self.ranges.first().map_or(Address::NULL, |range| range.start);
        self.gather(&[(first, 1)], &mut byte)?;
        Ok(())
    }

    /// The range that has `at`.
    pub(super) fn range_at(&self, at: Address) -> Option<&'p Range> {
        let next = self.ranges.partition_point(|range| range.start <= at);
        self.ranges.get(next.checked_sub(1)?).filter(|range| range.contains(at))
    }
}

impl Memory for LiveMemory<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        if buffer.is_empty() {
            return Ok(());
        }
        // Nothing of a program is mapped at the very end of the address space.
        let in_one_piece = at.0.checked_add(buffer.len() as u64).is_some();
        let read = if in_one_piece { self.gather(&[(at, buffer.len())], buffer).unwrap_or(0) } else { 0 };
        if read == buffer.len() {
            return Ok(());
        }
        Err(Fault { at: at.add(read as u64), cause: FaultCause::NotMapped })
    }

    fn ranges(&self) -> Vec<Range> {
        self.ranges.to_vec()
    }
}

/// As the system calls of `nix` want it.
pub(super) fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed())
}
