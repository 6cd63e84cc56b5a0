//! What `pycore info` says: what the file is and what was found in it, without the stacks.

use crate::addr::Address;
use crate::report::{Process, Python, Source};
use schemars::JsonSchema;
use serde::Serialize;

/// What a dump is: its process, modules, threads and interpreter.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Info {
    /// What was read.
    pub source: Source,
    /// What the operating system knew of the process.
    pub process: Process,
    /// The interpreter, where one was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<Python>,
    /// Further runtimes in the same process.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_pythons: Vec<Python>,
    /// The native threads, in the dump's order.
    pub threads: Vec<InfoThread>,
    /// The mapped ELF files, the main program first, then by address.
    pub modules: Vec<InfoModule>,
    /// What the reader should know before trusting the rest.
    pub warnings: Vec<String>,
}

/// A thread of the operating system.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InfoThread {
    /// The native thread id.
    pub tid: u32,
    /// Whether it took the signal that ended the process.
    pub crashed: bool,
    /// Where the processor was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction_pointer: Option<Address>,
    /// The path of the module mapped there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
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
    /// The file on this machine that matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Why no file was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}
