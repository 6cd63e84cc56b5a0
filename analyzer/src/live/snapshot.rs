//! What a live process was at one moment.

use super::error::LiveProblem;
use super::pages::{Copy, PagedMemory, may_change};
use super::{LiveProcess, permission, threads, trace};
use crate::addr::Address;
use crate::memory::{Memory, PAGE_SIZE};
use crate::process::{Inferior, ProcessInfo};
use crate::report::Source;
use std::io;
use std::thread;

/// A process as it was at one moment: its threads, and copies of pages of its memory.
pub struct Snapshot<'p> {
    process: &'p LiveProcess,
    info: ProcessInfo,
    memory: PagedMemory<'p>,
}

impl<'p> Snapshot<'p> {
    pub(super) fn take(process: &'p LiveProcess, pages: &[Address], stop: bool) -> Result<Self, LiveProblem> {
        let live = process.live_memory();
        // What cannot be written to does not change: it can be read at any time.
        let changing = |start: &&Address| may_change(&live, start.0 / PAGE_SIZE);
        let pages = pages.iter().filter(changing).copied().collect::<Vec<_>>();
        let mut copy = Copy::prepare(&pages);
        let mut fill = || copy.fill(&process.live_memory(), &pages);
        let (stopped, filled) = if stop {
            let target = process.target();
            let trace = || trace::while_stopped(target, |stopped| (stopped, fill()));
            thread::scope(|scope| scope.spawn(trace).join()).unwrap_or(Err(LiveProblem::Ended))?
        } else {
            let filled = fill();
            let mut threads = threads::list(process.place, process.inner).map_err(|_| LiveProblem::Ended)?;
            threads::add_calls(process.place, &mut threads, process.info.machine);
            (trace::Stopped { threads, warnings: Vec::new() }, filled)
        };
        filled.map_err(|error| {
            permission::problem("reading its memory", io::Error::from(error), process.place, None)
        })?;
        Ok(Snapshot { process, info: process.info_with(stopped), memory: PagedMemory::with(live, copy) })
    }

    /// Its memory. What was not copied is read from the process as it is now.
    pub fn paged_memory(&self) -> &PagedMemory<'p> {
        &self.memory
    }
}

impl Inferior for Snapshot<'_> {
    fn source(&self) -> Source {
        self.process.source()
    }

    fn process(&self) -> &ProcessInfo {
        &self.info
    }

    fn memory(&self) -> Box<dyn Memory + '_> {
        Box::new(&self.memory)
    }

    fn may_be_torn(&self) -> bool {
        !self.memory.is_of_one_moment()
    }

    fn module_file(&self, index: usize) -> Option<&[u8]> {
        self.process.module_file(index)
    }
}
