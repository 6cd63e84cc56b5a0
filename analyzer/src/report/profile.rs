//! What sampling a process over time gives: which stacks were met how often.
//!
//! The field names are a contract (`pycore.profile/1`), as those of the report.

use schemars::JsonSchema;
use serde::Serialize;

/// The name and version of the contract that [`Profile`] follows.
pub const PROFILE_SCHEMA: &str = "pycore.profile/1";

/// The stacks that a process was met in, at regular points of time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Profile {
    /// The name of this contract: `pycore.profile/1`.
    #[schemars(extend("const" = PROFILE_SCHEMA))]
    pub schema: &'static str,
    /// The process id.
    pub pid: u32,
    /// The path of its main program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// Its arguments, the program's name first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_line: Option<Vec<String>>,
    /// The versions of the interpreters in it, as `3.13.0`; several where it has several runtimes.
    pub python: Vec<String>,
    /// How it was looked at.
    pub sampling: Sampling,
    /// The threads that were met.
    pub threads: Vec<ProfileThread>,
    /// The frames that were met, each once.
    pub frames: Vec<ProfileFrame>,
    /// The stacks that were met, each once for each thread.
    pub stacks: Vec<ProfileStack>,
    /// What the reader should know before trusting the rest.
    pub warnings: Vec<String>,
}

/// How a process was looked at, and how often that came off.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Sampling {
    /// Samples a second that were wanted.
    pub rate: u32,
    /// Which threads' stacks were taken.
    pub threads: SampledThreads,
    /// Whether threads that could have changed a stack while it was read were stopped for that time.
    pub blocking: bool,
    /// Whether frames have the line that was executed; else the first line of their function.
    pub lines: bool,
    /// How long it went on, in seconds.
    pub seconds: f64,
    /// The samples that were taken, also those in which no thread was met.
    pub taken: u64,
    /// The samples that were not taken.
    pub missed: Missed,
    /// What ended it.
    pub ended: Ended,
}

/// Which threads' stacks a sample takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SampledThreads {
    /// Those that run or would if they got a processor.
    Running,
    /// Of those, the ones that hold the global interpreter lock (in free-threaded builds: that are attached).
    Gil,
    /// All.
    All,
}

/// Why samples were not taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Missed {
    /// The time for them was over before pycore came to them.
    pub late: u64,
    /// The stacks changed while they were read, as often as it was tried.
    pub torn: u64,
    /// Memory could not be read, or made no sense.
    pub unreadable: u64,
}

impl Missed {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.late + self.torn + self.unreadable
    }
}

/// What ended the sampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The time was over.
    Duration,
    /// The user ended it.
    Interrupted,
    /// The process ended.
    ProcessEnded,
    /// The interpreter in it could not be read any more.
    InterpreterGone,
}

/// A thread that was met.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProfileThread {
    /// Its native id, as the process's own namespace has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// The Python thread's name where one exists, else the operating system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The samples that have a stack of it.
    pub samples: u64,
    /// In how many of them it ran or would have if it got a processor.
    pub running: u64,
    /// In how many of them it held the global interpreter lock (in free-threaded builds: was attached).
    pub gil: u64,
    /// Its stacks in the order of time: an index into the profile's `stacks`, and in how many samples on end.
    #[serde(skip)]
    pub timeline: Vec<(usize, u64)>,
}

/// A place in a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct ProfileFrame {
    /// The function's name: qualified (`Worker.run`) where it is known, from 3.11 on.
    pub function: String,
    /// The path of the source as the code object has it.
    pub file: String,
    /// The line, from 1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A stack that was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProfileStack {
    /// The thread: an index into the profile's `threads`.
    pub thread: usize,
    /// Indices into the profile's `frames`, innermost first.
    pub frames: Vec<usize>,
    /// In how many samples the thread was met in it.
    pub samples: u64,
}
