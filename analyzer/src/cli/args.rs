//! The syntax of the command line; [`options`](super::options) gives it meaning.

use super::layout::LayoutArgs;
use super::plugin::PluginArgs;
use super::triage::TriageArgs;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  pycore analyze core.4711                 tracebacks of every Python thread
  pycore analyze core.4711 --locals        with the variables of every frame
  pycore analyze core.4711 --format json   the same for programs
  pycore analyze app.dmp                   of a process on Windows, from its minidump
  pycore info core.4711                    what the file is, what was found
  pycore dump 4711                         where a live process is
  pycore analyze --pid 4711                the same in full
  zstdcat core.zst | pycore analyze -      from a pipe
  pycore triage /cores                     many dumps, sorted by what they died of

`pycore COMMAND --help` says more.";

const ANALYZE_EXAMPLES: &str = "\
Examples:
  pycore analyze core.4711
  pycore analyze core.4711 --tasks
  pycore analyze core.4711 --locals --depth 5 --source-root ~/src/app
  pycore analyze core.4711 --locals --redact
  pycore analyze core.4711 --sysroot ./image-of-the-container
  pycore analyze core.4711 --exe ./python3.11 --lib-path ./libs
  pycore analyze core.4711 --format json | jq -r '.threads[0].frames[].function'
  pycore analyze --pid 4711 --locals       of a process that lives
  pycore analyze --pid 4711 --nonblocking  without stopping it

Exit codes:
  0  a report with Python stacks
  1  a report without any: no interpreter was found, or nothing could be read
  2  the input could not be read, or the arguments were wrong";

const DUMP_EXAMPLES: &str = "\
Examples:
  pycore dump 4711
  pycore dump 4711 --locals
  pycore dump 4711 --format json | jq -r '.threads[] | [.tid, .state, .frames[0].function] | @tsv'
  pycore dump --nonblocking 4711
  pycore analyze --pid 4711               with exceptions, source lines, values in depth, tasks
  pgrep -f gunicorn | xargs -n 1 pycore dump

Each thread has its state, who holds the GIL and who waits for it, and its frames, the innermost first. All that is shown
comes from one moment: the process is stopped while its memory is copied, mostly for less than a millisecond, and goes on
unharmed, even when pycore is killed meanwhile. It takes the right to trace the process: to be root, or the same user
where /proc/sys/kernel/yama/ptrace_scope is 0. In a container, the capability SYS_PTRACE.

Exit codes:
  0  Python stacks were shown
  1  there are none: it is not a Python process, or nothing could be read
  2  the process could not be looked into, or the arguments were wrong";

const INFO_EXAMPLES: &str = "\
Examples:
  pycore info core.4711
  pycore info core.4711 --sysroot ./image-of-the-container

Exit codes:
  0  the file was read
  2  the input could not be read, or the arguments were wrong";

const SHRINK_EXAMPLES: &str = "\
Examples:
  pycore shrink core.4711 -o small.core.zst
  pycore shrink core.4711 -o to-send.core.zst --redact
  pycore shrink core.4711 -o - | ssh host 'cat > small.core'

The small core holds the pages that a report with all there is to show is made of (values up to 20 levels, 100000
items and 1000000 characters), what gdb needs to list files and threads and to unwind the native stacks (256 KiB of
each), and no more. Unless --redact is given, what the process held in its variables is in the file.
With it, values that look like secrets are overwritten, also where else they lie, and of memory that no report is made
of only pointers are left.

Exit codes:
  0  the small core was written
  2  the input could not be read or the output not be written, or the arguments were wrong";

const SAMPLE_EXAMPLES: &str = "\
Examples:
  pycore sample 4711                          10 seconds, then a table of the functions
  pycore sample 4711 -o profile.svg           a flame graph, for a browser
  pycore sample 4711 -d 60 --gil -o gil.speedscope.json
  pycore sample 4711 --idle --threads -o stacks.collapsed
  pycore sample -o profile.svg -- python3 app.py --port 80

