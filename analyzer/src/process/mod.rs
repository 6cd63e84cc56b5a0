//! What the operating system knew of the process: modules, native threads and registers, signal, command line.

pub(crate) mod image;
mod pthread;
pub mod signal;
pub mod symbols;
#[cfg(test)]
pub(crate) mod synthetic;

pub use image::ImageError;
pub use pthread::NativeThreads;

use crate::addr::{Address, Machine};
use crate::report::Signal;

/// A thread of the operating system.
#[derive(Clone, Debug, Default)]
pub struct NativeThread {
    /// The native thread id.
    pub tid: u32,
    /// The thread pointer: `fs_base` on x86-64, `tpidr_el0` on aarch64.
    pub thread_pointer: Option<Address>,
    /// Where the processor was.
    pub instruction_pointer: Option<Address>,
    /// The top of the native stack.
    pub stack_pointer: Option<Address>,
    /// The futex whose system call the thread was in: a lock or a condition that it waited for.
    pub futex: Option<Address>,
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
}

impl Module {
    /// The last component of the path.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The build id in hexadecimal, as `file` and `readelf` show it.
    pub fn build_id_text(&self) -> Option<String> {
        self.build_id.as_deref().map(hex)
    }
}

/// What the operating system knew of the process.
#[derive(Clone, Debug)]
pub struct ProcessInfo {
    /// The machine it ran on.
    pub machine: Machine,
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
    /// The native id of the thread that took the signal.
    pub crashed_tid: Option<u32>,
    /// All native threads, in the dump's order.
    pub threads: Vec<NativeThread>,
    /// All mapped ELF files, the main program first, then by address.
    pub modules: Vec<Module>,
    /// What the reader of the container found odd.
    pub warnings: Vec<String>,
}

impl ProcessInfo {
    /// A process of which nothing more is known than the machine.
    #[cfg(test)]
    pub(crate) fn unknown(machine: Machine) -> Self {
        ProcessInfo {
            machine,
            pid: None,
            uid: None,
            executable: None,
            command_line: None,
            signal: None,
            crashed_tid: None,
            threads: Vec::new(),
            modules: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
