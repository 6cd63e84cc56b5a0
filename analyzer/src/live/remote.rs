//! Copying the memory of another process.

use crate::addr::Address;
use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use std::fs::File;
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;

/// How many pieces one `process_vm_readv` takes: `IOV_MAX`.
pub(super) const MAX_PIECES: usize = 1024;

/// The memory of a process, by the id of one of its threads.
#[derive(Debug)]
pub(crate) struct Remote {
    thread: Pid,
    /// `/proc/TID/mem`, once it was needed, for where the system call is not allowed; `None` where it cannot be opened
    /// either.
    file: OnceLock<Option<File>>,
}

impl Remote {
    /// The memory of the process that has a `thread` with this id, which has not ended.
    pub(crate) fn new(thread: u32) -> Self {
        Remote { thread: Pid::from_raw(thread.cast_signed()), file: OnceLock::new() }
    }

    /// Fills `buffer` with what lies at `pieces`, one behind the other, by as few system calls as can be: returns how
    /// many bytes were read before the first that cannot be.
    ///
    /// # Errors
    /// The process has ended, or may not be read.
    pub(crate) fn gather(&self, pieces: &[(Address, usize)], buffer: &mut [u8]) -> Result<usize, Errno> {
        let mut done = 0;
        for pieces in pieces.chunks(MAX_PIECES) {
            let remote = pieces.iter().map(|&(at, len)| RemoteIoVec { base: at.0 as usize, len });
            let remote = remote.collect::<Vec<_>>();
            let wanted = remote.iter().map(|piece| piece.len).sum::<usize>();
            let Some(part) = buffer.get_mut(done..done + wanted) else { break };
            match process_vm_readv(self.thread, &mut [IoSliceMut::new(part)], &remote) {
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

    fn file(&self) -> Option<&File> {
        self.file.get_or_init(|| File::open(format!("/proc/{}/mem", self.thread)).ok()).as_ref()
    }

    /// How many bytes `/proc/TID/mem` gives.
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
