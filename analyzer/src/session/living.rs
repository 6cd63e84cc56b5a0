//! Questions about a process that goes on.

use super::{Answer, AskError};
use crate::live::LiveProcess;
use crate::memory::Memory;
use crate::process::Inferior;
use std::collections::BTreeSet;

/// How often pages are copied before the process is stopped for the whole answer.
const MAX_COPIES: usize = 3;
/// The most pages that are copied at once: 256 MiB.
const MAX_PAGES: usize = 1 << 16;

/// Has `answer` answer from what the process was at one moment. It is first asked while the process goes on, to learn
/// which pages that takes; then these are copied while it is stopped, and it is asked once more. With `nonblocking`, the
/// first answer counts.
pub(super) fn ask(
    process: &LiveProcess,
    nonblocking: bool,
    mut answer: impl FnMut(&dyn Inferior, &dyn Memory) -> Result<Answer, AskError>,
) -> Result<Answer, AskError> {
    let mut pages = {
        let memory = process.paged_memory();
        let first = answer(process, &memory);
        if nonblocking {
            return first;
        }
        memory.used().into_iter().collect::<BTreeSet<_>>()
    };
    for _ in 0..MAX_COPIES {
        if pages.len() > MAX_PAGES {
            break;
        }
        let starts = pages.iter().copied().collect::<Vec<_>>();
        let snapshot = process.snapshot(&starts, true)?;
        let answered = answer(&snapshot, snapshot.paged_memory());
        if snapshot.paged_memory().is_of_one_moment() {
            return answered;
        }
        pages.extend(snapshot.paged_memory().used());
    }
    let pause = process.pause()?;
    let memory = pause.paged_memory();
    answer(&pause, &memory)
}
