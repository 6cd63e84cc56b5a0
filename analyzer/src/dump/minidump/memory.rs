//! Where the dump has the bytes of memory.

use super::directory::Streams;
use crate::dump::segment::{self, Segment};
use minidump::format::{
    MINIDUMP_MEMORY_DESCRIPTOR, MINIDUMP_MEMORY_DESCRIPTOR64, MINIDUMP_STREAM_TYPE, MINIDUMP_THREAD,
};
use scroll::{LE, Pread};
use std::ops::Range;

/// How many ranges are read; a process of Windows has some thousands.
const MAX_RANGES: usize = 1 << 20;
/// A `MINIDUMP_MEMORY64_LIST` begins with the number of ranges and with where the bytes of the first lie.
const HEADER_64: usize = 16;

/// The ranges of memory that the dump promises to hold, ascending, without overlaps, as if all were writable.
pub(super) fn ranges(streams: &Streams<'_>) -> Vec<Segment> {
    let mut ranges = large_ranges(streams);
    ranges.extend(small_ranges(streams));
    ranges.retain(|range| range.memory_size > 0);
    if let Some(warning) = segment::sort_out_overlaps(&mut ranges, streams.data) {
        streams.warn(warning);
    }
    add_stacks(streams, &mut ranges);
    let promised = ranges.iter().map(|range| u128::from(range.file_size)).sum::<u128>();
    let held = ranges.iter().map(|range| range.bytes(streams.data).len() as u128).sum::<u128>();
    if held < promised {
        streams.note_truncated();
        streams.warn(format!("the dump is truncated: it holds {held} of {promised} bytes of memory"));
    }
    ranges
}

/// Where bytes of memory lie in the file, as the lists have it, overlapping or not.
pub(super) fn places(streams: &Streams<'_>) -> Vec<Range<u64>> {
    let ranges = large_ranges(streams).into_iter().chain(small_ranges(streams)).chain(stacks(streams));
    let places = ranges.map(|range| range.file_offset..range.file_offset.saturating_add(range.file_size));
    places.filter(|place| !place.is_empty()).collect()
}

fn range(start: u64, size: u64, file_offset: u64) -> Segment {
    let size = size.min(u64::MAX - start);
    Segment { start, memory_size: size, file_offset, file_size: size, writable: true, executable: false }
}

/// Those of the `Memory64List`, whose bytes follow each other.
fn large_ranges(streams: &Streams<'_>) -> Vec<Segment> {
    let kind = MINIDUMP_STREAM_TYPE::Memory64ListStream;
    let Some(list) = streams.get(kind) else { return Vec::new() };
    let (Ok(promised), Ok(first)) = (list.pread_with::<u64>(0, LE), list.pread_with::<u64>(8, LE)) else {
        return Vec::new();
    };
    let entries = list.get(HEADER_64..).unwrap_or_default();
    let descriptors: Vec<MINIDUMP_MEMORY_DESCRIPTOR64> =
        streams.entries_of(kind, entries, (size_of::<[u64; 2]>(), promised), MAX_RANGES);
    let mut at = first;
    let ranges = descriptors.iter().map(|descriptor| {
        let range = range(descriptor.start_of_memory_range, descriptor.data_size, at);
        at = at.saturating_add(descriptor.data_size);
        range
    });
    ranges.collect()
}

/// Those of the `MemoryList`, each with a place of its own.
fn small_ranges(streams: &Streams<'_>) -> impl Iterator<Item = Segment> {
    let descriptors: Vec<MINIDUMP_MEMORY_DESCRIPTOR> =
        streams.list(MINIDUMP_STREAM_TYPE::MemoryListStream, MAX_RANGES);
    descriptors.into_iter().map(|descriptor| described(&descriptor))
}

fn described(descriptor: &MINIDUMP_MEMORY_DESCRIPTOR) -> Segment {
    range(descriptor.start_of_memory_range, descriptor.memory.data_size.into(), descriptor.memory.rva.into())
}

/// Adds the stacks of threads, which some list nowhere else.
fn add_stacks(streams: &Streams<'_>, ranges: &mut Vec<Segment>) {
    let is_listed = |stack: &Segment| {
        let first = ranges.partition_point(|range| range.end() <= stack.start);
        ranges.get(first).is_some_and(|range| range.start < stack.end())
    };
    let mut unlisted: Vec<_> = stacks(streams).filter(|stack| !is_listed(stack)).collect();
    if !unlisted.is_empty() {
        ranges.append(&mut unlisted);
        if let Some(warning) = segment::sort_out_overlaps(ranges, streams.data) {
            streams.warn(warning);
        }
    }
}

/// The stacks that threads name.
fn stacks(streams: &Streams<'_>) -> impl Iterator<Item = Segment> {
    let threads: Vec<MINIDUMP_THREAD> =
        streams.list(MINIDUMP_STREAM_TYPE::ThreadListStream, super::threads::MAX_THREADS);
    let stacks = threads.into_iter().map(|thread| thread.stack).filter(|stack| stack.memory.rva != 0);
    stacks.map(|stack| described(&stack)).filter(|stack| stack.memory_size > 0)
}
