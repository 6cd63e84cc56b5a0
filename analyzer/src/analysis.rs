//! From an inferior to a report: the one way through all rooms.

mod live;

pub use live::analyze_pid;

use crate::addr::Address;
use crate::diagnosis;
use crate::dump::{self, Dump, FileSearch, ModuleFile, OpenError, Packer, Progress, Written};
use crate::layout::TableError;
use crate::live::LiveError;
use crate::memory::{Memory, PAGE_SIZE, RecordingMemory, Thinned, Touched};
use crate::object::{Inspector, Limits};
use crate::process::windows::Parameters;
use crate::process::{Inferior, OperatingSystem, PdbId, PeIdentity, ProcessInfo, abort_message};
use crate::redact::{self, Secrets};
use crate::report::{self, Info, InfoModule, InfoThread, Report, Thread};
use crate::runtime::{self, NotFound, Runtime};
use crate::source::SourceFiles;
use crate::stack::{self, Stacks, Suspended};
use log::info;
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What to analyze, and how.
#[derive(Clone, Debug)]
pub struct AnalyzeOptions {
    /// Where to look for the files that the dump names.
    pub files: FileSearch,
    /// A layout table of the user's own.
    pub layout: Option<PathBuf>,
    /// Whether to read locals.
    pub locals: bool,
    /// Whether to look for tasks and for generators that no thread executes.
    pub tasks: bool,
    /// How much of values is shown.
    pub limits: Limits,
    /// Whether secrets are hidden.
    pub redact: bool,
    /// Where sources are.
    pub source_root: Vec<PathBuf>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// The dump could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The live process could not be looked into.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The user's layout table could not be used.
    #[error(transparent)]
    Layout(#[from] TableError),
}

/// Reads a dump.
///
/// # Errors
/// When the dump or the user's layout table cannot be opened. A dump without an interpreter is a report without one.
pub fn analyze(path: &Path, options: &AnalyzeOptions) -> Result<Report, AnalyzeError> {
    analyze_dump(&Dump::open(path, options.files.clone())?, options)
}

/// Reads a dump that is open.
///
/// # Errors
/// When the user's layout table cannot be opened.
pub fn analyze_dump(dump: &Dump, options: &AnalyzeOptions) -> Result<Report, AnalyzeError> {
    let registry = runtime::tables_for(dump, options.layout.as_deref())?;
    let memory = dump.memory();
    let located = runtime::locate(dump, &memory, &registry);
    Ok(report(dump, &memory, &located, options))
}

/// Reads an inferior in which the interpreters were `located`, through `memory`.
pub fn report(
    inferior: &dyn Inferior,
    memory: &dyn Memory,
    located: &Result<Vec<Runtime>, NotFound>,
    options: &AnalyzeOptions,
) -> Report {
    let process = inferior.process();
    let mut report = Report {
        schema: report::SCHEMA,
        source: inferior.source(),
        process: report::Process {
            assertion: process.assertion.clone().or_else(|| abort_message(memory, process)),
            ..process_of(process)
        },
        python: None,
        other_pythons: Vec::new(),
        threads: Vec::new(),
        tasks: None,
        generators: None,
        greenlets: None,
        diagnosis: diagnosis::nothing(),
        redacted: None,
        gaps: Vec::new(),
        warnings: process.warnings.clone(),
    };
    let problem = match located {
        Ok(found) => {
            read_pythons(memory, process, found, options, &mut report);
            let missing: Vec<Address> = report.gaps.iter().filter_map(|gap| gap.at).collect();
            report.warnings.extend(inferior.missing_files(&missing));
            None
        }
        Err(problem) => Some(problem),
    };
    if !matches!(problem, Some(NotFound::NoInterpreter)) {
        report.warnings.extend(report.source.contents.iter().filter_map(|contents| contents.advice.clone()));
    }
    report.threads = stack::with_native_threads(report.threads, process);
    report.warnings.extend(inferior.file_warnings());
    SourceFiles::new(&options.source_root).fill(&mut report);
    if options.redact {
        redact::redact(&mut report);
    }
    report.diagnosis = diagnosis::diagnose(&report, problem);
    report
}

fn process_of(process: &ProcessInfo) -> report::Process {
    report::Process {
        pid: process.pid,
        uid: process.uid,
        executable: process.executable.clone(),
        command_line: process.command_line.clone(),
        signal: process.signal.clone(),
        exception: process.exception.clone(),
        crashed_tid: process.crashed_tid,
        system: process.system.clone(),
        times: process.times.clone(),
        handles: process.handles,
        assertion: process.assertion.clone(),
        comments: process.comments.clone(),
        unloaded_modules: process.unloaded_modules.clone(),
    }
}

/// Reads all runtimes. The one in which the process died is the report's `python`, else the first.
fn read_pythons(
    memory: &dyn Memory,
    process: &ProcessInfo,
    found: &[Runtime],
    options: &AnalyzeOptions,
    report: &mut Report,
) {
    let mut all: Vec<_> =
        found.iter().map(|found| read_python(memory, process, found, options, report)).collect();
    let died_in = |read: &Read| read.threads.iter().any(|thread| thread.crashed && !thread.frames.is_empty());
    all.sort_by_key(|read| !died_in(read));
    let several = all.len() > 1;
    for (index, mut read) in all.into_iter().enumerate() {
        if several {
            read.threads.iter_mut().for_each(|thread| thread.runtime = Some(index));
            read.suspended.iter_mut().for_each(|suspended| suspended.set_runtime(index));
        }
        report.threads.append(&mut read.threads);
        if let Some(mut suspended) = read.suspended {
            report.tasks.get_or_insert_default().append(&mut suspended.tasks);
            report.generators.get_or_insert_default().append(&mut suspended.generators);
            report.greenlets.get_or_insert_default().append(&mut suspended.greenlets);
        }
        match &report.python {
            None => report.python = Some(read.python),
            Some(_) => report.other_pythons.push(read.python),
        }
    }
}

/// What was read of one runtime.
struct Read {
    python: report::Python,
    threads: Vec<Thread>,
    suspended: Option<Suspended>,
}

fn read_python(
    memory: &dyn Memory,
    process: &ProcessInfo,
    found: &Runtime,
    options: &AnalyzeOptions,
    report: &mut Report,
) -> Read {
    let inspector = Inspector::new(memory, &found.layout);
    let (states, problems) = stack::interpreter_states(&inspector, &found.roots);
    for problem in problems {
        inspector.note_gap(problem.gap("the list of interpreters and threads"));
    }
    info!(
        "{} interpreters, {} thread states",
        states.len(),
        states.iter().map(|state| state.threads.len()).sum::<usize>()
    );
    inspector.set_live_threads(states.iter().flat_map(|state| &state.threads).map(|thread| thread.thread_id));
    let stacks = Stacks::new(&inspector, options.locals.then_some(options.limits));
    stacks.learn(&states);
    let threads = stack::python_threads(&stacks, &states, &found.roots, process);
    let suspended = options.tasks.then(|| Suspended::read(&stacks, &states, &found.roots, process));
    let python = python(found, stack::interpreters(&stacks, &states, &found.roots));
    let (mut gaps, dropped) = inspector.take_gaps();
    report.gaps.append(&mut gaps);
    report.warnings.extend(found.warnings.iter().cloned());
    if dropped > 0 {
        report.warnings.push(format!("{dropped} more gaps are not listed"));
    }
    Read { python, threads, suspended }
}

/// What is said of a runtime with these interpreters.
pub(crate) fn python(found: &Runtime, interpreters: Vec<report::Interpreter>) -> report::Python {
    let (major, minor) = found.layout.python;
    report::Python {
        implementation: "cpython".to_owned(),
        version: found.fit.version.clone().unwrap_or_else(|| format!("{major}.{minor}")),
        free_threaded: found.layout.free_threaded,
        debug_build: found.fit.debug_build,
        layout: found.layout.name.clone(),
        evidence: found.evidence.clone(),
        interpreters,
    }
}

/// How much of values the passes of [`shrink`] read. Each has budgets of its own, so that what a thorough one spends on
/// the first values is not missing from the last ones.
const SHRINK_PASSES: [Limits; 3] = [
    Limits { depth: 3, max_items: 30, max_string: 200 },
    Limits { depth: 12, max_items: 1000, max_string: 100_000 },
    Limits { depth: 20, max_items: 100_000, max_string: 1_000_000 },
];

/// A core to be written that has only some pages of another one.
#[derive(Debug)]
pub struct Smaller {
    dump: Dump,
    pages: Vec<Address>,
    /// Those of the pages of which only what was read is kept.
    walked: BTreeSet<Address>,
    /// The bytes that reports are made of.
    touched: Touched,
    progress: Option<Progress>,
    hidden: Option<Hidden>,
}

/// What a redacted core is not to hold.
#[derive(Debug)]
struct Hidden {
    secrets: Secrets,
    /// The modules whose data are kept.
    modules: Vec<Range<Address>>,
}

impl Smaller {
    /// Writes it to `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write, packer: Packer) -> io::Result<Written> {
        dump::pack(packer, self.progress, out, |out| {
            let memory = self.dump.memory();
            let memory = Thinned::new(&memory, &self.walked, &self.touched);
            let Some(Hidden { secrets, modules }) = &self.hidden else {
                return self.dump.write_smaller(out, &memory, &self.pages, None);
            };
            let is_kept = |at| modules.iter().any(|module| module.contains(&at));
            let memory = redact::redact_pages(&memory, &self.pages, &self.touched, is_kept, secrets);
            let in_notes = |bytes: &mut [u8]| redact::redact_notes(bytes, secrets);
            self.dump.write_smaller(out, &memory, &self.pages, Some(&in_notes))
        })
    }

