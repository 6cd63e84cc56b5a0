//! The objects that the cyclic collector tracks in free-threaded builds. There they are in no lists: the collector finds
//! them by visiting all blocks of the heaps for them (`gc_visit_heaps`, Python/gc_free_threading.c).
//!
//! The heaps are mimalloc's, which CPython carries a copy of: 2.1.2 in 3.13 and the first releases of 3.14, 2.5.2 later.
//! A heap gets its memory in segments, aligned to their size, with a table of pages at their start; a page has blocks of
//! one size. Segments are found by their alignment and by what a segment's head must say, not through the threads: so
//! those of threads that have ended are met too, wherever the release keeps them.

use super::{Inspector, Unreadable};
use crate::addr::Address;
use crate::layout::{LayoutRegistry, PackageLayout};
use crate::memory::FaultCause;

/// `MI_SEGMENT_ALIGN`, `MI_SEGMENT_SLICE_SIZE` and the most `slice_entries` of machines with 64 bits,
/// Include/internal/mimalloc/mimalloc/types.h.
const SEGMENT_ALIGN: u64 = 32 << 20;
const SLICE_SIZE: u64 = 64 << 10;
const MAX_SLICES: u64 = SEGMENT_ALIGN / SLICE_SIZE;
/// The most places that are looked at for a segment.
const MAX_PLACES: usize = 1 << 20;
/// `_Py_MIMALLOC_HEAP_GC` and `_Py_MIMALLOC_HEAP_GC_PRE`, Include/internal/pycore_mimalloc.h; in the latter two words lie
/// before the object: its dict and its weak references.
const HEAP_GC: u64 = 2;
const HEAP_GC_PRE: u64 = 3;
const PRE_HEADER: u64 = 16;
/// With `PYTHONMALLOC=debug` (Objects/obmalloc.c) two words lie before all that: the size, then a letter for the allocator
/// and seven times `PYMEM_FORBIDDENBYTE`.
const DEBUG_HEADER: u64 = 16;
const FORBIDDEN: [u8; 7] = [0xfd; 7];
/// `_PyGC_BITS_TRACKED`, Include/internal/pycore_gc.h.
const TRACKED: u64 = 1;
/// `mi_thread_free_t` has flags in the lowest bits of its pointer.
const THREAD_FREE_FLAGS: u64 = 3;

/// A segment, understood.
struct Segment<'t> {
    at: Address,
    table: &'t PackageLayout,
    info_slices: u64,
    slices: u64,
}

