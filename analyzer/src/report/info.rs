//! What `pycore info` says: what the file is and what was found in it, without the stacks.

use crate::addr::Address;
use crate::report::{NativeLocation, Process, Python, Source, ThreadTimes};
use schemars::JsonSchema;
use serde::Serialize;

/// What a dump is: its process, modules, threads and interpreter.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Info {
    /// What was read.
    pub source: Source,
    /// What the operating system knew of the process.
    pub process: Process,
    /// The directory that the process was in, where its own memory tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_directory: Option<String>,
    /// The variables of its environment, each `NAME=value`, where its own memory tells. Secrets are hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Vec<String>>,
    /// The interpreter, where one was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<Python>,
    /// Further runtimes in the same process.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_pythons: Vec<Python>,
    /// The native threads, in the dump's order.
    pub threads: Vec<InfoThread>,
    /// The modules, the main program first, then by address.
    pub modules: Vec<InfoModule>,
    /// What the reader should know before trusting the rest.
    pub warnings: Vec<String>,
}

/// A thread of the operating system.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InfoThread {
    /// The native thread id.
    pub tid: u32,
    /// The operating system's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it took the signal that ended the process.
    pub crashed: bool,
    /// Where the processor was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction_pointer: Option<Address>,
    /// The path of the module mapped there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Where the thread began to run, where the dump says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<NativeLocation>,
    /// When it was made and how long it ran, where the dump says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<ThreadTimes>,
}

/// A file that was mapped into the process.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InfoModule {
    /// The path as the target had it.
    pub path: String,
    /// The virtual address at which its first byte is mapped.
    pub base: Address,
    /// The first virtual address behind its last mapping.
    pub end: Address,
    /// The GNU build id, in hexadecimal, as the dump has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// The file version of a PE image, `3.12.10150.1013`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `TimeDateStamp` of a PE image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u32>,
    /// `CheckSum` of a PE image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<u32>,
    /// GUID and age of its program database, as symbol servers name them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pdb_id: Option<String>,
    /// The path that the linker wrote its program database to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pdb_path: Option<String>,
    /// The file on this machine that matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Why no file was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}
