//! The header and the directory of a minidump, and the shapes that its streams have: lists, strings.
//!
//! `minidump::Minidump` refuses a file whose directory or one of whose lists is cut or names a place outside; here the
//! rest of it is read. Structs: `minidumpapiset.h` of the Windows SDK, by `minidump::format`.

use crate::dump::error::OpenProblem;
use crate::dump::segment::slice_up_to;
use minidump::format::{
    MINIDUMP_DIRECTORY, MINIDUMP_HEADER, MINIDUMP_LOCATION_DESCRIPTOR, MINIDUMP_SIGNATURE,
    MINIDUMP_STREAM_TYPE, MINIDUMP_VERSION,
};
use scroll::ctx::{SizeWith, TryFromCtx};
use scroll::{Endian, LE, Pread};
use std::cell::{Cell, RefCell};

/// How many streams are looked at; dumps have about twenty.
const MAX_STREAMS: usize = 1 << 12;
/// The longest string that is read, in bytes of UTF-16: Windows' paths have at most 32,767 characters.
const MAX_STRING: u64 = 1 << 16;
/// How long all names in a dump may be, in bytes: those of some hundred modules and threads take some kilobytes.
const MAX_NAMES: u64 = 16 << 20;

/// The streams of a minidump.
pub(super) struct Streams<'a> {
    /// The whole dump.
    pub(super) data: &'a [u8],
    /// Its `MINIDUMP_TYPE`.
    pub(super) flags: u64,
    /// When it was written, in seconds since 1970.
    pub(super) time: u32,
    /// Where the directory begins and ends in the file.
    pub(super) directory: (u64, u64),
    entries: Vec<MINIDUMP_DIRECTORY>,
    problems: RefCell<Problems>,
    /// How long further names may be, in bytes.
    names_left: Cell<u64>,
}

/// The stream that `pycore shrink` adds: of what it was made, and whether secrets are overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// The `MINIDUMP_TYPE` of the dump that it was made of.
    pub(super) flags: u64,
    /// Whether secrets are overwritten.
    pub(super) redacted: bool,
}

impl Marker {
    /// `py`, 1, in the range that is left to users.
    pub(super) const STREAM_TYPE: u32 = 0x7079_0001;

    /// As it lies in a dump.
    pub(super) fn bytes(self) -> Vec<u8> {
        let redacted = u64::from(self.redacted);
        [self.flags.to_le_bytes(), redacted.to_le_bytes()].concat()
    }
}

/// What was found odd.
#[derive(Default)]
pub(super) struct Problems {
    /// Whether the file ends before what it promises.
    pub(super) truncated: bool,
    /// What the user should know.
    pub(super) warnings: Vec<String>,
}

/// Whether `data` is a minidump of either byte order.
pub(in crate::dump) fn is_minidump(data: &[u8]) -> bool {
    data.starts_with(&MINIDUMP_SIGNATURE.to_le_bytes()) || data.starts_with(&MINIDUMP_SIGNATURE.to_be_bytes())
}

/// Reads the header and the directory of the minidump `data`.
pub(super) fn read(data: &[u8]) -> Result<Streams<'_>, OpenProblem> {
    if data.starts_with(&MINIDUMP_SIGNATURE.to_be_bytes()) {
        return Err(OpenProblem::UnsupportedMinidump {
            machine: "a big-endian machine".to_owned(),
            missing: "numbers are read as little-endian",
        });
    }
    let header: MINIDUMP_HEADER = data.pread_with(0, LE).map_err(|_| OpenProblem::HeaderCutOff)?;
    if header.version & 0xffff != MINIDUMP_VERSION {
        return Err(OpenProblem::Damaged("its header has an unknown version"));
    }
    let mut problems = Problems::default();
    let (promised, entry_size) = (header.stream_count as usize, MINIDUMP_DIRECTORY::size_with(&LE));
    let directory = slice_up_to(data, header.stream_directory_rva.into(), u64::MAX);
    let count = promised.min(directory.len() / entry_size).min(MAX_STREAMS);
    if count < promised {
        problems.truncated = directory.len() / entry_size < promised;
        problems.warnings.push(format!("only {count} of {promised} streams of the dump are listed in it"));
    }
    let directory_at = u64::from(header.stream_directory_rva);
    let entries = directory.chunks_exact(entry_size).take(count);
    let entries = entries.filter_map(|entry| entry.pread_with(0, LE).ok()).collect();
    Ok(Streams {
        data,
        flags: header.flags,
        time: header.time_date_stamp,
        directory: (directory_at, directory_at + (count * entry_size) as u64),
        entries,
        problems: RefCell::new(problems),
        names_left: Cell::new(MAX_NAMES),
    })
}

impl<'a> Streams<'a> {
    /// What was found odd so far, once.
    pub(super) fn take_problems(&self) -> Problems {
        self.problems.take()
    }

    /// Notes that something is missing because the file ends before it.
    pub(super) fn note_truncated(&self) {
        self.problems.borrow_mut().truncated = true;
    }

    /// Says what was odd.
    pub(super) fn warn(&self, warning: impl Into<String>) {
        self.problems.borrow_mut().warnings.push(warning.into());
    }

    /// The entries of the directory, as they are.
    pub(super) fn entries(&self) -> &[MINIDUMP_DIRECTORY] {
        &self.entries
    }

