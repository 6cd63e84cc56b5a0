//! The syntax of `pycore triage`.

use super::history::{FixedArgs, HistoryArgs, RecordArgs, RegressionsArgs, TrendArgs};
use crate::cli::args::{InputArgs, seconds, size};
use crate::report::Severity;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  pycore triage /cores                                    everything below a folder
  pycore triage /cores --baseline known.yaml              exit code 1 only for groups that are not known
  pycore triage /cores --rules rules.yaml --codeowners CODEOWNERS -o junit=triage.xml -o html=site
  pycore triage /cores --resume triage.ndjson             goes on where it was interrupted
  pycore triage /cores -f ndjson > here.ndjson            a line for each dump, to be put together elsewhere:
  pycore triage --entries here.ndjson there.ndjson
  pycore triage /cores --store crashes.db                 remembers groups; asked by history, regressions, trend, fixed
  pycore triage baseline update known.yaml --help         what else there is: `pycore triage help`

Dumps are told by what is in them, not by their names: ELF cores and minidumps, also packed ones. Each is analyzed in a
process of its own; one that is damaged, hostile, endless or too large is listed with what is wrong, and costs no other.
What looks like a secret is hidden, unless --no-redact is given.

Exit codes:
  0  nothing new
  1  groups that are new; see --fail-on
  2  trouble with the input or the arguments, or interrupted. A dump that cannot be read is no trouble: it is listed";

/// Sort many dumps into groups of those that died of the same
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct TriageArgs {
    #[command(subcommand)]
    pub(super) command: Option<TriageCommand>,

    #[command(flatten)]
    pub(super) work: WorkArgs,

    /// A CODEOWNERS file, as GitHub or GitLab has them, that tells who owns a group
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Groups")]
    pub(super) codeowners: Option<PathBuf>,

    /// The groups that are known; all others are new. `pycore triage baseline update` writes it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Groups")]
    pub(super) baseline: Option<PathBuf>,

    #[command(flatten)]
    pub(super) history: RecordArgs,

    /// What ends in exit code 1: `new` groups, `any` group, new groups of this severity or above (`info`, `low`,
    /// `medium`, `high`, `critical`), `never`. Those that rules ignore never do
    #[arg(long, value_name = "WHAT", value_parser = fail_on, default_value = "new", help_heading = "Groups")]
    pub(super) fail_on: FailOn,

    /// How to show the result on standard output
    #[arg(short, long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(super) format: TriageFormat,

    /// Also write the result to this file, for `html` to this folder [repeatable]
    #[arg(short, long, value_name = "FORMAT=PATH", value_parser = place, help_heading = "Output")]
    pub(super) output: Vec<Place>,

    /// Show what went into each fingerprint
    #[arg(long, help_heading = "Output")]
    pub(super) explain: bool,
}

/// Which dumps, and how they are made groups of.
#[derive(Debug, Args)]
pub(super) struct WorkArgs {
    /// Dumps, and folders to look for dumps in; patterns such as `/cores/*.zst` are expanded where the shell has not
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath, required_unless_present = "entries")]
    pub(super) paths: Vec<PathBuf>,

    /// Entries that `--format ndjson` or a journal has, of this or other machines; `-` is standard input
    #[arg(long, value_name = "FILE", num_args = 1.., value_hint = ValueHint::FilePath)]
    pub(super) entries: Vec<PathBuf>,

    /// Keep a journal in this file, and go on with what it holds from a run before
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Work")]
    pub(super) resume: Option<PathBuf>,

    /// How many dumps to analyze at a time [default: as many as there are processors]
    #[arg(
        short,
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1024),
        help_heading = "Work"
    )]
    pub(super) jobs: Option<u16>,

    /// The most memory that all processes together may use: bytes, or with K, M or G; there are fewer jobs where it is
    /// scarce [default: 256M for each job]
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Work")]
    pub(super) max_memory: Option<u64>,

    /// How long one dump may take
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "120", help_heading = "Work")]
    pub(super) timeout: Duration,

    /// Do not merge groups that are almost the same
    #[arg(long, help_heading = "Groups")]
    pub(super) exact: bool,

    /// Rules in YAML: labels, owners, severities, what to ignore; `pycore triage rules starter` prints some to begin with
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Groups")]
    pub(super) rules: Option<PathBuf>,

    /// Show what looks like a secret
    #[arg(long, help_heading = "Output")]
    pub(super) no_redact: bool,

    #[command(flatten)]
    pub(super) input: InputArgs,
}

