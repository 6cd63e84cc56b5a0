//! What questions are answered with, beside whole reports.

use super::{Gap, Thread};
use serde::Serialize;

/// The frames of threads.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Backtrace {
    /// In the report's order, without what they raise and handle.
    pub threads: Vec<Thread>,
    /// Of all threads, how many have no thread state and are not shown.
    pub without_python: usize,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// The threads of a process.
#[derive(Clone, Debug, Serialize)]
pub struct ThreadList {
    /// In the report's order.
    pub threads: Vec<ListedThread>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// A thread of a list.
#[derive(Clone, Debug, Serialize)]
pub struct ListedThread {
    /// Whether it is the one that was asked about.
    pub selected: bool,
    /// How many frames it has.
    pub frame_count: usize,
    /// The thread with its innermost frame only.
    #[serde(flatten)]
    pub thread: Thread,
}