    /// What `pycore shrink` noted, if it wrote the dump.
    pub(super) fn marker(&self) -> Option<Marker> {
        let entry = self.entries.iter().find(|entry| entry.stream_type == Marker::STREAM_TYPE)?;
        let stream = self.at(&entry.location);
        let (flags, redacted) = (u64_at(stream, 0)?, u32_at(stream, 8)?);
        Some(Marker { flags, redacted: redacted != 0 })
    }

    /// What the dump holds of a stream of this type. Where there are several, the last one that has a size counts.
    pub(super) fn get(&self, kind: MINIDUMP_STREAM_TYPE) -> Option<&'a [u8]> {
        let is_it = |entry: &&MINIDUMP_DIRECTORY| {
            entry.stream_type == u32::from(kind) && entry.location.data_size > 0
        };
        let entry = self.entries.iter().rev().find(is_it)?;
        let stream = self.at(&entry.location);
        if stream.len() < entry.location.data_size as usize {
            self.note_truncated();
            self.warn(format!(
                "the dump's {kind:?} lies at {:#x} with {} bytes, and {} of them are in the file",
                entry.location.rva,
                entry.location.data_size,
                stream.len()
            ));
        }
        (!stream.is_empty()).then_some(stream)
    }

    /// The bytes at `location`, as many of them as the dump holds.
    pub(super) fn at(&self, location: &MINIDUMP_LOCATION_DESCRIPTOR) -> &'a [u8] {
        slice_up_to(self.data, location.rva.into(), location.data_size.into())
    }

    /// The entries of a stream that begins with their number, as many as it holds and at most `limit`.
    pub(super) fn list<T: Entry<'a>>(&self, kind: MINIDUMP_STREAM_TYPE, limit: usize) -> Vec<T> {
        const PADDING: usize = 4;
        let Some(stream) = self.get(kind) else { return Vec::new() };
        let Some(promised) = u32_at(stream, 0) else { return Vec::new() };
        let size = T::size_with(&LE);
        let entries = stream.get(size_of::<u32>()..).unwrap_or_default();
        // Breakpad aligns the first entry to 8 bytes.
        let padded = (promised as usize).checked_mul(size).is_some_and(|all| entries.len() == all + PADDING);
        let entries = entries.get(if padded { PADDING } else { 0 }..).unwrap_or_default();
        self.entries_of(kind, entries, (size, promised.into()), limit)
    }

    /// The entries of a stream that begins with the sizes of its header and of its entries.
    pub(super) fn extended_list<T: Entry<'a>>(&self, kind: MINIDUMP_STREAM_TYPE, limit: usize) -> Vec<T> {
        let Some(stream) = self.get(kind) else { return Vec::new() };
        let (Some(header), Some(size)) = (u32_at(stream, 0), u32_at(stream, 4)) else { return Vec::new() };
        // The number of entries has 8 bytes in a MINIDUMP_MEMORY_INFO_LIST and 4 in the others.
        let promised = if header >= 16 { u64_at(stream, 8) } else { u32_at(stream, 8).map(u64::from) };
        let entries = stream.get(header as usize..).unwrap_or_default();
        if (size as usize) < T::size_with(&LE) {
            self.warn(format!("the dump's {kind:?} has entries of {size} bytes, which are too short"));
            return Vec::new();
        }
        self.entries_of(kind, entries, (size as usize, promised.unwrap_or_default()), limit)
    }

    /// The first `promised` entries of `size` bytes in `entries`.
    pub(super) fn entries_of<T: Entry<'a>>(
        &self,
        kind: MINIDUMP_STREAM_TYPE,
        entries: &'a [u8],
        (size, promised): (usize, u64),
        limit: usize,
    ) -> Vec<T> {
        let held = entries.len() / size.max(1);
        let count = usize::try_from(promised).unwrap_or(usize::MAX).min(held).min(limit);
        if (count as u64) < promised {
            self.warn(format!("the dump's {kind:?} has {promised} entries, of which {count} are read"));
        }
        let entries = entries.chunks_exact(size.max(1)).take(count);
        entries.filter_map(|entry| entry.pread_with(0, LE).ok()).collect()
    }

    /// Whether a name of this length, in bytes, may still be kept. A hostile dump has many that are all long.
    pub(super) fn may_keep(&self, length: u64) -> bool {
        let left = self.names_left.get().checked_sub(length);
        self.names_left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// A `MINIDUMP_STRING`: its length in bytes, then UTF-16. `None` where it does not lie in the dump, has an absurd
    /// length or is empty.
    pub(super) fn string(&self, rva: u64) -> Option<String> {
        let length = u64::from(u32_at(slice_up_to(self.data, rva, 4), 0)?);
        let bytes = slice_up_to(self.data, rva.checked_add(4)?, length);
        let whole = rva != 0 && length <= MAX_STRING && bytes.len() as u64 == length;
        (whole && self.may_keep(length)).then(|| utf16(bytes)).filter(|text| !text.is_empty())
    }
}

/// What lists are made of.
pub(super) trait Entry<'a>:
    TryFromCtx<'a, Endian, [u8], Error = scroll::Error> + SizeWith<Endian>
{
}

impl<'a, T: TryFromCtx<'a, Endian, [u8], Error = scroll::Error> + SizeWith<Endian>> Entry<'a> for T {}

/// Text in little-endian UTF-16, up to its first NUL.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).filter_map(|unit| Some(u16::from_le_bytes(*unit.first_chunk()?)));
    let text = units.take_while(|&unit| unit != 0);
    char::decode_utf16(text).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.pread_with(offset, LE).ok()
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.pread_with(offset, LE).ok()
}
