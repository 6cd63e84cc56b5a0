//! An address space made of regions, each backed by bytes of a mapped file.

use super::{Fault, FaultCause, Memory, PAGE_SIZE, Range};
use crate::addr::Address;
use std::cell::{Cell, OnceCell};
use std::io;

/// Where the bytes of a region come from.
pub enum Backing<'a> {
    /// These bytes; the region may be longer than they are, its rest is then missing for the given cause.
    Bytes(&'a [u8], FaultCause),
    /// Bytes of a file that was mapped there, looked for at the first read.
    Lazy(LazyBytes<'a>),
    /// Whoever knows how to fill a buffer from a virtual address on.
    Elsewhere(ReadAt<'a>),
    /// Mapped, but not there.
    Absent(FaultCause),
}

/// Fills a buffer with the bytes from a virtual address on.
pub type ReadAt<'a> = Box<dyn Fn(Address, &mut [u8]) -> Result<(), Fault> + 'a>;

/// The outcome of looking for the bytes of a mapped file.
type FileBytes<'a> = Result<&'a [u8], FaultCause>;

/// The bytes of a mapped file, fetched once and only when a read needs them.
pub struct LazyBytes<'a> {
    fetch: Box<dyn Fn() -> FileBytes<'a> + 'a>,
    fetched: OnceCell<FileBytes<'a>>,
}

impl<'a> LazyBytes<'a> {
    /// `fetch` gives the file's bytes from the offset that is mapped at the region's start, at most as many as the
    /// region is long. Where the file ends before the region does, the rest of its last page reads as zeros, as the
    /// kernel has it, and pages behind that fault.
    pub fn new(fetch: impl Fn() -> FileBytes<'a> + 'a) -> Self {
        LazyBytes { fetch: Box::new(fetch), fetched: OnceCell::new() }
    }

    fn get(&self) -> FileBytes<'a> {
        *self.fetched.get_or_init(|| (self.fetch)())
    }
}

/// A range of virtual addresses with its bytes.
pub struct Region<'a> {
    /// Its addresses and permissions.
    pub range: Range,
    /// Its bytes.
    pub backing: Backing<'a>,
}

impl Region<'_> {
    /// Fills `buffer`, which does not reach beyond the region, from `offset` bytes behind the region's start.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let (bytes, zeros_until, beyond) = match &self.backing {
            Backing::Bytes(bytes, beyond) => (*bytes, bytes.len() as u64, *beyond),
            Backing::Lazy(lazy) => {
                let bytes = lazy.get().map_err(|cause| Fault { at: self.range.start.add(offset), cause })?;
                (bytes, (bytes.len() as u64).next_multiple_of(PAGE_SIZE), FaultCause::NotMapped)
            }
            Backing::Elsewhere(read) => return read(self.range.start.add(offset), buffer),
            Backing::Absent(cause) => {
                return Err(Fault { at: self.range.start.add(offset), cause: *cause });
            }
        };
        let available =
            usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        if let Some(found) = available.get(..buffer.len()) {
            buffer.copy_from_slice(found);
            return Ok(());
        }
        if offset + buffer.len() as u64 > zeros_until {
            return Err(Fault { at: self.range.start.add(zeros_until.max(offset)), cause: beyond });
        }
        let (head, tail) = buffer.split_at_mut(available.len());
        head.copy_from_slice(available);
        tail.fill(0);
        Ok(())
    }
}

/// How many pages are remembered with the region they lie in; a power of two.
const REMEMBERED: usize = 256;

/// Copies bytes of a mapped file without touching their pages; an error where the file cannot be read that way.
type Copier<'a> = Box<dyn Fn(&[u8], &mut [u8]) -> io::Result<()> + 'a>;

/// Regions in ascending order without overlaps.
pub struct Regions<'a> {
    regions: Vec<Region<'a>>,
    /// How bytes are copied that are merely passed over.
    copier: Option<Copier<'a>>,
    /// By the low bits of a page's number, the index of the region that such a page was last found in.
    last_hits: Box<[Cell<usize>; REMEMBERED]>,
}

impl<'a> Regions<'a> {
    /// Takes regions in any order. Where two overlap, the one that starts first keeps its addresses, as a dump
    /// with overlapping segments is damaged or hostile; empty and wrapping ones are dropped.
    pub fn new(mut regions: Vec<Region<'a>>) -> Self {
        regions.retain(|region| {
            region.range.size > 0 && region.range.start.0.checked_add(region.range.size).is_some()
        });
        regions.sort_by_key(|region| region.range.start);
        let mut end = Address::NULL;
        regions.retain(|region| {
            let keep = region.range.start >= end;
            if keep {
                end = region.range.end();
            }
            keep
        });
        Regions { regions, copier: None, last_hits: Box::new([const { Cell::new(0) }; REMEMBERED]) }
    }

    /// Has bytes that are merely passed over copied by `copier`, where it can: mapping pages that nobody looks at again
    /// takes longer than reading them, and memory.
    pub fn passing_over_by(mut self, copier: Copier<'a>) -> Self {
        self.copier = Some(copier);
        self
    }

    fn find(&self, at: Address) -> Option<&Region<'a>> {
        let last_hit = self.last_hits.get((at.0 / PAGE_SIZE) as usize % REMEMBERED)?;
        if let Some(region) = self.regions.get(last_hit.get())
            && region.range.contains(at)
        {
            return Some(region);
        }
        let index = self.regions.partition_point(|region| region.range.start <= at).checked_sub(1)?;
        let region = self.regions.get(index).filter(|region| region.range.contains(at))?;
        last_hit.set(index);
        Some(region)
    }
}

