//! A memory some of whose pages have only the bytes that were read of them.

use super::{Fault, Memory, PAGE_SIZE, Range, Touched};
use crate::addr::Address;
use std::collections::BTreeSet;

/// What stands for bytes that were not read: eight of them are no address, so that what follows them later finds nothing
/// rather than something wrong.
const FILL: u8 = 0xa5;

/// Wraps a [`Memory`]; of some pages, all bytes but those in a set read as a filling.
pub struct Thinned<'a> {
    inner: &'a dyn Memory,
    /// The first addresses of the pages.
    pages: &'a BTreeSet<Address>,
    touched: &'a Touched,
}

impl<'a> Thinned<'a> {
    /// Only the bytes of `pages`, by their first addresses, that are in `touched` stay what they are in `inner`.
    pub fn new(inner: &'a dyn Memory, pages: &'a BTreeSet<Address>, touched: &'a Touched) -> Self {
        Thinned { inner, pages, touched }
    }
}

impl Memory for Thinned<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        self.inner.read(at, buffer)?;
        let end = at.add(buffer.len() as u64);
        let first = Address(at.0 & !(PAGE_SIZE - 1));
        for &start in self.pages.range(first..end.max(first)) {
            let mut page = [0; PAGE_SIZE as usize];
            let from = at.max(start);
            let size = (end.min(start.add(PAGE_SIZE)).0 - from.0) as usize;
            let within = (from.0 - start.0) as usize;
            let into = (from.0 - at.0) as usize;
            if let (Some(part), Some(target)) =
                (page.get_mut(within..within + size), buffer.get_mut(into..into + size))
            {
                part.copy_from_slice(target);
                self.touched.clear_others(start, &mut page, FILL, |_| false);
                target.copy_from_slice(page.get(within..within + size).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn ranges(&self) -> Vec<Range> {
        self.inner.ranges()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Backing, FaultCause, RecordingMemory, Region, Regions};

    #[test]
    fn of_thinned_pages_only_what_was_read_stays() {
        let bytes = vec![7; 3 * PAGE_SIZE as usize];
        let range =
            Range { start: Address(PAGE_SIZE), size: 3 * PAGE_SIZE, writable: true, executable: false };
        let memory =
            Regions::new(vec![Region { range, backing: Backing::Bytes(&bytes, FaultCause::NotDumped) }]);
        let recording = RecordingMemory::new(&memory);
        recording.read(Address(2 * PAGE_SIZE - 2), &mut [0; 6]).unwrap();
        let (pages, touched) = (BTreeSet::from([Address(2 * PAGE_SIZE)]), recording.touched());
        let thinned = Thinned::new(&memory, &pages, &touched);
        let mut found = [0; 12];
        thinned.read(Address(2 * PAGE_SIZE - 4), &mut found).unwrap();
        assert_eq!(found, [7, 7, 7, 7, 7, 7, 7, 7, FILL, FILL, FILL, FILL]);
        thinned.read(Address(3 * PAGE_SIZE - 6), &mut found).unwrap();
        assert_eq!(found, [FILL, FILL, FILL, FILL, FILL, FILL, 7, 7, 7, 7, 7, 7]);
        let mut whole = vec![0; bytes.len()];
        thinned.read(Address(PAGE_SIZE), &mut whole).unwrap();
        assert_eq!(whole.iter().filter(|&&byte| byte == FILL).count(), PAGE_SIZE as usize - 4);
        assert!(thinned.read(Address(4 * PAGE_SIZE - 4), &mut found).is_err());
    }
}
