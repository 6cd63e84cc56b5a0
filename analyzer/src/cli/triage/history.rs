//! The history of groups: recording runs, `pycore triage history`, `regressions`, `trend` and `fixed`.

use super::args::TriageArgs;
use crate::cli::{output, stderr};
use crate::render;
use crate::report::{HistoryAnswer, Triage};
use crate::store::{Run, Store};
use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum, ValueHint};
use std::process::ExitCode;

/// Names the store where no argument does.
const VARIABLE: &str = "PYCORE_STORE";

/// Groups were seen again after they were marked as fixed.
const REGRESSED: u8 = 1;

/// Where the history is kept.
#[derive(Debug, Args)]
struct StoreArgs {
    /// Where the history of groups is kept: a file for SQLite, or postgres://USER@HOST/DATABASE; PGPASSWORD may hold the
    /// password [default: PYCORE_STORE, if that is set]
    #[arg(long, value_name = "URL", value_hint = ValueHint::AnyPath, help_heading = "History")]
    store: Option<String>,
}

impl StoreArgs {
    fn url(&self) -> Option<String> {
        let set = || std::env::var(VARIABLE).ok().filter(|url| !url.is_empty());
        self.store.clone().or_else(set)
    }

    fn open(&self) -> Result<Store> {
        let url = self.url().context("say with --store or PYCORE_STORE where the history is kept")?;
        Ok(Store::open_existing(&url)?)
    }
}

/// How a run is recorded.
#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// What the run is called in the store; runs of the same name are one, as of a job that is split over machines or tried
    /// again [default: it is known by the dumps that it found]
    #[arg(long, value_name = "NAME", help_heading = "History")]
    run: Option<String>,

    /// The release of the program that crashed; see `pycore triage fixed --help`
    #[arg(long, value_name = "VERSION", help_heading = "History")]
    release: Option<String>,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HistoryFormat {
    /// For people
    Text,
    /// For programs; `pycore schema history` prints its JSON Schema
    Json,
}

#[derive(Debug, Args)]
struct AnswerArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// How to show the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: HistoryFormat,
}

/// List the groups of a store, or show one with its dumps, versions, hosts, days and marks
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// A group: its id, any of its fingerprints, or how one of these begins
    group: Option<String>,

    /// How many groups to list, those seen last first
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,

    #[command(flatten)]
    answer: AnswerArgs,
}

/// List the groups that were seen again after they were marked as fixed
///
/// Exit codes: 0 there are none; 1 there are; 2 the store cannot be read.
#[derive(Debug, Args)]
pub(super) struct RegressionsArgs {
    #[command(flatten)]
    answer: AnswerArgs,
}

/// Show by days, in UTC, how many processes died, and which groups grow or go
#[derive(Debug, Args)]
pub(super) struct TrendArgs {
    /// How many days, today among them; they are compared with as many days before
    #[arg(long, value_name = "N", default_value = "14", value_parser = clap::value_parser!(u32).range(1..=3660))]
    days: u32,

    #[command(flatten)]
    answer: AnswerArgs,
}

/// Mark a group as fixed; what is seen of it from then on is a regression
///
/// A dump counts as a regression if its process died after the mark was made. With --in, dumps of runs that were recorded
/// with an earlier --release do not.
#[derive(Debug, Args)]
pub(super) struct FixedArgs {
    /// The group: its id, any of its fingerprints, or how one of these begins
    group: String,

    /// The release that has the mending
    #[arg(long = "in", value_name = "VERSION")]
    release: Option<String>,

    /// What to remember with it, such as a link to the change
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// It is not fixed after all
    #[arg(long, conflicts_with = "release")]
    reopen: bool,

    #[command(flatten)]
    answer: AnswerArgs,
}

/// The store of a run, opened before the work begins.
///
/// # Errors
/// It cannot be opened.
pub(super) fn open(args: &RecordArgs) -> Result<Option<Store>> {
    Ok(args.store.url().map(|url| Store::open(&url)).transpose()?)
}

/// Records a run; gives its groups the ids and the status that the store knows.
///
/// # Errors
/// The store fails.
pub(super) fn record(args: &TriageArgs, store: &mut Store, triage: &mut Triage) -> Result<()> {
    let RecordArgs { run, release, .. } = &args.history;
    let run = Run { id: run.clone(), release: release.clone(), baseline: args.baseline.is_some() };
    let recorded = store.record(triage, &run).context("the run was not recorded")?;
    stderr::note(&format!(
        "recorded: {} new dumps, {} groups never seen before, {} regressed",
        recorded.new_dumps, recorded.new_groups, recorded.regressed
    ));
    Ok(())
}

/// `pycore triage history`.
///
/// # Errors
/// The store cannot be read, or has no such group.
pub(super) fn history(args: &HistoryArgs) -> Result<ExitCode> {
    let mut store = args.answer.store.open()?;
    let answer = match &args.group {
        Some(group) => HistoryAnswer::Group(Box::new(store.group(group)?)),
        None => HistoryAnswer::Groups(store.history(args.limit)?),
    };
    show(&args.answer, &answer)
}

/// `pycore triage regressions`.
///
/// # Errors
/// The store cannot be read.
pub(super) fn regressions(args: &RegressionsArgs) -> Result<ExitCode> {
    let found = args.answer.store.open()?.regressions()?;
    let none = found.groups.is_empty();
    show(&args.answer, &HistoryAnswer::Groups(found))?;
    Ok(if none { ExitCode::SUCCESS } else { ExitCode::from(REGRESSED) })
}

/// `pycore triage trend`.
///
/// # Errors
/// The store cannot be read.
pub(super) fn trend(args: &TrendArgs) -> Result<ExitCode> {
    show(&args.answer, &HistoryAnswer::Trend(args.answer.store.open()?.trend(args.days)?))
}

/// `pycore triage fixed`.
///
/// # Errors
/// The store cannot be written to, or has no such group.
pub(super) fn fixed(args: &FixedArgs) -> Result<ExitCode> {
    let mut store = args.answer.store.open()?;
    let marked = store.mark(&args.group, !args.reopen, args.release.as_deref(), args.note.as_deref())?;
    show(&args.answer, &HistoryAnswer::Marked(Box::new(marked)))
}

fn show(args: &AnswerArgs, answer: &HistoryAnswer) -> Result<ExitCode> {
    output::stdout(|out, face| match args.format {
        HistoryFormat::Text => render::triage::history(answer, face.colour, out),
        HistoryFormat::Json => render::json(answer, out),
    })?;
    Ok(ExitCode::SUCCESS)
}