impl Inspector<'_> {
    /// Gives `visit` each object of a free-threaded process that the collector tracks, with its type: those of all
    /// interpreters, in the order of their addresses. At most `left` blocks are looked at, which is lowered by what was
    /// seen.
    ///
    /// # Errors
    /// The build is not free-threaded, or something could not be looked at: what could was visited.
    pub fn tracked_in_heaps(
        &self,
        left: &mut u64,
        visit: &mut dyn FnMut(Address, Address),
    ) -> Result<(), Unreadable> {
        if !self.layout.free_threaded {
            return Err(Unreadable::NoField(self.layout.structs.PyObject.ob_gc_bits.name));
        }
        let registry = LayoutRegistry::new();
        let tables: Vec<_> = registry.tables_of("mimalloc", self.layout.abi).collect();
        let mut problem = None;
        for at in self.segment_places() {
            match self.segment(at, &tables) {
                Ok(Some(segment)) => {
                    if let Err(error) = self.visit_segment(&segment, left, visit) {
                        problem.get_or_insert(error);
                    }
                }
                Ok(None) => {}
                // Anything may lie there; but what a cut took away may have been a segment.
                Err(Unreadable::Fault(fault)) if fault.cause == FaultCause::Truncated => {
                    problem.get_or_insert(Unreadable::Fault(fault));
                }
                Err(_) => {}
            }
        }
        problem.map_or(Ok(()), Err)
    }

    /// All places of writable memory that are aligned as segments are.
    fn segment_places(&self) -> Vec<Address> {
        let mut places = Vec::new();
        for range in self.memory.ranges().into_iter().filter(|range| range.writable) {
            let Some(first) = range.start.0.checked_next_multiple_of(SEGMENT_ALIGN) else { continue };
            let aligned = (first..range.end().0).step_by(SEGMENT_ALIGN as usize).map(Address);
            places.extend(aligned.take(MAX_PLACES - places.len()));
        }
        places
    }

    /// The segment at an address, if one is there.
    fn segment<'t>(
        &self,
        at: Address,
        tables: &[&'t PackageLayout],
    ) -> Result<Option<Segment<'t>>, Unreadable> {
        for &table in tables {
            let layout = &table.structs.MiSegment;
            let slices = self.uint(at, layout.segment_slices)?;
            let entries = self.uint(at, layout.slice_entries)?;
            let info_slices = self.uint(at, layout.segment_info_slices)?;
            let used = self.uint(at, layout.used)?;
            // The head is the first of its own pages, `mi_segment_alloc` in Objects/mimalloc/segment.c.
            let own = self.uint(self.field_address(at, layout.slices)?, table.structs.MiPage.slice_count)?;
            if slices.checked_mul(SLICE_SIZE) == Some(self.uint(at, layout.segment_size)?)
                && (1..=MAX_SLICES).contains(&entries)
                && entries <= slices
                && (1..=entries).contains(&info_slices)
                && used <= entries
                && own == info_slices
            {
                return Ok(Some(Segment { at, table, info_slices, slices: entries }));
            }
        }
        Ok(None)
    }

    /// `mi_segment_visit_pages`, Objects/mimalloc/segment.c.
    fn visit_segment(
        &self,
        segment: &Segment<'_>,
        left: &mut u64,
        visit: &mut dyn FnMut(Address, Address),
    ) -> Result<(), Unreadable> {
        let layout = &segment.table.structs.MiPage;
        let first = self.field_address(segment.at, segment.table.structs.MiSegment.slices)?;
        let mut index = segment.info_slices;
        let mut problem = None;
        while index < segment.slices {
            let page = first.element(index, u64::from(layout.size_of));
            let count = self.uint(page, layout.slice_count)?;
            if count == 0 {
                let what = format!("a page of no slices, at slice {index} of the segment");
                return Err(Unreadable::Nonsense { at: page, what });
            }
            let is_for_objects = matches!(self.uint(page, layout.heap_tag)?, HEAP_GC | HEAP_GC_PRE);
            if is_for_objects
                && self.uint(page, layout.used)? > 0
                && let Err(error) = self.visit_page(segment, index, page, left, visit)
            {
                problem.get_or_insert(error);
            }
            index = index.saturating_add(count);
        }
        problem.map_or(Ok(()), Err)
    }

    /// `_mi_heap_area_visit_blocks`, Objects/mimalloc/heap.c. The process may have died with blocks in lists that the
    /// collector empties before.
    fn visit_page(
        &self,
        segment: &Segment<'_>,
        index: u64,
        page: Address,
        left: &mut u64,
        visit: &mut dyn FnMut(Address, Address),
    ) -> Result<(), Unreadable> {
        let layout = &segment.table.structs.MiPage;
        let block_size = self.uint(page, layout.block_size)?;
        let capacity = self.uint(page, layout.capacity)?;
        if block_size == 0 || capacity == 0 {
            return Ok(());
        }
        *left = left.checked_sub(capacity).ok_or_else(|| Unreadable::Nonsense {
            at: page,
            what: "more objects than are looked at".to_owned(),
        })?;
        let start = if layout.page_start.exists() {
            self.pointer(page, layout.page_start)?
        } else {
            segment.at.add(index * SLICE_SIZE + start_offset(block_size))
        };
        let before = match self.uint(page, layout.heap_tag)? {
            HEAP_GC_PRE => PRE_HEADER,
            _ => 0,
        };
        let lists = [
            self.pointer(page, layout.free)?,
            self.pointer(page, layout.local_free)?,
            Address(self.pointer(page, layout.xthread_free)?.0 & !THREAD_FREE_FLAGS),
        ];
        let free = self.free_blocks(start, block_size, capacity, lists)?;
        for (number, _) in (0u64..).zip(&free).filter(|(_, is_free)| !**is_free) {
            if let Some((object, class)) = self.tracked_object(start.element(number, block_size), before)? {
                visit(object, class);
            }
        }
        Ok(())
    }

    /// Which blocks of a page are in one of its lists of free ones.
    fn free_blocks(
        &self,
        start: Address,
        block_size: u64,
        capacity: u64,
        lists: [Address; 3],
    ) -> Result<Vec<bool>, Unreadable> {
        let mut free = vec![false; capacity as usize];
        for list in lists {
            let mut at = list;
            while !at.is_null() {
                let offset = at.0.wrapping_sub(start.0);
                let place = free.get_mut((offset / block_size) as usize).filter(|_| offset % block_size == 0);
                match place {
                    Some(is_free) if !*is_free => *is_free = true,
                    _ => {
                        let what = "a list of free blocks leads out of its page or in a circle".to_owned();
                        return Err(Unreadable::Nonsense { at, what });
                    }
                }
                at = self.memory.pointer(at)?;
            }
        }
        Ok(free)
    }

    /// The object in a block, with its type, if the collector tracks it.
    fn tracked_object(&self, block: Address, before: u64) -> Result<Option<(Address, Address)>, Unreadable> {
        let layout = &self.layout.structs.PyObject;
        let [_, marks @ ..] = self.memory.array::<8>(block.add(8))?;
        let object = block.add(before + if marks == FORBIDDEN { DEBUG_HEADER } else { 0 });
        if self.uint(object, layout.ob_gc_bits)? & TRACKED == 0 {
            return Ok(None);
        }
        let class = self.pointer(object, layout.ob_type)?;
        // What is freed with PYTHONMALLOC=debug is overwritten by odd bytes.
        Ok((!class.is_null() && class.0 % 8 == 0).then_some((object, class)))
    }
}