    /// Where secrets are overwritten, how many of them only at the objects that hold them: they are names of the
    /// program, too.
    pub fn hidden_in_place_only(&self) -> Option<usize> {
        self.hidden.as_ref().map(|hidden| hidden.secrets.bound_only)
    }

    /// Writes it to the new file `path`.
    ///
    /// # Errors
    /// The file exists already, or cannot be written.
    pub fn write_new(&self, path: &Path, packer: Packer) -> io::Result<Written> {
        dump::into_new_file(path, |out| self.write(out, packer))
    }
}

/// Chooses the pages that any report is made of, with all that can be asked for, those of mapped files included, so that
/// the smaller core can be read without any other file; and those that a debugger needs. The writable data of a module
/// of which any was read is kept whole: types lie there, and a later pycore may read more of them. With `redact`,
/// secrets will be overwritten, and outside of modules only pointers are left of what was not read: nobody knows what
/// is in the rest.
///
/// # Errors
/// As [`analyze`].
pub fn shrink(path: &Path, options: &AnalyzeOptions) -> Result<Smaller, AnalyzeError> {
    let dump = Dump::open(path, options.files.clone())?;
    let registry = runtime::tables_for(&dump, options.layout.as_deref())?;
    let (pages, walked, touched, hidden) = {
        let memory = dump.memory();
        let pass = |recording: &RecordingMemory<'_>, tasks: bool, limits: Limits| {
            let source_root = Vec::new();
            let everything =
                AnalyzeOptions { locals: true, tasks, limits, redact: false, source_root, ..options.clone() };
            let located = runtime::locate(&dump, recording, &registry);
            report(&dump, recording, &located, &everything)
        };
        let recording = RecordingMemory::new(&memory);
        let [first, ..] = SHRINK_PASSES;
        pass(&recording, false, first);
        let of_threads = recording.touched();
        let mut reports = SHRINK_PASSES.map(|limits| pass(&recording, true, limits));
        let of_all = recording.touched();
        let (always, mut touched) = dump.always_kept();
        touched.join(&of_all);
        let read = of_threads.pages();
        let mut pages = read.clone();
        let mut modules = Vec::new();
        for module in &dump.process().modules {
            let within = |at: Address| module.base <= at && at < module.end;
            if read.iter().any(|&page| within(page)) {
                modules.push(module.base..module.end);
                let data: Vec<_> = memory
                    .ranges()
                    .into_iter()
                    .filter(|range| range.writable && within(range.start))
                    .flat_map(|range| {
                        (0..range.size).step_by(PAGE_SIZE as usize).map(move |at| range.start.add(at))
                    })
                    .collect();
                if data.iter().any(|page| read.binary_search(&Address(page.0 - page.0 % PAGE_SIZE)).is_ok()) {
                    pages.extend(data);
                }
            }
        }
        pages.extend(always);
        let whole: BTreeSet<Address> = pages.iter().copied().collect();
        let walked: BTreeSet<Address> =
            of_all.pages().into_iter().filter(|page| !whole.contains(page)).collect();
        info!("{} pages are kept whole, of {} only what was read", whole.len(), walked.len());
        pages.extend(&walked);
        let hide = || Hidden { secrets: Secrets::of(&mut reports), modules };
        (pages, walked, touched, options.redact.then(hide))
    };
    Ok(Smaller { dump, pages, walked, touched, progress: options.files.progress, hidden })
}

