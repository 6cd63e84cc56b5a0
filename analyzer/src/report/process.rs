//! What the operating system knew: the process, what ended it, the machine.

use super::NativeLocation;
use crate::addr::Address;
use schemars::JsonSchema;
use serde::Serialize;

/// What the operating system knew of the process.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Process {
    /// The process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The id of the user that it ran as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The path of the main program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// The arguments, the program's name first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_line: Option<Vec<String>>,
    /// The signal that ended the process; on Windows and macOS, the exception's code, name and address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    /// The exception that ended the process, on Windows and macOS, with all that is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<NativeException>,
    /// The native id of the thread that took the signal or the exception.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crashed_tid: Option<u32>,
    /// The machine and the operating system, where the dump describes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<System>,
    /// When the process began and how long it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
    /// How many handles it had open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handles: Option<u32>,
    /// What failed, where an assertion or the check of a parameter ended the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Assertion>,
    /// What the writer of the dump noted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<String>,
    /// Modules that were unloaded before, in the dump's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unloaded_modules: Vec<UnloadedModule>,
}

/// A signal, as the dump's `siginfo_t` describes it, or the code of an exception.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Signal {
    /// The signal's number on the target, or the exception's code.
    pub number: i64,
    /// Its name, `SIGSEGV`, `EXCEPTION_ACCESS_VIOLATION`.
    pub name: String,
    /// `si_code`: who sent it and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The code's name, `SEGV_MAPERR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_name: Option<String>,
    /// `si_addr`: the virtual address whose access failed, for faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// `si_pid`: the process that sent it, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_pid: Option<u32>,
}

/// An exception of Windows or macOS that nobody handled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NativeException {
    /// Its code, in hexadecimal: `0xc0000005`.
    pub code: String,
    /// The code's name in the system's headers, `EXCEPTION_ACCESS_VIOLATION`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it means, in words: `access violation reading 0x10`.
    pub description: String,
    /// The instruction that raised it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Where that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<NativeLocation>,
    /// What was given with it, in hexadecimal; what it means depends on the code.
    pub parameters: Vec<String>,
}

/// The machine and the operating system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct System {
    /// `windows`, `linux`, `macos`.
    pub os: String,
    /// Its version and build, `10.0.19045`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it says of itself beyond that: the service pack, the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// The processor: maker, family, model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// How many processors there were.
    pub processors: u32,
}

/// When a process began and how long it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Times {
    /// When it began, in UTC as RFC 3339 has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// How long before the dump that was, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<u64>,
    /// The time that processors spent in its own code, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_seconds: Option<u64>,
    /// The time that processors spent in the kernel for it, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_seconds: Option<u64>,
}

/// What a thread of a live process did when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ThreadState {
    /// It ran, or was ready to run.
    Running,
    /// It waited.
    Sleeping,
    /// It waited in the kernel and nothing, not even SIGKILL, could wake it but what it waited for: a disk, a network
    /// file system, the child of a `vfork`.
    Uninterruptible,
    /// A signal of job control, as SIGSTOP, had stopped it before.
    Stopped,
    /// A debugger had stopped it.
    Traced,
    /// It had ended.
    Ended,
}

/// When a thread was made and how long it ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ThreadTimes {
    /// When it was made, in UTC as RFC 3339 has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// The time that processors spent in its own code, in milliseconds.
    pub user_ms: u64,
    /// The time that processors spent in the kernel for it, in milliseconds.
    pub kernel_ms: u64,
}

/// What failed, as the C library or the writer of the dump was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Assertion {
    /// `assertion`, `invalid parameter`, `pure virtual call`, ...
    pub kind: String,
    /// The expression that was not true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// The function it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The file it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A module that was no longer loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnloadedModule {
    /// Its path or name.
    pub path: String,
    /// Where it began.
    pub base: Address,
    /// The first virtual address behind it.
    pub end: Address,
    /// `TimeDateStamp` of its file header.
    pub timestamp: u32,
}

/// The last component of a path of any operating system.
pub(crate) fn file_name(path: &str) -> &str {
    let separators: &[char] = if is_windows_path(path) { &['\\', '/'] } else { &['/'] };
    path.rsplit(separators).next().unwrap_or(path)
}

/// Whether a path begins as only those of Windows do: with a letter and a colon, or with two backslashes.
pub(crate) fn is_windows_path(path: &str) -> bool {
    path.starts_with("\\\\") || path.as_bytes().get(1..3) == Some(b":\\")
}
