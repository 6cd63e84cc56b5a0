//! An address space made of regions, each backed by bytes of a mapped file.

use super::{Fault, FaultCause, Memory, Range};
use crate::addr::Address;
use std::cell::Cell;

/// Where the bytes of a region come from.
pub enum Backing<'a> {
    /// These bytes; the region may be longer than they are, its rest is then missing for the given cause.
    Bytes(&'a [u8], FaultCause),
    /// Bytes of a mapped file, fetched when first needed. Behind the file's end, zeros up to the region's end
    /// are right only within its last page, which the callback pads.
    Lazy(Box<dyn Fn(&mut [u8], u64) -> Result<(), FaultCause> + 'a>),
    /// Mapped, but not there.
    Absent(FaultCause),
}

/// A range of virtual addresses with its bytes.
pub struct Region<'a> {
    /// Its addresses and permissions.
    pub range: Range,
    /// Its bytes.
    pub backing: Backing<'a>,
}

/// Regions in ascending order without overlaps.
pub struct Regions<'a> {
    regions: Vec<Region<'a>>,
    last_hit: Cell<usize>,
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
        Regions { regions, last_hit: Cell::new(0) }
    }

    fn find(&self, at: Address) -> Option<&Region<'a>> {
        if let Some(region) = self.regions.get(self.last_hit.get())
            && region.range.contains(at)
        {
            return Some(region);
        }
        let index = self.regions.partition_point(|region| region.range.start <= at).checked_sub(1)?;
        let region = self.regions.get(index).filter(|region| region.range.contains(at))?;
        self.last_hit.set(index);
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
            match &region.backing {
                Backing::Bytes(bytes, beyond) => {
                    let available = usize::try_from(offset)
                        .ok()
                        .and_then(|offset| bytes.get(offset..))
                        .unwrap_or_default();
                    match available.get(..here) {
                        Some(found) => now.copy_from_slice(found),
                        None => return Err(Fault { at: at.add(available.len() as u64), cause: *beyond }),
                    }
                }
                Backing::Lazy(fetch) => fetch(now, offset).map_err(|cause| Fault { at, cause })?,
                Backing::Absent(cause) => return Err(Fault { at, cause: *cause }),
            }
            at = at.add(here as u64);
            rest = later;
        }
        Ok(())
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
}
