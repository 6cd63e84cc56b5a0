//! What triage makes of many dumps: an entry for each, and the groups that they fall into.
//!
//! The field names are contracts (`pycore.entry/1`, `pycore.triage/1`), as those of the report. Entries can be read back:
//! they are what a run keeps to be resumed, what a store keeps, and what other machines send.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name and version of the contract that [`Entry`] follows.
pub const ENTRY_SCHEMA: &str = "pycore.entry/1";
/// The name and version of the contract that [`Triage`] follows.
pub const TRIAGE_SCHEMA: &str = "pycore.triage/1";

/// What is kept of one dump: where and when it came from, and what it died of or why that is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The name of this contract: `pycore.entry/1`.
    pub schema: String,
    /// The file, as it was given or found; a URL where it came from an object store.
    pub path: String,
    /// The size of the file, in bytes, as it lies on the disk.
    pub size_bytes: u64,
    /// When the process died, in UTC as RFC 3339 has it; else when the file was last written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The name of the machine where it died, where the file's name or attributes tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether secrets were hidden.
    pub redacted: bool,
    /// How long the analysis took, in milliseconds.
    pub elapsed_ms: u64,
    /// What it died of, or why that is not known.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of one dump.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was analyzed.
    Crash(Box<Crash>),
    /// It was not.
    Failure(Failure),
}

/// Why a dump was not analyzed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What a person should know of it, in one line.
    pub message: String,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// It could not be opened as a dump.
    Unreadable,
    /// It took longer than `--timeout`.
    Timeout,
    /// It took more memory than one dump may.
    Memory,
    /// The process that analyzed it ended: a bug in pycore.
    Crashed,
}

/// A dump that was analyzed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Crash {
    /// What it has in common with others that died of the same.
    pub fingerprint: Fingerprint,
    /// One line that a person can act on, as in the report.
    pub summary: String,
    /// `crash`, `abort`, `killed`, `snapshot`, `no-python`, as in the report.
    pub category: String,
    /// `elf-core` or `minidump`.
    pub format: String,
    /// The instruction set, as in `uname -m`.
    pub arch: String,
    /// The operating system: `linux`, `windows`, `macos`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The path of the process's main program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// What it ran: the script without folder and ending, the module; else the main program likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The interpreter's version, `3.11.7`, with a `t` behind it if it is a free-threaded build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// The name of the fatal signal, or of the exception code on Windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The address that the signal tells, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault_address: Option<String>,
    /// The exceptions that were being raised or handled where it died, that one first, then its causes and contexts.
    pub exceptions: Vec<CrashException>,
    /// The thread that died: innermost frame first, as the dump has them; of deep stacks the middle is left out.
    pub frames: Vec<CrashFrame>,
    /// Whether further frames could not be read.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub cut: bool,
    /// The name of that thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// How many threads there were.
    pub thread_count: usize,
    /// Whether that thread held the global interpreter lock, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds_gil: Option<bool>,
    /// Whether the garbage collector ran in that thread, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collecting_garbage: Option<bool>,
    /// Where the processor was in that thread: the file mapped there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_module: Option<String>,
    /// The paths of the native modules that the process had loaded.
    pub libraries: Vec<String>,
    /// The report as text, cut to what a page can show.
    pub text: String,
    /// How many gaps the report has.
    pub gaps: usize,
}

/// An exception of a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CrashException {
    /// `module.Class`, or the name alone for builtins.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What `str()` would give, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether it was in flight, being handled, or belongs to another one.
    pub role: ExceptionRole,
    /// Where it was raised: innermost first, as the dump has them; of the first exception only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traceback: Vec<CrashFrame>,
}

/// What an exception is to its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExceptionRole {
    /// In flight.
    Raising,
    /// Being handled.
    Handling,
    /// `__cause__` of the one before it.
    Cause,
    /// `__context__` of the one before it.
    Context,
    /// `sys.last_exc`: it reached the top unhandled.
    Last,
}

/// A Python frame of a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CrashFrame {
    /// `__name__` of the frame's globals, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The qualified name of its code where known, else its name.
    pub function: String,
    /// Whether `function` is the name alone, as the qualified one is not known.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub unqualified: bool,
    /// The source path as the code object has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line that was executed, from 1 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The names and types of its variables, where a rule asks for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locals: Vec<CrashLocal>,
}

/// A variable of a frame of a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CrashLocal {
    /// Its name.
    pub name: String,
    /// Its type's qualified name, its module before it unless `builtins`.
    #[serde(rename = "type")]
    pub type_name: String,
}