impl Memory for Regions<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        let mut at = at;
        let mut rest = buffer;
        while !rest.is_empty() {
            let region = self.find(at).ok_or(Fault { at, cause: FaultCause::NotMapped })?;
            let offset = at.0 - region.range.start.0;
            let here = rest.len().min(usize::try_from(region.range.size - offset).unwrap_or(usize::MAX));
            let (now, later) = rest.split_at_mut(here);
            region.read(offset, now)?;
            at = at.add(here as u64);
            rest = later;
        }
        Ok(())
    }

    fn pass_over(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        if buffer.len() >= PAGE_SIZE as usize
            && let Some(copier) = &self.copier
            && let Some(Region { range, backing: Backing::Bytes(bytes, _) }) = self.find(at)
            && let Ok(offset) = usize::try_from(at.0 - range.start.0)
            && let Some(found) = offset.checked_add(buffer.len()).and_then(|end| bytes.get(offset..end))
            && copier(found, buffer).is_ok()
        {
            return Ok(());
        }
        self.read(at, buffer)
    }

    fn ranges(&self) -> Vec<Range> {
        self.regions.iter().map(|region| region.range).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, size: u64) -> Range {
        Range { start: Address(start), size, writable: true, executable: false }
    }

    #[test]
    fn reads_across_adjacent_regions() {
        let memory = Regions::new(vec![
            Region { range: range(0x1004, 4), backing: Backing::Bytes(&[5, 6, 7, 8], FaultCause::NotDumped) },
            Region { range: range(0x1000, 4), backing: Backing::Bytes(&[1, 2, 3, 4], FaultCause::NotDumped) },
        ]);
        let mut bytes = [0; 6];
        memory.read(Address(0x1001), &mut bytes).unwrap();
        assert_eq!(bytes, [2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_fault_carries_the_first_missing_address_and_its_cause() {
        let memory = Regions::new(vec![Region {
            range: range(0x1000, 16),
            backing: Backing::Bytes(&[0; 8], FaultCause::Truncated),
        }]);
        let mut bytes = [0; 8];
        let fault = memory.read(Address(0x1004), &mut bytes).unwrap_err();
        assert_eq!(fault, Fault { at: Address(0x1008), cause: FaultCause::Truncated });
        let fault = memory.read(Address(0x100c), &mut bytes[..2]).unwrap_err();
        assert_eq!(fault, Fault { at: Address(0x100c), cause: FaultCause::Truncated });
        let fault = memory.read(Address(0x2000), &mut bytes).unwrap_err();
        assert_eq!(fault, Fault { at: Address(0x2000), cause: FaultCause::NotMapped });
    }

    #[test]
    fn overlapping_and_wrapping_regions_do_not_shadow_the_first() {
        let memory = Regions::new(vec![
            Region { range: range(0x1000, 4), backing: Backing::Bytes(&[1; 4], FaultCause::NotDumped) },
            Region { range: range(0x1002, 4), backing: Backing::Bytes(&[2; 4], FaultCause::NotDumped) },
            Region { range: range(u64::MAX - 1, 4), backing: Backing::Bytes(&[3; 4], FaultCause::NotDumped) },
        ]);
        assert_eq!(memory.ranges().len(), 1);
    }

    #[test]
    fn a_c_string_ends_at_its_nul_or_at_the_limit() {
        let memory = Regions::new(vec![Region {
            range: range(0x1000, 6),
            backing: Backing::Bytes(b"abc\0de", FaultCause::NotDumped),
        }]);
        let memory: &dyn Memory = &memory;
        assert_eq!(memory.c_string(Address(0x1000), 2).unwrap(), b"ab");
        assert!(memory.c_string(Address(0x1004), 10).is_err());
    }

    #[test]
    fn a_file_is_fetched_once_at_the_first_read_and_padded_to_its_last_page() {
        let fetches = Cell::new(0);
        let file = [7; 5000];
        let memory = Regions::new(vec![Region {
            range: range(0x10000, 3 * PAGE_SIZE),
            backing: Backing::Lazy(LazyBytes::new(|| {
                fetches.set(fetches.get() + 1);
                Ok(&file)
            })),
        }]);
        assert_eq!(fetches.get(), 0);
        let mut bytes = [1; 10];
        memory.read(Address(0x10000 + 4995), &mut bytes).unwrap();
        assert_eq!(bytes, [7, 7, 7, 7, 7, 0, 0, 0, 0, 0]);
        memory.read(Address(0x10000 + 2 * PAGE_SIZE - 10), &mut bytes).unwrap();
        assert_eq!(bytes, [0; 10]);
        let fault = memory.read(Address(0x10000 + 2 * PAGE_SIZE - 5), &mut bytes).unwrap_err();
        assert_eq!(fault, Fault { at: Address(0x10000 + 2 * PAGE_SIZE), cause: FaultCause::NotMapped });
        assert_eq!(fetches.get(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_had_faults_with_its_cause() {
        let memory = Regions::new(vec![Region {
            range: range(0x1000, 16),
            backing: Backing::Lazy(LazyBytes::new(|| Err(FaultCause::FileMissing))),
        }]);
        let fault = memory.read(Address(0x1008), &mut [0; 4]).unwrap_err();
        assert_eq!(fault, Fault { at: Address(0x1008), cause: FaultCause::FileMissing });
    }
}
