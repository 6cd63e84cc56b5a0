//! What a debugger reads of a core beyond what Python's frames need: the loader's list of files, their headers, the
//! native stacks, and what the thread library keeps of each thread.

use super::{AT_EXECFN, ElfCore, dumped_region, loaded};
use crate::addr::Address;
use crate::dump::segment::Segment;
use crate::memory::{Memory, PAGE_SIZE, RecordingMemory, Regions, Touched};
use crate::process::elf::Image;
use crate::process::{NativeThread, ProcessInfo};
use std::collections::BTreeSet;
use std::ops::Range;

const AT_SYSINFO_EHDR: u64 = 33;
/// How much of a stack is kept from its top on, in bytes.
const STACK: u64 = 256 << 10;
/// What may be in use below the stack pointer, in bytes (System V ABI of x86-64, 3.2.2).
const RED_ZONE: u64 = 128;
/// What is kept on either side of a thread pointer, in bytes: static thread-local storage and glibc's `struct pthread`.
const AROUND_THREAD_POINTER: u64 = 4096;
/// The writable data of a file are kept whole up to this size, in bytes: libc's and the loader's are much smaller.
const MODULE_DATA: u64 = 256 << 10;

/// The pages of the core `data` that gdb needs to list files and threads and to unwind their stacks, and the bytes of the
/// files' headers and of the loader's list of them.
pub(in crate::dump) fn pages(
    core: &ElfCore,
    process: &ProcessInfo,
    data: &[u8],
) -> (BTreeSet<Address>, Touched) {
    let segments = &core.headers.segments;
    let dumped = Regions::new(segments.iter().map(|segment| dumped_region(segment, data)).collect());
    let memory = RecordingMemory::new(&dumped);
    for module in &process.modules {
        if let Ok(image) = Image::read(&memory, module.base) {
            let _ = (image.build_id(), image.dynamic());
        }
    }
    loaded::follow_link_maps(&memory, process.modules.iter().map(|module| module.base));
    let touched = memory.touched();
    let mut pages = touched.pages().into_iter().collect::<BTreeSet<_>>();
    let modules_data =
        segments.iter().filter(|segment| segment.writable && segment.memory_size <= MODULE_DATA);
    for segment in modules_data {
        let in_module = process
            .modules
            .iter()
            .any(|module| module.base.0 <= segment.start && segment.start < module.end.0);
        if in_module {
            add(&mut pages, segment.start..segment.end());
        }
    }
    let auxiliary = |wanted| core.auxiliary.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
    if let Some(vdso) = auxiliary(AT_SYSINFO_EHDR).and_then(|at| segment_at(segments, at)) {
        add(&mut pages, vdso.start..vdso.end().min(vdso.start + STACK));
    }
    if let Some(first_stack) = auxiliary(AT_EXECFN).and_then(|at| segment_at(segments, at)) {
        add(&mut pages, first_stack.end().saturating_sub(STACK).max(first_stack.start)..first_stack.end());
    }
    for range in process.threads.iter().flat_map(|thread| thread_ranges(thread, segments)) {
        pages.extend(pointed_at(&dumped, &range));
        add(&mut pages, range);
    }
    pages.retain(|page| dumped.read(*page, &mut [0]).is_ok());
    (pages, touched)
}

/// The stack of a thread in use and what lies around its thread pointer. A thread in a signal handler may be on another
/// stack than its own, which ends at its thread pointer: that one's outermost part is kept then.
fn thread_ranges(thread: &NativeThread, segments: &[Segment]) -> impl Iterator<Item = Range<u64>> + use<> {
    let place = |address: Option<Address>| {
        let address = address?.0;
        segment_at(segments, address).map(|segment| (address, *segment))
    };
    let (stack, storage) = (place(thread.stack_pointer), place(thread.thread_pointer));
    let behind_storage =
        |pointer: u64, segment: &Segment| pointer.saturating_add(AROUND_THREAD_POINTER).min(segment.end());
    let in_use = stack.map(|(pointer, segment)| {
        let own_end = storage
            .filter(|(storage, _)| (pointer..segment.end()).contains(storage))
            .map_or(segment.end(), |(storage, segment)| behind_storage(storage, &segment));
        let start = pointer.saturating_sub(RED_ZONE).max(segment.start);
        start..own_end.min(pointer.saturating_add(STACK))
    });
    let around = storage.map(|(pointer, segment)| {
        let elsewhere = stack.is_none_or(|(stack, _)| !(segment.start..pointer).contains(&stack));
        let below = if elsewhere { STACK } else { AROUND_THREAD_POINTER };
        pointer.saturating_sub(below).max(segment.start)..behind_storage(pointer, &segment)
    });
    in_use.into_iter().chain(around)
}

/// The pages that words on a stack point at: gdb shows the strings that functions were called with.
fn pointed_at(memory: &Regions<'_>, stack: &Range<u64>) -> impl Iterator<Item = Address> {
    let memory: &dyn Memory = memory;
    let words = (stack.start.next_multiple_of(8)..stack.end).step_by(8);
    words.map_while(move |at| memory.u64(Address(at)).ok()).map(|word| Address(word - word % PAGE_SIZE))
}

fn segment_at(segments: &[Segment], address: u64) -> Option<&Segment> {
    let segment = segments.get(segments.partition_point(|segment| segment.end() <= address))?;
    (segment.start <= address).then_some(segment)
}

fn add(pages: &mut BTreeSet<Address>, range: Range<u64>) {
    let first = range.start - range.start % PAGE_SIZE;
    pages.extend((first..range.end).step_by(PAGE_SIZE as usize).map(Address));
}
