//! Copying memory of another process.

use crate::addr::Address;
use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use std::cell::RefCell;
use std::fs::File;
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;

/// How many pieces one `process_vm_readv` takes: `IOV_MAX`.
const MAX_PIECES: usize = 1024;

/// The process has ended, or lets nobody read it any more.
#[derive(Debug)]
pub(super) struct Gone;

/// The memory of a process, by the id of one of its threads.
#[derive(Clone)]
pub(super) struct Remote {
    pid: Pid,
    /// `/proc/PID/mem`, for where the system call is not allowed.
    file: Rc<RefCell<Option<File>>>,
}

impl Remote {
    pub(super) fn new(pid: u32) -> Self {
        Remote { pid: Pid::from_raw(pid.cast_signed()), file: Rc::default() }
    }

    /// Fills `buffer` with what lies at `pieces`, one behind the other, by as few system calls as can be: returns how
    /// many bytes were read before the first that cannot be.
    ///
    /// # Errors
    /// The process has ended.
    pub(super) fn gather(&self, pieces: &[(Address, usize)], buffer: &mut [u8]) -> Result<usize, Gone> {
        let mut done = 0;
        for pieces in pieces.chunks(MAX_PIECES) {
            let remote: Vec<_> =
                pieces.iter().map(|&(at, len)| RemoteIoVec { base: at.0 as usize, len }).collect();
            let wanted = pieces.iter().map(|(_, len)| len).sum::<usize>();
            let Some(part) = buffer.get_mut(done..done + wanted) else { break };
            let read = match process_vm_readv(self.pid, &mut [IoSliceMut::new(part)], &remote) {
                Ok(read) => read,
                Err(Errno::EFAULT) => 0,
                Err(Errno::EPERM | Errno::ENOSYS | Errno::EACCES) => self.gather_from_file(pieces, part)?,
                Err(_) => return Err(Gone),
            };
            done += read;
            if read < wanted {
                break;
            }
        }
        Ok(done)
    }

    fn gather_from_file(&self, pieces: &[(Address, usize)], buffer: &mut [u8]) -> Result<usize, Gone> {
        let mut file = self.file.borrow_mut();
        if file.is_none() {
            *file = File::open(format!("/proc/{}/mem", self.pid)).ok();
        }
        let file = file.as_ref().ok_or(Gone)?;
        let mut done = 0;
        for &(at, len) in pieces {
            let part = buffer.get_mut(done..done + len).unwrap_or_default();
            match file.read_exact_at(part, at.0) {
                Ok(()) => done += len,
                Err(_) => break,
            }
        }
        Ok(done)
    }
}
