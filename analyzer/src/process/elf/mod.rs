//! An ELF file as it lies loaded in memory: its headers, notes and dynamic section.

pub(crate) mod symbols;

use super::image::{ImageError, read_struct};
use crate::addr::Address;
use crate::memory::{Fault, Memory, PAGE_SIZE, Range};
use object::LittleEndian as LE;
use object::elf::{self, Dyn64, DynamicTag, FileHeader64, ProgramHeader64, ProgramType};
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader};

/// How many program headers are read; real files have about a dozen.
const MAX_PROGRAM_HEADERS: u16 = 128;
/// How many note segments are read; real files have one or two.
const MAX_NOTE_SEGMENTS: usize = 8;
/// How many bytes of one note segment are read; real ones have about a hundred.
const MAX_NOTE_BYTES: u64 = 4096;
/// How many entries of a dynamic section are read; real ones have about thirty.
const MAX_DYNAMIC_ENTRIES: u64 = 512;
/// The longest build id that is believed, in bytes; SHA-1 has 20, the longest hash in use 64.
const MAX_BUILD_ID: usize = 64;

/// An ELF file in memory.
pub(crate) struct Image<'m> {
    memory: &'m dyn Memory,
    base: Address,
    program_headers: Vec<ProgramHeader64<LE>>,
}

impl<'m> Image<'m> {
    /// Reads the headers of the file whose first byte is mapped at `base`.
    pub(crate) fn read(memory: &'m dyn Memory, base: Address) -> Result<Self, ImageError> {
        let header: FileHeader64<LE> = read_struct(memory, base)?;
        let ident = &header.e_ident;
        if ident.magic != elf::ELFMAG || ident.class != elf::ELFCLASS64 || ident.data != elf::ELFDATA2LSB {
            return Err(ImageError::Unknown(base));
        }
        let entry_size = size_of::<ProgramHeader64<LE>>();
        if usize::from(header.e_phentsize.get(LE)) != entry_size {
            return Err(ImageError::Malformed { at: base, what: "program headers of an unknown size" });
        }
        let table = base.add(header.e_phoff.get(LE));
        let program_headers = (0..header.e_phnum.get(LE).min(MAX_PROGRAM_HEADERS))
            .map(|index| read_struct(memory, table.element(index.into(), entry_size as u64)))
            .collect::<Result<_, Fault>>()?;
        Ok(Image { memory, base, program_headers })
    }

    /// All program headers of one type.
    pub(crate) fn segments(&self, wanted: ProgramType) -> impl Iterator<Item = &ProgramHeader64<LE>> {
        self.program_headers.iter().filter(move |header| header.p_type.get(LE) == wanted)
    }

    /// What to add (wrapping) to an address in the file to have the virtual address in the target.
    pub(crate) fn load_bias(&self) -> u64 {
        let first = self.segments(elf::PT_LOAD).min_by_key(|header| header.p_offset.get(LE));
        let first_byte =
            first.map_or(0, |header| header.p_vaddr.get(LE).wrapping_sub(header.p_offset.get(LE)));
        self.base.0.wrapping_sub(first_byte)
    }

    /// The first virtual address behind all that the file occupies in memory, the zeros behind its data included.
    pub(crate) fn end(&self) -> Address {
        let bias = self.load_bias();
        self.segments(elf::PT_LOAD)
            .map(|header| Address(header.p_vaddr.get(LE)).add(header.p_memsz.get(LE)).add(bias))
            .max()
            .unwrap_or(self.base)
    }

    /// What the loader maps of it, in whole pages, each with what the process may do there to begin with.
    pub(crate) fn ranges(&self) -> Vec<Range> {
        let bias = self.load_bias();
        let range = |header: &ProgramHeader64<LE>| {
            let at = header.p_vaddr.get(LE).wrapping_add(bias);
            let start = at & !(PAGE_SIZE - 1);
            let end = at.checked_add(header.p_memsz.get(LE))?.checked_next_multiple_of(PAGE_SIZE)?;
            let flags = header.p_flags.get(LE).0;
            Some(Range {
                start: Address(start),
                size: end - start,
                writable: flags & elf::PF_W.0 != 0,
                executable: flags & elf::PF_X.0 != 0,
            })
        };
        self.segments(elf::PT_LOAD).filter_map(range).collect()
    }

    /// The GNU build id.
    pub(crate) fn build_id(&self) -> Option<Vec<u8>> {
        let bias = self.load_bias();
        self.segments(elf::PT_NOTE).take(MAX_NOTE_SEGMENTS).find_map(|header| {
            let size = usize::try_from(header.p_filesz.get(LE).min(MAX_NOTE_BYTES)).ok()?;
            let notes = self.memory.bytes(Address(header.p_vaddr.get(LE)).add(bias), size).ok()?;
            build_id_in_notes(&notes, header.p_align.get(LE)).map(<[u8]>::to_vec)
        })
    }

    /// The entries of the dynamic section, up to `DT_NULL`; empty for a static program.
    pub(crate) fn dynamic(&self) -> Result<Vec<(DynamicTag, u64)>, ImageError> {
        let Some(header) = self.segments(elf::PT_DYNAMIC).next() else {
            return Ok(Vec::new());
        };
        let entry_size = size_of::<Dyn64<LE>>() as u64;
        let start = Address(header.p_vaddr.get(LE)).add(self.load_bias());
        let count = (header.p_memsz.get(LE) / entry_size).min(MAX_DYNAMIC_ENTRIES);
        let mut entries = Vec::new();
        for index in 0..count {
            let entry: Dyn64<LE> = read_struct(self.memory, start.element(index, entry_size))?;
            if entry.d_tag.get(LE) == elf::DT_NULL {
                break;
            }
            entries.push((entry.d_tag.get(LE), entry.d_val.get(LE)));
        }
        Ok(entries)
    }

    /// The virtual address that a pointer in the dynamic section means, for a module mapped from its base to `end`.
    /// glibc's loader relocates these in place, musl's does not, and the file has them as they were linked: what
    /// already lies in the module is left alone.
    pub(crate) fn dynamic_address(&self, end: Address, value: u64) -> Address {
        let in_module = self.base.0 <= value && value < end.0;
        if in_module { Address(value) } else { Address(value).add(self.load_bias()) }
    }
}

/// The GNU build id among the notes of one segment or section, whose alignment is `align`.
pub(crate) fn build_id_in_notes(notes: &[u8], align: u64) -> Option<&[u8]> {
    let notes = NoteIterator::<FileHeader64<LE>>::new(LE, align, notes).ok()?;
    notes
        .map_while(Result::ok)
        .find(|note| note.name() == elf::ELF_NOTE_GNU && note.n_type(LE) == elf::NT_GNU_BUILD_ID)
        .map(|note| note.desc())
        .filter(|id| !id.is_empty() && id.len() <= MAX_BUILD_ID)
}

/// The GNU build id of a file, by its program headers.
pub(crate) fn build_id_by<'a>(program_headers: &[ProgramHeader64<LE>], file: &'a [u8]) -> Option<&'a [u8]> {
    program_headers
        .iter()
        .filter(|header| header.p_type(LE) == elf::PT_NOTE)
        .find_map(|header| build_id_in_notes(header.data(LE, file).ok()?, header.p_align(LE)))
}

/// The GNU build id of a 64-bit little-endian ELF file.
pub(crate) fn file_build_id(file: &[u8]) -> Option<&[u8]> {
    build_id_by(FileHeader64::<LE>::parse(file).ok()?.program_headers(LE, file).ok()?, file)
}
