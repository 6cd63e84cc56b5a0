//! What the interpreter is: where `_PyRuntime` lies, which version, which layout fits; with the evidence.

mod asyncio;
mod build_options;
mod fit;
mod globals;
mod locate;
mod search;
mod version;
mod words;

pub use fit::Fit;
pub use locate::Candidate;
pub use version::HexVersion;

use crate::addr::Address;
use crate::layout::{Abi, DebugOffsets, DebugOffsetsError, Layout, LayoutRegistry, TableError};
use crate::memory::{Fault, Memory};
use crate::object::{Inspector, Unreadable};
use crate::process::{Inferior, NativeThreads, OperatingSystem, ProcessInfo};
use crate::report::Evidence;
use crate::stack::{self, Roots};
use log::{debug, info};
use std::collections::HashSet;
use std::path::Path;

/// An interpreter that was found and whose layout is known.
pub struct Runtime {
    /// What everything hangs from.
    pub roots: Roots,
    /// Where fields lie.
    pub layout: Layout,
    /// How well the layout fits, and what it showed.
    pub fit: Fit,
    /// Why all this is believed.
    pub evidence: Vec<Evidence>,
    /// What the reader of the report should know.
    pub warnings: Vec<String>,
}

/// Why no interpreter can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// Nothing in the process is an interpreter.
    NoInterpreter,
    /// There is a Python, but none of the kinds that pycore reads.
    Unsupported {
        /// What it is, and where.
        what: String,
    },
    /// There is one, and the memory that it leads to is missing.
    NoMemory {
        /// Where it was found.
        evidence: Vec<Evidence>,
        /// Its version, where something tells.
        version: Option<String>,
        /// What is missing first.
        fault: Fault,
    },
    /// There is one, and no layout table fits it: what is known of it.
    NoLayout {
        /// Where it was found.
        evidence: Vec<Evidence>,
        /// Its version, where something tells.
        version: Option<String>,
        /// What the best table failed on.
        why: String,
    },
}

impl NotFound {
    /// What spoke against an interpreter of the version `found` that was found nevertheless.
    fn contradiction(&self, found: (u8, u8)) -> Option<String> {
        let NotFound::NoLayout { evidence, version, why } = self else { return None };
        let same = format!("{}.{}", found.0, found.1);
        if version.as_ref().is_none_or(|version| *version == same || version.starts_with(&(same + "."))) {
            return None;
        }
        let place = evidence.first().map(|evidence| evidence.detail.as_str()).unwrap_or_default();
        let version = version.as_deref().unwrap_or("an unknown version");
        Some(format!(
            "_PyRuntime was not used ({place}), which says that this is {version}: no layout fits, as {why}"
        ))
    }
}

/// The tables for the machine and the data model of `inferior`; first the one in the file `own`, whatever it is for.
///
/// # Errors
/// When that one cannot be used.
pub fn tables_for(inferior: &dyn Inferior, own: Option<&Path>) -> Result<LayoutRegistry, TableError> {
    let abi = match inferior.process().os {
        OperatingSystem::Windows => Abi::Llp64,
        OperatingSystem::Linux | OperatingSystem::MacOs => Abi::Lp64,
    };
    let mut registry = LayoutRegistry::new();
    registry.keep_for(inferior.process().machine, abi);
    if let Some(path) = own {
        registry.add_file(path)?;
    }
    Ok(registry)
}

/// Finds the live runtimes of `inferior`, the most trusted way first. What needs more reading is tried only where the
/// ways before it found none. `memory` is what is read of what was found; passing over memory in search of it is not.
///
/// # Errors
/// When there is none, or none that a table fits.
pub fn locate(
    inferior: &dyn Inferior,
    memory: &dyn Memory,
    registry: &LayoutRegistry,
) -> Result<Vec<Runtime>, NotFound> {
    let mut search =
        Search { inferior, memory, registry, found: Vec::new(), tried: HashSet::new(), failure: None };
    search.try_all(locate::by_symbol_of_python(inferior, memory));
    search.by_globals();
    if search.found.is_empty()
        && inferior.may_be_torn()
        && let Some(failure) = search.failure.take()
    {
        // It will be looked at again when it stands still.
        return Err(failure);
    }
    let whole = inferior.memory();
    let whole: &dyn Memory = &whole;
    if search.found.is_empty() {
        search.try_all(locate::by_cookie(inferior, whole));
    }
    if search.found.is_empty() {
        search.try_all(locate::by_symbol_and_file(inferior, memory));
    }
    let may_have_more = || {
        locate::has_mute_library(inferior, memory, &search.places_of_runtimes())
            || search::is_cheap(inferior) && search.has_strays(whole)
    };
    if search.found.is_empty() || may_have_more() {
        search.by_threads(whole);
    }
    search.complete(whole);
    if search.found.is_empty() {
        return Err(search
            .failure
            .or_else(|| locate::other_python(inferior, memory).map(|what| NotFound::Unsupported { what }))
            .unwrap_or(NotFound::NoInterpreter));
    }
    Ok(search.found)
}

