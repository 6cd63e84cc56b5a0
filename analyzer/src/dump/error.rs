//! Why a file could not be opened as a dump, and what to do about it.

use std::io;
use std::path::PathBuf;

/// A file that could not be opened as a dump.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct OpenError {
    /// The path as given by the user.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: OpenProblem,
}

/// What is wrong with a file that should be a dump. Each message ends with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum OpenProblem {
    /// Nothing has that path.
    #[error(
        "no such file; look where the kernel writes cores: `cat /proc/sys/kernel/core_pattern`, \
         or ask systemd: `coredumpctl list`"
    )]
    Missing,
    /// It is a directory.
    #[error("is a directory; name the core file in it")]
    Directory,
    /// It is a FIFO, a socket or a device.
    #[error("is not a regular file; save what it gives into a file first")]
    NotRegular,
    /// It has no bytes.
    #[error(
        "is empty; the disk may have been full, or the core size limited (`ulimit -c`), when the core was written"
    )]
    Empty,
    /// The operating system refuses to read it.
    #[error("cannot be read: {0}; cores belong to the user whose process died, mode 0600")]
    Unreadable(#[source] io::Error),
    /// It is a Windows minidump.
    #[error("is a Windows minidump, which is not supported yet; give an ELF core of a Linux process")]
    Minidump,
    /// It is compressed in a way that is not undone here.
    #[error("is compressed with {codec}, which is not supported yet; unpack it first: `{command}`")]
    Compressed {
        /// The name of the compression.
        codec: &'static str,
        /// The command that unpacks it.
        command: &'static str,
    },
    /// It is compressed, and unpacking it failed.
    #[error("cannot be unpacked: {0}; try `zstd -d` by hand, and check that there is room in $TMPDIR")]
    Unpack(#[source] io::Error),
    /// Unpacked, it would be larger than allowed.
    #[error("unpacks to more than {limit} bytes; unpack it by hand where there is room: `zstd -d`")]
    UnpacksTooLarge {
        /// The most that was allowed, in bytes.
        limit: u64,
    },
    /// It is something else.
    #[error("is not an ELF file, so not a core; give the core that the kernel or gcore wrote")]
    NotElf,
    /// It ends within its own ELF header.
    #[error(
        "ends within its ELF header; the core was cut off when it was written or copied, so copy it again"
    )]
    HeaderCutOff,
    /// It is an executable, a library or an object file.
    #[error(
        "is {kind}, not a core; give the core that the process left, and this file with --exe or --lib-path"
    )]
    NotCore {
        /// `an executable`, `a library or a position-independent executable`, ...
        kind: &'static str,
    },
    /// It is a core of a machine that is not supported.
    #[error("is a core of a {machine} process; only x86_64 and aarch64 are supported: {missing}")]
    Unsupported {
        /// The machine.
        machine: String,
        /// What is not there to read it.
        missing: &'static str,
    },
    /// Its headers make no sense.
    #[error("is damaged: {0}; copy it again, or make a new core")]
    Damaged(&'static str),
    /// It has no notes, so it is not of a process.
    #[error(
        "has no notes, so nothing tells of threads, files and the signal; it is not the core of a process: \
         make one with gcore, or let the kernel write it"
    )]
    NoNotes,
}
