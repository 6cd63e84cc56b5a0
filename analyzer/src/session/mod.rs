//! Questions to a process that stays open, as a debugger asks them: each is answered by text for a person and the same
//! as data.
//!
//! One file per family of questions. Interpreters are located by the first question; what is read is forgotten only
//! when the process [ran since](Session::refresh).

mod exec;
mod frames;
mod living;
mod path;
mod reading;
mod request;
mod scope;
mod state;
mod threads;
mod values;
mod whole;

use crate::addr::Address;
use crate::analysis::{self, AnalyzeError};
use crate::diagnosis;
use crate::layout::{LayoutRegistry, TableError};
use crate::live::{LiveError, LiveProcess};
use crate::memory::Memory;
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
    /// The live process cannot be looked at.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// There is no report of it.
    #[error(transparent)]
    Analyze(#[from] AnalyzeError),
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
    subject: Subject,
    options: SessionOptions,
    /// Whether the process may have run since it was looked at.
    is_stale: bool,
    finder: Finder,
}

/// Who is asked about.
enum Subject {
    /// What stands still between two questions, or is said to have run.
    Still(Box<dyn Inferior>),
    /// What lives, and goes on between two questions.
    Living { process: Box<LiveProcess>, nonblocking: bool },
}

impl Session {
    /// Begins to ask about `inferior`. It is refreshed before the first question, not now.
    ///
    /// # Errors
    /// When the user's layout table cannot be used.
    pub fn new(inferior: Box<dyn Inferior>, options: SessionOptions) -> Result<Self, TableError> {
        let finder = Finder::new(inferior.as_ref(), &options)?;
        Ok(Session { subject: Subject::Still(inferior), options, is_stale: true, finder })
    }

    /// Begins to ask about the live process `pid`. It goes on between questions; for each, what is read of it is copied
    /// while it is stopped; with `nonblocking`, it never is, and what is read may be torn.
    ///
    /// # Errors
    /// When it may not be looked into, or the user's layout table cannot be used.
    pub fn with_pid(pid: u32, nonblocking: bool, options: SessionOptions) -> Result<Self, AnalyzeError> {
        let process = Box::new(LiveProcess::open(pid)?);
        let finder = Finder::new(process.as_ref(), &options)?;
        Ok(Session { subject: Subject::Living { process, nonblocking }, options, is_stale: true, finder })
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
        self.finder.located = None;
    }

    /// Answers a question, which is a JSON object such as `{"do": "backtrace", "thread": 4711}`.
    ///
    /// # Errors
    /// When it is no question, or what it asks for is not there.
    pub fn ask(&mut self, request: &str) -> Result<Answer, AskError> {
        let request: Request = serde_json::from_str(request)?;
        let Session { subject, options, is_stale, finder } = self;
        match subject {
            Subject::Still(inferior) => {
                if *is_stale {
                    inferior.refresh()?;
                }
                let memory = inferior.memory();
                let located = finder.locate(inferior.as_ref(), &memory, *is_stale);
                *is_stale = false;
                answer(inferior.as_ref(), &memory, located, &request, options)
            }
            Subject::Living { process, nonblocking } if request.question == Question::Report => {
                let whole = whole::options(&request, options);
                let report = analysis::analyze_pid(process.pid(), *nonblocking, &whole)?;
                Ok(whole::answer(report, &request))
            }
            Subject::Living { process, nonblocking } => {
                process.refresh()?;
                living::ask(process, *nonblocking, |inferior, memory| {
                    let located = finder.locate(inferior, memory, true);
                    answer(inferior, memory, located, &request, options)
                })
            }
        }
    }
}

/// Answers a question about `inferior`, read through `memory`, in which the interpreters were `located`.
fn answer(
    inferior: &dyn Inferior,
    memory: &dyn Memory,
    located: &Located,
    request: &Request,
    options: &SessionOptions,
) -> Result<Answer, AskError> {
    let answer = match request.question {
        Question::Report => {
            let report = analysis::report(inferior, memory, located, &whole::options(request, options));
            return Ok(whole::answer(report, request));
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
    let runtimes = located
        .as_ref()
        .map_err(|problem| AskError::NoPython(diagnosis::explain(problem, &inferior.source())))?;
    answer(&View { inferior, memory, runtimes, options }, request)
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

/// Finds the interpreters, and knows them then.
struct Finder {
    registry: LayoutRegistry,
    located: Option<Located>,
    /// The modules among which they were located.
    modules: Vec<(Address, String)>,
}

impl Finder {
    fn new(inferior: &dyn Inferior, options: &SessionOptions) -> Result<Self, TableError> {
        let registry = runtime::tables_for(inferior, options.layout.as_deref())?;
        Ok(Finder { registry, located: None, modules: Vec::new() })
    }

    /// The interpreters; those that are known, where they still are if `is_stale`.
    fn locate(&mut self, inferior: &dyn Inferior, memory: &dyn Memory, is_stale: bool) -> &Located {
        if is_stale {
            let now = inferior.process().modules.iter().map(|module| (module.base, module.path.clone()));
            let now = Vec::from_iter(now);
            let is_there = |located: &mut Located| match located {
                Ok(runtimes) => runtime::still_there(inferior, memory, runtimes),
                Err(_) => false,
            };
            if self.modules != now || !self.located.as_mut().is_some_and(is_there) {
                self.located = None;
            }
            self.modules = now;
        }
        self.located.get_or_insert_with(|| runtime::locate(inferior, memory, &self.registry))
    }
}
