//! Writing a smaller minidump: the same streams, with only some pages of memory.
//!
//! All that is not memory keeps its place in the file, so that what streams name stays where it is, also in streams that
//! nobody here knows. Behind it come what describes memory anew, the directory, and at the end of the file, as
//! debuggers want it, the bytes of memory in ascending order.

use super::directory::{self, Marker, Streams};
use super::memory;
use super::references::{self, Named};
use crate::addr::{Address, Machine};
use crate::dump::pages::{Run, readable_runs, write_memory};
use crate::dump::{Overwrite, Written};
use crate::memory::{Memory, Range};
use crate::process::Module;
use minidump::format::{
    MINIDUMP_DIRECTORY, MINIDUMP_HEADER, MINIDUMP_LOCATION_DESCRIPTOR, MINIDUMP_MEMORY_DESCRIPTOR64,
    MINIDUMP_MEMORY_INFO, MINIDUMP_STREAM_TYPE, MINIDUMP_VERSION, MemoryProtection, MemoryState, MemoryType,
};
use scroll::ctx::SizeWith;
use scroll::{Endian, LE, Pwrite};
use std::io::{self, Write};

/// `MiniDumpWithFullMemory`: by this flag debuggers know that memory lies in a `Memory64List`.
const FULL_MEMORY: u64 = 1 << 1;
/// What streams begin at a multiple of.
const ALIGNMENT: usize = 8;
/// The largest context, in bytes: those with all extended registers have some ten kilobytes.
const MAX_CONTEXT: u64 = 1 << 16;
/// The most that streams and what they name may take, in bytes.
const MAX_STREAMS: u64 = 1 << 30;

/// Writes a minidump with the streams of the dump `data`, and of its memory only `pages`, read from `memory`, which may
/// have them from elsewhere. With `redact`, the streams pass through it, without the registers that copies of strings may
/// lie in, and the dump is marked.
pub(in crate::dump) fn write(
    (machine, modules): (Machine, &[Module]),
    data: &[u8],
    memory: &dyn Memory,
    pages: &[Address],
    redact: Option<Overwrite<'_>>,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let streams = directory::read(data).map_err(io::Error::other)?;
    let ranges = memory.ranges();
    let (runs, written) = readable_runs(memory, &ranges, pages);
    let mut kept = kept_streams(&streams, machine, redact)?;
    let mut entries = kept.entries;
    let described = u32::from(MINIDUMP_STREAM_TYPE::MemoryInfoListStream);
    if !entries.iter().any(|entry| entry.stream_type == described) {
        entries.push(append(&mut kept.bytes, described, &memory_info(&ranges, modules)?)?);
    }
    let before = streams.marker().unwrap_or(Marker { flags: streams.flags, redacted: false });
    let marker = Marker { redacted: before.redacted || redact.is_some(), ..before };
    entries.push(append(&mut kept.bytes, Marker::STREAM_TYPE, &marker.bytes())?);
    align(&mut kept.bytes);

    let directory_at = kept.bytes.len();
    let list_size = size_of::<[u64; 2]>() * (runs.len() + 1);
    let list_at =
        (directory_at + (entries.len() + 1) * MINIDUMP_DIRECTORY::size_with(&LE)).next_multiple_of(ALIGNMENT);
    let location = location(list_at, list_size)?;
    entries
        .push(MINIDUMP_DIRECTORY { stream_type: MINIDUMP_STREAM_TYPE::Memory64ListStream.into(), location });
    for entry in &entries {
        put(&mut kept.bytes, entry.clone())?;
    }
    align(&mut kept.bytes);
    put(&mut kept.bytes, runs.len() as u64)?;
    put(&mut kept.bytes, (list_at + list_size) as u64)?;
    for run in &runs {
        put(
            &mut kept.bytes,
            MINIDUMP_MEMORY_DESCRIPTOR64 { start_of_memory_range: run.start, data_size: run.size },
        )?;
    }
    let header = MINIDUMP_HEADER {
        signature: minidump::format::MINIDUMP_SIGNATURE,
        version: MINIDUMP_VERSION,
        stream_count: entries.len() as u32,
        stream_directory_rva: rva(directory_at)?,
        checksum: 0,
        time_date_stamp: streams.time,
        flags: streams.flags | FULL_MEMORY,
    };
    kept.bytes.pwrite_with(header, 0, LE).map_err(io::Error::other)?;
    out.write_all(&kept.bytes)?;
    for Run { start, size } in runs {
        write_memory(memory, Address(start), size, out)?;
    }
    Ok(written)
}

