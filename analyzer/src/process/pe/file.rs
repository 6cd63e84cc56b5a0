//! A PE file on the disk, as the loader lays it out in memory: for images of which a dump left pages out.

use super::Image;
use crate::addr::Address;
use crate::memory::{Backing, Fault, FaultCause, Memory, Range, Region, Regions};
use crate::process::PeIdentity;
use object::pe;
use object::read::pe::RelocationBlockIterator;
use std::sync::OnceLock;

/// The most bytes of relocations that are read.
const MAX_RELOCATIONS: u32 = 64 << 20;
/// The size of the words that are relocated, in bytes.
const WORD: usize = 8;

/// Where the parts of a file lie once it is loaded.
#[derive(Debug)]
pub(crate) struct Loaded {
    identity: PeIdentity,
    /// What the loader adds (wrapping) to addresses in the file.
    delta: u64,
    /// Ascending, without overlaps.
    parts: Vec<Part>,
    /// Addresses that the loader writes into read-only data.
    imports: Option<Range>,
    /// Where the table of relocations lies, and its size in bytes.
    relocation_table: Option<(Address, u32)>,
    /// Where words lie that hold addresses, ascending.
    relocated: OnceLock<Vec<Address>>,
}

/// A range of addresses and the part of the file that lies there.
#[derive(Clone, Copy, Debug)]
struct Part {
    range: Range,
    /// Where it begins in the file, in bytes.
    offset: usize,
    /// How much of it the file has, in bytes; zeros follow.
    size: usize,
}

impl Loaded {
    /// The layout of `file` at the virtual address `base`; `None` where it is no PE file.
    pub(crate) fn new(file: &[u8], base: Address) -> Option<Loaded> {
        let range = Range { start: base, size: file.len() as u64, writable: false, executable: false };
        let backing = Backing::Bytes(file, FaultCause::NotMapped);
        let whole = Regions::new(vec![Region { range, backing }]);
        let image = Image::read(&whole, base).ok()?;
        let mut parts: Vec<Part> = image
            .sections()
            .map(|section| {
                let held = u64::from(section.file_size).min(section.range.size);
                Part { range: section.range, offset: section.file_offset as usize, size: held as usize }
            })
            .collect();
        let first = parts.iter().map(|part| part.range.start).min().unwrap_or(range.end());
        let headers = Range { size: range.size.min(first.0.wrapping_sub(base.0)), ..range };
        parts.push(Part { range: headers, offset: 0, size: headers.size as usize });
        parts.sort_by_key(|part| part.range.start);
        let mut end = Address::NULL;
        parts.retain(|part| {
            let follows = part.range.start >= end;
            end = if follows { part.range.end() } else { end };
            follows
        });
        let imports = image.directory(pe::IMAGE_DIRECTORY_ENTRY_IAT);
        let mut loaded = Loaded {
            identity: image.identity(),
            delta: base.0.wrapping_sub(image.preferred_base),
            parts,
            imports: imports.map(|(start, size)| Range { start, size: size.into(), ..range }),
            relocation_table: image.directory(pe::IMAGE_DIRECTORY_ENTRY_BASERELOC),
            relocated: OnceLock::new(),
        };
        // Only now the debug directory is where its address says.
        let identity = Image::read(&LoadedFile { loaded: &loaded, file }, base).ok()?.identity();
        loaded.identity = identity;
        Some(loaded)
    }

    /// What tells the file from others.
    pub(crate) fn identity(&self) -> &PeIdentity {
        &self.identity
    }

    /// The image, of the `file` that this is the layout of.
    pub(crate) fn memory<'a>(&'a self, file: &'a [u8]) -> LoadedFile<'a> {
        LoadedFile { loaded: self, file }
    }
}

/// A file as it was loaded. What the process may have changed is missing.
pub(crate) struct LoadedFile<'a> {
    loaded: &'a Loaded,
    file: &'a [u8],
}

