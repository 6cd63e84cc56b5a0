//! A memory that notes which pages were read.

use super::{Fault, Memory, PAGE_SIZE, Range};
use crate::addr::Address;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// Wraps a [`Memory`] and remembers every page, of [`PAGE_SIZE`], that a successful read touched; what was only passed
/// over is not read.
pub struct RecordingMemory<'a> {
    inner: &'a dyn Memory,
    pages: RefCell<BTreeSet<u64>>,
    /// The page noted last: most reads are near the one before.
    latest: Cell<Option<u64>>,
}

impl<'a> RecordingMemory<'a> {
    /// Starts with nothing noted.
    pub fn new(inner: &'a dyn Memory) -> Self {
        RecordingMemory { inner, pages: RefCell::default(), latest: Cell::new(None) }
    }

    /// The start addresses of all pages read so far, ascending.
    pub fn pages(&self) -> Vec<Address> {
        self.pages.borrow().iter().map(|page| Address(page * PAGE_SIZE)).collect()
    }
}

impl Memory for RecordingMemory<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        self.inner.read(at, buffer)?;
        if !buffer.is_empty() {
            let (first, last) = (at.0 / PAGE_SIZE, at.add(buffer.len() as u64 - 1).0 / PAGE_SIZE);
            if self.latest.get() != Some(first) || first != last {
                self.pages.borrow_mut().extend(first..=last);
                self.latest.set(Some(last));
            }
        }
        Ok(())
    }

    fn pass_over(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        self.inner.pass_over(at, buffer)
    }

    fn ranges(&self) -> Vec<Range> {
        self.inner.ranges()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Backing, FaultCause, Region, Regions};

    #[test]
    fn notes_each_page_once_and_only_if_it_could_be_read() {
        let bytes = vec![1; 4 * PAGE_SIZE as usize];
        let range =
            Range { start: Address(PAGE_SIZE), size: 8 * PAGE_SIZE, writable: false, executable: false };
        let memory =
            Regions::new(vec![Region { range, backing: Backing::Bytes(&bytes, FaultCause::NotDumped) }]);
        let recording = RecordingMemory::new(&memory);
        let read = |at, size: usize| recording.read(Address(at), &mut vec![0; size]);
        for at in [3 * PAGE_SIZE, 3 * PAGE_SIZE + 8, PAGE_SIZE + 4090, 3 * PAGE_SIZE] {
            read(at, 8).unwrap();
        }
        read(PAGE_SIZE, 0).unwrap();
        assert!(read(5 * PAGE_SIZE - 4, 8).is_err());
        recording.pass_over(Address(2 * PAGE_SIZE), &mut [0; 8]).unwrap();
        assert_eq!(recording.pages(), [1, 2, 3].map(|page| Address(page * PAGE_SIZE)));
        assert_eq!(recording.ranges(), memory.ranges());
    }
}
