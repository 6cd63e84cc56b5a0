//! Which memory a dump was told to hold, and how to write one that holds enough.

use super::directory::Streams;
use crate::dump::segment::Segment;
use crate::process::OperatingSystem;
use crate::report::DumpContents;
use minidump::format::{MINIDUMP_STREAM_TYPE, MINIDUMP_THREAD};

/// `MINIDUMP_TYPE` of `minidumpapiset.h`, the lowest bit first.
const FLAGS: [&str; 24] = [
    "MiniDumpWithDataSegs",
    "MiniDumpWithFullMemory",
    "MiniDumpWithHandleData",
    "MiniDumpFilterMemory",
    "MiniDumpScanMemory",
    "MiniDumpWithUnloadedModules",
    "MiniDumpWithIndirectlyReferencedMemory",
    "MiniDumpFilterModulePaths",
    "MiniDumpWithProcessThreadData",
    "MiniDumpWithPrivateReadWriteMemory",
    "MiniDumpWithoutOptionalData",
    "MiniDumpWithFullMemoryInfo",
    "MiniDumpWithThreadInfo",
    "MiniDumpWithCodeSegs",
    "MiniDumpWithoutAuxiliaryState",
    "MiniDumpWithFullAuxiliaryState",
    "MiniDumpWithPrivateWriteCopyMemory",
    "MiniDumpIgnoreInaccessibleMemory",
    "MiniDumpWithTokenInformation",
    "MiniDumpWithModuleHeaders",
    "MiniDumpFilterTriage",
    "MiniDumpWithAvxXStateContext",
    "MiniDumpWithIptTrace",
    "MiniDumpScanInaccessiblePartialPages",
];
const DATA_SEGMENTS: u64 = 1;
const FULL_MEMORY: u64 = 1 << 1;
const INDIRECTLY_REFERENCED: u64 = 1 << 6;
const PRIVATE_READ_WRITE: u64 = 1 << 9;

/// How to write a dump that a report can be made of.
const HOW_ON_WINDOWS: &str = "write it with MiniDumpWithFullMemory (procdump -ma; WER LocalDumps with DumpType=2; \
    \"Create dump file\" of the Task Manager), or at least with MiniDumpWithPrivateReadWriteMemory | \
    MiniDumpWithDataSegs; breakpad takes these flags, too; of crashpad, \
    CrashpadInfo::set_gather_indirectly_referenced_memory comes nearest";
const HOW_ELSEWHERE: &str = "let the kernel or gcore write a core, which holds all memory; of crashpad, \
    CrashpadInfo::set_gather_indirectly_referenced_memory comes nearest";

/// What the dump says that it holds, given its ranges of memory.
pub(super) fn read(streams: &Streams<'_>, os: OperatingSystem, segments: &[Segment]) -> DumpContents {
    let marker = streams.marker();
    let flags = marker.map_or(streams.flags, |marker| marker.flags);
    let names = (0..u64::BITS).filter(|bit| flags & (1 << bit) != 0).map(|bit| {
        FLAGS.get(bit as usize).map_or_else(|| format!("{:#x}", 1u64 << bit), |name| (*name).to_owned())
    });
    let has = |flag| flags & flag != 0;
    let memory_bytes = segments.iter().map(|segment| segment.file_size).sum();
    let kinds = [
        (FULL_MEMORY, "full memory"),
        (PRIVATE_READ_WRITE, "private read-write memory"),
        (DATA_SEGMENTS, "data segments of modules"),
        (INDIRECTLY_REFERENCED, "what stacks point at"),
    ];
    let kinds: Vec<_> = kinds.into_iter().filter(|(flag, _)| has(*flag)).map(|(_, kind)| kind).collect();
    let memory = if has(FULL_MEMORY) {
        "full memory".to_owned()
    } else if !kinds.is_empty() {
        kinds.join(", ")
    } else if stack_bytes(streams) >= memory_bytes / 2 {
        "thread stacks".to_owned()
    } else {
        "chosen memory".to_owned()
    };
    let enough = has(FULL_MEMORY) || has(PRIVATE_READ_WRITE) && has(DATA_SEGMENTS);
    let how = if os == OperatingSystem::Windows { HOW_ON_WINDOWS } else { HOW_ELSEWHERE };
    let advice = (!enough).then(|| {
        format!("the dump holds {memory} only, and Python keeps its objects elsewhere, in the heap: {how}")
    });
    let memory = if marker.is_some() { format!("{memory}, shrunk") } else { memory };
    DumpContents { memory, memory_bytes, flags: names.collect(), advice }
}

/// How many bytes the stacks of threads have in the dump.
fn stack_bytes(streams: &Streams<'_>) -> u64 {
    let threads: Vec<MINIDUMP_THREAD> =
        streams.list(MINIDUMP_STREAM_TYPE::ThreadListStream, super::threads::MAX_THREADS);
    threads.iter().map(|thread| u64::from(thread.stack.memory.data_size)).sum()
}
