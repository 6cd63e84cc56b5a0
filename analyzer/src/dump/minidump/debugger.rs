//! What a debugger reads of a minidump beyond what Python's frames need: native stacks, the environment blocks of threads
//! and process, the loader's list of modules, and the headers of the modules.
//!
//! Places in 64-bit Windows: `winternl.h` of the Windows SDK and the public symbols of ntdll.

use super::Minidump;
use crate::addr::Address;
use crate::dump::address_space;
use crate::dump::module_file::NO_FILE;
use crate::memory::{Memory, PAGE_SIZE, RecordingMemory, Touched};
use crate::process::{NativeThread, OperatingSystem, ProcessInfo, pe};
use std::collections::BTreeSet;

/// How much of a stack is kept from its top on, in bytes.
const STACK: u64 = 256 << 10;
/// How many modules of the loader's list are followed.
const MAX_MODULES: usize = 1 << 12;
/// The size of a `TEB` and of a `PEB`, in bytes.
const TEB_SIZE: usize = 0x1838;
const PEB_SIZE: usize = 0x7c8;
/// `TEB.NtTib.StackBase` and `TEB.ProcessEnvironmentBlock`.
const TEB_STACK_BASE: u64 = 0x08;
const TEB_PEB: u64 = 0x60;
/// `PEB.Ldr`, and in it the list of modules in the order they were loaded.
const PEB_LDR: u64 = 0x18;
const LDR_LIST: u64 = 0x10;
const LDR_SIZE: usize = 0x58;
/// A `LDR_DATA_TABLE_ENTRY` up to its hash links; its first member is the list's link, and where its names are.
const ENTRY_SIZE: usize = 0xc8;
const ENTRY_NAMES: [u64; 2] = [0x48, 0x58];

/// The pages of the dump `data` that a debugger needs to list modules and threads and to unwind their stacks, and the bytes
/// of all but the stacks.
pub(in crate::dump) fn pages(
    minidump: &Minidump,
    process: &ProcessInfo,
    data: &[u8],
) -> (BTreeSet<Address>, Touched) {
    let dumped = address_space::lay_out(&minidump.segments, &[], &[], data, |_| &NO_FILE);
    let memory = RecordingMemory::new(&dumped);
    if process.os == OperatingSystem::Windows {
        for module in &process.modules {
            // What is read is recorded, whatever it says.
            let _ = pe::Image::read(&memory, module.base).map(|image| image.identity());
        }
        follow_blocks(&memory, &process.threads);
    }
    let touched = memory.touched();
    let mut pages: BTreeSet<_> = touched.pages().into_iter().collect();
    for thread in &process.threads {
        pages.extend(stack_pages(&dumped, minidump, thread));
    }
    pages.retain(|page| dumped.read(*page, &mut [0]).is_ok() || page_begins_late(minidump, *page));
    (pages, touched)
}

/// Whether a range begins within the page.
fn page_begins_late(minidump: &Minidump, page: Address) -> bool {
    let segments = &minidump.segments;
    let first = segments.partition_point(|segment| segment.start < page.0);
    segments.get(first).is_some_and(|segment| segment.start - page.0 < PAGE_SIZE)
}

/// Reads the environment blocks and the loader's list.
fn follow_blocks(memory: &dyn Memory, threads: &[NativeThread]) {
    let mut process_block = None;
    for teb in threads.iter().filter_map(|thread| thread.thread_pointer) {
        let _ = memory.bytes(teb, TEB_SIZE);
        process_block = process_block.or(memory.pointer(teb.add(TEB_PEB)).ok());
    }
    let Some(peb) = process_block else { return };
    let _ = memory.bytes(peb, PEB_SIZE);
    let Ok(loader) = memory.pointer(peb.add(PEB_LDR)) else { return };
    let _ = memory.bytes(loader, LDR_SIZE);
    let head = loader.add(LDR_LIST);
    let mut next = memory.pointer(head);
    for _ in 0..MAX_MODULES {
        let Some(entry) = next.ok().filter(|&entry| entry != head && !entry.is_null()) else { return };
        let _ = memory.bytes(entry, ENTRY_SIZE);
        for name in ENTRY_NAMES {
            if let (Ok(size), Ok(text)) = (memory.u16(entry.add(name)), memory.pointer(entry.add(name + 8))) {
                let _ = memory.bytes(text, size.into());
            }
        }
        next = memory.pointer(entry);
    }
}

/// The part of a thread's stack that is in use.
fn stack_pages(memory: &dyn Memory, minidump: &Minidump, thread: &NativeThread) -> Vec<Address> {
    let Some(top) = thread.stack_pointer else { return Vec::new() };
    let segments = &minidump.segments;
    let segment = segments.get(segments.partition_point(|segment| segment.end() <= top.0));
    let Some(segment) = segment.filter(|segment| segment.start <= top.0) else { return Vec::new() };
    let base = thread.thread_pointer.and_then(|teb| memory.u64(teb.add(TEB_STACK_BASE)).ok());
    let base = base.filter(|&base| base > top.0).unwrap_or_else(|| segment.end());
    let end = base.min(top.0.saturating_add(STACK));
    let first = top.0 - top.0 % PAGE_SIZE;
    (first..end).step_by(PAGE_SIZE as usize).map(Address).collect()
}