/// What dumps that died of the same have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fingerprint {
    /// The version of the rules it was made by, and a hash of what went in: `v1:0123456789abcdef`.
    pub id: String,
    /// What went in, in order.
    pub parts: Vec<FingerprintPart>,
}

/// One thing that went into a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FingerprintPart {
    /// What it is.
    pub kind: PartKind,
    /// It, as it went in: `app.models.User.save`.
    pub value: String,
    /// What it was made of, where that is not the same; how often it was there on end, for recursion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// The kinds of things that go into a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// A signal, or an exception code on Windows; the category where there was none.
    Signal,
    /// The type of an exception.
    Exception,
    /// A Python frame.
    Frame,
    /// A native module.
    Native,
    /// What the process ran, where the rest says little.
    Program,
}

/// Many dumps, in groups of those that died of the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Triage {
    /// The name of this contract: `pycore.triage/1`.
    pub schema: String,
    /// The version of pycore.
    pub version: String,
    /// Whether secrets were hidden.
    pub redacted: bool,
    /// Whether all dumps that were found were looked at; else the run was interrupted.
    pub complete: bool,
    /// How many there are of what.
    pub totals: Totals,
    /// The groups: new ones first, then those that came back, then by count.
    pub groups: Vec<Group>,
    /// The dumps that were not analyzed, by path.
    pub failures: Vec<FailedDump>,
    /// What the reader should know before trusting the rest.
    pub warnings: Vec<String>,
}

/// How many there are of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Dumps that were found.
    pub dumps: usize,
    /// Dumps that were analyzed.
    pub analyzed: usize,
    /// Dumps that were not.
    pub failed: usize,
    /// Groups.
    pub groups: usize,
    /// Groups that are not in the baseline.
    pub new_groups: usize,
    /// Groups that rules ignore.
    pub ignored_groups: usize,
}

/// Dumps that died of the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// The fingerprint that it is known by: in a baseline or a store the one it had there, else the most frequent one.
    pub id: String,
    /// All exact fingerprints in it, the most frequent one first.
    pub fingerprints: Vec<Counted>,
    /// What it is, in one line: `ValueError in app.models.User.save`, `SIGSEGV in numpy.core.multiarray.dot`.
    pub title: String,
    /// How many dumps are in it.
    pub count: usize,
    /// Whether it is known.
    pub status: GroupStatus,
    /// When the first of its dumps died, in UTC as RFC 3339 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// When the last did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// What rules say of it.
    pub verdict: RuleVerdict,
    /// What went into the fingerprint of the representative.
    pub parts: Vec<FingerprintPart>,
    /// Versions of Python.
    pub versions: Vec<Counted>,
    /// Machines.
    pub hosts: Vec<Counted>,
    /// What differs among its dumps: versions, signals, messages, lines, executables, ...
    pub differences: Vec<Difference>,
    /// The dump that shows it best.
    pub representative: Member,
    /// That dump.
    pub crash: Crash,
    /// All its dumps, by time.
    pub members: Vec<Member>,
}

/// Whether a group is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupStatus {
    /// It is not known.
    New,
    /// It came back after it was marked as fixed.
    Regressed,
    /// It is in the baseline, or, where there is a store and no baseline, was recorded by an earlier run.
    Known,
}

/// What rules say of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleVerdict {
    /// The names of the rules that matched.
    pub rules: Vec<String>,
    /// How bad it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Labels, sorted.
    pub labels: Vec<String>,
    /// Who is to look at it, as CODEOWNERS or a rule names them.
    pub owners: Vec<String>,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What a rule's author says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it is ignored: it is shown last, and decides no exit code.
    pub ignored: bool,
    /// Until when it is: a date, `2026-12-31`; absent where for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored_until: Option<String>,
}

/// How bad a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// To be mended some day.
    Low,
    /// To be mended.
    Medium,
    /// To be mended soon.
    High,
    /// To be mended now.
    Critical,
}

/// What differs among the dumps of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// What: `python`, `signal`, `message`, `line`, `executable`, `arch`, ...
    pub what: String,
    /// Its values, the most frequent first, no more than a few.
    pub values: Vec<Counted>,
    /// How many further values there are.
    pub more: usize,
}

/// Something, and in how many dumps it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    /// It.
    pub value: String,
    /// In how many dumps it is.
    pub count: usize,
}

/// A dump of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// The file.
    pub path: String,
    /// When the process died, in UTC as RFC 3339 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The machine where it died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The version of Python.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// Its exact fingerprint.
    pub fingerprint: String,
}

/// A dump that was not analyzed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedDump {
    /// The file.
    pub path: String,
    /// Why.
    #[serde(flatten)]
    pub failure: Failure,
}
