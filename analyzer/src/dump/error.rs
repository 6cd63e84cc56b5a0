//! Why a file could not be opened as a dump, and what to do about it.

use super::input;
use super::unpack::Codec;
use std::io;
use std::path::PathBuf;

/// A file that could not be opened as a dump.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", input::display(path))]
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
    /// Standard input was to be read, and nothing is redirected into it.
    #[error("is a terminal; send a core into it: `zstdcat core.zst | pycore analyze -`")]
    Terminal,
    /// It has no bytes.
    #[error(
        "is empty; the disk may have been full, or the core size limited (`ulimit -c`), when the core was written"
    )]
    Empty,
    /// The operating system refuses to read it.
    #[error("cannot be read: {0}; cores belong to the user whose process died, mode 0600")]
    Unreadable(#[source] io::Error),
    /// It is packed in a way that is not undone here.
    #[error("is {kind}, which is not unpacked here; unpack it first: `{command}`")]
    Packed {
        /// The kind of file.
        kind: &'static str,
        /// The command that unpacks it.
        command: &'static str,
    },
    /// It is compressed, and what comes out is compressed again, many times over.
    #[error("is compressed many times over, in the end with {}; unpack it by hand: `{}`", codec.name(), codec.command())]
    TooManyLayers {
        /// The innermost compression that was seen.
        codec: Codec,
    },
    /// It is compressed, and nothing of it could be unpacked.
    #[error("cannot be unpacked: {error}; copy it again, or try by hand: `{}`", codec.command())]
    Unpack {
        /// Its compression.
        codec: Codec,
        /// What is wrong.
        error: io::Error,
    },
    /// There is no place to unpack it to.
    #[error("cannot be unpacked into a temporary file: {0}; set TMPDIR to a directory where there is room")]
    Temporary(#[source] io::Error),
    /// Unpacked, it would be larger than allowed.
    #[error(
        "unpacks to more than {limit} bytes; allow more with --unpack-limit, or unpack it by hand where there is room"
    )]
    UnpacksTooLarge {
        /// The most that was allowed, in bytes.
        limit: u64,
    },
    /// It is something else.
    #[error(
        "is not an ELF file and not a minidump, so no dump; give the core that the kernel or gcore wrote, or the .dmp"
    )]
    NotElf,
    /// It ends within its own ELF header.
    #[error("ends within its header; the dump was cut off when it was written or copied, so copy it again")]
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
    /// It is a minidump of a machine that is not supported.
    #[error("is a minidump of a process on {machine}; only x86_64 and aarch64 are supported: {missing}")]
    UnsupportedMinidump {
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