impl LoadedFile<'_> {
    /// Fills `buffer`, which lies within `part`, with the bytes of the file, and zeros behind them.
    fn read_part(&self, part: &Part, at: Address, buffer: &mut [u8]) {
        let start = (at.0 - part.range.start.0) as usize;
        let held = self.file.get(part.offset..).unwrap_or_default();
        let held = held.get(start..part.size.min(held.len())).unwrap_or_default();
        let (filled, zeros) = buffer.split_at_mut(held.len().min(buffer.len()));
        filled.copy_from_slice(held.get(..filled.len()).unwrap_or_default());
        zeros.fill(0);
    }

    fn part(&self, at: Address) -> Result<&Part, Fault> {
        let parts = &self.loaded.parts;
        let before = parts.partition_point(|part| part.range.start <= at).checked_sub(1);
        let part = before.and_then(|before| parts.get(before)).filter(|part| part.range.contains(at));
        part.ok_or(Fault { at, cause: FaultCause::NotMapped })
    }

    /// Words that the loader relocated, from the file's own table.
    fn relocated(&self) -> &[Address] {
        self.loaded.relocated.get_or_init(|| {
            let Some((table, size)) = self.loaded.relocation_table else { return Vec::new() };
            let Ok(part) = self.part(table) else { return Vec::new() };
            let left = part.range.end().0 - table.0;
            let mut bytes = vec![0; u64::from(size.min(MAX_RELOCATIONS)).min(left) as usize];
            self.read_part(part, table, &mut bytes);
            let base = self.loaded.parts.first().map_or(Address::NULL, |part| part.range.start);
            let blocks = RelocationBlockIterator::new(&bytes).map_while(Result::ok);
            let words = blocks.flatten().filter(|word| word.typ == pe::IMAGE_REL_BASED_DIR64);
            let mut words: Vec<Address> = words.map(|word| base.add(word.virtual_address.into())).collect();
            words.sort_unstable();
            words
        })
    }

    /// Adds to the words that lie at `at` what the loader has added.
    fn relocate(&self, part: &Part, at: Address, buffer: &mut [u8]) {
        if self.loaded.delta == 0 {
            return;
        }
        let words = self.relocated();
        let reach = WORD as u64 - 1;
        let first = words.partition_point(|word| word.0.saturating_add(reach) < at.0);
        let end = at.add(buffer.len() as u64);
        for &word in words.iter().skip(first).take_while(|word| **word < end) {
            if !part.range.contains(word) || !part.range.contains(word.add(reach)) {
                continue;
            }
            let mut bytes = [0; WORD];
            self.read_part(part, word, &mut bytes);
            let bytes = u64::from_le_bytes(bytes).wrapping_add(self.loaded.delta).to_le_bytes();
            for (index, byte) in bytes.into_iter().enumerate() {
                let place = word.add(index as u64).0.checked_sub(at.0);
                if let Some(to) = place.and_then(|place| buffer.get_mut(place as usize)) {
                    *to = byte;
                }
            }
        }
    }
}

impl Memory for LoadedFile<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        let mut at = at;
        let mut rest = buffer;
        while !rest.is_empty() {
            let part = self.part(at)?;
            if part.range.writable {
                return Err(Fault { at, cause: FaultCause::NotDumped });
            }
            let left = usize::try_from(part.range.end().0 - at.0).unwrap_or(usize::MAX);
            let here = rest.len().min(left);
            let (now, later) = rest.split_at_mut(here);
            let end = at.add(here as u64);
            if let Some(imports) =
                self.loaded.imports.filter(|imports| imports.start < end && at < imports.end())
            {
                return Err(Fault { at: imports.start.max(at), cause: FaultCause::NotDumped });
            }
            self.read_part(part, at, now);
            self.relocate(part, at, now);
            at = end;
            rest = later;
        }
        Ok(())
    }

    fn ranges(&self) -> Vec<Range> {
        self.loaded.parts.iter().map(|part| part.range).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{BASE, Dll, PDB};
    use super::*;

    fn dll() -> Dll {
        Dll { exports: vec![("_PyRuntime".to_owned(), 0x2100)], pdb: true, ..Dll::default() }
    }

    #[test]
    fn a_file_reads_as_it_is_loaded() {
        let file = dll().file();
        let loaded = Loaded::new(&file, Address(BASE)).unwrap();
        let identity = loaded.identity();
        assert_eq!((identity.timestamp, identity.size, identity.checksum), (0x6677_8899, 0x5000, 0xabcd));
        let pdb = identity.pdb.as_ref().unwrap();
        assert_eq!((pdb.guid, pdb.age, pdb.path.as_str()), (PDB, 7, "x.pdb"));
        let memory = loaded.memory(&file);
        let image = Image::read(&memory, Address(BASE)).unwrap();
        assert_eq!(image.export("_PyRuntime"), Ok(Some(Address(BASE + 0x2100))));
        let memory: &dyn Memory = &memory;
        assert_eq!(memory.u64(Address(BASE + 0x1f00)), Ok(BASE + 0x2100), "it is relocated");
        assert_eq!(memory.u32(Address(BASE + 0x1f04)), Ok((BASE >> 32) as u32), "also in halves");
        assert_eq!(memory.u64(Address(BASE + 0x1ff8)), Ok(0), "behind what the file has");
        let missing = |at| Err(Fault { at: Address(at), cause: FaultCause::NotDumped });
        assert_eq!(memory.u64(Address(BASE + 0x2100)), missing(BASE + 0x2100), "it is writable");
        assert_eq!(memory.u64(Address(BASE + 0x1fd0)), missing(BASE + 0x1fd0), "imports are the loader's");
    }

    #[test]
    fn any_damage_is_survived() {
        let whole = dll().file();
        assert!(Loaded::new(b"MZ", Address(BASE)).is_none());
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut file = whole.clone();
                file[at] = value;
                if let Some(loaded) = Loaded::new(&file, Address(BASE)) {
                    let memory = loaded.memory(&file);
                    let memory: &dyn Memory = &memory;
                    let _ = memory.bytes(Address(BASE), 0x400);
                    let _ = memory.bytes(Address(BASE + 0x1ef9), 0x10);
                }
            }
        }
    }
}
