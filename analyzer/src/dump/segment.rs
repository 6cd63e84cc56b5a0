//! Ranges of memory, whatever container describes them.

use crate::memory::PAGE_SIZE;

/// A range of memory of the process, and where a dump has its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The first virtual address.
    pub(super) start: u64,
    /// How long it was in memory, in bytes; never wraps around the address space.
    pub(super) memory_size: u64,
    /// Where its bytes begin in the dump.
    pub(super) file_offset: u64,
    /// How many of its bytes the dump promises to hold; the rest was left out. At most `memory_size`.
    pub(super) file_size: u64,
    /// Whether the process could write there.
    pub(super) writable: bool,
    /// Whether the process could execute there.
    pub(super) executable: bool,
}

impl Segment {
    /// The first virtual address behind it.
    pub(super) fn end(&self) -> u64 {
        self.start + self.memory_size
    }

    /// The bytes of it that `data`, the whole dump, really holds.
    pub(super) fn bytes<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        slice_up_to(data, self.file_offset, self.file_size)
    }
}

/// Sorts segments of the dump `data` by address. Where two overlap, the one that starts first keeps its addresses; says so
/// unless both have the same bytes there: who writes minidumps may list memory once for each reason to keep it.
pub(super) fn sort_out_overlaps(segments: &mut Vec<Segment>, data: &[u8]) -> Option<String> {
    segments.sort_by_key(|segment| segment.start);
    let mut kept: Vec<Segment> = Vec::with_capacity(segments.len());
    let mut overlaps = 0usize;
    for mut segment in segments.drain(..) {
        let hidden = kept.last().map_or(0, Segment::end).saturating_sub(segment.start);
        if hidden > 0 {
            let first = kept.get(kept.partition_point(|kept| kept.end() <= segment.start));
            overlaps += usize::from(!first.is_some_and(|first| begin_alike(first, &segment, data)));
            if hidden >= segment.memory_size {
                continue;
            }
            segment.start += hidden;
            segment.memory_size -= hidden;
            segment.file_offset = segment.file_offset.saturating_add(hidden.min(segment.file_size));
            segment.file_size = segment.file_size.saturating_sub(hidden);
        }
        kept.push(segment);
    }
    *segments = kept;
    (overlaps > 0).then(|| {
        format!("{overlaps} segments overlap others: the dump is damaged, memory may be wrong there")
    })
}

/// Whether `second`, which begins within `first`, begins with the same bytes; a page of them is compared.
fn begin_alike(first: &Segment, second: &Segment, data: &[u8]) -> bool {
    let distance = second.start.saturating_sub(first.start);
    let size = first.memory_size.saturating_sub(distance).min(second.memory_size).min(PAGE_SIZE);
    let offset = first.file_offset.saturating_add(distance);
    offset == second.file_offset
        || slice_up_to(data, offset, size.min(first.file_size.saturating_sub(distance)))
            == slice_up_to(data, second.file_offset, size.min(second.file_size))
}

/// At most `size` bytes of `data` from `offset`: as many as there are.
pub(super) fn slice_up_to(data: &[u8], offset: u64, size: u64) -> &[u8] {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
    let end = usize::try_from(offset.saturating_add(size)).unwrap_or(usize::MAX).min(data.len());
    data.get(start..end).unwrap_or_default()
}
