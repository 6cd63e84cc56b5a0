//! The memory of a live process.

use super::place::Place;
use crate::addr::Address;
use crate::memory::{Fault, FaultCause, Memory, Range};
use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// How many pieces one `process_vm_readv` takes: `IOV_MAX`.
pub(super) const MAX_PIECES: usize = 1024;

/// The memory of a live process as it is now: two reads may see two different states.
pub(super) struct LiveMemory<'p> {
    place: Place,
    ranges: &'p [Range],
    /// `/proc/PID/mem`, once it was needed; `None` where it cannot be opened either.
    file: OnceLock<Option<File>>,
}

impl<'p> LiveMemory<'p> {
    /// The memory of the process at `place`, in which `ranges` are mapped.
    pub(super) fn new(place: Place, ranges: &'p [Range]) -> Self {
        LiveMemory { place, ranges, file: OnceLock::new() }
    }

    /// Fills `buffer` with what lies at `pieces`, one behind the other, by as few system calls as can be: returns how
    /// many bytes were read before the first that cannot be.
    pub(super) fn gather(&self, pieces: &[(Address, usize)], buffer: &mut [u8]) -> Result<usize, Errno> {
        let mut done = 0;
        for pieces in pieces.chunks(MAX_PIECES) {
            let remote = pieces.iter().map(|&(at, len)| RemoteIoVec { base: at.0 as usize, len });
            let remote = remote.collect::<Vec<_>>();
            let wanted = remote.iter().map(|piece| piece.len).sum::<usize>();
            let Some(part) = buffer.get_mut(done..done + wanted) else { break };
            match process_vm_readv(self.place.memory_id(), &mut [IoSliceMut::new(part)], &remote) {
                Ok(read) if read == wanted => done += read,
                Ok(read) => return Ok(done + read),
                Err(Errno::EFAULT) => return Ok(done),
                Err(Errno::EPERM | Errno::ENOSYS | Errno::EACCES) if self.file().is_some() => {
                    for &(at, len) in pieces {
                        let piece = buffer.get_mut(done..done + len).unwrap_or_default();
                        let read = self.read_file(at, piece);
                        done += read;
                        if read < len {
                            return Ok(done);
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(done)
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

    fn file(&self) -> Option<&File> {
        self.file.get_or_init(|| File::open(self.place.file("mem")).ok()).as_ref()
    }

    /// How many bytes `/proc/PID/mem` gives.
    fn read_file(&self, at: Address, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while let Some(file) = self.file()
            && let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty())
            && let Ok(read) = file.read_at(rest, at.0.wrapping_add(done as u64))
            && read > 0
        {
            done += read;
        }
        done
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