/// Whether `runtimes`, which were found when `inferior` was looked at before, are where they were. What shows that they
/// fit is made anew.
pub fn still_there(inferior: &dyn Inferior, memory: &dyn Memory, runtimes: &mut [Runtime]) -> bool {
    runtimes.iter_mut().all(|runtime| {
        // Lists lead to what is new; what they do not lead to has to be searched for.
        if !runtime.roots.threads.is_empty() || !runtime.roots.interpreters.is_empty() {
            return false;
        }
        let fit = fit::fit(memory, &runtime.layout, &runtime.roots, inferior.process());
        let is_same = fit.failure.is_none() && !fit.is_cut_short && fit.version == runtime.fit.version;
        runtime.fit = fit;
        is_same
    })
}

struct Search<'d> {
    inferior: &'d dyn Inferior,
    memory: &'d dyn Memory,
    registry: &'d LayoutRegistry,
    found: Vec<Runtime>,
    tried: HashSet<Address>,
    /// Why the most trusted candidate was not used.
    failure: Option<NotFound>,
}

impl Search<'_> {
    fn try_all(&mut self, candidates: impl IntoIterator<Item = Candidate>) {
        for candidate in candidates {
            if !self.tried.insert(candidate.address) {
                continue;
            }
            info!("_PyRuntime at {}: {}", candidate.address, candidate.evidence.detail);
            match understand(self.inferior, self.memory, self.registry, &candidate) {
                Ok(runtime) => self.found.push(runtime),
                Err(failure) => {
                    debug!("not used: {failure:?}");
                    self.failure.get_or_insert(failure);
                }
            }
        }
    }

    /// By the variables of interpreters without `_PyRuntime`.
    fn by_globals(&mut self) {
        let process = self.inferior.process();
        let mut found: Vec<Runtime> = Vec::new();
        for candidate in globals::candidates(self.inferior, self.memory) {
            let module = process.modules.get(candidate.module);
            let hint = module.and_then(|module| locate::version_in_name(module.file_name()));
            let mut best = None;
            for entry in self.registry.entries() {
                let Ok(table) = entry.layout() else { continue };
                if table.structs.PyRuntimeState.interpreters_head.exists() {
                    continue;
                }
                let inspector = Inspector::new(self.memory, table);
                let Some((roots, mut evidence)) = globals::roots(self.inferior, &inspector, &candidate)
                else {
                    continue;
                };
                let layout = build_options::applied(&inspector, &roots);
                let fit = fit::fit(self.memory, &layout, &roots, process);
                debug!("{roots:?} by layout {}: {} of {} checks", layout.name, fit.passed, fit.made);
                if let Some(failure) = &fit.failure {
                    debug!("not used: {failure}");
                    continue;
                }
                evidence.extend(fit.evidence(&layout));
                let new = Runtime { roots, layout, fit, evidence, warnings: Vec::new() };
                if best.as_ref().is_none_or(|best| is_preferred(&new, best, hint)) {
                    best = Some(new);
                }
            }
            if let Some(best) = best {
                prefer(&mut found, best, hint);
            }
        }
        self.found.append(&mut found);
    }

    /// By thread states, which are found by their threads; where the interpreters that they belong to are missing, by
    /// their frames alone. `whole` is the memory that is passed over.
    fn by_threads(&mut self, whole: &dyn Memory) {
        let process = self.inferior.process();
        if process.threads.is_empty() {
            return self.by_shape(whole);
        }
        let known = self.found.len();
        let places = search::places(self.inferior, whole);
        info!("{} places hold the pthread_self() or the id of a thread", places.len());
        self.try_layouts(|inspector| search::runtimes(self.inferior, inspector, &places));
        if self.found.is_empty() {
            self.try_layouts(|inspector| {
                let threads = search::stray_thread_states(inspector, &places);
                let found = (!threads.is_empty()).then(|| Roots { threads, ..Roots::default() });
                found.into_iter().collect()
            });
        }
        if self.found.len() > known {
            search::note_slots(process, self.memory);
        }
        // The slots of threads may be missing, which is where thread states are known from.
        if self.found.is_empty() && process.os == OperatingSystem::Windows {
            self.by_shape(whole);
        }
    }

    /// By interpreters and thread states that lead to each other and to code.
    fn by_shape(&mut self, whole: &dyn Memory) {
        self.try_layouts(|inspector| {
            let places = search::places_by_shape(whole, inspector);
            let mut found = search::runtimes(self.inferior, inspector, &places);
            found.retain(|roots| search::leads_to_code(inspector, roots));
            found
        });
    }

    /// Whether a thread may have a thread state that is not among those found so far.
    fn has_strays(&self, whole: &dyn Memory) -> bool {
        let is_known = |place| self.found.iter().any(|runtime| runtime.fit.threads.contains(place));
        search::places(self.inferior, whole).iter().any(|place| !is_known(place))
    }

    /// Where `_PyRuntime` lies in those found so far.
    fn places_of_runtimes(&self) -> Vec<Address> {
        let place = |roots: &Roots| roots.runtime.or(roots.globals.as_ref()?.tstate_current);
        self.found.iter().filter_map(|runtime| place(&runtime.roots)).collect()
    }

    /// Adds, of what `find` finds by each layout, what fits best and is not known.
    fn try_layouts(&mut self, find: impl Fn(&Inspector<'_>) -> Vec<Roots>) {
        let process = self.inferior.process();
        let hint = locate::version_in_names(self.inferior);
        let mut best: Vec<Runtime> = Vec::new();
        let known = std::mem::take(&mut self.found);
        for entry in self.registry.entries() {
            let Ok(layout) = entry.layout() else { continue };
            let inspector = Inspector::new(self.memory, layout);
            for roots in find(&inspector) {
                let layout = build_options::applied(&inspector, &roots);
                let fit = fit::fit(self.memory, &layout, &roots, process);
                debug!("{roots:?} by layout {}: {} of {} checks", layout.name, fit.passed, fit.made);
                if let Some(failure) = &fit.failure {
                    debug!("not used: {failure}");
                    continue;
                }
                if known.iter().any(|known| !known.fit.threads.is_disjoint(&fit.threads)) {
                    continue;
                }
                if fit.version.is_none() && hint.is_some_and(|hint| hint != layout.python) {
                    debug!("not used: names tell another version");
                    continue;
                }
                let mut evidence = vec![found_by_thread(&inspector, &roots, process)];
                evidence.extend(fit.evidence(&layout));
                let warnings =
                    self.failure.iter().filter_map(|failure| failure.contradiction(layout.python)).collect();
                let runtime = Runtime { roots, layout, fit, evidence, warnings };
                prefer(&mut best, runtime, hint);
            }
        }
        // A layout of another version may read an interpreter into what is left of older ones.
        if best.iter().any(|runtime| runtime.fit.version.is_some()) {
            best.retain(|runtime| runtime.fit.version.is_some() || runtime.fit.passed == runtime.fit.made);
        }
        self.found = known;
        self.found.append(&mut best);
    }

    /// Adds the thread states that lists did not lead to, as these could not be followed to their ends.
    fn complete(&mut self, whole: &dyn Memory) {
        if !self.found.iter().any(|runtime| runtime.fit.is_cut_short) {
            return;
        }
        let mut places = search::places(self.inferior, whole);
        places.retain(|place| !self.found.iter().any(|runtime| runtime.fit.threads.contains(place)));
        for runtime in self.found.iter_mut().filter(|runtime| runtime.fit.is_cut_short) {
            let inspector = Inspector::new(self.memory, &runtime.layout);
            runtime.roots.threads.append(&mut search::stray_thread_states(&inspector, &places));
        }
    }
}

