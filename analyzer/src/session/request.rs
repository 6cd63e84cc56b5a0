//! What can be asked, and how.

use crate::object::Limits;
use crate::report::Thread;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The deepest and the largest that values are shown.
const MAX_DEPTH: usize = 64;
const MAX_SIZE: usize = 1_000_000;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Question {
    /// All that `pycore analyze` shows.
    Report,
    /// The frames of one thread or of all.
    Backtrace,
    /// All threads, a line each.
    Threads,
    /// One frame.
    Frame,
    /// The variables of a frame.
    Locals,
    /// The global names of a frame.
    Globals,
    /// The lines of source around the current one.
    List,
    /// The value of an expression.
    Print,
    /// How an expression may go on.
    Complete,
    /// What is raised and handled.
    Exceptions,
    /// Tasks, generators, greenlets.
    Tasks,
    /// Who holds the global interpreter lock.
    Gil,
    /// What is imported.
    Modules,
    /// The interpreters.
    Interpreters,
    /// Whether code may be run.
    ExecState,
}

/// In which form a whole report is the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    #[default]
    Text,
    Json,
    Yaml,
}

/// A question. What a question has no use for is passed over.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    #[serde(rename = "do")]
    pub(super) question: Question,
    /// The native id of a thread.
    pub(super) thread: Option<u32>,
    /// The place of a frame, from the innermost.
    #[serde(default)]
    pub(super) frame: usize,
    /// What is printed.
    pub(super) expression: Option<String>,
    /// What is completed; of which module.
    pub(super) text: Option<String>,
    /// How many lines of source, and from which one on.
    pub(super) lines: Option<u32>,
    pub(super) from: Option<u32>,
    /// Whether nothing is left out.
    #[serde(default)]
    pub(super) all: bool,
    /// How the debugger calls its threads, by their native ids.
    #[serde(default)]
    pub(super) numbers: BTreeMap<u32, String>,
    /// Whether the text has colours.
    #[serde(default)]
    pub(super) colour: bool,
    #[serde(default)]
    pub(super) locals: bool,
    #[serde(default)]
    pub(super) tasks: bool,
    #[serde(default)]
    pub(super) redact: bool,
    #[serde(default)]
    pub(super) format: Format,
    #[serde(default = "defaults::depth")]
    depth: usize,
    #[serde(default = "defaults::max_items")]
    max_items: usize,
    #[serde(default = "defaults::max_string")]
    max_string: usize,
    /// Where sources are, instead of what the session was told.
    #[serde(default)]
    pub(super) source_root: Vec<PathBuf>,
}

/// Those of the command line.
mod defaults {
    pub(super) fn depth() -> usize {
        3
    }
    pub(super) fn max_items() -> usize {
        30
    }
    pub(super) fn max_string() -> usize {
        200
    }
}

impl Request {
    /// Puts the debugger's numbers to threads.
    pub(super) fn number(&self, threads: &mut [Thread]) {
        for thread in threads {
            thread.number = thread.tid.and_then(|tid| self.numbers.get(&tid).cloned());
        }
    }

    /// How much of values is shown.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            depth: self.depth.min(MAX_DEPTH),
            max_items: self.max_items.min(MAX_SIZE),
            max_string: self.max_string.min(MAX_SIZE),
        }
    }
}
