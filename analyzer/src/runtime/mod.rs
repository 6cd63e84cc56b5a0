//! What the interpreter is: where `_PyRuntime` lies, which version, which layout fits; with the evidence.

mod fit;
mod locate;
mod version;

pub use fit::Fit;
pub use locate::{Candidate, candidates};
pub use version::HexVersion;

use crate::addr::Address;
use crate::dump::Dump;
use crate::layout::{DebugOffsets, DebugOffsetsError, Layout, LayoutRegistry};
use crate::memory::Memory;
use crate::report::Evidence;
use log::{debug, info};

/// An interpreter that was found and whose layout is known.
pub struct Runtime {
    /// The virtual address of `_PyRuntime`.
    pub address: Address,
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

/// Finds the interpreter of a process: candidates in the order of trust, and for each the layout that fits best.
///
/// # Errors
/// When there is none, or none that a table fits.
pub fn locate(dump: &Dump, memory: &dyn Memory, registry: &LayoutRegistry) -> Result<Runtime, NotFound> {
    let mut best_failure = None;
    for candidate in candidates(dump, memory) {
        info!("_PyRuntime at {}: {}", candidate.address, candidate.evidence.detail);
        match understand(dump, memory, registry, &candidate) {
            Ok(runtime) => return Ok(runtime),
            Err(failure) => {
                debug!("not used: {failure:?}");
                best_failure.get_or_insert(failure);
            }
        }
    }
    Err(best_failure
        .or_else(|| locate::other_python(dump, memory).map(|what| NotFound::Unsupported { what }))
        .unwrap_or(NotFound::NoInterpreter))
}

/// Tries the layouts on one candidate. `_Py_DebugOffsets` wins over the table where the interpreter has it.
fn understand(
    dump: &Dump,
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
    if let Ok(offsets) = &offsets
        && offsets.free_threaded
    {
        let version = HexVersion(offsets.hexversion);
        return Err(NotFound::Unsupported { what: format!("CPython {version} built with --disable-gil") });
    }
    let hint = told.map(HexVersion::python).or(candidate.version);
    let mut best: Option<Runtime> = None;
    let mut why = "there is no table for this version".to_owned();
    let by_hint = registry.candidates(hint);
    let others =
        registry.entries().iter().filter(|entry| hint.is_some_and(|hint| entry.target.python != hint));
    // Where debug offsets tell the version, tables of other versions cannot be right.
    for entry in by_hint.chain(others.take_while(|_| told.is_none())) {
        let Ok(table) = entry.layout() else { continue };
        let mut layout = table.clone();
        let mut evidence = vec![candidate.evidence.clone()];
        let mut warnings = Vec::new();
        match &offsets {
            Ok(offsets) => match offsets.apply(&mut layout) {
                Ok(differences) => {
                    evidence.push(Evidence {
                        method: "debug-offsets",
                        detail: format!("_Py_DebugOffsets of {}", HexVersion(offsets.hexversion)),
                        address: Some(candidate.address),
                    });
                    warnings.extend(
                        differences.into_iter().map(|difference| format!("_Py_DebugOffsets: {difference}")),
                    );
                }
                Err(error) => warnings.push(format!("_Py_DebugOffsets not used: {error}")),
            },
            Err(error) => debug!("no debug offsets: {error}"),
        }
        let fit = fit::fit(memory, &layout, candidate.address, dump.process());
        debug!("layout {}: {} of {} checks", layout.name, fit.passed, fit.made);
        if let Some(failure) = &fit.failure {
            if best.is_none() {
                why = format!("the table {} fails: {failure}", layout.name);
            }
            continue;
        }
        let certain = fit.version.is_some() && fit.passed == fit.made;
        if best.as_ref().is_none_or(|best| fit.is_better_than(&best.fit)) {
            evidence.extend(fit.evidence(&layout));
            best = Some(Runtime { address: candidate.address, layout, fit, evidence, warnings });
        }
        if certain {
            break;
        }
    }
    best.ok_or_else(|| NotFound::NoLayout {
        evidence: vec![candidate.evidence.clone()],
        version: told
            .map(|version| version.to_string())
            .or(candidate.version.map(|(major, minor)| format!("{major}.{minor}"))),
        why,
    })
}
