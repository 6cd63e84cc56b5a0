//! Exceptions with their chains and tracebacks; what a thread is raising and handling.

use super::Stacks;
use super::frame::{FRAME_COST, RawFrame};
use crate::addr::Address;
use crate::layout::{HandledModel, RaisedModel};
use crate::object::Unreadable;
use crate::report::{Exception, Frame, ThreadExceptions};
use std::collections::HashSet;

/// The deepest chain of causes, contexts and groups that is followed: reports are nested like the chains.
const MAX_DEPTH: usize = 50;
/// The most exceptions below one.
const MAX_RELATED: usize = 500;
/// A cause that is the context too is shown in both places up to this many exceptions below it.
const MAX_SHARED: usize = 32;
/// The most entries of one traceback.
const MAX_TRACEBACK: usize = 200_000;
/// The most exceptions that one thread handles at once.
const MAX_HANDLING: usize = 10_000;

/// An exception that a thread handles.
struct Handled {
    value: Address,
    /// Its traceback where it does not keep that itself, as in 2.7; else null.
    traceback: Address,
}

/// One exception being read with all that it leads to.
struct Chain {
    path: Vec<Address>,
    left: usize,
}

impl Stacks<'_, '_> {
    /// The exception object at `object`, with its chain. Never fails: what cannot be read is said in its note.
    pub(super) fn exception(&self, object: Address) -> Exception {
        self.chained(object, &mut Chain { path: Vec::new(), left: MAX_RELATED })
    }

    /// The exception object at `object`, whose traceback lies apart from it in 2.7.
    pub(super) fn exception_with(&self, object: Address, traceback: Address) -> Exception {
        let mut exception = self.exception(object);
        let keeps_its_own = self.inspector.layout.structs.PyBaseExceptionObject.traceback.exists();
        if !keeps_its_own && !traceback.is_null() {
            exception.traceback = self.traceback(traceback);
        }
        exception
    }

    fn chained(&self, object: Address, chain: &mut Chain) -> Exception {
        let mut exception = Exception::bare("?", object);
        let spent = self.inspector.spend(object, FRAME_COST);
        let fields = match spent.and_then(|()| self.inspector.exception_fields(object)) {
            Ok(fields) => fields,
            Err(error) => {
                self.inspector.note_gap(error.gap(format!("the exception at {object}")));
                exception.note = Some(error.to_string());
                return exception;
            }
        };
        exception.type_name = fields.type_name;
        match fields.message {
            Ok(message) => exception.message = Some(message),
            Err(why) => exception.note = Some(why),
        }
        let cut = if chain.path.contains(&object) {
            Some("shown further out")
        } else if chain.path.len() >= MAX_DEPTH || chain.left == 0 {
            Some("the chain goes on")
        } else {
            None
        };
        if let Some(cut) = cut {
            exception.note = Some(cut.to_owned());
            return exception;
        }
        chain.left -= 1;
        chain.path.push(object);
        exception.notes = fields.notes;
        exception.suppress_context = fields.suppress_context;
        exception.traceback = self.traceback(fields.traceback);
        exception.exceptions = fields.members.into_iter().map(|member| self.chained(member, chain)).collect();
        let before = chain.left;
        exception.cause = self.related(fields.cause, chain);
        let shared = fields.cause == fields.context && before - chain.left <= MAX_SHARED;
        exception.context =
            if shared { exception.cause.clone() } else { self.related(fields.context, chain) };
        chain.path.pop();
        exception
    }

    fn related(&self, object: Address, chain: &mut Chain) -> Option<Box<Exception>> {
        (!object.is_null()).then(|| Box::new(self.chained(object, chain)))
    }

