//! What is true of all threads: who holds the lock, what is raised, which interpreters and modules there are, what waits.

use super::reading::Reading;
use super::request::Request;
use super::threads::without_python;
use super::{Answer, AskError, View};
use crate::analysis;
use crate::object::Unreadable;
use crate::render::{self, TextOptions};
use crate::report::{
    Attachment, Gil, GilThread, Gils, InterpreterList, ModuleList, PythonModule, RaisedAnswer, TasksAnswer,
    Thread,
};
use crate::source::SourceFiles;
use crate::stack::{self, Suspended};

/// The most modules that are listed.
const MAX_MODULES: usize = 100_000;

/// What one thread or all raise and handle.
pub(super) fn exceptions(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let mut found = RaisedAnswer { threads: Vec::new(), interpreters: Vec::new(), gaps: Vec::new() };
    for reading in Reading::all(view) {
        let stacks = reading.stacks(None);
        let are_wanted = |tid| request.thread.is_none_or(|wanted| tid == Some(wanted));
        found.threads.append(&mut reading.threads(&stacks, are_wanted));
        if request.thread.is_none() {
            let interpreters = stack::interpreters(&stacks, &reading.states, &reading.runtime.roots);
            found.interpreters.extend(interpreters);
        }
        found.gaps.append(&mut reading.gaps());
    }
    if let Some(tid) = request.thread.filter(|_| found.threads.is_empty()) {
        return Err(without_python(view, tid));
    }
    found.threads = stack::sorted(found.threads);
    request.number(&mut found.threads);
    let mut sources = SourceFiles::new(view.source_root(request));
    found.threads.iter_mut().for_each(|thread| sources.fill_thread(thread));
    let options = TextOptions { colour: request.colour };
    let text = render::to_string(|out| render::raised(&found, out, options));
    found.threads.iter_mut().for_each(|thread| thread.frames.truncate(1));
    Ok(Answer::new(text, &found))
}

/// Who holds the global interpreter lock, and who waits for it.
pub(super) fn gil(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let mut found = Gils { gils: Vec::new(), gaps: Vec::new() };
    for reading in Reading::all(view) {
        let mut stacks = reading.stacks(None);
        stacks.exceptions = false;
        let mut threads = stack::sorted(reading.threads(&stacks, |_| true));
        request.number(&mut threads);
        let interpreters = stack::interpreters(&stacks, &reading.states, &reading.runtime.roots);
        let free_threaded = reading.runtime.layout.free_threaded;
        for interpreter in interpreters {
            let own = || threads.iter().filter(|thread| thread.interpreter == interpreter.id);
            let those = |is: fn(&Thread) -> bool| own().filter(|thread| is(thread)).map(gil_thread).collect();
            found.gils.push(Gil {
                runtime: reading.index,
                interpreter: interpreter.id,
                enabled: !free_threaded || interpreter.gil_enabled == Some(true),
                known: free_threaded || own().all(|thread| thread.holds_gil.is_some()),
                holder: own().find(|thread| thread.holds_gil == Some(true)).map(gil_thread),
                waiting: those(|thread| thread.waiting_for_gil == Some(true)),
                waiting_known: own().all(|thread| thread.waiting_for_gil.is_some()),
                attached: those(|thread| thread.attachment == Some(Attachment::Attached)),
                collecting: own().find(|thread| thread.collecting_garbage == Some(true)).map(gil_thread),
            });
        }
        found.gaps.append(&mut reading.gaps());
    }
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::gil(&found, out, options)), &found))
}

pub(super) fn gil_thread(thread: &Thread) -> GilThread {
    GilThread {
        tid: thread.tid,
        number: thread.number.clone(),
        name: thread.name.clone(),
        frame: thread.frames.first().cloned(),
    }
}

/// The interpreters of the process.
pub(super) fn interpreters(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let mut found = InterpreterList { pythons: Vec::new(), gaps: Vec::new() };
    for reading in Reading::all(view) {
        let stacks = reading.stacks(None);
        let interpreters = stack::interpreters(&stacks, &reading.states, &reading.runtime.roots);
        found.pythons.push(analysis::python(reading.runtime, interpreters));
        found.gaps.append(&mut reading.gaps());
    }
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::interpreters(&found, out, options)), &found))
}