/// Adds a runtime, unless one is there that shares thread states with it and fits better, which it replaces otherwise.
fn prefer(known: &mut Vec<Runtime>, new: Runtime, hint: Option<(u8, u8)>) {
    let rival = known.iter().position(|known| !known.fit.threads.is_disjoint(&new.fit.threads));
    match rival.and_then(|rival| known.get_mut(rival)) {
        None => known.push(new),
        Some(rival) => {
            if is_preferred(&new, rival, hint) {
                *rival = new;
            }
        }
    }
}

/// Whether a runtime fits better than another one, or as well and is of the version that names tell.
fn is_preferred(new: &Runtime, rival: &Runtime, hint: Option<(u8, u8)>) -> bool {
    let hinted = |runtime: &Runtime| Some(runtime.layout.python) == hint;
    let equal = !new.fit.is_better_than(&rival.fit) && !rival.fit.is_better_than(&new.fit);
    new.fit.is_better_than(&rival.fit) || equal && hinted(new) && !hinted(rival)
}

fn found_by_thread(inspector: &Inspector<'_>, roots: &Roots, process: &ProcessInfo) -> Evidence {
    let (states, _) = stack::interpreter_states(inspector, roots);
    let mut threads = states.iter().flat_map(|state| &state.threads);
    if process.threads.is_empty() {
        return Evidence {
            method: "scan",
            detail: "an interpreter and thread states that lead to each other; the dump names no threads"
                .to_owned(),
            address: threads.next().map(|state| state.address),
        };
    }
    let natives = NativeThreads::new(inspector.memory, process);
    let mut joined =
        threads.filter_map(|state| Some((natives.by_pthread(Address(state.thread_id))?.tid, state.address)));
    let first = joined.next();
    let id = match process.os {
        OperatingSystem::Windows => "ids",
        OperatingSystem::Linux | OperatingSystem::MacOs => "pthread_self()",
    };
    let detail = match first {
        Some((tid, _)) => format!("thread states by their threads' {id}, such as that of {tid}"),
        None => format!("thread states by their threads' {id}"),
    };
    Evidence { method: "scan", detail, address: first.map(|(_, address)| address) }
}