Which threads are sampled, as py-spy means it: those that run or would if they got a processor; with --gil only those
of them that hold the GIL (in free-threaded builds: that are attached to the interpreter); with --idle all.

While stacks are read, the thread that holds the GIL is stopped, if it runs (in free-threaded builds, those that are
attached): some microseconds a sample. Nothing is stopped with --nonblocking; a stack that changed while it was read
is then read again, and counted as missed if that does not help, so functions that call others all the time are missed
more often than others.

The command is sampled from where its interpreter begins, through an exec, too, until it ends; with --duration the
profile is written when the time is over, and the command is waited for. Its child processes are not sampled.

Exit codes:
  0  a profile with stacks
  1  no stack was met: no thread ran (try --idle)
  2  the process could not be sampled or the profile not be written, or the arguments were wrong
With a command: its own exit code, 128 and the signal's number where a signal ended it; 2 where it could not be started
or sampled.";

/// See the Python inside a dead or stuck process: threads, frames, locals and exceptions
///
/// pycore reads a live CPython process, or the core or the minidump of a dead one, and shows what each Python thread was
/// doing, without debug symbols and without running anything in it.
#[derive(Debug, Parser)]
#[command(name = "pycore", version, after_help = EXAMPLES, max_term_width = 110)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,

    #[command(flatten)]
    pub(super) global: Global,
}

/// What every command knows.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Explain each step on standard error; twice for details
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub(super) verbose: u8,

    /// When to use colours; `auto` heeds NO_COLOR and whether the output is a terminal
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Global options")]
    pub(super) color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Analyze(AnalyzeArgs),
    Dump(DumpArgs),
    Info(InfoArgs),
    Shrink(ShrinkArgs),
    Sample(SampleArgs),
    Triage(Box<TriageArgs>),
    Layout(LayoutArgs),
    Plugin(PluginArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Show every Python thread of a core, a minidump or a live process, with its values and exceptions
#[derive(Debug, Args)]
#[command(after_help = ANALYZE_EXAMPLES)]
pub(super) struct AnalyzeArgs {
    #[command(flatten)]
    pub(super) subject: SubjectArgs,

    #[command(flatten)]
    pub(super) input: InputArgs,

    #[command(flatten)]
    pub(super) output: OutputArgs,

    #[command(flatten)]
    pub(super) values: ValueArgs,

    /// Also show what threads do not: the tasks of asyncio's event loops and who awaits whom, suspended generators,
    /// coroutines never awaited
    #[arg(long)]
    pub(super) tasks: bool,

    /// Show only the thread with this native id [repeatable]
    #[arg(long, value_name = "TID")]
    pub(super) thread: Vec<u32>,

    #[command(flatten)]
    pub(super) redact: RedactArgs,

    /// Where to look for the source files named in frames, to show their lines [repeatable]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Where files are")]
    pub(super) source_root: Vec<PathBuf>,
}

/// Show where every Python thread of a live process is, in short
#[derive(Debug, Args)]
#[command(after_help = DUMP_EXAMPLES)]
pub(super) struct DumpArgs {
    /// The process
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)))]
    pub(super) pid: u32,

    /// Also show the variables of every frame, one line each
    #[arg(short, long)]
    pub(super) locals: bool,

    #[command(flatten)]
    pub(super) redact: RedactArgs,

    /// Do not stop the process while it is read; what changes meanwhile may be torn, and is named in a warning
    #[arg(long)]
    pub(super) nonblocking: bool,

    /// A layout table of your own, made by `pycore layout extract`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) layout: Option<PathBuf>,

    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Say what a core or a minidump is: modules and their ids, threads, interpreter and how it was found
