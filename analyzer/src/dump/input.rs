//! Opening and mapping files: the dump itself, and the files that were mapped into the process.

use memmap2::Mmap;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What a path leads to.
pub(super) enum Opened {
    /// A regular file.
    Regular(File),
    /// A directory.
    Directory,
    /// A FIFO, a socket or a device.
    Special,
}

/// Opens `path` for reading if it is a regular file; never waits for the other end of a FIFO, never touches a device.
pub(super) fn open(path: &Path) -> io::Result<Opened> {
    let kind = |metadata: &std::fs::Metadata| {
        if metadata.is_dir() {
            Some(Opened::Directory)
        } else if metadata.is_file() {
            None
        } else {
            Some(Opened::Special)
        }
    };
    if let Some(other) = kind(&std::fs::metadata(path)?) {
        return Ok(other);
    }
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    Ok(kind(&file.metadata()?).unwrap_or(Opened::Regular(file)))
}

/// Maps the whole of `file`, privately and for reading only. Pages are read when they are first touched.
///
/// A file that grows is read up to the size it had. One that another process *shortens* while pycore runs ends pycore
/// with SIGBUS at the next read behind its new end: the kernel offers no cheap guard against that, and reading every
/// page by a system call instead would cost more than all the rest of the analysis. Cores and installed libraries are
/// replaced by renaming, which does no harm.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is read-only and private, and `Mmap` keeps it until it is dropped. Another process may
    // change the file's bytes under us; all that is read from it is treated as hostile anyway: each value is copied
    // out and checked after the copy, and nothing but plain bytes is ever borrowed from it.
    #[expect(unsafe_code)]
    unsafe {
        memmap2::MmapOptions::new().map_copy_read_only(file)
    }
}
