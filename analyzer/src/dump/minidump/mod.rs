//! Minidumps: what `MiniDumpWriteDump` of Windows and wine writes, and what breakpad, crashpad and minidump-writer write
//! on Windows, Linux and macOS.

mod directory;
mod memory;
mod modules;
mod protection;
mod system;
mod threads;

pub(super) use directory::is_minidump;

use super::address_space::Mapping;
use super::error::OpenProblem;
use super::segment::Segment;
use crate::memory::Touched;
use crate::process::ProcessInfo;

/// What a minidump says, without its memory's bytes.
#[derive(Debug)]
pub(super) struct Minidump {
    /// All ranges of memory, ascending, without overlaps, none empty.
    pub(super) segments: Vec<Segment>,
    /// Where files were mapped, ascending, without overlaps.
    pub(super) mappings: Vec<Mapping>,
    /// The path of each module's file.
    pub(super) module_paths: Vec<Vec<u8>>,
    /// Whether the first module is known to be the main program.
    pub(super) main_known: bool,
    /// Whether the file ends before what it promises.
    pub(super) truncated: bool,
    /// The bytes of memory that had to be read to learn all this.
    pub(super) touched: Touched,
}

/// Reads the minidump `data`.
pub(super) fn read(data: &[u8]) -> Result<(Minidump, ProcessInfo), OpenProblem> {
    let streams = directory::read(data)?;
    let system = system::read(&streams)?;
    let modules = modules::read(&streams);
    let ranges = memory::ranges(&streams);
    let (segments, touched) = protection::apply(&streams, ranges, &modules);
    let threads = threads::read(&streams, &system);
    let problems = streams.take_problems();
    let process = ProcessInfo {
        machine: system.machine,
        os: system.os,
        pid: system.pid,
        uid: None,
        executable: modules.first().map(|main| main.path.clone()).filter(|path| !path.is_empty()),
        command_line: None,
        signal: None,
        crashed_tid: None,
        threads,
        warnings: problems.warnings,
        modules,
    };
    let minidump = Minidump {
        segments,
        mappings: Vec::new(),
        module_paths: process.modules.iter().map(|module| module.path.clone().into_bytes()).collect(),
        main_known: !process.modules.is_empty(),
        truncated: problems.truncated,
        touched,
    };
    Ok((minidump, process))
}
