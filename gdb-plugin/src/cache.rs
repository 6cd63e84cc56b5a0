//! Memory that a debugger reads, kept as long as the process stands still: a question of a debugger costs much, whatever
//! its size.

use crate::callbacks::{Callbacks, Refusal};
use pycore::addr::Address;
use pycore::memory::{Fault, FaultCause, Memory, PAGE_SIZE, Range};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// How many bytes are asked for at once, where as many belong together; a power of two.
const BLOCK: u64 = 1 << 16;
/// How many pages are kept.
const MAX_PAGES: usize = 1 << 16;

type Page = [u8; PAGE_SIZE as usize];

/// An address space that is read through callbacks.
pub(crate) struct Cache {
    /// By their addresses; `None` for those that cannot be read whole.
    pages: RefCell<HashMap<u64, Option<Box<Page>>>>,
    /// The addresses of the blocks that cannot be read whole.
    broken: RefCell<HashSet<u64>>,
    /// What is mapped, ascending, without overlaps.
    ranges: Vec<Range>,
    /// Whether the user asked to stop.
    interrupted: Rc<Cell<bool>>,
}

impl Cache {
    /// Nothing is kept and nothing known. `interrupted` is set when a callback says so; nothing is read while it is.
    pub(crate) fn new(interrupted: Rc<Cell<bool>>) -> Self {
        Cache { pages: RefCell::default(), broken: RefCell::default(), ranges: Vec::new(), interrupted }
    }

    /// Forgets all, and says what is mapped now: in any order, with overlaps even, of which the first to start count.
    pub(crate) fn reset(&mut self, mut ranges: Vec<Range>) {
        self.pages.get_mut().clear();
        self.broken.get_mut().clear();
        ranges.retain(|range| range.size > 0 && range.start.0.checked_add(range.size).is_some());
        ranges.sort_by_key(|range| range.start);
        let mut end = Address::NULL;
        ranges.retain(|range| {
            let follows = range.start >= end;
            if follows {
                end = range.end();
            }
            follows
        });
        self.ranges = ranges;
    }

    /// Whether nothing is known of what is mapped.
    pub(crate) fn is_without_ranges(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Notes why a callback gave nothing.
    pub(crate) fn note(&self, refusal: Refusal) {
        if refusal == Refusal::Interrupted {
            self.interrupted.set(true);
        }
    }

    /// The space seen through `callbacks`.
    pub(crate) fn through<'c>(&'c self, callbacks: &'c Callbacks) -> CachedMemory<'c> {
        CachedMemory { cache: self, callbacks }
    }

    fn range_of(&self, at: Address) -> Option<&Range> {
        let index = self.ranges.partition_point(|range| range.start <= at).checked_sub(1)?;
        self.ranges.get(index).filter(|range| range.contains(at))
    }
}

/// A [`Cache`] with who fills it.
pub(crate) struct CachedMemory<'c> {
    cache: &'c Cache,
    callbacks: &'c Callbacks,
}

impl CachedMemory<'_> {
    /// Asks for bytes, unless the user asked to stop.
    fn fetch(&self, at: u64, buffer: &mut [u8]) -> bool {
        if self.cache.interrupted.get() {
            return false;
        }
        let read = self.callbacks.read(at, buffer);
        read.map_err(|refusal| self.cache.note(refusal)).is_ok()
    }

    /// Makes sure that it is known whether the page at `page` can be read, and what it holds.
    fn load(&self, page: u64) {
        if self.cache.pages.borrow().contains_key(&page) {
            return;
        }
        let (start, end) = self.block_around(page);
        let mut bytes = vec![0; usize::try_from(end - start).unwrap_or_default()];
        if end - start > PAGE_SIZE && !self.cache.broken.borrow().contains(&start) {
            if self.fetch(start, &mut bytes) {
                for (index, bytes) in (0..).zip(bytes.as_chunks::<{ PAGE_SIZE as usize }>().0) {
                    self.keep(start + index * PAGE_SIZE, Some(Box::new(*bytes)));
                }
                return;
            }
            self.cache.broken.borrow_mut().insert(start);
        }
        let mut bytes = Box::new([0; PAGE_SIZE as usize]);
        let read = self.fetch(page, bytes.as_mut());
        if read || !self.cache.interrupted.get() {
            self.keep(page, read.then_some(bytes));
        }
    }

    fn keep(&self, page: u64, bytes: Option<Box<Page>>) {
        let mut pages = self.cache.pages.borrow_mut();
        if pages.len() >= MAX_PAGES {
            pages.clear();
        }
        pages.insert(page, bytes);
    }

    /// The whole pages around `page` that are worth asking for together.
    fn block_around(&self, page: u64) -> (u64, u64) {
        let alone = (page, page.saturating_add(PAGE_SIZE));
        let Some(range) = self.cache.range_of(Address(page)) else { return alone };
        let block = page & !(BLOCK - 1);
        let start = block.max(range.start.0.checked_next_multiple_of(PAGE_SIZE).unwrap_or(page));
        let end = block.saturating_add(BLOCK).min(range.end().0 & !(PAGE_SIZE - 1));
        if start <= page && end > page { (start, end) } else { alone }
    }

    fn cause(&self, at: u64) -> FaultCause {
        if self.cache.interrupted.get() {
            FaultCause::Interrupted
        } else if !self.cache.ranges.is_empty() && self.cache.range_of(Address(at)).is_none() {
            FaultCause::NotMapped
        } else {
            FaultCause::NotReadable
        }
    }

    /// Fills `buffer`, which lies within one page.
    fn read_in_page(&self, at: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let page = at & !(PAGE_SIZE - 1);
        self.load(page);
        if let Some(Some(bytes)) = self.cache.pages.borrow().get(&page) {
            let start = (at - page) as usize;
            if let Some(found) = bytes.get(start..start + buffer.len()) {
                buffer.copy_from_slice(found);
                return Ok(());
            }
        }
        // A range may begin or end within the page.
        if self.fetch(at, buffer) { Ok(()) } else { Err(Fault { at: Address(at), cause: self.cause(at) }) }
    }
}

impl Memory for CachedMemory<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        let mut at = at.0;
        let mut rest = buffer;
        while !rest.is_empty() {
            let here = rest.len().min((PAGE_SIZE - at % PAGE_SIZE) as usize);
            let (now, later) = rest.split_at_mut(here);
            self.read_in_page(at, now)?;
            at = at.wrapping_add(here as u64);
            rest = later;
        }
        Ok(())
    }

    fn pass_over(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        // What is smaller than a block is not worth asking for by itself.
        if buffer.len() as u64 >= BLOCK && self.fetch(at.0, buffer) {
            return Ok(());
        }
        self.read(at, buffer)
    }

    fn ranges(&self) -> Vec<Range> {
        self.cache.ranges.clone()
    }
}
