//! Whether a layout fits what is in memory: lists, back pointers, types, and what the interpreter says of itself.

use super::version::HexVersion;
use crate::addr::Address;
use crate::layout::Layout;
use crate::memory::Memory;
use crate::object::{Inspector, Unreadable};
use crate::process::{NativeThreads, ProcessInfo};
use crate::report::Evidence;
use crate::stack::{InterpreterState, Roots, Stacks, ThreadState, gil_holder, interpreter_states, native_of};
use std::collections::HashSet;

/// The threads whose frames are looked at to judge a layout.
const SAMPLED_THREADS: usize = 8;

/// What came of trying a layout.
#[derive(Clone, Debug, Default)]
pub struct Fit {
    /// How many checks were made.
    pub made: u32,
    /// How many of them passed.
    pub passed: u32,
    /// Why the layout cannot be right, if so.
    pub failure: Option<Unreadable>,
    /// The interpreter's own `sys.hexversion`, as text.
    pub version: Option<String>,
    /// Where the int `sys.hexversion` lies.
    pub version_at: Option<Address>,
    /// Whether `sys` has what only builds with `--with-pydebug` have.
    pub debug_build: bool,
    /// Where the `thread_id` of each thread state lies: the same for all tables that take it for one.
    pub threads: HashSet<Address>,
    /// Whether a list of interpreters or thread states could not be followed to its end.
    pub is_cut_short: bool,
}

impl Fit {
    /// Whether this one is to be preferred.
    pub fn is_better_than(&self, other: &Fit) -> bool {
        let rate = |fit: &Fit| {
            (fit.version.is_some(), u64::from(fit.passed) * 1000 / u64::from(fit.made.max(1)), fit.passed)
        };
        rate(self) > rate(other)
    }

    /// What the fit adds to the evidence.
    pub fn evidence(&self, layout: &Layout) -> Vec<Evidence> {
        let mut evidence = vec![Evidence {
            method: "layout-fit",
            detail: format!("{} passes {} of {} checks", layout.name, self.passed, self.made),
            address: None,
        }];
        evidence.extend(self.version.as_ref().map(|version| Evidence {
            method: "hexversion",
            detail: format!("sys.hexversion says {version}"),
            address: self.version_at,
        }));
        evidence
    }

    fn check(&mut self, passed: bool) -> bool {
        self.made += 1;
        self.passed += u32::from(passed);
        passed
    }
}

/// Tries a layout on the runtime that hangs from `roots`.
pub(super) fn fit(memory: &dyn Memory, layout: &Layout, roots: &Roots, process: &ProcessInfo) -> Fit {
    let inspector = Inspector::new(memory, layout);
    let mut fit = Fit::default();
    if let Err(error) = judge(&inspector, roots, process, &mut fit) {
        fit.failure = Some(error);
    }
    fit
}

fn judge(
    inspector: &Inspector<'_>,
    roots: &Roots,
    process: &ProcessInfo,
    fit: &mut Fit,
) -> Result<(), Unreadable> {
    let runtime = roots.runtime.unwrap_or_default();
    let (states, problems) = interpreter_states(inspector, roots);
    fit.is_cut_short = !problems.is_empty();
    let place_of_id = |thread: &ThreadState| {
        inspector.field_address(thread.address, inspector.layout.structs.PyThreadState.thread_id)
    };
    fit.threads = states
        .iter()
        .flat_map(|state| &state.threads)
        .filter_map(|thread| place_of_id(thread).ok())
        .collect();
    let nonsense = |at, what: &str| Unreadable::Nonsense { at, what: what.to_owned() };
    let Some(state) = states.first() else {
        return Err(problems
            .into_iter()
            .next()
            .unwrap_or_else(|| nonsense(runtime, "no interpreter is initialised")));
    };
    for problem in &problems {
        // Missing bytes are the dump's fault, not the layout's.
        fit.check(matches!(problem, Unreadable::Fault(_)));
    }
    let stacks = Stacks::new(inspector, None);
    stacks.learn(&states);
    let natives = NativeThreads::new(inspector.memory, process);
    for thread in states.iter().flat_map(|state| &state.threads) {
        // A debugger writes its notes behind the memory, where a cut loses all of them.
        if !process.threads.is_empty() {
            fit.check(native_of(&natives, thread).is_some());
        }
    }
    // Here tables of two C libraries differ: their locks, which lie before the GIL's holder, have different sizes.
    let whole = if problems.is_empty() { states.as_slice() } else { &[] };
    for state in whole {
        if let Ok(holder) = gil_holder(inspector, roots, state.address) {
            let mut threads = states.iter().flat_map(|state| &state.threads);
            fit.check(holder.is_null() || threads.any(|thread| thread.address == holder));
        }
    }
    for thread in states.iter().flat_map(|state| &state.threads).take(SAMPLED_THREADS) {
        match stacks.innermost_code(thread) {
            Err(Unreadable::Fault(_)) => {}
            innermost => {
                let code = innermost.and_then(|code| code.map(|at| stacks.line_table_fits(at)).transpose());
                if fit.check(code.is_ok())
                    && let Ok(Some(fits)) = code
                {
                    fit.check(fits);
                }
            }
        }
    }
    if !state.sysdict.is_null() {
        match judge_sys(inspector, state, fit) {
            // Missing bytes speak against nothing; then frames decide.
            Ok(()) | Err(Unreadable::Fault(_)) => {}
            Err(error) => return Err(error),
        }
    }
    if fit.passed * 2 < fit.made {
        return Err(nonsense(runtime, &format!("only {} of {} checks pass", fit.passed, fit.made)));
    }
    Ok(())
}

/// The dict of `sys`: that it is a dict, that types' types are `type`, and the version it tells.
fn judge_sys(inspector: &Inspector<'_>, state: &InterpreterState, fit: &mut Fit) -> Result<(), Unreadable> {
    let nonsense = |what: String| Unreadable::Nonsense { at: state.sysdict, what };
    let class = inspector.type_of(state.sysdict)?;
    if !fit.check(class.is_dict()) {
        return Err(nonsense(format!("sys has a {} instead of a dict", class.name)));
    }
    let Some(version) = inspector.dict_get(state.sysdict, "hexversion")? else {
        return Err(nonsense("sys has no hexversion".to_owned()));
    };
    let number = inspector.small_int(version)?;
    let hexversion = HexVersion(number as u32);
    let (major, minor) = hexversion.python();
    if !fit.check((major, minor) == inspector.layout.python) {
        let (table_major, table_minor) = inspector.layout.python;
        return Err(nonsense(format!(
            "sys.hexversion says {major}.{minor}, the table is for {table_major}.{table_minor}"
        )));
    }
    fit.version = Some(hexversion.to_string());
    fit.version_at = Some(version);
    fit.debug_build = inspector.dict_get(state.sysdict, "gettotalrefcount")?.is_some();
    if let Some(flags) = inspector.dict_get(state.sysdict, "abiflags")? {
        fit.check(inspector.string(flags)?.contains('t') == inspector.layout.free_threaded);
    }
    Ok(())
}
