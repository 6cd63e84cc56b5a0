//! Where streams name places in the file: what has to be seen to when the file changes behind them.

use super::directory::Streams;
use minidump::format::MINIDUMP_STREAM_TYPE;
use minidump::format::MINIDUMP_STREAM_TYPE::{
    ExceptionStream, HandleDataStream, ModuleListStream, SystemInfoStream, ThreadExListStream,
    ThreadListStream, ThreadNamesStream, UnloadedModuleListStream,
};
use scroll::{LE, Pread, Pwrite};

/// What a field of a stream names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A string, by its `RVA`; 0 is none.
    Text,
    /// A string, by an `RVA64`.
    Text64,
    /// Bytes, by their size and `RVA`.
    Bytes,
    /// The registers of a thread, likewise.
    Context,
    /// Bytes of memory, likewise.
    Memory,
}

/// A field that names a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference {
    /// Where the field lies in the file.
    pub(super) field: usize,
    pub(super) named: Named,
    /// Where what it names begins in the file.
    pub(super) start: u64,
    /// Where that ends.
    pub(super) end: u64,
}

/// How a stream lays out its entries.
enum Shape {
    /// One entry.
    Single,
    /// Their number, then entries of this size.
    Counted(usize),
    /// The size of its header, that of its entries, their number.
    Sized,
}

/// The fields of an entry, by their offset in it.
type Fields = &'static [(usize, Named)];

/// The fields of streams that name places, by `minidumpapiset.h`.
const FIELDS: [(MINIDUMP_STREAM_TYPE, Shape, Fields); 8] = [
    (ThreadListStream, Shape::Counted(48), &[(32, Named::Memory), (40, Named::Context)]),
    (
        ThreadExListStream,
        Shape::Counted(64),
        &[(32, Named::Memory), (40, Named::Context), (56, Named::Memory)],
    ),
    (ModuleListStream, Shape::Counted(108), &[(20, Named::Text), (76, Named::Bytes), (84, Named::Bytes)]),
    (ThreadNamesStream, Shape::Counted(12), &[(4, Named::Text64)]),
    (ExceptionStream, Shape::Single, &[(160, Named::Context)]),
    (SystemInfoStream, Shape::Single, &[(24, Named::Text)]),
    (UnloadedModuleListStream, Shape::Sized, &[(20, Named::Text)]),
    (HandleDataStream, Shape::Sized, &[(8, Named::Text), (12, Named::Text)]),
];
/// How many entries of a stream are looked at.
const MAX_ENTRIES: usize = 1 << 20;

/// All places that the streams name.
pub(super) fn all(streams: &Streams<'_>) -> Vec<Reference> {
    let mut found = Vec::new();
    for entry in streams.entries() {
        for (_, shape, fields) in FIELDS.iter().filter(|(kind, ..)| u32::from(*kind) == entry.stream_type) {
            let start = entry.location.rva as usize;
            let end = start.saturating_add(entry.location.data_size as usize).min(streams.data.len());
            for at in entries(streams.data, shape, (start, end)) {
                let named = |&(offset, named): &(usize, Named)| reference(streams.data, at + offset, named);
                found.extend(fields.iter().filter_map(named));
            }
        }
    }
    found
}

/// Where the entries of a stream lie that begins at `start`.
fn entries(data: &[u8], shape: &Shape, (start, end): (usize, usize)) -> impl Iterator<Item = usize> + use<> {
    let word =
        |at: usize| data.pread_with::<u32>(start.saturating_add(at), LE).map_or(0, |word| word as usize);
    let (first, size, count) = match shape {
        Shape::Single => (start, end.saturating_sub(start), 1),
        Shape::Counted(size) => {
            let count = word(0);
            let padding = if count.saturating_mul(*size).saturating_add(8) == end.saturating_sub(start) {
                4
            } else {
                0
            };
            (start + 4 + padding, *size, count)
        }
        Shape::Sized => (start.saturating_add(word(0)), word(4), word(8)),
    };
    let held = end.saturating_sub(first).checked_div(size).unwrap_or(0);
    (0..count.min(held).min(MAX_ENTRIES)).map(move |index| first + index * size)
}

fn reference(data: &[u8], field: usize, named: Named) -> Option<Reference> {
    let word = |at: usize| data.pread_with::<u32>(at, LE).ok().map(u64::from);
    let (start, size) = match named {
        Named::Text | Named::Text64 => {
            let start = match named {
                Named::Text64 => data.pread_with(field, LE).ok()?,
                _ => word(field)?,
            };
            let length = usize::try_from(start).ok().and_then(word).unwrap_or(0);
            (start, length.saturating_add(4))
        }
        _ => (word(field + 4)?, word(field)?),
    };
    (start != 0).then_some(Reference { field, named, start, end: start.saturating_add(size) })
}

impl Reference {
    /// Makes the field in `file` name nothing.
    pub(super) fn clear(&self, file: &mut [u8]) {
        let size = if self.named == Named::Text { size_of::<u32>() } else { size_of::<u64>() };
        let field = self.field..self.field + size;
        file.get_mut(field).unwrap_or_default().fill(0);
    }

    /// Makes a field that names bytes by their size end at `end`.
    pub(super) fn cut(&self, file: &mut [u8], end: u64) {
        let size = u32::try_from(end.saturating_sub(self.start)).unwrap_or(0);
        // A field that lies outside of what is kept has nothing to be cut.
        let _ = file.pwrite_with(size, self.field, LE);
    }
}
