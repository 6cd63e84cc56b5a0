//! ELF cores: what the Linux kernel writes when a process dies, gdb's gcore for one that lives, and qemu for one that
//! it emulates.

mod command_line;
mod debugger;
mod headers;
mod loaded;
mod machine;
mod modules;
mod notes;
mod write;

pub(super) use debugger::pages as pages_for_debuggers;
pub(super) use write::write;

use super::REDACTED;
use super::address_space::Mapping;
use super::error::OpenProblem;
use super::segment::Segment;
use crate::addr::Address;
use crate::memory::{Backing, FaultCause, Memory, Range, RecordingMemory, Region, Regions, Touched};
use crate::process::{Module, ProcessInfo};
use headers::Headers;
use notes::Notes;

const AT_PHDR: u64 = 3;
const AT_ENTRY: u64 = 9;
const AT_RANDOM: u64 = 25;
const AT_EXECFN: u64 = 31;
/// The longest path, in bytes: the kernel's `PATH_MAX`.
const MAX_PATH: usize = 4096;
/// `sizeof(pr_psargs)` without its NUL: longer command lines are cut there.
const PSARGS_LENGTH: usize = 79;

/// What an ELF core says, without its memory's bytes.
#[derive(Debug)]
pub(super) struct ElfCore {
    /// Its headers.
    pub(super) headers: Headers,
    /// Where files were mapped, ascending, without overlaps.
    pub(super) mappings: Vec<Mapping>,
    /// The path of each module's file in the target's own bytes.
    pub(super) module_paths: Vec<Vec<u8>>,
    /// Whether the first module is known to be the main program.
    pub(super) main_known: bool,
    /// The auxiliary vector, by `AT_*`.
    pub(super) auxiliary: Vec<(u64, u64)>,
    /// The bytes of memory that had to be read to learn all this.
    pub(super) touched: Touched,
}

/// Reads an ELF core, `data`.
pub(super) fn read(data: &[u8]) -> Result<(ElfCore, ProcessInfo), OpenProblem> {
    let mut headers = headers::read(data)?;
    let mut warnings = std::mem::take(&mut headers.warnings);
    let mut notes = notes::read(&headers.notes, data, headers.machine);
    warnings.append(&mut notes.warnings);
    let dumped = Regions::new(headers.segments.iter().map(|segment| dumped_region(segment, data)).collect());
    let memory = RecordingMemory::new(&dumped);
    let mut in_main_program =
        Vec::from_iter([AT_PHDR, AT_ENTRY].iter().filter_map(|key| notes.auxiliary_value(*key)));
    if !notes.has_files {
        warnings.push(
            "the dump does not say which files were mapped (no NT_FILE): memory was asked instead".to_owned(),
        );
        let loaded = loaded::list(&headers.segments, &memory, started_by(&memory, &notes).as_deref());
        notes.files = loaded.files;
        in_main_program.extend(loaded.main.map(|main| main.0));
    }
    if notes.redacted {
        warnings.push(REDACTED.to_owned());
    }
    let modules = modules::list(&notes.files, &headers.segments, &memory, &in_main_program);
    if modules.cut {
        warnings.push(format!("only the first {} modules were told apart", modules.modules.len()));
    }
    if headers.truncated {
        warnings.push(truncation(&headers, data));
    }
    let main = modules.modules.first().filter(|_| modules.main_known);
    let executable = executable(&memory, &notes, main);
    let command_line = command_line(&memory, &notes, &mut warnings);
    let touched = memory.touched();
    let process = ProcessInfo {
        pid: notes.pid,
        uid: notes.uid,
        executable,
        command_line,
        crashed_tid: notes.signal.as_ref().and_then(|_| notes.threads.first()).map(|thread| thread.tid),
        signal: notes.signal,
        threads: notes.threads,
        modules: modules.modules,
        warnings,
        ..ProcessInfo::unknown(headers.machine.machine)
    };
    let core = ElfCore {
        headers,
        mappings: modules.mappings,
        module_paths: modules.paths,
        main_known: modules.main_known,
        auxiliary: notes.auxiliary,
        touched,
    };
    Ok((core, process))
}

/// The bytes of a segment that are in the dump; what was left out is not zero, it is not known.
fn dumped_region<'a>(segment: &Segment, data: &'a [u8]) -> Region<'a> {
    let bytes = segment.bytes(data);
    let beyond =
        if (bytes.len() as u64) < segment.file_size { FaultCause::Truncated } else { FaultCause::NotDumped };
    Region {
        range: Range {
            start: Address(segment.start),
            size: segment.memory_size,
            writable: segment.writable,
            executable: segment.executable,
        },
        backing: Backing::Bytes(bytes, beyond),
    }
}

/// How much memory a truncated dump lost.
fn truncation(headers: &Headers, data: &[u8]) -> String {
    let promised = headers.segments.iter().map(|segment| u128::from(segment.file_size)).sum::<u128>();
    let held = headers.segments.iter().map(|segment| segment.bytes(data).len() as u128).sum::<u128>();
    format!("the dump is truncated: it holds {held} of {promised} bytes of memory")
}

/// The path of the main program: that of its module, else the name it was started by.
fn executable(memory: &dyn Memory, notes: &Notes, main: Option<&Module>) -> Option<String> {
    let name = || started_by(memory, notes).map(|name| String::from_utf8_lossy(&name).into_owned());
    main.map(|main| main.path.clone()).filter(|path| !path.is_empty()).or_else(name)
}

/// The name that `execve` was given.
fn started_by(memory: &dyn Memory, notes: &Notes) -> Option<Vec<u8>> {
    let name = memory.c_string(Address(notes.auxiliary_value(AT_EXECFN)?), MAX_PATH).ok()?;
    (!name.is_empty()).then_some(name)
}

/// The arguments, from the stack, else as far as `NT_PRPSINFO` has them.
fn command_line(memory: &dyn Memory, notes: &Notes, warnings: &mut Vec<String>) -> Option<Vec<String>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let from_stack = notes
        .auxiliary_value(AT_RANDOM)
        .and_then(|at_random| command_line::read(memory, &notes.auxiliary, Address(at_random)));
    if let Some(arguments) = from_stack {
        return Some(arguments.iter().map(|argument| text(argument)).collect());
    }
    let command = notes.command.as_ref()?;
    let cut = if command.len() >= PSARGS_LENGTH { ", and cut at 79 bytes" } else { "" };
    warnings.push(format!(
        "the arguments could not be read from the stack: the command line was split at blanks{cut}"
    ));
    Some(command.split(|&byte| byte == b' ').map(text).collect())
}
