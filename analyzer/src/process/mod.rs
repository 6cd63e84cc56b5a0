//! What the operating system knew of the process: modules, native threads and registers, signal, command line.

mod abort;
pub(crate) mod elf;
mod image;
mod inferior;
pub mod pe;
mod pthread;
pub mod signal;
pub mod symbols;
#[cfg(test)]
pub(crate) mod synthetic;
mod system_call;
pub(crate) mod windows;

pub(crate) use abort::abort_message;
pub use image::ImageError;
pub use inferior::{Inferior, RefreshError};
pub use pthread::NativeThreads;
pub(crate) use system_call::SystemCalls;

use crate::addr::{Address, Machine};
use crate::memory::{Memory, Range};
use crate::report::{
    Assertion, NativeException, NativeLocation, Signal, System, ThreadState, ThreadTimes, Times,
    UnloadedModule,
};
pub(crate) use crate::report::{file_name, is_windows_path};
use std::fmt;

/// A thread of the operating system.
#[derive(Clone, Debug, Default)]
pub struct NativeThread {
    /// The native thread id.
    pub tid: u32,
    /// The id that the thread itself sees, where that is another one: in a pid namespace of its own.
    pub inner_tid: Option<u32>,
    /// The operating system's name for it.
    pub name: Option<String>,
    /// The thread pointer: on Linux `fs_base` on x86-64, `tpidr_el0` on aarch64; on Windows the thread environment block.
    pub thread_pointer: Option<Address>,
    /// Where the processor was.
    pub instruction_pointer: Option<Address>,
    /// The top of the native stack.
    pub stack_pointer: Option<Address>,
    /// Where it began, where the dump says so.
    pub start_address: Option<Address>,
    /// When it was made and how long it ran.
    pub times: Option<ThreadTimes>,
    /// The futex whose system call the thread was in: a lock or a condition that it waited for.
    pub futex: Option<Address>,
    /// What the thread did, in a live process.
    pub state: Option<ThreadState>,
    /// The name of the system call that it was in, in a live process; its number where it has no name here.
    pub system_call: Option<String>,
}

impl NativeThread {
    /// The id that the thread itself sees and that its memory holds.
    pub(crate) fn own_tid(&self) -> u32 {
        self.inner_tid.unwrap_or(self.tid)
    }
}

/// The operating systems whose processes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperatingSystem {
    /// Linux, Android.
    Linux,
    /// Windows: `long` has 4 bytes, modules are PE images.
    Windows,
    /// macOS, iOS.
    MacOs,
}

impl fmt::Display for OperatingSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OperatingSystem::Linux => "linux",
            OperatingSystem::Windows => "windows",
            OperatingSystem::MacOs => "macos",
        })
    }
}

/// What tells one build of a PE image from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeIdentity {
    /// `TimeDateStamp` of its file header: seconds since 1970, or a hash where the build is reproducible.
    pub timestamp: u32,
    /// `SizeOfImage`: its length in memory, in bytes.
    pub size: u32,
    /// `CheckSum` of its optional header; often 0.
    pub checksum: u32,
    /// `dwFileVersion` of its version resource.
    pub file_version: Option<[u16; 4]>,
    /// The id of its program database.
    pub pdb: Option<PdbId>,
}

/// The id of a program database, as the CodeView record of its image has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdbId {
    /// The GUID, as its bytes lie in the record.
    pub guid: [u8; 16],
    /// How often the database was written since it got its GUID.
    pub age: u32,
    /// The path that the linker wrote it to.
    pub path: String,
}

impl PdbId {
    /// The GUID and the age as symbol servers name them: `497B72F6390A44FC878E5A2D63B6CC4B1`.
    pub fn text(&self) -> String {
        let [a, b, c, d, e, f, g, h, rest @ ..] = self.guid;
        let number = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        format!(
            "{}{}{}{}{:X}",
            number(&[d, c, b, a]),
            number(&[f, e]),
            number(&[h, g]),
            number(&rest),
            self.age
        )
    }
}

/// A file that was mapped into the process.
#[derive(Clone, Debug)]
pub struct Module {
    /// The path as the target had it, without the kernel's ` (deleted)`. Empty where nobody knows it.
    pub path: String,
    /// Whether no file had that path any more when the dump was made.
    pub deleted: bool,
    /// The virtual address at which its first byte (file offset 0) is mapped.
    pub base: Address,
    /// The first virtual address behind its last mapping.
    pub end: Address,
    /// The GNU build id, from the pages in the dump.
    pub build_id: Option<Vec<u8>>,
    /// What the dump says of a PE image.
    pub pe: Option<PeIdentity>,
}