    /// The frames of a `PyTracebackObject`, outermost first.
    fn traceback(&self, first: Address) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut seen = HashSet::new();
        let mut at = first;
        let mut walk = || -> Result<(), Unreadable> {
            while !at.is_null() && !self.inspector.is_none(at)? {
                if frames.len() >= MAX_TRACEBACK || !seen.insert(at) {
                    return Err(Unreadable::Nonsense { at, what: "the traceback does not end".to_owned() });
                }
                let (frame, next) = self.traceback_entry(at)?;
                frames.push(frame);
                at = next;
            }
            Ok(())
        };
        if let Err(error) = walk() {
            self.inspector.note_gap(error.gap(format!("the traceback at {first}")));
        }
        frames
    }

    fn traceback_entry(&self, at: Address) -> Result<(Frame, Address), Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyTracebackObject;
        inspector.spend(at, FRAME_COST)?;
        // `BaseException.__traceback__` and `tb_next` take nothing else.
        inspector.assume_type(at, "traceback")?;
        let class = inspector.type_of(at)?;
        if class.name != "traceback" {
            return Err(Unreadable::Nonsense {
                at,
                what: format!("a {} object instead of a traceback", class.name),
            });
        }
        let raw = self.frame_object(inspector.non_null(at, layout.tb_frame)?)?;
        // From 3.11 the line may be -1: not yet looked up, `tb_lineno_get` in Python/traceback.c does.
        let line = u32::try_from(inspector.int(at, layout.tb_lineno)?).ok().filter(|&line| line > 0);
        let last_instruction =
            inspector.int(at, layout.tb_lasti)? * inspector.layout.bytes_per_traceback_lasti();
        let frame = self.frame(&RawFrame { line, last_instruction, ..raw })?;
        Ok((frame, inspector.pointer(at, layout.tb_next)?))
    }

    /// What the thread state at `thread`, whose frames are `frames`, raises and handles.
    pub(super) fn exceptions_of(&self, thread: Address, frames: &[RawFrame]) -> ThreadExceptions {
        let mut exceptions = ThreadExceptions::default();
        match self.raised(thread) {
            Ok(raising) => exceptions.raising = raising,
            Err(error) => self.inspector.note_gap(error.gap("the exception in flight")),
        }
        let mut handled = Vec::new();
        let result = match self.inspector.layout.handled_model() {
            HandledModel::Stack => self.handled(thread, frames, &mut handled),
            HandledModel::ThreadState => self.handled_by_frames(thread, frames, &mut handled),
        };
        if let Err(error) = result {
            self.inspector.note_gap(error.gap("the exceptions being handled"));
        }
        exceptions.handling =
            handled.into_iter().map(|one| self.exception_with(one.value, one.traceback)).collect();
        exceptions
    }

    fn raised(&self, thread: Address) -> Result<Option<Exception>, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyThreadState;
        if inspector.layout.raised_model() == RaisedModel::Single {
            let value = inspector.pointer(thread, layout.current_exception)?;
            return Ok((!value.is_null()).then(|| self.exception(value)));
        }
        let class = inspector.pointer(thread, layout.curexc_type)?;
        if class.is_null() {
            return Ok(None);
        }
        let value = inspector.pointer(thread, layout.curexc_value)?;
        let mut exception = self.raised_from_parts(class, value)?;
        let traceback = inspector.pointer(thread, layout.curexc_traceback)?;
        if !traceback.is_null() {
            exception.traceback = self.traceback(traceback);
        }
        Ok(Some(exception))
    }

    /// An exception in flight that may not be an object yet: up to 3.11 a class and the argument for it
    /// (`PyErr_NormalizeException`).
    fn raised_from_parts(&self, class: Address, value: Address) -> Result<Exception, Unreadable> {
        let inspector = self.inspector;
        if !value.is_null() && inspector.is_exception_object(value)? {
            return Ok(self.exception(value));
        }
        let message = if value.is_null() || inspector.is_none(value)? {
            Ok(String::new())
        } else if inspector.is_str_object(value)? {
            inspector.string(value)
        } else {
            Err(Unreadable::Nonsense {
                at: value,
                what: "not yet made: the argument is no string".to_owned(),
            })
        };
        let address = if value.is_null() { class } else { value };
        Ok(Exception {
            note: message.as_ref().err().map(ToString::to_string),
            message: message.ok(),
            ..Exception::bare(inspector.name_of_class(class)?, address)
        })
    }

    /// All exceptions being handled, innermost first. The `exc_info` stack has one entry for the thread and one for
    /// each running generator; a handler inside another handler keeps the outer exception on its frame's stack.
    fn handled(
        &self,
        thread: Address,
        frames: &[RawFrame],
        out: &mut Vec<Handled>,
    ) -> Result<(), Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let mut frames = frames.iter();
        let mut at = inspector.pointer(thread, layout.PyThreadState.exc_info)?;
        let mut seen = HashSet::new();
        while !at.is_null() {
            if out.len() >= MAX_HANDLING || !seen.insert(at) {
                return Err(Unreadable::Nonsense {
                    at,
                    what: "the stack of handled exceptions does not end".to_owned(),
                });
            }
            self.add_handled(inspector.pointer(at, layout.PyErrStackItem.exc_value)?, Address::NULL, out)?;
            for frame in frames.by_ref() {
                for value in self.saved_exceptions(frame)? {
                    self.add_handled(value, Address::NULL, out)?;
                }
                if frame.in_generator {
                    break;
                }
            }
            at = inspector.pointer(at, layout.PyErrStackItem.previous_item)?;
        }
        Ok(())
    }

    /// All exceptions being handled up to 3.6, innermost first: that of the thread state, and what the frames saved when
    /// they began to handle another one. In 2.7 each frame does; in 3.x frames of generators only, which so keep what
    /// their callers handle (`save_exc_state`, Python/ceval.c), and handlers inside handlers save on their frame's stack.
    fn handled_by_frames(
        &self,
        thread: Address,
        frames: &[RawFrame],
        out: &mut Vec<Handled>,
    ) -> Result<(), Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        self.add_handled(
            inspector.pointer(thread, layout.PyThreadState.exc_value)?,
            inspector.pointer(thread, layout.PyThreadState.exc_traceback)?,
            out,
        )?;
        for frame in frames {
            let mut saved = self.saved_exceptions(frame)?;
            if frame.in_generator {
                // What the caller handled when the generator's handler began: it may be another caller now.
                saved.pop();
            }
            for value in saved {
                self.add_handled(value, Address::NULL, out)?;
            }
            self.add_handled(
                inspector.pointer(frame.address, layout.PyFrameObject.f_exc_value)?,
                inspector.pointer(frame.address, layout.PyFrameObject.f_exc_traceback)?,
                out,
            )?;
        }
        Ok(())
    }

    /// Adds what is an exception, and not the one that was added last.
    fn add_handled(
        &self,
        value: Address,
        traceback: Address,
        out: &mut Vec<Handled>,
    ) -> Result<(), Unreadable> {
        let is_new = out.last().is_none_or(|last| last.value != value);
        if is_new && !value.is_null() && self.inspector.is_exception_object(value)? {
            if out.len() >= MAX_HANDLING {
                let what = "more exceptions are handled than are followed".to_owned();
                return Err(Unreadable::Nonsense { at: value, what });
            }
            out.push(Handled { value, traceback });
        }
        Ok(())
    }
}
