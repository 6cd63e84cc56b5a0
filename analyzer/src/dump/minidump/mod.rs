//! Minidumps: what `MiniDumpWriteDump` of Windows and wine writes, and what breakpad, crashpad and minidump-writer write
//! on Windows, Linux and macOS.

mod contents;
mod debugger;
mod directory;
mod exception;
mod facts;
mod linux;
mod memory;
mod modules;
mod protection;
mod references;
mod system;
mod threads;
mod write;

pub(super) use debugger::pages as pages_for_debuggers;
pub(super) use directory::is_minidump;
pub(super) use write::write;

use super::REDACTED;
use super::address_space::{self, Mapping};
use super::error::OpenProblem;
use super::module_file::NO_FILE;
use super::origin::rfc3339;
use super::segment::Segment;
use crate::memory::{RecordingMemory, Touched};
use crate::process::windows::Parameters;
use crate::process::{Module, OperatingSystem, ProcessInfo};
use crate::report::DumpContents;
use directory::Streams;

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
    /// What it was told to hold.
    pub(super) contents: DumpContents,
    /// When it was written.
    pub(super) time: Option<String>,
    /// The bytes of memory that had to be read to learn all this.
    pub(super) touched: Touched,
}

/// Reads the minidump `data`.
pub(super) fn read(data: &[u8]) -> Result<(Minidump, ProcessInfo), OpenProblem> {
    let streams = directory::read(data)?;
    let system = system::read(&streams)?;
    let modules = modules::read(&streams, system.os);
    let ranges = memory::ranges(&streams);
    let (segments, mut touched) = protection::apply(&streams, ranges, &modules);
    let mut threads = threads::read(&streams, &system);
    let (mut image_path, mut command_line) = (None, None);
    if system.os == OperatingSystem::Windows {
        let memory = address_space::lay_out(&segments, &[], &[], data, |_| &NO_FILE);
        let memory = RecordingMemory::new(&memory);
        if let Some(parameters) = Parameters::find(&memory, &threads) {
            (image_path, command_line) = (parameters.image_path(), parameters.command_line());
        }
        touched.join(&memory.touched());
    }
    let ended = exception::read(&streams, &system, &modules, &mut threads);
    let contents = contents::read(&streams, system.os, &segments);
    let (comments, unloaded_modules) = (facts::comments(&streams), facts::unloaded_modules(&streams));
    let (handles, assertion) = (facts::handles(&streams), facts::assertion(&streams));
    if streams.marker().is_some_and(|marker| marker.redacted) {
        streams.warn(REDACTED);
    }
    let problems = streams.take_problems();
    let process = ProcessInfo {
        os: system.os,
        pid: system.pid.or_else(|| linux::status(&streams, "Pid")),
        uid: linux::status(&streams, "Uid"),
        executable: modules
            .first()
            .map(|main| main.path.clone())
            .filter(|path| !path.is_empty())
            .or(image_path),
        command_line: command_line.or_else(|| linux::command_line(&streams)),
        signal: ended.signal,
        exception: ended.exception,
        crashed_tid: ended.tid,
        threads,
        modules,
        system: system.described,
        times: system.times,
        handles,
        assertion,
        comments,
        unloaded_modules,
        warnings: problems.warnings,
        ..ProcessInfo::unknown(system.machine)
    };
    let minidump = Minidump {
        segments,
        mappings: mappings(&streams, &process),
        module_paths: process.modules.iter().map(|module| module.path.clone().into_bytes()).collect(),
        main_known: !process.modules.is_empty(),
        truncated: problems.truncated,
        contents,
        time: (streams.time > 0).then(|| rfc3339(streams.time.into())),
        touched,
    };
    Ok((minidump, process))
}

/// Where files were mapped, ascending, without overlaps. Files of Windows know where each of their parts lies.
fn mappings(streams: &Streams<'_>, process: &ProcessInfo) -> Vec<Mapping> {
    if process.os == OperatingSystem::Linux {
        return linux::mappings(streams, &process.modules);
    }
    let is_image = |module: &&Module| process.os == OperatingSystem::Windows && module.base < module.end;
    let mapping = |(index, module): (usize, &Module)| Mapping {
        start: module.base.0,
        end: module.end.0,
        file_offset: 0,
        distance: 0,
        module: Some(index),
    };
    let modules = process.modules.iter().enumerate();
    let mut mappings: Vec<_> = modules.filter(|(_, module)| is_image(module)).map(mapping).collect();
    mappings.sort_by_key(|mapping| mapping.start);
    let mut end = 0;
    mappings.retain(|mapping| {
        let follows = mapping.start >= end;
        end = end.max(mapping.end);
        follows
    });
    mappings
}