impl PeIdentity {
    /// The file version as Windows shows it, `3.12.10150.1013`.
    pub fn version_text(&self) -> Option<String> {
        self.file_version.map(|[major, minor, patch, build]| format!("{major}.{minor}.{patch}.{build}"))
    }
}

impl Module {
    /// The image of the file `path` that is mapped at `base`, with the ids and the end that its headers in `memory` tell;
    /// `end` is at least `told_end`, which may be 0.
    pub fn in_memory(memory: &dyn Memory, path: String, base: Address, told_end: Address) -> Self {
        let mut module = Module { path, deleted: false, base, end: told_end, build_id: None, pe: None };
        if let Ok(image) = elf::Image::read(memory, base) {
            module.build_id = image.build_id();
            module.end = module.end.max(image.end());
        } else if let Ok(image) = pe::Image::read(memory, base) {
            let identity = image.identity();
            module.end = module.end.max(base.add(identity.size.into()));
            module.pe = Some(identity);
        }
        module.end = module.end.max(base);
        module
    }

    /// What is mapped of it, by the headers in `memory`.
    pub fn ranges(&self, memory: &dyn Memory) -> Vec<Range> {
        if let Ok(image) = elf::Image::read(memory, self.base) {
            return image.ranges();
        }
        let image = pe::Image::read(memory, self.base);
        image.map(|image| image.sections().map(|section| section.range).collect()).unwrap_or_default()
    }

    /// The last component of the path.
    pub fn file_name(&self) -> &str {
        file_name(&self.path)
    }

    /// Whether it is a PE image, as far as the dump tells: those of ELF have a build id.
    pub(crate) fn is_pe(&self) -> bool {
        self.pe.is_some() && self.build_id.is_none()
    }

    /// The build id in hexadecimal, as `file` and `readelf` show it.
    pub fn build_id_text(&self) -> Option<String> {
        self.build_id.as_deref().map(hex)
    }
}

/// The place of `address` among `modules`.
pub(crate) fn location(address: Address, modules: &[Module]) -> NativeLocation {
    let module = modules.iter().find(|module| module.base <= address && address < module.end);
    NativeLocation {
        address,
        module: module.map(|module| module.path.clone()),
        offset: module.map(|module| address.sub(module.base.0)),
    }
}

/// What the operating system knew of the process.
#[derive(Clone, Debug)]
pub struct ProcessInfo {
    /// The machine it ran on.
    pub machine: Machine,
    /// The operating system it ran on.
    pub os: OperatingSystem,
    /// The process id.
    pub pid: Option<u32>,
    /// The id of the user that it ran as.
    pub uid: Option<u32>,
    /// The path of the main program, as the target had it.
    pub executable: Option<String>,
    /// The arguments, the program's name first.
    pub command_line: Option<Vec<String>>,
    /// The signal that ended the process.
    pub signal: Option<Signal>,
    /// The exception that ended the process.
    pub exception: Option<NativeException>,
    /// The native id of the thread that took the signal or the exception.
    pub crashed_tid: Option<u32>,
    /// All native threads, in the dump's order.
    pub threads: Vec<NativeThread>,
    /// All mapped ELF files, the main program first, then by address.
    pub modules: Vec<Module>,
    /// The machine and the operating system, as the dump describes them.
    pub system: Option<System>,
    /// When the process began and how long it ran.
    pub times: Option<Times>,
    /// How many handles it had open.
    pub handles: Option<u32>,
    /// What failed, where an assertion or the check of a parameter ended the process.
    pub assertion: Option<Assertion>,
    /// What the writer of the dump noted.
    pub comments: Vec<String>,
    /// Modules that were unloaded before.
    pub unloaded_modules: Vec<UnloadedModule>,
    /// What the reader of the container found odd.
    pub warnings: Vec<String>,
}

impl ProcessInfo {
    /// The native id of the thread that the process began with: on Linux its own id; elsewhere that of the first thread
    /// in the dump, as the operating system lists the oldest first.
    pub fn first_tid(&self) -> Option<u32> {
        match self.os {
            OperatingSystem::Linux => self.pid,
            OperatingSystem::Windows | OperatingSystem::MacOs => Some(self.threads.first()?.tid),
        }
    }

    /// A process of Linux of which nothing more is known than the machine.
    pub fn unknown(machine: Machine) -> Self {
        ProcessInfo {
            machine,
            os: OperatingSystem::Linux,
            pid: None,
            uid: None,
            executable: None,
            command_line: None,
            signal: None,
            exception: None,
            crashed_tid: None,
            threads: Vec::new(),
            modules: Vec::new(),
            system: None,
            times: None,
            handles: None,
            assertion: None,
            comments: Vec::new(),
            unloaded_modules: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
