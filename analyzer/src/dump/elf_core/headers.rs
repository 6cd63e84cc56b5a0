//! The ELF header and program headers of a core.

use super::machine::{self, Facts};
use crate::dump::error::OpenProblem;
use crate::dump::segment::{self, Segment, slice_up_to};
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, FileType, Machine, ProgramHeader64, SectionHeader64};
use object::read::ReadRef;

/// How many program headers are read: the kernel allows a process 65,530 mappings unless told otherwise.
const MAX_PROGRAM_HEADERS: usize = 1 << 20;

/// Where notes lie in the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dump) struct NoteSegment {
    /// Where they begin in the dump.
    pub(in crate::dump) file_offset: u64,
    /// Their size, in bytes.
    pub(in crate::dump) size: u64,
    /// `p_align`.
    pub(in crate::dump) align: u64,
}

impl NoteSegment {
    /// The bytes of it that `data`, the whole dump, really holds.
    pub(in crate::dump) fn bytes<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        slice_up_to(data, self.file_offset, self.size)
    }
}

/// What the headers of a core say.
#[derive(Debug)]
pub(in crate::dump) struct Headers {
    /// The machine that the process ran on.
    pub(in crate::dump) machine: &'static Facts,
    /// All ranges of memory, ascending, without overlaps, none empty.
    pub(in crate::dump) segments: Vec<Segment>,
    /// All notes.
    pub(in crate::dump) notes: Vec<NoteSegment>,
    /// Whether the file ends before what its headers promise.
    pub(in crate::dump) truncated: bool,
    /// What was odd.
    pub(in crate::dump) warnings: Vec<String>,
}

/// Reads the headers of a core, `data`. What lies behind the end of a truncated file is not an error.
pub(in crate::dump) fn read(data: &[u8]) -> Result<Headers, OpenProblem> {
    if !data.starts_with(&elf::ELFMAG) {
        return Err(OpenProblem::NotElf);
    }
    check_kind(data)?;
    let header: &FileHeader64<LE> = data.read_at(0).map_err(|()| OpenProblem::HeaderCutOff)?;
    let mut headers = Headers {
        machine: machine::of(header.e_machine.get(LE))?,
        segments: Vec::new(),
        notes: Vec::new(),
        truncated: false,
        warnings: Vec::new(),
    };
    for program_header in headers.program_headers(header, data)? {
        headers.add(program_header, data.len() as u64);
    }
    headers.warnings.extend(segment::sort_out_overlaps(&mut headers.segments, data));
    if headers.notes.is_empty() && !headers.truncated {
        return Err(OpenProblem::NoNotes);
    }
    Ok(headers)
}

impl Headers {
    /// The part of the program header table that the file holds.
    fn program_headers<'a>(
        &mut self,
        header: &FileHeader64<LE>,
        data: &'a [u8],
    ) -> Result<&'a [ProgramHeader64<LE>], OpenProblem> {
        let entry_size = size_of::<ProgramHeader64<LE>>();
        let table = header.e_phoff.get(LE);
        let promised = match header.e_phnum.get(LE) {
            elf::PN_XNUM => data
                .read_at::<SectionHeader64<LE>>(header.e_shoff.get(LE))
                .map(|section| section.sh_info.get(LE) as usize)
                .ok(),
            count => Some(count.into()),
        };
        if promised != Some(0) && usize::from(header.e_phentsize.get(LE)) != entry_size {
            return Err(OpenProblem::Damaged("its program headers have an unknown size"));
        }
        let held = slice_up_to(data, table, u64::MAX).len() / entry_size;
        let count = promised.unwrap_or(usize::from(elf::PN_XNUM)).min(held).min(MAX_PROGRAM_HEADERS);
        match promised {
            Some(promised) if promised > held => {
                self.truncated = true;
                self.warnings.push(format!(
                    "the dump ends within its program headers: {held} of {promised} are there, \
                     the rest of the memory is unknown"
                ));
            }
            Some(promised) if promised > count => {
                self.warnings.push(format!("{promised} program headers: only the first {count} were read"));
            }
            Some(_) => {}
            None => {
                self.truncated = true;
                self.warnings.push(format!(
                    "the dump ends before it says how many program headers it has: {count} were read"
                ));
            }
        }
        data.read_slice_at(table, count).map_err(|()| OpenProblem::HeaderCutOff)
    }

    fn add(&mut self, header: &ProgramHeader64<LE>, data_size: u64) {
        let (file_offset, file_size) = (header.p_offset.get(LE), header.p_filesz.get(LE));
        let held = file_offset.checked_add(file_size).is_some_and(|end| end <= data_size);
        match header.p_type.get(LE) {
            elf::PT_NOTE => {
                self.notes.push(NoteSegment { file_offset, size: file_size, align: header.p_align.get(LE) });
            }
            elf::PT_LOAD => {
                let start = header.p_vaddr.get(LE);
                let memory_size = header.p_memsz.get(LE).max(file_size).min(u64::MAX - start);
                if memory_size > 0 {
                    let flags = header.p_flags.get(LE).0;
                    self.segments.push(Segment {
                        start,
                        memory_size,
                        file_offset,
                        file_size: file_size.min(memory_size),
                        writable: flags & elf::PF_W.0 != 0,
                        executable: flags & elf::PF_X.0 != 0,
                    });
                }
            }
            _ => return,
        }
        self.truncated |= !held;
    }
}

/// Refuses all but 64-bit little-endian cores.
fn check_kind(data: &[u8]) -> Result<(), OpenProblem> {
    const CLASS: usize = 4;
    const ENCODING: usize = 5;
    const TYPE: usize = 16;
    let (Some(&class), Some(&encoding), Some(numbers)) =
        (data.get(CLASS), data.get(ENCODING), data.get(TYPE..).and_then(<[u8]>::first_chunk::<4>))
    else {
        return Err(OpenProblem::HeaderCutOff);
    };
    let is_64_bit = class == elf::ELFCLASS64.0;
    let big_endian = encoding == elf::ELFDATA2MSB.0;
    let &[type_0, type_1, machine_0, machine_1] = numbers;
    let u16_of = |bytes| if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
    check_type(FileType(u16_of([type_0, type_1])))?;
    if !is_64_bit && class != elf::ELFCLASS32.0 || !big_endian && encoding != elf::ELFDATA2LSB.0 {
        return Err(OpenProblem::Damaged("its ELF header has an unknown class or byte order"));
    }
    let missing = match (is_64_bit, big_endian) {
        (true, false) => return Ok(()),
        (true, true) => "numbers are read as little-endian, and it is big-endian",
        (false, false) => "pointers are read as 8 bytes, and it is 32-bit",
        (false, true) => {
            "pointers are read as 8 bytes and numbers as little-endian, and it is 32-bit and big-endian"
        }
    };
    let machine = machine::name(Machine(u16_of([machine_0, machine_1])), is_64_bit, big_endian);
    Err(OpenProblem::Unsupported { machine, missing })
}

fn check_type(file_type: FileType) -> Result<(), OpenProblem> {
    let kind = match file_type {
        elf::ET_CORE => return Ok(()),
        elf::ET_EXEC => "an executable",
        elf::ET_DYN => "an executable or a library",
        elf::ET_REL => "an object file",
        _ => return Err(OpenProblem::Damaged("its ELF header has an unknown type")),
    };
    Err(OpenProblem::NotCore { kind })
}