/// Says what a dump is: its modules and whether their files are at hand, its threads, its interpreter.
///
/// # Errors
/// As [`analyze`].
pub fn info(path: &Path, options: &AnalyzeOptions) -> Result<Info, AnalyzeError> {
    let dump = Dump::open(path, options.files.clone())?;
    let registry = runtime::tables_for(&dump, options.layout.as_deref())?;
    let memory = dump.memory();
    let process = dump.process();
    let mut warnings = process.warnings.clone();
    let mut pythons = match runtime::locate(&dump, &memory, &registry) {
        Ok(found) => found
            .iter()
            .map(|found| {
                let inspector = Inspector::new(&memory, &found.layout);
                let (states, _) = stack::interpreter_states(&inspector, &found.roots);
                warnings.extend(found.warnings.iter().cloned());
                let stacks = Stacks::new(&inspector, None);
                python(found, stack::interpreters(&stacks, &states, &found.roots))
            })
            .collect(),
        Err(problem) => {
            warnings.push(diagnosis::explain(&problem, &dump.source()));
            VecDeque::new()
        }
    };
    let python = pythons.pop_front();
    let threads =
        stack::with_native_threads(Vec::new(), process).into_iter().filter_map(info_thread).collect();
    let modules = process.modules.iter().enumerate().map(|(index, module)| {
        let (file, missing) = match dump.file_of(index) {
            ModuleFile::Found(found) => (Some(found.path.display().to_string()), None),
            ModuleFile::NotFound { tried } => {
                let reasons: Vec<_> =
                    tried.iter().map(|tried| format!("{}: {}", tried.path.display(), tried.reason)).collect();
                (None, Some(reasons.join("; ")))
            }
        };
        InfoModule {
            path: module.path.clone(),
            base: module.base,
            end: module.end,
            build_id: module.build_id_text(),
            version: module.pe.as_ref().and_then(PeIdentity::version_text),
            timestamp: module.pe.as_ref().map(|pe| pe.timestamp),
            checksum: module.pe.as_ref().map(|pe| pe.checksum),
            pdb_id: module.pe.as_ref().and_then(|pe| pe.pdb.as_ref()).map(PdbId::text),
            pdb_path: module.pe.as_ref().and_then(|pe| pe.pdb.as_ref()).map(|pdb| pdb.path.clone()),
            file,
            missing,
        }
    });
    let modules = modules.collect();
    warnings.extend(dump.file_warnings());
    let parameters = match process.os {
        OperatingSystem::Windows => Parameters::find(&memory, &process.threads),
        OperatingSystem::Linux | OperatingSystem::MacOs => None,
    };
    let mut environment = parameters.as_ref().and_then(Parameters::environment);
    if let Some(environment) = &mut environment {
        redact::redact_variables(environment);
    }
    Ok(Info {
        source: dump.source(),
        process: process_of(process),
        current_directory: parameters.as_ref().and_then(Parameters::current_directory),
        environment,
        python,
        other_pythons: pythons.into(),
        threads,
        modules,
        warnings,
    })
}

fn info_thread(thread: Thread) -> Option<InfoThread> {
    let location = thread.native_location;
    Some(InfoThread {
        tid: thread.tid?,
        name: thread.name,
        crashed: thread.crashed,
        instruction_pointer: location.as_ref().map(|location| location.address),
        module: location.and_then(|location| location.module),
        start: thread.start,
        times: thread.times,
    })
}
