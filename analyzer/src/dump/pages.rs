//! The pages of memory that a smaller dump takes along.

use super::Written;
use crate::addr::Address;
use crate::memory::{Memory, PAGE_SIZE, Range};
use std::io::{self, Write};

/// Bytes of memory to write, from one address on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) start: u64,
    pub(super) size: u64,
}

/// Joins the wanted pages, in any order, into runs, ascending; leaves out what cannot be read. `ranges` is what was mapped,
/// ascending; they may begin and end within pages.
pub(super) fn readable_runs(memory: &dyn Memory, ranges: &[Range], pages: &[Address]) -> (Vec<Run>, Written) {
    let mut starts = pages.iter().map(|page| page.0 - page.0 % PAGE_SIZE).collect::<Vec<_>>();
    starts.sort_unstable();
    starts.dedup();
    let mut runs = Vec::<Run>::new();
    let mut written = Written::default();
    for page in starts {
        let page_end = page.saturating_add(PAGE_SIZE);
        let first = ranges.partition_point(|range| range.end().0 <= page);
        let mut held = 0;
        for range in ranges.iter().skip(first).take_while(|range| range.start.0 < page_end) {
            let start = range.start.0.max(page);
            let mut bytes = [0; PAGE_SIZE as usize];
            let wanted = usize::try_from(range.end().0.min(page_end) - start).unwrap_or(0);
            let size = match memory.read(Address(start), bytes.get_mut(..wanted).unwrap_or_default()) {
                Ok(()) => wanted as u64,
                Err(fault) => fault.at.0.saturating_sub(start).min(wanted as u64),
            };
            held += size;
            match runs.last_mut() {
                Some(last) if last.start + last.size == start => last.size += size,
                _ if size > 0 => runs.push(Run { start, size }),
                _ => {}
            }
        }
        *if held > 0 { &mut written.pages } else { &mut written.unreadable } += 1;
    }
    (runs, written)
}

/// Writes `size` bytes of `memory` from `start` on, all of which can be read.
pub(super) fn write_memory(
    memory: &dyn Memory,
    start: Address,
    size: u64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = [0; PAGE_SIZE as usize];
    let mut done = 0;
    while done < size {
        let now = usize::try_from((size - done).min(PAGE_SIZE)).unwrap_or(page.len());
        let bytes = page.get_mut(..now).unwrap_or_default();
        memory.read(start.add(done), bytes).map_err(io::Error::other)?;
        out.write_all(bytes)?;
        done += now as u64;
    }
    Ok(())
}