/// How far behind the start of its slices a page's first block lies in mimalloc 2.1, which does not say it
/// (`_mi_segment_page_start_from_slice`, Objects/mimalloc/segment.c).
fn start_offset(block_size: u64) -> u64 {
    match block_size {
        8..=64 => 3 * block_size,
        65..=512 => block_size,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Field;
    use crate::memory::{Backing, Range, Region, Regions};
    use std::sync::LazyLock;

    const AT: u64 = 5 * SEGMENT_ALIGN;
    const BLOCK: u64 = 48;
    const CLASS: u64 = 0x1000;

    /// Its tables are parsed once.
    static REGISTRY: LazyLock<LayoutRegistry> = LazyLock::new(LayoutRegistry::new);

    fn poke(bytes: &mut [u8], base: u64, field: Field, value: u64) {
        let place = field.place.unwrap();
        let value = value << place.bits.map_or(0, |bits| bits.shift);
        let at = base as usize + place.offset as usize;
        let size = (place.size as usize).min(8);
        bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    }

    /// A segment with one page of 4 blocks: tracked objects in the first, third and fourth, of which the third is free.
    struct Heap {
        bytes: Vec<u8>,
        page: u64,
        start: u64,
        table: PackageLayout,
    }

    impl Heap {
        fn new(version: &str) -> Self {
            let name = format!("mimalloc-{version}-lp64");
            let entry = REGISTRY.packages().iter().find(|entry| entry.name == name).unwrap();
            let table = entry.layout().unwrap().clone();
            let mut bytes = vec![0; 2 * SLICE_SIZE as usize];
            let segment = &table.structs.MiSegment;
            for (field, value) in [
                (segment.segment_slices, MAX_SLICES),
                (segment.segment_size, SEGMENT_ALIGN),
                (segment.slice_entries, 2),
                (segment.segment_info_slices, 1),
                (segment.used, 1),
            ] {
                poke(&mut bytes, 0, field, value);
            }
            let slices = u64::from(segment.slices.place.unwrap().offset);
            let layout = &table.structs.MiPage;
            let page = slices + u64::from(layout.size_of);
            let start = SLICE_SIZE + if layout.page_start.exists() { 0 } else { start_offset(BLOCK) };
            poke(&mut bytes, slices, layout.slice_count, 1);
            for (field, value) in [
                (layout.slice_count, 1),
                (layout.heap_tag, HEAP_GC),
                (layout.capacity, 4),
                (layout.used, 3),
                (layout.block_size, BLOCK),
                (layout.local_free, AT + start + 2 * BLOCK),
            ] {
                poke(&mut bytes, page, field, value);
            }
            if layout.page_start.exists() {
                poke(&mut bytes, page, layout.page_start, AT + start);
            }
            for block in [0, 2, 3] {
                let at = (start + block * BLOCK) as usize;
                bytes[at + 11] = TRACKED as u8;
                bytes[at + 24..at + 32].copy_from_slice(&CLASS.to_le_bytes());
            }
            Heap { bytes, page, start, table }
        }

        fn visit(&self, left: u64) -> (Vec<(u64, u64)>, Result<(), Unreadable>) {
            let range = Range {
                start: Address(AT),
                size: self.bytes.len() as u64,
                writable: true,
                executable: false,
            };
            let backing = Backing::Bytes(&self.bytes, FaultCause::NotDumped);
            let memory = Regions::new(vec![Region { range, backing }]);
            let layout = REGISTRY.get("cpython-3.13t-lp64").unwrap().layout().unwrap();
            let (mut found, mut left) = (Vec::new(), left);
            let visited =
                Inspector::new(&memory, layout).tracked_in_heaps(&mut left, &mut |object, class| {
                    found.push((object.0 - AT, class.0));
                });
            (found, visited)
        }
    }

    #[test]
    fn objects_are_in_blocks_that_are_not_free() {
        for version in ["2.1", "2.5"] {
            let heap = Heap::new(version);
            let expected = vec![(heap.start, CLASS), (heap.start + 3 * BLOCK, CLASS)];
            assert_eq!(heap.visit(4), (expected, Ok(())), "{version}");
        }
    }

    #[test]
    fn headers_before_objects_are_passed_over() {
        let mut heap = Heap::new("2.1");
        let layout = heap.table.structs.MiPage;
        poke(&mut heap.bytes, heap.page, layout.heap_tag, HEAP_GC_PRE);
        poke(&mut heap.bytes, heap.page, layout.block_size, 64);
        poke(&mut heap.bytes, heap.page, layout.local_free, 0);
        poke(&mut heap.bytes, heap.page, layout.capacity, 1);
        let block = (SLICE_SIZE + start_offset(64)) as usize;
        heap.bytes[SLICE_SIZE as usize..].fill(0);
        heap.bytes[block + 8] = b'o';
        heap.bytes[block + 9..block + 16].copy_from_slice(&FORBIDDEN);
        heap.bytes[block + 32 + 11] = TRACKED as u8;
        heap.bytes[block + 32 + 24..block + 64].copy_from_slice(&CLASS.to_le_bytes());
        assert_eq!(heap.visit(4), (vec![(block as u64 + 32, CLASS)], Ok(())));
    }

    #[test]
    fn damage_is_told_and_ends() {
        let layout = Heap::new("2.1").table.structs.MiPage;
        let damages: [(Field, u64, &str); 4] = [
            (layout.slice_count, 0, "no slices"),
            (layout.local_free, AT + 8, "leads out of its page"),
            (layout.local_free, AT + SLICE_SIZE + start_offset(BLOCK) + 1, "leads out of its page"),
            (layout.block_size, 1 << 30, "leads out of its page"),
        ];
        for (field, value, why) in damages {
            let mut heap = Heap::new("2.1");
            poke(&mut heap.bytes, heap.page, field, value);
            let (found, visited) = heap.visit(4);
            assert!(
                found.is_empty() && visited.as_ref().is_err_and(|error| error.to_string().contains(why)),
                "{visited:?}"
            );
        }
        let mut circle = Heap::new("2.1");
        let block = (circle.start + 2 * BLOCK) as usize;
        circle.bytes[block..block + 8].copy_from_slice(&(AT + block as u64).to_le_bytes());
        assert!(circle.visit(4).1.is_err_and(|error| error.to_string().contains("in a circle")));
        assert!(Heap::new("2.5").visit(3).1.is_err_and(|error| error.to_string().contains("more objects")));
    }

    #[test]
    fn no_byte_makes_it_panic() {
        let whole = Heap::new("2.5");
        let head = whole.page as usize + 112;
        for at in (0..head).chain(SLICE_SIZE as usize..SLICE_SIZE as usize + 64) {
            for value in [0x01, 0xff] {
                let mut heap = Heap { bytes: whole.bytes.clone(), table: whole.table.clone(), ..whole };
                heap.bytes[at] = value;
                let _ = heap.visit(1 << 16);
            }
        }
    }
}
