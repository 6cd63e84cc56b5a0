//! Writing a smaller core: the same process, with only some of its pages.

use super::headers::Headers;
use super::notes;
use crate::addr::Address;
use crate::dump::pages::{Run, readable_runs, write_memory};
use crate::dump::{Overwrite, Written};
use crate::memory::{Memory, PAGE_SIZE, Range};
use object::elf::{self, FileHeader64, Ident, ProgramFlags, ProgramHeader64, ProgramType, SectionHeader64};
use object::pod::bytes_of;
use object::{LittleEndian as LE, U16, U32, U64};
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes a core with the headers, notes and mappings of the core `data`, and of its memory only `pages`, read from
/// `memory`, which may have them from elsewhere than `data`. Ranges that have none are still there, without bytes. With
/// `redact`, the notes pass through it, without the registers that copies of strings may lie in, and are marked.
pub(in crate::dump) fn write(
    headers: &Headers,
    data: &[u8],
    memory: &dyn Memory,
    pages: &[Address],
    redact: Option<Overwrite<'_>>,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let ranges = all_ranges(headers, memory);
    let (runs, written) = readable_runs(memory, &ranges, pages);
    let loads = lay_out(&ranges, &runs);
    let mut notes = headers
        .notes
        .iter()
        .map(|segment| match redact {
            Some(redact) => {
                let mut bytes = notes::without_vector_registers(segment, data);
                redact(&mut bytes);
                (Cow::Owned(bytes), segment.align)
            }
            None => (Cow::Borrowed(segment.bytes(data)), segment.align),
        })
        .collect::<Vec<_>>();
    if redact.is_some() {
        notes.push((Cow::Borrowed(notes::REDACTED_NOTE), notes::REDACTED_NOTE_ALIGNMENT));
    } else if notes.is_empty() {
        notes.push((Cow::Borrowed(&[]), NOTE_ALIGNMENT));
    }
    let count = notes.len() + loads.len();
    let in_section = u16::try_from(count).ok().filter(|&count| count < elf::PN_XNUM).is_none();
    let table_end = (size_of::<FileHeader64<LE>>() + count * size_of::<ProgramHeader64<LE>>()) as u64;
    let section_size = if in_section { size_of::<SectionHeader64<LE>>() as u64 } else { 0 };

    out.write_all(bytes_of(&file_header(
        headers.machine.elf_machine,
        count,
        in_section.then_some(table_end),
    )))?;
    let mut offset = table_end + section_size;
    for (bytes, align) in &notes {
        offset = offset.next_multiple_of(NOTE_ALIGNMENT);
        let size = bytes.len() as u64;
        out.write_all(bytes_of(&program_header(
            elf::PT_NOTE,
            ProgramFlags(0),
            offset,
            0,
            (size, 0),
            *align,
        )))?;
        offset += size;
    }
    let first_page = offset.next_multiple_of(PAGE_SIZE);
    offset = first_page;
    for load in &loads {
        let Range { start, size, .. } = load.range;
        let flags = permissions(&load.range);
        out.write_all(bytes_of(&program_header(
            elf::PT_LOAD,
            flags,
            offset,
            start.0,
            (load.held, size),
            PAGE_SIZE,
        )))?;
        offset += load.held.next_multiple_of(PAGE_SIZE);
    }
    if in_section {
        out.write_all(bytes_of(&numbering_section(count)))?;
    }
    let mut at = table_end + section_size;
    for (bytes, _) in &notes {
        at += pad(out, at, NOTE_ALIGNMENT)?;
        out.write_all(bytes)?;
        at += bytes.len() as u64;
    }
    pad(out, at, PAGE_SIZE)?;
    for load in &loads {
        write_memory(memory, load.range.start, load.held, out)?;
        pad(out, load.held, PAGE_SIZE)?;
    }
    Ok(written)
}

/// Notes begin at a multiple of this, whatever alignment their segment had: 4 or 8.
const NOTE_ALIGNMENT: u64 = 8;

/// Every range that the process had mapped: the segments, and between them the files that the dump lists.
fn all_ranges(headers: &Headers, memory: &dyn Memory) -> Vec<Range> {
    let segments = &headers.segments;
    let between = memory.ranges().into_iter().filter(|range| {
        let next = segments.get(segments.partition_point(|segment| segment.end() <= range.start.0));
        next.is_none_or(|segment| range.end().0 <= segment.start)
    });
    let mut ranges = segments
        .iter()
        .map(|segment| Range {
            start: Address(segment.start),
            size: segment.memory_size,
            writable: segment.writable,
            executable: segment.executable,
        })
        .chain(between)
        .collect::<Vec<_>>();
    ranges.sort_by_key(|range| range.start);
    ranges
}