#[derive(Debug, Args)]
#[command(after_help = INFO_EXAMPLES)]
pub(super) struct InfoArgs {
    /// The core or minidump, also as zstd, lz4, xz, gzip or bzip2 packed it; `-` reads standard input
    #[arg(value_name = "DUMP", value_hint = ValueHint::FilePath)]
    pub(super) core: PathBuf,

    #[command(flatten)]
    pub(super) input: InputArgs,

    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Write a small core or minidump that gives the same report, without needing any other file
#[derive(Debug, Args)]
#[command(after_help = SHRINK_EXAMPLES)]
pub(super) struct ShrinkArgs {
    /// The core or minidump, also as zstd, lz4, xz, gzip or bzip2 packed it; `-` reads standard input
    #[arg(value_name = "DUMP", value_hint = ValueHint::FilePath)]
    pub(super) core: PathBuf,

    #[command(flatten)]
    pub(super) input: InputArgs,

    /// The file to write, a new one; packed when its name ends with .zst, .lz4, .xz or .gz; `-` is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) output: PathBuf,

    /// How to pack it, whatever its name [default: by the name]
    #[arg(long, value_name = "CODEC")]
    pub(super) compress: Option<Compress>,

    #[command(flatten)]
    pub(super) redact: RedactArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Compress {
    None,
    Zstd,
    Lz4,
    Xz,
    Gzip,
}

/// What is read: a dump or a live process.
#[derive(Debug, Args)]
pub(super) struct SubjectArgs {
    /// The core or minidump, also as zstd, lz4, xz, gzip or bzip2 packed it; `-` reads standard input
    #[arg(value_name = "DUMP", value_hint = ValueHint::FilePath, required_unless_present = "pid")]
    pub(super) core: Option<PathBuf>,

    /// A live process instead of a dump: it is stopped for the moment that it takes to copy what is needed
    #[arg(
        short,
        long,
        value_name = "PID",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)),
        conflicts_with_all = ["core", "unpack_limit", "exe", "sysroot", "lib_path", "no_files"]
    )]
    pub(super) pid: Option<u32>,

    /// Do not stop the process while it is read; what changes meanwhile may be torn, and the report says where
    #[arg(long, conflicts_with = "core")]
    pub(super) nonblocking: bool,
}

/// Sample a live process many times a second, or a command: where it spends its time
#[derive(Debug, Args)]
#[command(after_help = SAMPLE_EXAMPLES)]
pub(super) struct SampleArgs {
    /// The process
    #[arg(value_name = "PID", required_unless_present = "command", conflicts_with = "command")]
    pub(super) pid: Option<u32>,

    /// A command to start and to sample
    #[arg(value_name = "COMMAND", last = true, value_hint = ValueHint::CommandWithArguments)]
    pub(super) command: Vec<OsString>,

    /// How many samples to take a second
    #[arg(
        short,
        long,
        value_name = "HZ",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub(super) rate: u32,

    /// For how many seconds [default: 10 for a process; a command until it ends]
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) duration: Option<Duration>,

    /// Only threads that run and hold the GIL
    #[arg(short, long, conflicts_with = "idle")]
    pub(super) gil: bool,

    /// Also threads that wait
    #[arg(short, long)]
    pub(super) idle: bool,

    /// Never stop the process; stacks that change while they are read are missed
    #[arg(long)]
    pub(super) nonblocking: bool,

    /// How to write the profile [default: by the name of the file; without a file only a table is shown]
    #[arg(short, long, value_name = "FORMAT", help_heading = "Output")]
    pub(super) format: Option<ProfileFormat>,

    /// The file to write the profile to; `-` is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub(super) output: Option<PathBuf>,

    /// Keep the stacks of threads apart, in collapsed stacks and flame graphs
    #[arg(short, long, help_heading = "Output")]
    pub(super) threads: bool,

    /// Take the lines of a function together: each frame has the function's first line
    #[arg(short = 'F', long, help_heading = "Output")]
    pub(super) function: bool,

    /// A layout table of your own, made by `pycore layout extract`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) layout: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProfileFormat {
    /// Folded stacks, for flamegraph.pl and its kin
    Collapsed,
    /// A flame graph in SVG, for a browser
    Flamegraph,
    /// For speedscope, with the order of time
    Speedscope,
    /// For programs; `pycore schema profile` prints its JSON Schema
    Json,
}

