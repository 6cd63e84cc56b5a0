//! What the process could write to and execute.

use super::directory::Streams;
use super::linux;
use crate::addr::Address;
use crate::dump::segment::Segment;
use crate::memory::{
    Backing, FaultCause, Memory, PAGE_SIZE, Range, RecordingMemory, Region, Regions, Touched,
};
use crate::process::{Module, pe};
use minidump::format::{MINIDUMP_MEMORY_INFO, MINIDUMP_STREAM_TYPE, MemoryProtection, MemoryState};

/// How many regions are read; a process of Windows has some thousands.
const MAX_REGIONS: usize = 1 << 20;

/// A range of addresses with one protection.
pub(super) struct Protected {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) writable: bool,
    pub(super) executable: bool,
}

/// Cuts `ranges` up by what the process could do with them, and adds those that it had and the dump left out. Where the
/// dump does not say, the sections of images do, and all else counts as writable. Also which bytes of memory were read.
pub(super) fn apply(
    streams: &Streams<'_>,
    ranges: Vec<Segment>,
    modules: &[Module],
) -> (Vec<Segment>, Touched) {
    let mut described = by_regions(streams);
    if described.is_empty() {
        described = linux::protections(streams);
    }
    clip(&mut described);
    if !described.is_empty() {
        return (with_unheld(cut(ranges, &described), &described), Touched::default());
    }
    let regions = ranges.iter().map(|range| region(range, streams.data)).collect();
    let memory = Regions::new(regions);
    let memory = RecordingMemory::new(&memory);
    let mut described: Vec<_> = modules.iter().flat_map(|module| sections(&memory, module)).collect();
    clip(&mut described);
    (cut(ranges, &described), memory.touched())
}

fn region<'a>(range: &Segment, data: &'a [u8]) -> Region<'a> {
    let size = range.memory_size;
    Region {
        range: Range { start: Address(range.start), size, writable: true, executable: false },
        backing: Backing::Bytes(range.bytes(data), FaultCause::Truncated),
    }
}

/// By the `MemoryInfoList`.
fn by_regions(streams: &Streams<'_>) -> Vec<Protected> {
    let infos: Vec<MINIDUMP_MEMORY_INFO> =
        streams.extended_list(MINIDUMP_STREAM_TYPE::MemoryInfoListStream, MAX_REGIONS);
    let committed = infos
        .iter()
        .filter(|info| MemoryState::from_bits_truncate(info.state).contains(MemoryState::MEM_COMMIT));
    committed
        .map(|info| {
            let protection = MemoryProtection::from_bits_truncate(info.protection);
            Protected {
                start: info.base_address,
                end: info.base_address.saturating_add(info.region_size),
                writable: protection.intersects(
                    MemoryProtection::PAGE_READWRITE
                        | MemoryProtection::PAGE_WRITECOPY
                        | MemoryProtection::PAGE_EXECUTE_READWRITE
                        | MemoryProtection::PAGE_EXECUTE_WRITECOPY,
                ),
                executable: protection.intersects(
                    MemoryProtection::PAGE_EXECUTE
                        | MemoryProtection::PAGE_EXECUTE_READ
                        | MemoryProtection::PAGE_EXECUTE_READWRITE
                        | MemoryProtection::PAGE_EXECUTE_WRITECOPY,
                ),
            }
        })
        .collect()
}

/// By the section table of an image, as far as its headers are in the dump.
fn sections(memory: &dyn Memory, module: &Module) -> Vec<Protected> {
    let Ok(image) = pe::Image::read(memory, module.base) else { return Vec::new() };
    let protected = |start: Address, size: u64, writable, executable| {
        let end = start.0.checked_add(size)?.checked_next_multiple_of(PAGE_SIZE)?.min(module.end.0);
        (start.0 < end).then_some(Protected { start: start.0, end, writable, executable })
    };
    let sections = image.sections().map(|section| section.range);
    let sections =
        sections.filter_map(|range| protected(range.start, range.size, range.writable, range.executable));
    protected(module.base, PAGE_SIZE, false, false).into_iter().chain(sections).collect()
}

/// Sorts parts. Where two overlap, the one that starts first keeps its addresses.
fn clip(parts: &mut Vec<Protected>) {
    parts.sort_by_key(|part| part.start);
    let mut end = 0;
    parts.retain_mut(|part| {
        part.start = part.start.max(end);
        end = end.max(part.end);
        part.start < part.end
    });
}

/// Cuts `ranges` where parts begin and end, both ascending and without overlaps. What lies in no part stays as it is.
fn cut(ranges: Vec<Segment>, parts: &[Protected]) -> Vec<Segment> {
    let mut pieces = Vec::with_capacity(ranges.len());
    let mut next = 0;
    for range in ranges {
        let mut at = range.start;
        while parts.get(next).is_some_and(|part| part.end <= at) {
            next += 1;
        }
        for part in parts.iter().skip(next).take_while(|part| part.start < range.end()) {
            let (start, end) = (part.start.max(at), part.end.min(range.end()));
            if start < end {
                pieces.extend(piece(&range, at, start));
                pieces.extend(piece(&range, start, end).map(|piece| Segment {
                    writable: part.writable,
                    executable: part.executable,
                    ..piece
                }));
                at = end;
            }
        }
        pieces.extend(piece(&range, at, range.end()));
    }
    pieces
}

/// The part of a range from `start` to `end`.
fn piece(range: &Segment, start: u64, end: u64) -> Option<Segment> {
    let skipped = start - range.start;
    (start < end).then_some(Segment {
        start,
        memory_size: end - start,
        file_offset: range.file_offset.saturating_add(skipped),
        file_size: range.file_size.saturating_sub(skipped).min(end - start),
        ..*range
    })
}

/// Adds what lies in `parts` and in none of the segments, without bytes.
fn with_unheld(segments: Vec<Segment>, parts: &[Protected]) -> Vec<Segment> {
    let mut all = Vec::with_capacity(segments.len());
    let mut held = segments.into_iter().peekable();
    let mut end = 0;
    for part in parts {
        let mut at = part.start.max(end);
        while let Some(segment) = held.next_if(|segment| segment.start < part.end) {
            all.extend(left_out(part, at, segment.start));
            at = at.max(segment.end());
            all.push(segment);
        }
        all.extend(left_out(part, at, part.end));
        end = at.max(part.end);
    }
    all.extend(held);
    all
}

fn left_out(part: &Protected, start: u64, end: u64) -> Option<Segment> {
    (start < end).then(|| Segment {
        start,
        memory_size: end - start,
        file_offset: 0,
        file_size: 0,
        writable: part.writable,
        executable: part.executable,
    })
}