/// What is not memory.
struct Kept {
    /// It, in its place.
    bytes: Vec<u8>,
    /// The streams that it holds.
    entries: Vec<MINIDUMP_DIRECTORY>,
}

fn kept_streams(streams: &Streams<'_>, machine: Machine, redact: Option<Overwrite<'_>>) -> io::Result<Kept> {
    let data = streams.data;
    let references = references::all(streams);
    let places = memory::places(streams);
    let is_kept = |entry: &&MINIDUMP_DIRECTORY| {
        let lists = [MINIDUMP_STREAM_TYPE::MemoryListStream, MINIDUMP_STREAM_TYPE::Memory64ListStream];
        !lists.iter().any(|list| u32::from(*list) == entry.stream_type)
            && entry.stream_type != Marker::STREAM_TYPE
    };
    let entries: Vec<_> = streams.entries().iter().filter(is_kept).cloned().collect();
    let named = || {
        let of_streams = entries.iter().map(|entry| extent(&entry.location));
        let by_streams = references.iter().filter(|reference| reference.named != Named::Memory);
        of_streams.chain(by_streams.map(|reference| (reference.start, reference.end)))
    };
    let first_memory = places.iter().map(|place| place.start).min().unwrap_or(u64::MAX);
    let length = data.len() as u64;
    let behind_memory = named().any(|(start, _)| (first_memory..length).contains(&start));
    let end = if behind_memory { length } else { own_end(streams, first_memory.min(length)) };
    if end > MAX_STREAMS {
        return Err(io::Error::other("the streams of the dump take more than 1 GiB"));
    }
    let slice = |start: u64, end: u64| {
        usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX)
    };
    let mut bytes = data.get(slice(0, end)).unwrap_or_default().to_vec();
    for (start, stop) in merged(places.iter().map(|place| (place.start, place.end)), end) {
        bytes.get_mut(slice(start, stop)).unwrap_or_default().fill(0);
    }
    for (start, stop) in merged(named().chain([(0, MINIDUMP_HEADER::size_with(&LE) as u64)]), end) {
        let range = slice(start, stop);
        if let (Some(to), Some(from)) = (bytes.get_mut(range.clone()), data.get(range)) {
            to.copy_from_slice(from);
        }
    }
    for reference in &references {
        if reference.start >= end || reference.named == Named::Memory {
            reference.clear(&mut bytes);
        } else if reference.end > end && matches!(reference.named, Named::Bytes | Named::Context) {
            reference.cut(&mut bytes, end);
        }
        if redact.is_some() && reference.named == Named::Context {
            let stop = reference.end.min(end).min(reference.start.saturating_add(MAX_CONTEXT));
            let vectors = slice(reference.start.saturating_add(vector_registers(machine)), stop);
            bytes.get_mut(vectors).unwrap_or_default().fill(0);
        }
    }
    if let Some(redact) = redact {
        redact(&mut bytes);
    }
    bytes.resize(bytes.len().max(MINIDUMP_HEADER::size_with(&LE)), 0);
    align(&mut bytes);
    let held = entries.into_iter().filter_map(|mut entry| {
        let (start, stop) = extent(&entry.location);
        entry.location.data_size = u32::try_from(stop.min(end).saturating_sub(start)).unwrap_or(0);
        (start < end || start == stop).then_some(entry)
    });
    Ok(Kept { bytes, entries: held.collect() })
}

/// Ranges up to `end`, ascending, joined where they meet.
fn merged(ranges: impl Iterator<Item = (u64, u64)>, end: u64) -> Vec<(u64, u64)> {
    let mut ranges: Vec<_> = ranges.map(|(start, stop)| (start, stop.min(end))).collect();
    ranges.retain(|(start, stop)| start < stop);
    ranges.sort_unstable();
    let mut merged = Vec::<(u64, u64)>::new();
    for (start, stop) in ranges {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(stop),
            _ => merged.push((start, stop)),
        }
    }
    merged
}