/// Tries the layouts on one candidate. `_Py_DebugOffsets` wins over the table where the interpreter has it.
fn understand(
    inferior: &dyn Inferior,
    memory: &dyn Memory,
    registry: &LayoutRegistry,
    candidate: &Candidate,
) -> Result<Runtime, NotFound> {
    let offsets = DebugOffsets::read(memory, candidate.address);
    let told = match &offsets {
        Ok(offsets) => Some(HexVersion(offsets.hexversion)),
        Err(DebugOffsetsError::UnknownVersion(version)) => u32::try_from(*version).ok().map(HexVersion),
        Err(_) => None,
    };
    let free_threaded = offsets.as_ref().ok().map(|offsets| offsets.free_threaded);
    let hint = told.map(HexVersion::python).or(candidate.version);
    let mut best: Option<Runtime> = None;
    let mut why = None;
    let mut missing = None;
    let by_hint = registry.candidates(hint);
    let others =
        registry.entries().iter().filter(|entry| hint.is_some_and(|hint| entry.target.python != hint));
    // Where debug offsets tell the version, tables of other versions cannot be right.
    for entry in by_hint.chain(others.take_while(|_| told.is_none())) {
        if free_threaded.is_some_and(|free_threaded| entry.target.free_threaded != free_threaded) {
            continue;
        }
        let Ok(table) = entry.layout() else { continue };
        let mut layout = table.clone();
        let mut evidence = vec![candidate.evidence.clone()];
        let mut warnings = Vec::new();
        match &offsets {
            Ok(offsets) => match offsets.apply(&mut layout) {
                Ok(differences) => {
                    let mut detail = vec![format!("_Py_DebugOffsets of {}", HexVersion(offsets.hexversion))];
                    detail.extend(differences);
                    evidence.push(Evidence {
                        method: "debug-offsets",
                        detail: detail.join("; "),
                        address: Some(candidate.address),
                    });
                }
                Err(error) => warnings.push(format!("_Py_DebugOffsets not used: {error}")),
            },
            Err(error) => debug!("no debug offsets: {error}"),
        }
        let roots = Roots::of_runtime(candidate.address);
        let layout = build_options::applied(&Inspector::new(memory, &layout), &roots);
        let fit = fit::fit(memory, &layout, &roots, inferior.process());
        debug!("layout {}: {} of {} checks", layout.name, fit.passed, fit.made);
        if let Some(failure) = &fit.failure {
            debug!("not used: {failure}");
            if let (None, Unreadable::Fault(fault)) = (&why, failure) {
                missing.get_or_insert(*fault);
            }
            why.get_or_insert_with(|| format!("the table {} fails: {failure}", layout.name));
            continue;
        }
        let certain = fit.version.is_some() && fit.passed == fit.made;
        if best.as_ref().is_none_or(|best| fit.is_better_than(&best.fit)) {
            evidence.extend(fit.evidence(&layout));
            best = Some(Runtime { roots, layout, fit, evidence, warnings });
        }
        if certain {
            break;
        }
    }
    if let Some(runtime) = &mut best {
        runtime.evidence.extend(asyncio::apply(inferior, memory, &mut runtime.layout));
    }
    best.ok_or_else(|| {
        let evidence = vec![candidate.evidence.clone()];
        let version = told
            .map(|version| version.to_string())
            .or(candidate.version.map(|(major, minor)| format!("{major}.{minor}")));
        match missing {
            Some(fault) => NotFound::NoMemory { evidence, version, fault },
            None => NotFound::NoLayout {
                evidence,
                version,
                why: why.unwrap_or_else(|| "there is no table for this version".to_owned()),
            },
        }
    })
}