/// A time in seconds, such as `0.5`.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|&seconds: &f64| seconds > 0.0);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| "expected a number of seconds, like 10 or 0.5".to_owned())
}

/// How a dump is read, and where the files it names are.
#[derive(Debug, Args)]
pub(super) struct InputArgs {
    /// The most that a packed core, or one from a pipe, may unpack to: bytes, or with K, M, G or T [default: 64G]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) unpack_limit: Option<u64>,

    /// The executable of the process, where it is not at the path that the dump names
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Where files are")]
    pub(super) exe: Option<PathBuf>,

    /// A file tree (of a container, of another machine) that holds the files the dump names [repeatable]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Where files are")]
    pub(super) sysroot: Vec<PathBuf>,

    /// A directory that holds libraries of the process, or one library; named as a file, it is also used where the dump
    /// lacks the build id to check it by [repeatable]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath, help_heading = "Where files are")]
    pub(super) lib_path: Vec<PathBuf>,

    /// Look at no file but the dump: show what it holds by itself
    #[arg(long, conflicts_with_all = ["exe", "sysroot", "lib_path"], help_heading = "Where files are")]
    pub(super) no_files: bool,

    /// A layout table of your own, made by `pycore layout extract`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Where files are")]
    pub(super) layout: Option<PathBuf>,
}

/// A size in bytes, which may end with a unit of 1024: `10G`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match text.get(digits.len()..).unwrap_or_default().to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err("expected a number of bytes, like 500M or 10G".to_owned()),
    };
    let number: u64 =
        digits.parse().map_err(|_| "expected a number of bytes, like 500M or 10G".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

/// How the result is shown, and where it goes.
#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// How to show the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(super) format: Format,

    /// Where to write the result [default: standard output]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs; `pycore schema` prints its JSON Schema
    Json,
    /// The same document as YAML
    Yaml,
}

/// Which values are read, and how much of them.
#[derive(Debug, Args)]
pub(super) struct ValueArgs {
    /// Read arguments, locals, cells and free variables of every frame
    #[arg(long, help_heading = "Values")]
    pub(super) locals: bool,

    /// How many levels of attributes and items to list below a value; a repr shows three levels more
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        value_parser = clap::value_parser!(u8).range(0..=64),
        help_heading = "Values"
    )]
    pub(super) depth: u8,

    /// How many items of a container to show
    #[arg(long, value_name = "N", default_value_t = 30, help_heading = "Values")]
    pub(super) max_items: u32,

    /// How many characters of a string to show
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = "Values")]
    pub(super) max_string: u32,
}

/// Whether secrets are hidden.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct RedactArgs {
    /// Hide what looks like a secret: values of names such as password, token or api_key, and strings shaped like keys
    #[arg(long, help_heading = "Values")]
    pub(super) redact: bool,
}

/// Print the JSON Schema of what `--format json` gives
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Of which command's document
    #[arg(value_name = "DOCUMENT", default_value = "report")]
    pub(super) of: SchemaOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// Of `pycore analyze`
    Report,
    /// Of `pycore sample`
    Profile,
    /// Of `pycore triage --format json`
    Triage,
    /// Of each line of `pycore triage --format ndjson`
    Entry,
    /// Of what `pycore triage history`, `regressions`, `trend` and `fixed` print with `--format json`
    History,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
}

/// Print the manual page, of pycore or of one of its commands
#[derive(Debug, Args)]
#[command(hide = true)]
pub(super) struct ManArgs {
    /// The command
    #[arg(value_name = "COMMAND")]
    pub(super) command: Option<String>,
}
