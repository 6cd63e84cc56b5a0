//! Ranges of memory, whatever container describes them.

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

/// Sorts segments by address. Where two overlap, the one that starts first keeps its addresses; says so unless both lead
/// to the same bytes.
pub(super) fn sort_out_overlaps(segments: &mut Vec<Segment>) -> Option<String> {
    segments.sort_by_key(|segment| segment.start);
    let mut last: Option<Segment> = None;
    let mut overlaps = 0usize;
    segments.retain_mut(|segment| {
        if let Some(last) = last {
            let hidden = last.end().saturating_sub(segment.start);
            if hidden > 0 {
                let same = last.file_offset.wrapping_sub(last.start)
                    == segment.file_offset.wrapping_sub(segment.start);
                overlaps += usize::from(!same);
                if hidden >= segment.memory_size {
                    return false;
                }
                segment.start += hidden;
                segment.memory_size -= hidden;
                segment.file_offset = segment.file_offset.saturating_add(hidden.min(segment.file_size));
                segment.file_size = segment.file_size.saturating_sub(hidden);
            }
        }
        last = Some(*segment);
        true
    });
    (overlaps > 0).then(|| {
        format!("{overlaps} segments overlap others: the dump is damaged, memory may be wrong there")
    })
}

/// At most `size` bytes of `data` from `offset`: as many as there are.
pub(super) fn slice_up_to(data: &[u8], offset: u64, size: u64) -> &[u8] {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
    let end = usize::try_from(offset.saturating_add(size)).unwrap_or(usize::MAX).min(data.len());
    data.get(start..end).unwrap_or_default()
}
