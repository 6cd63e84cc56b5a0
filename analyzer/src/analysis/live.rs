//! From a live process to a report, with the process stopped for as short as can be.

use super::{AnalyzeError, AnalyzeOptions, report};
use crate::addr::Address;
use crate::layout::LayoutRegistry;
use crate::live::{LiveProcess, Snapshot};
use crate::memory::{Memory, PAGE_SIZE, Range};
use crate::process::Inferior;
use crate::report::{Frame, Report, ThreadState};
use crate::runtime::{self, NotFound, Runtime};
use log::info;
use std::collections::{BTreeSet, HashMap};

/// How often pages are copied before the process is stopped for the whole analysis.
const MAX_COPIES: usize = 5;
/// The most pages that are copied at once: 1 GiB.
const MAX_PAGES: usize = 1 << 18;

/// Reads the live process `pid`. It is analyzed while it goes on, to learn which pages of its memory that takes; then it
/// is stopped, these pages are copied, it goes on, and the copies are analyzed. With `nonblocking` it is never stopped,
/// and the report says which frames may be torn.
///
/// # Errors
/// When the process may not be looked into or stopped, or the user's layout table cannot be opened. A process without an
/// interpreter is a report without one.
pub fn analyze_pid(pid: u32, nonblocking: bool, options: &AnalyzeOptions) -> Result<Report, AnalyzeError> {
    let mut process = LiveProcess::open(pid)?;
    let registry = runtime::tables_for(&process, options.layout.as_deref())?;
    let subject = Subject { registry, options };
    let (located, mut pages) = {
        let memory = process.paged_memory();
        let (located, _) = subject.analyze(&process, &memory, None);
        (located, memory.used().into_iter().collect::<BTreeSet<_>>())
    };
    // Where there is no Python, it has not to be looked for once more.
    let known = located
        .err()
        .filter(|problem| matches!(problem, NotFound::NoInterpreter | NotFound::Unsupported { .. }));
    let mut located = None;
    for round in 1..=MAX_COPIES {
        if pages.len() > MAX_PAGES {
            break;
        }
        if round > 1 {
            process.refresh()?;
        }
        let starts = pages.iter().copied().collect::<Vec<_>>();
        info!("copying {} pages", starts.len());
        let snapshot = process.snapshot(&starts, !nonblocking)?;
        let second = nonblocking.then(|| process.snapshot(&starts, false)).transpose()?;
        let (found, report) = subject.analyze(&snapshot, snapshot.paged_memory(), known.clone().map(Err));
        if !snapshot.may_be_torn() || nonblocking && round == MAX_COPIES {
            return Ok(match second {
                Some(second) => subject.with_doubts(report, &second, found),
                None => report,
            });
        }
        let block = PAGE_SIZE << (2 + 2 * round);
        let ranges = snapshot.memory().ranges();
        for page in snapshot.paged_memory().used() {
            if pages.insert(page) {
                pages.extend(neighbours(page, block, &ranges));
            }
        }
        located = Some(found);
    }
    info!("the pages to copy keep changing, or are too many: analyzing while the process is stopped");
    let pause = process.pause()?;
    let memory = pause.paged_memory();
    let located = located.filter(|located| located.is_ok());
    let (_, report) = subject.analyze(&pause, &memory, located);
    Ok(report)
}

/// The pages that may change in the block of `size` bytes, a power of two, around the page at `start`: what a busy process
/// uses next is likely to be there.
fn neighbours(start: Address, size: u64, ranges: &[Range]) -> impl Iterator<Item = Address> {
    let block = start.0 & !(size - 1);
    let next = ranges.partition_point(|range| range.start <= start);
    let range = next.checked_sub(1).and_then(|index| ranges.get(index));
    let range = range.filter(|range| range.writable && range.contains(start));
    let bounds =
        range.map_or(0..0, |range| block.max(range.start.0)..block.saturating_add(size).min(range.end().0));
    bounds.step_by(PAGE_SIZE as usize).map(Address)
}

type Located = Result<Vec<Runtime>, NotFound>;

/// What is analyzed, several times over.
struct Subject<'a> {
    registry: LayoutRegistry,
    options: &'a AnalyzeOptions,
}

impl Subject<'_> {
    /// Analyzes `inferior`, which is the process at some time, through `memory`.
    fn analyze(
        &self,
        inferior: &dyn Inferior,
        memory: &dyn Memory,
        located: Option<Located>,
    ) -> (Located, Report) {
        let located = located.unwrap_or_else(|| runtime::locate(inferior, memory, &self.registry));
        let report = report(inferior, memory, &located, self.options);
        (located, report)
    }

    /// Adds what has to be said of a report whose process was not stopped. `second` was copied after what it is made of.
    fn with_doubts(&self, mut report: Report, second: &Snapshot<'_>, located: Located) -> Report {
        let is_held = |state| matches!(state, Some(ThreadState::Traced | ThreadState::Stopped));
        if report.threads.iter().all(|thread| is_held(thread.state))
            && second.process().threads.iter().all(|thread| is_held(thread.state))
        {
            // A debugger or a signal has stopped it.
            return report;
        }
        let (_, later) = self.analyze(second, second.paged_memory(), Some(located));
        let later = later
            .threads
            .iter()
            .map(|thread| (thread.tid, places(&thread.frames)))
            .collect::<HashMap<_, _>>();
        let changed = report.threads.iter().filter(|thread| {
            thread.python && later.get(&thread.tid).is_none_or(|later| *later != places(&thread.frames))
        });
        let changed = changed.map(|thread| thread.tid.map_or("?".to_owned(), |tid| tid.to_string()));
        let changed = changed.collect::<Vec<_>>();
        report.warnings.push(
            "the process was not stopped (--nonblocking): what changed while it was read may be torn, so that frames, \
             values and who holds the GIL do not fit each other"
                .to_owned(),
        );
        if !changed.is_empty() {
            report.warnings.push(format!(
                "the frames of these threads changed between two reads, and may be torn: {}",
                changed.join(", ")
            ));
        }
        report
    }
}

/// What of frames can be compared between two reads.
fn places(frames: &[Frame]) -> Vec<(Option<String>, Option<String>, Option<u32>)> {
    frames.iter().map(|frame| (frame.function.clone(), frame.file.clone(), frame.line)).collect()
}