/// What else `triage` does.
#[derive(Debug, Subcommand)]
pub(super) enum TriageCommand {
    Baseline(BaselineArgs),
    Rules(RulesArgs),

    /// Analyze the dumps that standard input names; for `pycore triage` itself
    #[command(name = "__worker", hide = true)]
    Worker(WorkerArgs),

    History(HistoryArgs),
    Regressions(RegressionsArgs),
    Trend(TrendArgs),
    Fixed(FixedArgs),
}

const BASELINE_EXAMPLES: &str = "\
Examples:
  pycore triage baseline update known.yaml /cores        adds the groups that are in /cores
  pycore triage baseline update known.yaml --entries night.ndjson
  pycore triage baseline update known.yaml /cores --prune
  pycore triage baseline show known.yaml
  pycore triage /cores --baseline known.yaml             exit code 1 only for others

Exit codes:
  0  done
  2  trouble with the input or the arguments, or interrupted: the baseline is as it was";

/// Keep the groups that are known, so that only new ones fail a job
#[derive(Debug, Args)]
#[command(after_help = BASELINE_EXAMPLES)]
pub(super) struct BaselineArgs {
    #[command(subcommand)]
    pub(super) command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum BaselineCommand {
    Update(Box<BaselineUpdateArgs>),
    /// List the groups of a baseline
    Show {
        /// The baseline
        #[arg(value_name = "BASELINE", value_hint = ValueHint::FilePath)]
        baseline: PathBuf,
    },
}

/// Add the groups of some dumps to a baseline
///
/// What was known keeps its day and its note; fingerprints that were met for the first time join their groups. Groups that
/// rules ignore are not added. The file is made where there is none: JSON where it is called `.json`, else YAML.
#[derive(Debug, Args)]
pub(super) struct BaselineUpdateArgs {
    /// The baseline
    #[arg(value_name = "BASELINE", value_hint = ValueHint::FilePath)]
    pub(super) baseline: PathBuf,

    /// Drop the groups that are not among these dumps
    #[arg(long)]
    pub(super) prune: bool,

    #[command(flatten)]
    pub(super) work: WorkArgs,
}

/// Write and check rules for `--rules`
#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    pub(super) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Check a file of rules; what is wrong is told with line and column
    Check {
        /// The rules
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Print the rules that pycore brings, to start from
    Starter,
    /// Print the JSON Schema of files of rules
    Schema,
}

/// What a worker is told when it is started.
#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,

    /// How much memory it may use for its data, in bytes
    #[arg(long)]
    pub(super) memory: Option<u64>,

    /// Whether secrets are shown
    #[arg(long)]
    pub(super) no_redact: bool,

    /// Whether entries have the names and types of variables
    #[arg(long)]
    pub(super) locals: bool,
}

/// How the result is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TriageFormat {
    /// For people
    Text,
    /// The groups, for programs; `pycore schema triage` prints its JSON Schema
    Json,
    /// A line for each dump, for `--entries`; `pycore schema entry` prints their JSON Schema
    Ndjson,
    /// JUnit XML, for CI servers: a test case for each group
    Junit,
    /// SARIF 2.1, for GitHub code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// Markdown, for the step summary of GitHub Actions
    Markdown,
    /// A static site: an index of groups and a page for each
    Html,
}

/// An output and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) format: TriageFormat,
    pub(super) path: PathBuf,
}

fn place(text: &str) -> Result<Place, String> {
    let (format, path) = text.split_once('=').ok_or("expected FORMAT=PATH, like junit=triage.xml")?;
    if path.is_empty() {
        return Err("names no file behind the `=`".to_owned());
    }
    let format = TriageFormat::from_str(format, false).map_err(|_| {
        let known = TriageFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let known: Vec<_> = known.map(|value| value.get_name().to_owned()).collect();
        format!("there is no format `{format}`; there are {}", known.join(", "))
    })?;
    Ok(Place { format, path: PathBuf::from(path) })
}

/// What ends in exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailOn {
    New,
    Any,
    Severity(Severity),
    Never,
}

fn fail_on(text: &str) -> Result<FailOn, String> {
    Ok(match text {
        "new" => FailOn::New,
        "any" => FailOn::Any,
        "never" => FailOn::Never,
        "info" => FailOn::Severity(Severity::Info),
        "low" => FailOn::Severity(Severity::Low),
        "medium" => FailOn::Severity(Severity::Medium),
        "high" => FailOn::Severity(Severity::High),
        "critical" => FailOn::Severity(Severity::Critical),
        _ => return Err("expected new, any, never, info, low, medium, high or critical".to_owned()),
    })
}
