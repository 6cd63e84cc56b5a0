//! Whether code may be run in the process as it stands, and where the interpreter takes code from debuggers.
//!
//! `PyGILState_Ensure` (Python/pystate.c) waits for the GIL and runs in the main interpreter. From 3.14 a debugger may
//! leave a script instead (PEP 768; `send_exec_to_proc_handle`, Python/remote_debugging.c).

use super::reading::Reading;
use super::request::Request;
use super::{Answer, AskError, View};
use crate::addr::Address;
use crate::analysis;
use crate::layout::DebugOffsets;
use crate::object::Unreadable;
use crate::process::{Module, symbols};
use crate::render::{self, TextOptions};
use crate::report::{ExecState, ExecThread, Interpreter, RemoteDebugging, RemoteThread, Thread, Verdict};
use crate::stack;
use std::collections::BTreeMap;

/// `_PY_EVAL_PLEASE_STOP_BIT`, Include/internal/pycore_ceval.h of 3.14.
const PLEASE_STOP: u64 = 1 << 5;

/// What has to be known before code is run.
pub(super) fn exec_state(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let readings = Reading::all(view);
    // Where there are several runtimes, that of the thread.
    let has_thread = |reading: &&Reading<'_>| {
        request
            .thread
            .is_some_and(|wanted| reading.thread_states().iter().any(|(tid, _, _)| *tid == Some(wanted)))
    };
    let reading = readings.iter().find(has_thread).or(readings.first());
    let reading = reading.ok_or_else(|| AskError::NoPython("no runtime was found".to_owned()))?;
    let mut stacks = reading.stacks(None);
    stacks.exceptions = false;
    let mut threads = reading.threads(&stacks, |_| true);
    request.number(&mut threads);
    let selected: Vec<&Thread> =
        threads.iter().filter(|thread| thread.tid.is_some() && thread.tid == request.thread).collect();
    let runs =
        |is: fn(&Thread) -> bool| threads.iter().find(|thread| is(thread)).map(super::state::gil_thread);
    let free_threaded = reading.runtime.layout.free_threaded;
    let interpreters = stack::interpreters(&stacks, &reading.states, &reading.runtime.roots);
    let python = analysis::python(reading.runtime, interpreters);
    let is_enabled = |interpreter: &Interpreter| interpreter.gil_enabled == Some(true);
    let mut state = ExecState {
        gil_enabled: !free_threaded || python.interpreters.iter().any(is_enabled),
        python: python.version,
        initialised: is_initialised(reading),
        finalizing: is_finalizing(reading),
        gil_known: free_threaded || threads.iter().all(|thread| thread.holds_gil.is_some()),
        gil_holder: runs(|thread| thread.holds_gil == Some(true)),
        collecting: runs(|thread| thread.collecting_garbage == Some(true)),
        collecting_known: threads.iter().all(|thread| thread.collecting_garbage.is_some()),
        thread: request.thread.map(|tid| ExecThread {
            tid,
            has_thread_state: !selected.is_empty(),
            holds_gil: selected.iter().any(|thread| thread.holds_gil == Some(true)),
            interpreters: selected.iter().filter_map(|thread| thread.interpreter).collect(),
            frame: selected.iter().find_map(|thread| thread.frames.first().cloned()),
        }),
        remote: remote(reading),
        functions: functions(view, reading),
        verdict: Verdict::Yes,
        reasons: Vec::new(),
        gaps: reading.gaps(),
    };
    (state.verdict, state.reasons) = judge(&state);
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::exec_state(&state, out, options)), &state))
}

