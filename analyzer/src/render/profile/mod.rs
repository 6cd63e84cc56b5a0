//! Showing a [`Profile`](crate::report::Profile) in the formats of others' tools, and as a table.

mod collapsed;
mod flamegraph;
mod speedscope;
mod summary;

pub use collapsed::collapsed;
pub use flamegraph::flamegraph;
pub use speedscope::speedscope;
pub use summary::profile_summary;

use crate::report::{ProfileFrame, ProfileThread};
use std::fmt;

/// `function (file:line)`, on one line.
struct Place<'a>(&'a ProfileFrame);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProfileFrame { function, file, line } = self.0;
        write!(f, "{function} ({file}")?;
        match line {
            Some(line) => write!(f, ":{line})"),
            None => write!(f, ")"),
        }
    }
}

/// What to call a thread: its name and its native id.
fn thread_label(thread: &ProfileThread) -> String {
    match (&thread.name, thread.tid) {
        (Some(name), Some(tid)) => format!("{name} ({tid})"),
        (Some(name), None) => name.clone(),
        (None, Some(tid)) => format!("thread {tid}"),
        (None, None) => "thread".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use crate::report::*;

    pub(crate) fn frame(function: &str, file: &str, line: u32) -> ProfileFrame {
        ProfileFrame { function: function.to_owned(), file: file.to_owned(), line: Some(line) }
    }

    /// Two threads of which the first was met 3 times in `work` and once in `main`, with a recursion.
    pub(crate) fn profile() -> Profile {
        let stack =
            |thread, frames: &[usize], samples| ProfileStack { thread, frames: frames.to_vec(), samples };
        let thread = |tid, name: &str, samples, timeline: &[(usize, u64)]| ProfileThread {
            tid: Some(tid),
            name: Some(name.to_owned()),
            samples,
            running: samples,
            gil: 1,
            timeline: timeline.to_vec(),
        };
        Profile {
            schema: PROFILE_SCHEMA,
            pid: 4711,
            executable: Some("/usr/bin/python3".to_owned()),
            command_line: Some(vec!["python3".to_owned(), "app.py".to_owned()]),
            python: vec!["3.13.0".to_owned()],
            sampling: Sampling {
                rate: 100,
                threads: SampledThreads::Running,
                blocking: true,
                lines: true,
                seconds: 0.06,
                taken: 5,
                missed: Missed { late: 1, torn: 0, unreadable: 0 },
                ended: Ended::Duration,
            },
            threads: vec![
                thread(1, "MainThread", 4, &[(0, 2), (1, 1), (0, 1)]),
                thread(2, "Worker", 2, &[(2, 2)]),
            ],
            frames: vec![
                frame("main", "/app/app.py", 10),
                frame("work", "/app/app.py", 20),
                frame("work", "/app/app.py", 21),
                frame("<\u{1b}[2J\">;\n&", "/a b;c.py", 1),
            ],
            stacks: vec![stack(0, &[2, 1, 0], 3), stack(0, &[0], 1), stack(1, &[3, 0], 2)],
            warnings: Vec::new(),
        }
    }
}
