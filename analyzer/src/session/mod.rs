//! Questions to a process that stays open, as a debugger asks them: each is answered by text for a person and the same
//! as data.
//!
//! One file per family of questions. Interpreters are located by the first question; what is read is forgotten only
//! when the process [ran since](Session::refresh).

mod exec;
mod frames;
mod path;
mod reading;
mod request;
mod scope;
mod state;
mod threads;
mod values;
mod whole;

use crate::addr::Address;
use crate::analysis::{self, AnalyzeOptions};
use crate::diagnosis;
use crate::dump::FileSearch;
use crate::layout::{LayoutRegistry, TableError};
use crate::memory::Memory;
use crate::object::Limits;
use crate::process::{Inferior, RefreshError};
use crate::render;
use crate::runtime::{self, NotFound, Runtime};
use request::{Question, Request};
use serde::Serialize;
use std::path::PathBuf;

/// What holds for all questions.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// A layout table of the user's own.
    pub layout: Option<PathBuf>,
    /// Where sources are.
    pub source_root: Vec<PathBuf>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It is not one of those that are known, or not asked as it should be.
    #[error("not a question that pycore knows: {0}")]
    Request(#[from] serde_json::Error),
    /// The process cannot be looked at.
    #[error(transparent)]
    Refresh(#[from] RefreshError),
    /// There is no Python to ask about.
    #[error("no Python: {0}")]
    NoPython(String),
    /// What was asked for is not there.
    #[error("{0}")]
    NotThere(String),
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// For a person: safe for a terminal.
    pub text: String,
    /// The same as JSON, with the names of the report.
    pub data: String,
}

impl Answer {
    fn new(text: String, data: &impl Serialize) -> Self {
        let text = text.trim_start_matches('\n').to_owned();
        Answer { text, data: render::compact_json(data) }
    }

    /// Both as one JSON object, `{"text": ..., "data": ...}`.
    pub fn json(&self) -> String {
        format!("{{\"text\":{},\"data\":{}}}", render::compact_json(&self.text), self.data)
    }
}

/// The interpreters that were found.
type Located = Result<Vec<Runtime>, NotFound>;

/// A process that answers questions.
pub struct Session {
    inferior: Box<dyn Inferior>,
    registry: LayoutRegistry,
    options: SessionOptions,
    /// Whether the process may have run since the inferior was asked.
    is_stale: bool,
    located: Option<Located>,
    /// The modules among which the interpreters were located.
    modules: Vec<(Address, String)>,
}

impl Session {
    /// Begins to ask about `inferior`. It is refreshed before the first question, not now.
    ///
    /// # Errors
    /// When the user's layout table cannot be used.
    pub fn new(inferior: Box<dyn Inferior>, options: SessionOptions) -> Result<Self, TableError> {
        let analyze = AnalyzeOptions {
            files: FileSearch::default(),
            layout: options.layout.clone(),
            locals: false,
            tasks: false,
            limits: Limits { depth: 0, max_items: 0, max_string: 0 },
            redact: false,
            source_root: Vec::new(),
        };
        let registry = analysis::registry(&analyze, inferior.as_ref())?;
        Ok(Session { inferior, registry, options, is_stale: true, located: None, modules: Vec::new() })
    }

    /// Says that the process ran: its memory and its threads are looked at anew before the next question, and the
    /// interpreters that were found are only used if they still are where they were.
    pub fn refresh(&mut self) {
        self.is_stale = true;
    }

    /// As [`refresh`](Session::refresh), and has the interpreters looked for anew: what was found may be wrong, as
    /// reading was interrupted.
    pub fn forget(&mut self) {
        self.is_stale = true;
        self.located = None;
    }

    /// Answers a question, which is a JSON object such as `{"do": "backtrace", "thread": 4711}`.
    ///
    /// # Errors
    /// When it is no question, or what it asks for is not there.
    pub fn ask(&mut self, request: &str) -> Result<Answer, AskError> {
        let request: Request = serde_json::from_str(request)?;
        if self.is_stale {
            self.inferior.refresh()?;
        }
        let memory = self.inferior.memory();
        let memory: &dyn Memory = &memory;
        let located = locate(
            self.inferior.as_ref(),
            memory,
            &self.registry,
            (&mut self.located, &mut self.modules),
            self.is_stale,
        );
        self.is_stale = false;
        let answer = match request.question {
            Question::Report => {
                return Ok(whole::report(self.inferior.as_ref(), memory, located, &request, &self.options));
            }
            Question::Backtrace => threads::backtrace,
            Question::Threads => threads::threads,
            Question::Frame => frames::frame,
            Question::Locals => frames::locals,
            Question::Globals => frames::globals,
            Question::List => frames::list,
            Question::Print => values::print,
            Question::Complete => values::complete,
            Question::Exceptions => state::exceptions,
            Question::Tasks => state::tasks,
            Question::Gil => state::gil,
            Question::Modules => state::modules,
            Question::Interpreters => state::interpreters,
            Question::ExecState => exec::exec_state,
        };
        let runtimes = located.as_ref().map_err(|problem| {
            let contents = self.inferior.source().contents;
            AskError::NoPython(diagnosis::explain(problem, contents.as_ref()))
        })?;
        let view = View { inferior: self.inferior.as_ref(), memory, runtimes, options: &self.options };
        answer(&view, &request)
    }
}

/// What one question looks at.
struct View<'s> {
    inferior: &'s dyn Inferior,
    memory: &'s dyn Memory,
    runtimes: &'s [Runtime],
    options: &'s SessionOptions,
}

impl View<'_> {
    /// Where sources are, for one question.
    fn source_root<'r>(&'r self, request: &'r Request) -> &'r [PathBuf] {
        if request.source_root.is_empty() { &self.options.source_root } else { &request.source_root }
    }
}

/// The interpreters, those that are known where they still are.
fn locate<'l>(
    inferior: &dyn Inferior,
    memory: &dyn Memory,
    registry: &LayoutRegistry,
    (located, modules): (&'l mut Option<Located>, &mut Vec<(Address, String)>),
    is_stale: bool,
) -> &'l Located {
    if is_stale {
        let now = inferior.process().modules.iter().map(|module| (module.base, module.path.clone()));
        let now = Vec::from_iter(now);
        let is_there = |located: &mut Located| match located {
            Ok(runtimes) => runtime::still_there(inferior, memory, runtimes),
            Err(_) => false,
        };
        if *modules != now || !located.as_mut().is_some_and(is_there) {
            *located = None;
        }
        *modules = now;
    }
    located.get_or_insert_with(|| runtime::locate(inferior, memory, registry))
}