/// Whether `PyGILState_Ensure`, code, `PyGILState_Release` may be called in the thread, and why not.
fn judge(state: &ExecState) -> (Verdict, Vec<String>) {
    let mut never = Vec::new();
    if state.initialised != Some(true) {
        never.push("the interpreter is not initialised: there is nothing yet to run code in".to_owned());
    }
    if state.finalizing == Some(true) {
        never.push(
            "the interpreter is being finalised: a thread that asks for it now never comes back".to_owned(),
        );
    }
    if let Some(thread) = &state.collecting {
        never.push(format!(
            "the garbage collector runs in {}: objects are not as code may find them",
            thread.label()
        ));
    }
    if !state.gil_known {
        never.push("it is not known who holds the GIL".to_owned());
    }
    let in_other = |thread: &&ExecThread| thread.holds_gil && !thread.interpreters.contains(&0);
    if state.thread.as_ref().filter(in_other).is_some() {
        never.push(
            "the thread runs a sub-interpreter, and PyGILState_Ensure knows the main one only".to_owned(),
        );
    }
    if !never.is_empty() {
        return (Verdict::No, never);
    }
    let mut remarks = Vec::new();
    if !state.collecting_known {
        remarks.push("it is not known whether the garbage collector runs".to_owned());
    }
    let own = state.thread.as_ref().is_some_and(|thread| thread.holds_gil);
    let verdict = match &state.gil_holder {
        Some(_) if own => {
            let what = "the thread holds the GIL itself: if it is within C code that changes an object, that object is \
                half changed";
            remarks.push(what.to_owned());
            Verdict::Yes
        }
        Some(holder) => {
            remarks.push(format!(
                "{} holds the GIL: the code waits until it lets go, for which other threads have to run",
                holder.label()
            ));
            Verdict::Waits
        }
        None => Verdict::Yes,
    };
    (verdict, remarks)
}

/// Whether the main interpreter has come to have `__main__`, which is made last (`init_interp_main`,
/// Python/pylifecycle.c).
fn is_initialised(reading: &Reading<'_>) -> Option<bool> {
    let inspector = &reading.inspector;
    let main = reading.states.iter().find(|state| state.id == Some(0)).or(reading.states.first())?;
    if main.sysdict.is_null() || main.builtins.is_null() {
        return Some(false);
    }
    let find = || -> Result<bool, Unreadable> {
        let Some(modules) = inspector.dict_get(main.sysdict, "modules")? else { return Ok(false) };
        Ok(inspector.dict_get(modules, "__main__")?.is_some())
    };
    find().ok()
}

/// `_PyRuntime.finalizing`: the thread state that does it.
fn is_finalizing(reading: &Reading<'_>) -> Option<bool> {
    let field = reading.runtime.layout.structs.PyRuntimeState.finalizing;
    let runtime = reading.runtime.roots.runtime?;
    reading.inspector.uint(runtime, field).ok().map(|finalizing| finalizing != 0)
}

/// The functions that a debugger calls to run code, where the loader put them: a debugger may have other files than the
/// process. Python's own are those of the module that has the runtime, where there are several.
fn functions(view: &View<'_>, reading: &Reading<'_>) -> BTreeMap<&'static str, Address> {
    const WANTED: [&str; 6] = [
        "PyGILState_Ensure",
        "PyGILState_Release",
        "PyRun_SimpleString",
        "__errno_location",
        "mmap",
        "munmap",
    ];
    let runtime = reading.runtime.roots.runtime;
    let has_runtime = |module: &&Module| runtime.is_some_and(|at| module.base <= at && at < module.end);
    let modules = &view.inferior.process().modules;
    let defined = |name| {
        let mut ordered = modules.iter().filter(has_runtime).chain(modules);
        ordered.find_map(|module| symbols::dynamic_symbol(view.memory, module, name).ok().flatten())
    };
    WANTED.into_iter().filter_map(|name| Some((name, defined(name)?))).collect()
}

/// What `_Py_DebugOffsets` tells of where scripts are left, from 3.14.
fn remote(reading: &Reading<'_>) -> Option<RemoteDebugging> {
    let inspector = &reading.inspector;
    let offsets = DebugOffsets::read(inspector.memory, reading.runtime.roots.runtime?).ok()?;
    let member = |name: &str| offsets.member(&format!("debugger_support.{name}")).map(u64::from);
    let enabled = member("remote_debugging_enabled")?;
    let support = member("remote_debugger_support")?;
    let [breaker, call, path] = ["eval_breaker", "debugger_pending_call", "debugger_script_path"].map(member);
    let (breaker, call, path) = (breaker?, call?, path?);
    let flag =
        |interpreter: Address| inspector.memory.u32(interpreter.add(enabled)).ok().map(|flag| flag != 0);
    let threads = reading.thread_states().into_iter().map(|(tid, state, thread)| RemoteThread {
        tid,
        interpreter: state.id,
        enabled: flag(state.address),
        thread_state: thread.address,
        eval_breaker: thread.address.add(breaker),
        pending_call: thread.address.add(support).add(call),
        script_path: thread.address.add(support).add(path),
    });
    Some(RemoteDebugging {
        script_path_size: member("debugger_script_path_size")?,
        stop_bit: PLEASE_STOP,
        threads: threads.collect(),
    })
}
