//! Pages of a live process that were copied, so that they stay as they were.

use super::memory::LiveMemory;
use crate::addr::Address;
use crate::memory::{Fault, FaultCause, Memory, PAGE_SIZE, Range};
use nix::errno::Errno;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

/// The length of a page, in bytes.
const PAGE: usize = PAGE_SIZE as usize;

/// Copied pages, by their number; `None` for one that could not be read.
type Pages = HashMap<u64, Option<Box<[u8; PAGE]>>>;

/// The memory of a live process that is kept page by page, as it is read. What was copied at one moment comes from
/// there.
pub struct PagedMemory<'p> {
    live: LiveMemory<'p>,
    /// What was copied at one moment.
    copy: Copy,
    /// What was read later, one by one.
    later: RefCell<Pages>,
    /// The numbers of the pages that something was read of.
    used: RefCell<BTreeSet<u64>>,
}

impl<'p> PagedMemory<'p> {
    pub(super) fn new(live: LiveMemory<'p>) -> Self {
        Self::with(live, Copy::default())
    }

    pub(super) fn with(live: LiveMemory<'p>, copy: Copy) -> Self {
        PagedMemory { live, copy, later: RefCell::default(), used: RefCell::default() }
    }

    /// The start addresses of all pages that something was read of, ascending.
    pub fn used(&self) -> Vec<Address> {
        self.used.borrow().iter().map(|page| Address(page * PAGE_SIZE)).collect()
    }

    /// Whether all that was read comes from the moment of the copy, or cannot change.
    pub fn is_of_one_moment(&self) -> bool {
        let later = self.later.borrow();
        later.keys().all(|&page| !may_change(&self.live, page))
    }

    fn with_page<T>(&self, number: u64, use_it: impl FnOnce(&[u8; PAGE]) -> T) -> Option<T> {
        if let Some(page) = self.copy.page(number) {
            return page.map(use_it);
        }
        let mut later = self.later.borrow_mut();
        let page = later.entry(number).or_insert_with(|| {
            let mut page = Box::new([0; PAGE]);
            self.live.read(Address(number * PAGE_SIZE), page.as_mut_slice()).ok().map(|()| page)
        });
        page.as_deref().map(use_it)
    }
}

impl Memory for PagedMemory<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let from = at.0.checked_add(done as u64).ok_or(Fault { at, cause: FaultCause::NotMapped })?;
            let (number, offset) = (from / PAGE_SIZE, (from % PAGE_SIZE) as usize);
            self.used.borrow_mut().insert(number);
            let copied = self.with_page(number, |page| {
                let part = page.get(offset..).unwrap_or_default();
                rest.iter_mut().zip(part).map(|(to, byte)| *to = *byte).count()
            });
            done += copied.ok_or(Fault { at: Address(from), cause: FaultCause::NotMapped })?;
        }
        Ok(())
    }

    fn pass_over(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        let number = at.0 / PAGE_SIZE;
        let within_page = at.0 % PAGE_SIZE + buffer.len() as u64 <= PAGE_SIZE;
        if within_page && self.copy.page(number).is_some() {
            self.read(at, buffer)
        } else {
            self.live.read(at, buffer)
        }
    }

    fn ranges(&self) -> Vec<Range> {
        self.live.ranges()
    }
}

/// Whether the page `number` may change: the process may write there, or maps something there by now.
pub(super) fn may_change(memory: &LiveMemory<'_>, number: u64) -> bool {
    memory.range_at(Address(number * PAGE_SIZE)).is_none_or(|range| range.writable)
}

/// Pages that were copied at one moment.
#[derive(Default)]
pub(super) struct Copy {
    /// Where the bytes of each page begin; `None` for one that could not be read.
    places: HashMap<u64, Option<usize>>,
    bytes: Vec<u8>,
}

impl Copy {
    /// Makes room for the pages at `starts`, ascending.
    pub(super) fn prepare(starts: &[Address]) -> Self {
        let places =
            starts.iter().enumerate().map(|(index, start)| (start.0 / PAGE_SIZE, Some(index * PAGE)));
        // Written to, so that the kernel does not have to find pages for it later.
        Copy { places: places.collect(), bytes: vec![0xff; starts.len() * PAGE] }
    }

    /// Copies the pages at `starts`, those that were prepared.
    pub(super) fn fill(&mut self, memory: &LiveMemory<'_>, starts: &[Address]) -> Result<(), Errno> {
        let mut first = 0;
        while let Some(rest) = starts.get(first..).filter(|rest| !rest.is_empty()) {
            let buffer = self.bytes.get_mut(first * PAGE..).unwrap_or_default();
            let done = memory.gather(&pieces(rest), buffer)? / PAGE;
            if let Some(missing) = rest.get(done) {
                self.places.insert(missing.0 / PAGE_SIZE, None);
            }
            first += done + 1;
        }
        Ok(())
    }

    fn page(&self, number: u64) -> Option<Option<&[u8; PAGE]>> {
        let place = self.places.get(&number)?;
        Some(place.and_then(|place| self.bytes.get(place..)?.first_chunk()))
    }
}

/// Neighbouring pages as one piece.
fn pieces(starts: &[Address]) -> Vec<(Address, usize)> {
    let mut pieces = Vec::<(Address, usize)>::new();
    for &start in starts {
        match pieces.last_mut() {
            Some((at, len)) if at.add(*len as u64) == start => *len += PAGE,
            _ => pieces.push((start, PAGE)),
        }
    }
    pieces
}
