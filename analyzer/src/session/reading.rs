//! One runtime, read for one question.

use super::View;
use crate::object::{Inspector, Limits};
use crate::report::{Frame, Gap, Thread};
use crate::runtime::Runtime;
use crate::stack::{self, InterpreterState, RawFrame, Stacks, ThreadState};

/// A runtime with its interpreters and thread states.
pub(super) struct Reading<'v> {
    view: &'v View<'v>,
    pub(super) runtime: &'v Runtime,
    /// Its place among several.
    pub(super) index: Option<usize>,
    pub(super) inspector: Inspector<'v>,
    pub(super) states: Vec<InterpreterState>,
}

impl<'v> Reading<'v> {
    /// All runtimes of the process.
    pub(super) fn all(view: &'v View<'v>) -> Vec<Self> {
        let several = view.runtimes.len() > 1;
        let runtimes = view.runtimes.iter().enumerate();
        runtimes.map(|(index, runtime)| Reading::new(view, runtime, several.then_some(index))).collect()
    }

    fn new(view: &'v View<'v>, runtime: &'v Runtime, index: Option<usize>) -> Self {
        let inspector = Inspector::new(view.memory, &runtime.layout);
        let (states, problems) = stack::interpreter_states(&inspector, &runtime.roots);
        for problem in problems {
            inspector.note_gap(problem.gap("the list of interpreters and threads"));
        }
        let ids = states.iter().flat_map(|state| &state.threads).map(|thread| thread.thread_id);
        inspector.set_live_threads(ids);
        Stacks::new(&inspector, None).learn(&states);
        Reading { view, runtime, index, inspector, states }
    }

    /// A reader of frames; of their variables where there are limits for them.
    pub(super) fn stacks(&self, locals: Option<Limits>) -> Stacks<'_, 'v> {
        Stacks::new(&self.inspector, locals)
    }

    /// The threads whose native ids `are_wanted`.
    pub(super) fn threads(
        &self,
        stacks: &Stacks<'_, '_>,
        are_wanted: impl Fn(Option<u32>) -> bool,
    ) -> Vec<Thread> {
        let process = self.view.inferior.process();
        let mut threads =
            stack::python_threads_that(stacks, &self.states, &self.runtime.roots, process, are_wanted);
        threads.iter_mut().for_each(|thread| thread.runtime = self.index);
        threads
    }

    /// The thread states with the native ids of their threads, each with its interpreter.
    pub(super) fn thread_states(&self) -> Vec<(Option<u32>, &InterpreterState, &ThreadState)> {
        stack::thread_states(&self.inspector, &self.states, self.view.inferior.process())
    }

    /// The frames of a thread, innermost first, each with where it lies.
    pub(super) fn frames(&self, thread: &ThreadState) -> Vec<(RawFrame, Frame)> {
        stack::frames_with_places(&self.stacks(None), thread)
    }

    /// What could not be read.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        self.inspector.take_gaps().0
    }
}