/// Where a stream begins and ends in the file.
fn extent(location: &MINIDUMP_LOCATION_DESCRIPTOR) -> (u64, u64) {
    let start = u64::from(location.rva);
    (start, start + u64::from(location.data_size))
}

/// Where in a dump written here the streams of the one before it end; of others, `end`.
fn own_end(streams: &Streams<'_>, mut end: u64) -> u64 {
    let own = [MINIDUMP_STREAM_TYPE::Memory64ListStream.into(), Marker::STREAM_TYPE];
    if streams.marker().is_none() {
        return end;
    }
    let lists = streams.entries().iter().filter(|entry| own.contains(&entry.stream_type));
    let mut ends: Vec<_> = lists.map(|entry| extent(&entry.location)).chain([streams.directory]).collect();
    ends.sort_unstable();
    for (start, stop) in ends.into_iter().rev() {
        if stop <= end && end - stop < ALIGNMENT as u64 {
            end = start;
        }
    }
    end
}

/// Where in a context the floating-point and vector registers begin, which hold pieces of strings while those are copied
/// or compared. Of what is behind them, nothing is needed.
fn vector_registers(machine: Machine) -> u64 {
    match machine {
        Machine::X86_64 => 0x100,
        Machine::Aarch64 => 0x110,
    }
}

/// A `MINIDUMP_MEMORY_INFO_LIST` of all that the process had mapped.
fn memory_info(ranges: &[Range], modules: &[Module]) -> io::Result<Vec<u8>> {
    let mut list = Vec::new();
    let entry_size = MINIDUMP_MEMORY_INFO::size_with(&LE);
    put(&mut list, size_of::<[u64; 2]>() as u32)?;
    put(&mut list, entry_size as u32)?;
    put(&mut list, ranges.len() as u64)?;
    let mut modules: Vec<_> = modules.iter().collect();
    modules.sort_by_key(|module| module.base);
    for range in ranges {
        let before = modules.partition_point(|module| module.base <= range.start).checked_sub(1);
        let module = before.and_then(|index| modules.get(index)).filter(|module| range.start < module.end);
        let protection = match (range.writable, range.executable) {
            (false, false) => MemoryProtection::PAGE_READONLY,
            (true, false) => MemoryProtection::PAGE_READWRITE,
            (false, true) => MemoryProtection::PAGE_EXECUTE_READ,
            (true, true) => MemoryProtection::PAGE_EXECUTE_READWRITE,
        };
        let kind = if module.is_some() { MemoryType::MEM_IMAGE } else { MemoryType::MEM_PRIVATE };
        let info = MINIDUMP_MEMORY_INFO {
            base_address: range.start.0,
            allocation_base: module.map_or(range.start, |module| module.base).0,
            allocation_protection: protection.bits(),
            __alignment1: 0,
            region_size: range.size,
            state: MemoryState::MEM_COMMIT.bits(),
            protection: protection.bits(),
            _type: kind.bits(),
            __alignment2: 0,
        };
        put(&mut list, info)?;
    }
    Ok(list)
}

/// Adds a stream to the file.
fn append(file: &mut Vec<u8>, stream_type: u32, stream: &[u8]) -> io::Result<MINIDUMP_DIRECTORY> {
    align(file);
    let location = location(file.len(), stream.len())?;
    file.extend_from_slice(stream);
    Ok(MINIDUMP_DIRECTORY { stream_type, location })
}

fn location(at: usize, size: usize) -> io::Result<MINIDUMP_LOCATION_DESCRIPTOR> {
    Ok(MINIDUMP_LOCATION_DESCRIPTOR { data_size: rva(size)?, rva: rva(at)? })
}

fn rva(value: usize) -> io::Result<u32> {
    u32::try_from(value).map_err(|_| io::Error::other("a minidump's streams cannot lie beyond 4 GiB"))
}

fn align(file: &mut Vec<u8>) {
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
}

/// Adds a struct to the file.
fn put<T: SizeWith<Endian> + scroll::ctx::TryIntoCtx<Endian, [u8], Error = scroll::Error>>(
    file: &mut Vec<u8>,
    value: T,
) -> io::Result<()> {
    let at = file.len();
    file.resize(at + T::size_with(&LE), 0);
    file.pwrite_with(value, at, LE).map(|_| ()).map_err(io::Error::other)
}
