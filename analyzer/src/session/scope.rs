//! A frame of a thread, and what names mean in it.

use super::reading::Reading;
use super::request::Request;
use super::threads::without_python;
use super::{AskError, View};
use crate::addr::Address;
use crate::object::{Inspector, Unreadable, near_names};
use crate::report::{Frame, LocalKind, NameScope};
use crate::stack::{InterpreterState, RawFrame, Stacks, Variables};

/// The frame that a question is about.
pub(super) struct Scope<'r, 'v> {
    pub(super) stacks: Stacks<'r, 'v>,
    pub(super) tid: Option<u32>,
    state: &'r InterpreterState,
    pub(super) raw: RawFrame,
    pub(super) frame: Frame,
    /// Its place, from the innermost.
    pub(super) index: usize,
    /// How many frames the thread has.
    pub(super) count: usize,
}

/// What a name means.
pub(super) struct Named {
    pub(super) object: Address,
    pub(super) scope: NameScope,
}

impl<'r, 'v> Scope<'r, 'v> {
    /// The frame that `request` asks about: of the thread that it names, else of the crashed one, the first one or
    /// whichever has frames.
    pub(super) fn select(
        view: &View<'_>,
        readings: &'r [Reading<'v>],
        request: &Request,
    ) -> Result<Self, AskError> {
        let process = view.inferior.process();
        let mut states = Vec::new();
        for reading in readings {
            let all = reading.thread_states().into_iter();
            states.extend(all.map(|(tid, state, thread)| (reading, tid, state, thread)));
        }
        // A thread that runs a sub-interpreter has a thread state for each; the newest one's frames are innermost.
        states.sort_by_key(|(_, _, state, _)| std::cmp::Reverse(state.id));
        let frames_of = |wanted: Option<u32>| {
            let mut frames = Vec::new();
            for (reading, tid, state, thread) in states.iter().filter(|(_, tid, _, _)| *tid == wanted) {
                let found = reading.frames(thread);
                frames.extend(found.into_iter().map(|(raw, frame)| (*reading, *tid, *state, raw, frame)));
            }
            frames
        };
        let frames = match request.thread {
            Some(tid) if !states.iter().any(|(_, of, _, _)| *of == Some(tid)) => {
                return Err(without_python(view, tid));
            }
            Some(tid) => frames_of(Some(tid)),
            None => {
                let preferred = [process.crashed_tid, process.first_tid()].into_iter().flatten().map(Some);
                let others = states.iter().rev().map(|(_, tid, _, _)| *tid);
                let candidates = preferred.chain(others).map(frames_of);
                candidates.into_iter().find(|frames| !frames.is_empty()).unwrap_or_default()
            }
        };
        let (count, index) = (frames.len(), request.frame);
        let Some((reading, tid, state, raw, frame)) = frames.into_iter().nth(index) else {
            return Err(AskError::NotThere(match (count, request.thread) {
                (0, Some(tid)) => format!("thread {tid} has no Python frame"),
                (0, None) => "no thread has a Python frame".to_owned(),
                _ => format!("there are {count} Python frames, 0 to {}, and no frame {index}", count - 1),
            }));
        };
        Ok(Scope { stacks: reading.stacks(None), tid, state, raw, frame, index, count })
    }

    pub(super) fn inspector(&self) -> &'r Inspector<'v> {
        self.stacks.inspector
    }

    /// What a name means, as the interpreter would look it up: among the frame's variables, the globals, the builtins.
    pub(super) fn name(&self, name: &str) -> Result<Named, AskError> {
        let unreadable = |error: Unreadable| AskError::NotThere(format!("{name} cannot be read: {error}"));
        match self.stacks.variable(&self.raw, name).map_err(unreadable)? {
            Variables::Bound(object, kind) => {
                let scope = match kind {
                    LocalKind::Arg => NameScope::Arg,
                    LocalKind::Local => NameScope::Local,
                    LocalKind::Cell => NameScope::Cell,
                    LocalKind::Free => NameScope::Free,
                };
                return Ok(Named { object, scope });
            }
            Variables::Unbound => {
                return Err(AskError::NotThere(format!("the variable {name} has no value here")));
            }
            Variables::Unknown => {}
        }
        let globals = self.stacks.globals_of(&self.raw).map_err(unreadable)?;
        let builtins = self.builtins(globals).map_err(unreadable)?;
        let inspector = self.inspector();
        let mut missing = String::new();
        for (dict, scope) in [(Some(globals), NameScope::Global), (builtins, NameScope::Builtin)] {
            let Some(dict) = dict else { continue };
            match inspector.dict_get(dict, name) {
                Ok(Some(object)) => return Ok(Named { object, scope }),
                Ok(None) => {}
                Err(error) => missing.push_str(&format!("; not all names could be read: {error}")),
            }
        }
        let near = near_names(name, &self.names());
        Err(AskError::NotThere(format!("the name {name} is not defined here{near}{missing}")))
    }

    /// All names that mean something, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let inspector = self.inspector();
        let mut names = self.stacks.names_of_variables(&self.raw).unwrap_or_default();
        if let Ok(globals) = self.stacks.globals_of(&self.raw) {
            names.extend(inspector.names_of_keys(globals).unwrap_or_default());
            let builtins = self.builtins(globals).ok().flatten();
            names.extend(builtins.and_then(|dict| inspector.names_of_keys(dict).ok()).unwrap_or_default());
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The dict of the builtins: `__builtins__` of the globals, a module or a dict, else the interpreter's.
    fn builtins(&self, globals: Address) -> Result<Option<Address>, Unreadable> {
        let inspector = self.inspector();
        if let Some(found) = inspector.dict_get(globals, "__builtins__")? {
            let class = inspector.type_of(found)?;
            if class.is_dict() {
                return Ok(Some(found));
            }
            if class.name == "module" {
                return Ok(Some(inspector.module_dict(found)?));
            }
        }
        Ok(Some(self.state.builtins).filter(|builtins| !builtins.is_null()))
    }
}
