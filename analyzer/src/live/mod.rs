//! Live processes: their memory, threads and modules as Linux shows them, without a debugger.

mod error;
mod files;
mod memory;
mod modules;
mod pages;
mod pause;
mod permission;
mod place;
mod registers;
mod remote;
mod snapshot;
mod threads;
mod trace;

pub use error::{LiveError, LiveProblem};
pub use pages::PagedMemory;
pub use pause::Pause;
pub(crate) use remote::Remote;
pub use snapshot::Snapshot;

use crate::addr::{Address, Machine};
use crate::memory::{Memory, Range};
use crate::process::{Inferior, Module, ProcessInfo};
use crate::report::{Source, SourceFormat};
use memory::LiveMemory;
use modules::Origin;
use place::Place;
use procfs::ProcError;
use procfs::process::{Process, StatFlags};
use std::fs::File;
use std::io::{self, Read as _};
use std::sync::OnceLock;
use trace::Target;

const AT_PHDR: u64 = 3;
const AT_ENTRY: u64 = 9;

/// A process of this machine that lives. It goes on while it is looked at: see [`pause`](Self::pause) and
/// [`snapshot`](Self::snapshot) for a picture of one moment.
#[derive(Debug)]
pub struct LiveProcess {
    place: Place,
    /// Whether it has thread ids of its own, which are others than those seen from here.
    inner: bool,
    info: ProcessInfo,
    ranges: Vec<Range>,
    /// Per module, which file it is of.
    origins: Vec<Origin>,
    /// Per module, its file, once it was asked for.
    files: Vec<OnceLock<Option<Vec<u8>>>>,
}

impl LiveProcess {
    /// Looks at what the kernel tells of the process `pid`: its threads, its memory, its files. Does not stop it.
    ///
    /// # Errors
    /// There is none, it may not be looked into, or it is of another kind than those that are supported.
    pub fn open(pid: u32) -> Result<Self, LiveError> {
        Self::look_at(pid).map_err(|problem| problem.of(pid))
    }

    fn look_at(pid: u32) -> Result<Self, LiveProblem> {
        let process = Process::new(pid.cast_signed()).map_err(|_| LiveProblem::Missing)?;
        let status = process.status().map_err(|_| LiveProblem::Missing)?;
        if status.tgid.cast_unsigned() != pid {
            return Err(LiveProblem::Thread { process: status.tgid });
        }
        let stat = process.stat().map_err(|_| LiveProblem::Missing)?;
        if StatFlags::from_bits_retain(stat.flags).contains(StatFlags::PF_KTHREAD) {
            return Err(LiveProblem::Kernel { name: stat.comm });
        }
        let inner = status.nspid.is_some_and(|ids| ids.len() > 1);
        let threads = threads::list(Place { pid, living: pid }, inner).map_err(|_| LiveProblem::Ended)?;
        let living = threads.iter().map(|thread| thread.tid).min_by_key(|&tid| (tid != pid, tid));
        let living = living.ok_or(LiveProblem::Zombie { parent: stat.ppid })?;
        let place = Place { pid, living };
        let refused = |what| move |error| permission::problem(what, error, place, None);
        let machine = machine(place).map_err(refused("reading which program it runs"))??;
        let process = Process::new(living.cast_signed()).map_err(|_| LiveProblem::Ended)?;
        let maps = process.maps().map_err(io_error).map_err(refused("reading its /proc/PID/maps"))?.0;
        let ranges = modules::ranges(&maps);
        let auxiliary = process.auxv().unwrap_or_default();
        let in_main_program = [AT_PHDR, AT_ENTRY].iter().filter_map(|key| auxiliary.get(key).copied());
        let in_main_program = in_main_program.collect::<Vec<_>>();
        let memory = LiveMemory::new(place, &ranges);
        memory.check().map_err(refused("reading its memory"))?;
        let root = std::fs::read_link(place.file("root")).unwrap_or_else(|_| "/".into());
        let (modules, origins): (Vec<Module>, Vec<Origin>) =
            modules::list(&maps, &memory, &in_main_program, &root).into_iter().unzip();
        let info = ProcessInfo {
            pid: Some(pid),
            uid: Some(status.ruid),
            executable: modules.first().map(|main| main.path.clone()),
            command_line: command_line(place),
            threads,
            modules,
            ..ProcessInfo::unknown(machine)
        };
        let files = origins.iter().map(|_| OnceLock::new()).collect();
        Ok(LiveProcess { place, inner, info, ranges, origins, files })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.place.pid
    }

