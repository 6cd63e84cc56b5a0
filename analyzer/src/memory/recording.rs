//! A memory that notes which bytes were read.

use super::{Fault, Memory, Range, Touched};
use crate::addr::Address;
use std::cell::RefCell;

/// Wraps a [`Memory`] and remembers every byte that a successful read gave; what was only passed over is not read.
pub struct RecordingMemory<'a> {
    inner: &'a dyn Memory,
    touched: RefCell<Touched>,
}

impl<'a> RecordingMemory<'a> {
    /// Starts with nothing noted.
    pub fn new(inner: &'a dyn Memory) -> Self {
        RecordingMemory { inner, touched: RefCell::default() }
    }

    /// The bytes read so far.
    pub fn touched(&self) -> Touched {
        self.touched.borrow().clone()
    }
}

impl Memory for RecordingMemory<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        self.inner.read(at, buffer)?;
        self.touched.borrow_mut().add(at, buffer.len());
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
    use crate::memory::{Backing, FaultCause, PAGE_SIZE, Region, Regions};

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
        assert_eq!(recording.touched().pages(), [1, 2, 3].map(|page| Address(page * PAGE_SIZE)));
        assert_eq!(recording.ranges(), memory.ranges());
    }
}
