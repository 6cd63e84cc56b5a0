//! Opening and mapping files: the dump itself, and the files that were mapped into the process.

use memmap2::Mmap;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Seek as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt};
use std::path::Path;

/// The path that means standard input.
const STANDARD_INPUT: &str = "-";

/// What a path leads to.
pub(super) enum Opened {
    /// A regular file.
    Regular(File),
    /// A pipe whose other end somebody holds or held: reading it never waits for one to come.
    Pipe(File),
    /// A directory.
    Directory,
    /// A FIFO, a socket or a device.
    Special,
    /// A terminal at standard input.
    Terminal,
}

/// Whether `path` means standard input.
pub(super) fn is_standard_input(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

/// A path as messages name it.
pub(super) fn display(path: &Path) -> impl fmt::Display {
    if is_standard_input(path) { "standard input".into() } else { path.to_string_lossy() }
}

/// Opens `path` for reading if it is a regular file, or a pipe without a name (`/dev/stdin`, `<(...)` of a shell); `-`
/// is standard input. Never waits for the other end of a FIFO, never touches a device.
pub(super) fn open(path: &Path) -> io::Result<Opened> {
    if is_standard_input(path) {
        return standard_input();
    }
    if let Some(other) = not_regular(&std::fs::metadata(path)?) {
        // A pipe is reached through a link in /proc, and a FIFO by its name: waiting is for FIFOs.
        let nameless = rustix::fs::statfs(path).is_ok_and(|status| status.f_type == PIPEFS_MAGIC);
        return Ok(if nameless { Opened::Pipe(File::open(path)?) } else { other });
    }
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    Ok(not_regular(&file.metadata()?).unwrap_or(Opened::Regular(file)))
}

/// As [`open`], of a `path` below the directory `root`: symbolic links in it lead where they lead for a process whose
/// root that is, and never out of it. `root` may be `/proc/PID/root`.
pub(super) fn open_in(root: &Path, path: &Path) -> io::Result<Opened> {
    const RETRIES: usize = 8;
    let directory = File::open(root)?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let open_path = || rustix::fs::openat2(&directory, path, flags, Mode::empty(), ResolveFlags::IN_ROOT);
    // It gives up where anything is renamed meanwhile (openat2(2)).
    let again = |result: &Result<_, Errno>| matches!(result, Err(Errno::AGAIN));
    let found = (0..RETRIES).map(|_| open_path()).find(|found| !again(found)).unwrap_or(Err(Errno::AGAIN));
    match found {
        Ok(place) => open(Path::new(&format!("/proc/self/fd/{}", place.as_raw_fd()))),
        // Linux before 5.6, or a sandbox.
        Err(Errno::NOSYS | Errno::PERM) => open(&root.join(path.strip_prefix("/").unwrap_or(path))),
        Err(error) => Err(error.into()),
    }
}

/// The file system of pipes without a name (`linux/magic.h`).
const PIPEFS_MAGIC: rustix::fs::FsWord = 0x5049_5045;

fn not_regular(metadata: &std::fs::Metadata) -> Option<Opened> {
    if metadata.is_dir() {
        Some(Opened::Directory)
    } else if metadata.is_file() {
        None
    } else {
        Some(Opened::Special)
    }
}

/// A file at standard input is used as it is unless a part of it was read already; all else is a stream.
fn standard_input() -> io::Result<Opened> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(Opened::Terminal);
    }
    let mut file = File::from(stdin.as_fd().try_clone_to_owned()?);
    let metadata = file.metadata()?;
    Ok(if metadata.is_dir() {
        Opened::Directory
    } else if metadata.is_file() && file.stream_position()? == 0 {
        Opened::Regular(file)
    } else {
        Opened::Pipe(file)
    })
}

/// Maps the whole of `file`, privately and for reading only. Pages are read when they are first touched.
///
/// A file that grows is read up to the size it had. One that another process *shortens* meanwhile has no bytes behind its
/// new end any more, and the kernel raises SIGBUS where they are read: see [`explain_shortened_files`].
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is read-only and private, and `Mmap` keeps it until it is dropped. Another process may
    // change the file's bytes under us; all that is read from it is treated as hostile anyway: each value is copied
    // out and checked after the copy, and nothing but plain bytes is ever borrowed from it.
    #[expect(unsafe_code)]
    unsafe {
        memmap2::MmapOptions::new().map_copy_read_only(file)
    }
}

/// Copies `bytes`, a part of `mapping`, which is that of `file`, without touching the mapping's pages.
pub(super) fn copy(file: &File, mapping: &Mmap, bytes: &[u8], buffer: &mut [u8]) -> io::Result<()> {
    let offset = bytes.as_ptr().addr().wrapping_sub(mapping.as_ptr().addr());
    if offset.checked_add(bytes.len()).is_none_or(|end| end > mapping.len()) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    file.read_exact_at(buffer, offset as u64)
}

/// From now on, a mapped file that another process shortens ends this process in order: with one sentence on standard
/// error and exit code 2 instead of death by SIGBUS. For programs alone; a library must not change its host's signals.
///
/// There is no report then. What was read before is sound, but nothing tells how far the analysis had come, and zeros
/// in place of what is gone would be taken for values of the process.
pub fn explain_shortened_files() {
    const SIGBUS: i32 = 7;
    const FAILED: i32 = 2;
    let explain = || {
        let said = b"error: a file cannot be read any more: it was shortened by another process, or its disk failed; copy the core, then try again\n";
        // Nobody is left to be told when standard error is closed.
        let _ = rustix::io::write(rustix::stdio::stderr(), said);
        signal_hook::low_level::exit(FAILED);
    };
    // SAFETY: the handler does nothing but two system calls, write and exit_group, which signal-safety(7) allows.
    #[expect(unsafe_code)]
    let registered = unsafe { signal_hook::low_level::register(SIGBUS, explain) };
    if let Err(error) = registered {
        log::info!("a file that is shortened while it is read will end pycore by a signal: {error}");
    }
}