    /// Looks once more at what the kernel tells: threads come and go, memory is mapped.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn refresh(&mut self) -> Result<(), LiveError> {
        *self = Self::open(self.place.pid)?;
        Ok(())
    }

    /// Stops all threads until the pause is dropped.
    ///
    /// # Errors
    /// It has ended, or may not be stopped.
    pub fn pause(&self) -> Result<Pause<'_>, LiveError> {
        Pause::begin(self).map_err(|problem| problem.of(self.place.pid))
    }

    /// Copies `pages` (their start addresses, ascending) at one moment: with `stop`, all threads are stopped for as long
    /// as that takes; else they are copied while the process goes on.
    ///
    /// # Errors
    /// It has ended, or may not be stopped.
    pub fn snapshot(&self, pages: &[Address], stop: bool) -> Result<Snapshot<'_>, LiveError> {
        Snapshot::take(self, pages, stop).map_err(|problem| problem.of(self.place.pid))
    }

    /// Its memory as it is now, kept page by page as it is read.
    pub fn paged_memory(&self) -> PagedMemory<'_> {
        PagedMemory::new(self.live_memory())
    }

    fn live_memory(&self) -> LiveMemory<'_> {
        LiveMemory::new(self.place, &self.ranges)
    }

    fn target(&self) -> Target {
        Target { place: self.place, machine: self.info.machine, inner: self.inner }
    }

    /// What a process looks like whose threads are `threads`.
    fn info_with(&self, threads: trace::Stopped) -> ProcessInfo {
        let trace::Stopped { threads, mut warnings } = threads;
        let mut info = ProcessInfo { threads, ..self.info.clone() };
        info.warnings.append(&mut warnings);
        info
    }
}

impl Inferior for LiveProcess {
    fn source(&self) -> Source {
        Source {
            path: format!("/proc/{}", self.place.pid),
            format: SourceFormat::Live,
            arch: self.info.machine.to_string(),
            size_bytes: self.ranges.iter().map(|range| range.size).sum(),
            truncated: false,
            time: None,
            host: None,
            boot_id: None,
            contents: None,
        }
    }

    fn process(&self) -> &ProcessInfo {
        &self.info
    }

    fn memory(&self) -> Box<dyn Memory + '_> {
        Box::new(self.live_memory())
    }

    fn may_be_torn(&self) -> bool {
        true
    }

    fn module_file(&self, index: usize) -> Option<&[u8]> {
        let module = self.info.modules.get(index)?;
        let (origin, file) = (self.origins.get(index)?, self.files.get(index)?);
        file.get_or_init(|| files::read(self.place, module, origin, index == 0)).as_deref()
    }
}

/// Which machine the program is for.
fn machine(place: Place) -> io::Result<Result<Machine, LiveProblem>> {
    /// `EI_CLASS`, `EI_DATA` and `e_machine` of an ELF header.
    const CLASS: usize = 4;
    const DATA: usize = 5;
    const MACHINE: usize = 18;
    let mut header = [0; 20];
    File::open(place.file("exe"))?.read_exact(&mut header)?;
    let machine = [header.get(MACHINE), header.get(MACHINE + 1)].map(|byte| byte.copied().unwrap_or(0));
    let own = if cfg!(target_arch = "aarch64") { Machine::Aarch64 } else { Machine::X86_64 };
    // `EM_X86_64`, `EM_AARCH64`.
    let expected = match own {
        Machine::X86_64 => 62,
        Machine::Aarch64 => 183,
    };
    Ok(match (header.get(CLASS), header.get(DATA), u16::from_le_bytes(machine)) {
        (Some(2), Some(1), machine) if machine == expected => Ok(own),
        (Some(1), ..) => Err(LiveProblem::Unsupported { kind: "a 32-bit process".to_owned() }),
        (_, _, machine) => Err(LiveProblem::Unsupported {
            kind: format!("a program for another machine (ELF machine {machine})"),
        }),
    })
}

fn command_line(place: Place) -> Option<Vec<String>> {
    let bytes = std::fs::read(format!("/proc/{}/cmdline", place.living)).ok()?;
    let words = bytes.strip_suffix(b"\0").unwrap_or(&bytes).split(|&byte| byte == 0);
    let words = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>();
    (!bytes.is_empty()).then_some(words)
}

fn io_error(error: ProcError) -> io::Error {
    match error {
        ProcError::PermissionDenied(_) => io::ErrorKind::PermissionDenied.into(),
        ProcError::NotFound(_) => io::ErrorKind::NotFound.into(),
        ProcError::Io(error, _) => error,
        other => io::Error::other(other.to_string()),
    }
}