/// `sys.modules` of all interpreters; of one name and what is below it where `text` names one.
pub(super) fn modules(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let mut found = ModuleList { modules: Vec::new(), gaps: Vec::new() };
    let wanted = request.text.as_deref().filter(|text| !text.is_empty());
    let is_wanted = |name: &str| {
        wanted.is_none_or(|wanted| {
            name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let mut names = Vec::new();
    for reading in Reading::all(view) {
        let inspector = &reading.inspector;
        for state in &reading.states {
            if state.sysdict.is_null() {
                continue;
            }
            let entries = inspector.dict_get(state.sysdict, "modules").and_then(|modules| {
                modules.map(|modules| inspector.dict_entries(modules, MAX_MODULES)).transpose()
            });
            let pairs = match entries {
                Ok(entries) => entries.map(|entries| entries.pairs).unwrap_or_default(),
                Err(error) => {
                    inspector.note_gap(error.gap("sys.modules"));
                    continue;
                }
            };
            for (key, module) in pairs {
                let Ok(name) = inspector.string(key) else { continue };
                if is_wanted(&name) && inspector.is_none(module) != Ok(true) {
                    found.modules.push(python_module(&reading, state.id, name, module));
                } else {
                    names.push(name);
                }
            }
        }
        found.gaps.append(&mut reading.gaps());
    }
    if let (Some(wanted), true) = (wanted, found.modules.is_empty()) {
        return Err(AskError::NotThere(format!(
            "no module {wanted} is in sys.modules{}",
            super::values::near(wanted, &names)
        )));
    }
    found.modules.sort_by(|a, b| (a.interpreter, &a.name).cmp(&(b.interpreter, &b.name)));
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::modules(&found, out, options)), &found))
}

fn python_module(
    reading: &Reading<'_>,
    interpreter: Option<i64>,
    name: String,
    module: crate::addr::Address,
) -> PythonModule {
    let inspector = &reading.inspector;
    // What stands in for a module may be any object.
    let is_module = inspector.type_of(module).is_ok_and(|class| class.name == "module");
    let text = |attribute: &str| -> Result<Option<String>, Unreadable> {
        if !is_module {
            return Ok(None);
        }
        let found = inspector.dict_get(inspector.module_dict(module)?, attribute)?;
        let found = found.filter(|&found| inspector.is_str_object(found) == Ok(true));
        found.map(|found| inspector.string(found)).transpose()
    };
    let noted = |attribute: &str| {
        let found = text(attribute);
        found
            .map_err(|error| inspector.note_gap(error.gap(format!("{attribute} of the module {name}"))))
            .ok()
            .flatten()
    };
    let (file, version) = (noted("__file__"), noted("__version__"));
    PythonModule { name, file, version, interpreter, address: module }
}

/// The tasks, generators and greenlets that no thread shows.
pub(super) fn tasks(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let mut found = TasksAnswer::default();
    let process = view.inferior.process();
    for reading in Reading::all(view) {
        let stacks = reading.stacks(request.locals.then(|| request.limits()));
        let mut suspended = Suspended::read(&stacks, &reading.states, &reading.runtime.roots, process);
        if let Some(index) = reading.index {
            suspended.set_runtime(index);
        }
        found.tasks.append(&mut suspended.tasks);
        found.generators.append(&mut suspended.generators);
        found.greenlets.append(&mut suspended.greenlets);
        found.gaps.append(&mut reading.gaps());
    }
    let mut sources = SourceFiles::new(view.source_root(request));
    found.tasks.iter_mut().for_each(|task| sources.fill_frames(&mut task.stack));
    found.generators.iter_mut().for_each(|generator| sources.fill_frames(&mut generator.stack));
    found.greenlets.iter_mut().for_each(|greenlet| sources.fill_frames(&mut greenlet.stack));
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::suspended(&found, out, options)), &found))
}
