//! A memory that notes which pages were read.

use super::{Fault, Memory, PAGE_SIZE, Range};
use crate::addr::Address;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Wraps a [`Memory`] and remembers every page, of [`PAGE_SIZE`], that a successful read touched.
pub struct RecordingMemory<'a> {
    inner: &'a dyn Memory,
    pages: RefCell<BTreeSet<u64>>,
}

impl<'a> RecordingMemory<'a> {
    /// Starts with nothing noted.
    pub fn new(inner: &'a dyn Memory) -> Self {
        RecordingMemory { inner, pages: RefCell::default() }
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
            let last = at.add(buffer.len() as u64 - 1).0 / PAGE_SIZE;
            self.pages.borrow_mut().extend(at.0 / PAGE_SIZE..=last);
        }
        Ok(())
    }

    fn ranges(&self) -> Vec<Range> {
        self.inner.ranges()
    }
}