/// A `PT_LOAD` to write.
struct Load {
    range: Range,
    /// How many of its bytes are written, from its start.
    held: u64,
}

/// Cuts ranges up so that each run begins one, and the rest of its range follows it without bytes.
fn lay_out(ranges: &[Range], runs: &[Run]) -> Vec<Load> {
    let mut loads = Vec::<Load>::new();
    let mut next_run = 0;
    for range in ranges {
        let (mut at, end) = (range.start.0, range.end().0);
        let mut held = 0;
        while let Some(run) = runs.get(next_run).filter(|run| run.start < end) {
            let (start, stop) = (run.start.max(at), (run.start + run.size).min(end));
            if start > at {
                loads.push(Load { range: Range { start: Address(at), size: start - at, ..*range }, held });
            }
            (at, held) = (start.max(at), stop.saturating_sub(start));
            if run.start + run.size > end {
                break;
            }
            next_run += 1;
        }
        if at < end {
            loads.push(Load { range: Range { start: Address(at), size: end - at, ..*range }, held });
        }
    }
    loads
}

/// Writes zeros from `at` up to the next multiple of `alignment`; gives how many.
fn pad(out: &mut dyn Write, at: u64, alignment: u64) -> io::Result<u64> {
    let zeros = [0; PAGE_SIZE as usize];
    let count = at.next_multiple_of(alignment) - at;
    out.write_all(zeros.get(..usize::try_from(count).unwrap_or_default()).unwrap_or_default())?;
    Ok(count)
}

/// `section_at`: where the section header lies that has the count, if there are too many program headers.
fn file_header(machine: elf::Machine, count: usize, section_at: Option<u64>) -> FileHeader64<LE> {
    let short = |value| U16::new(LE, value);
    FileHeader64 {
        e_ident: Ident {
            magic: elf::ELFMAG,
            class: elf::ELFCLASS64,
            data: elf::ELFDATA2LSB,
            version: elf::EV_CURRENT,
            os_abi: elf::ELFOSABI_NONE,
            abi_version: 0,
            padding: [0; 7],
        },
        e_type: U16::new(LE, elf::ET_CORE),
        e_machine: U16::new(LE, machine),
        e_version: U32::new(LE, elf::EV_CURRENT.0.into()),
        e_entry: U64::new(LE, 0),
        e_phoff: U64::new(LE, size_of::<FileHeader64<LE>>() as u64),
        e_shoff: U64::new(LE, section_at.unwrap_or(0)),
        e_flags: U32::new(LE, elf::FileFlags(0)),
        e_ehsize: short(size_of::<FileHeader64<LE>>() as u16),
        e_phentsize: short(size_of::<ProgramHeader64<LE>>() as u16),
        e_phnum: short(if section_at.is_some() { elf::PN_XNUM } else { count as u16 }),
        e_shentsize: short(size_of::<SectionHeader64<LE>>() as u16),
        e_shnum: short(section_at.is_some().into()),
        e_shstrndx: U16::new(LE, elf::SHN_UNDEF),
    }
}

fn program_header(
    kind: ProgramType,
    flags: ProgramFlags,
    offset: u64,
    address: u64,
    (file_size, memory_size): (u64, u64),
    align: u64,
) -> ProgramHeader64<LE> {
    ProgramHeader64 {
        p_type: U32::new(LE, kind),
        p_flags: U32::new(LE, flags),
        p_offset: U64::new(LE, offset),
        p_vaddr: U64::new(LE, address),
        p_paddr: U64::new(LE, 0),
        p_filesz: U64::new(LE, file_size),
        p_memsz: U64::new(LE, memory_size),
        p_align: U64::new(LE, align),
    }
}

/// Section header 0, whose `sh_info` is the number of program headers.
fn numbering_section(count: usize) -> SectionHeader64<LE> {
    SectionHeader64 {
        sh_name: U32::new(LE, 0),
        sh_type: U32::new(LE, elf::SHT_NULL),
        sh_flags: U64::new(LE, elf::SectionFlags(0)),
        sh_addr: U64::new(LE, 0),
        sh_offset: U64::new(LE, 0),
        sh_size: U64::new(LE, 1),
        sh_link: U32::new(LE, 0),
        sh_info: U32::new(LE, u32::try_from(count).unwrap_or(u32::MAX)),
        sh_addralign: U64::new(LE, 0),
        sh_entsize: U64::new(LE, 0),
    }
}

fn permissions(range: &Range) -> ProgramFlags {
    let mut flags = elf::PF_R.0;
    if range.writable {
        flags |= elf::PF_W.0;
    }
    if range.executable {
        flags |= elf::PF_X.0;
    }
    ProgramFlags(flags)
}
