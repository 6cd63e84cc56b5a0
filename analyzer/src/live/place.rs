//! Where the kernel shows a process.

use std::path::PathBuf;

/// A process in `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its id.
    pub(super) pid: u32,
    /// The id of a thread of it that has not ended. When the first thread ends before the others do, most of what the
    /// kernel shows by the process id is empty, but each thread has the same folder as a process.
    pub(super) living: u32,
}

impl Place {
    /// A file about the address space, by its name in `/proc/PID`.
    pub(super) fn file(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.living))
    }

    /// The folder of its threads.
    pub(super) fn tasks(self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/task", self.pid))
    }
}
