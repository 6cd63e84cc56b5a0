//! Generators, coroutines and asynchronous generators: how far they came, and what they delegate to.

use super::Stacks;
use super::frame::{FRAME_COST, RawFrame};
use crate::addr::Address;
use crate::layout::{Field, FrameModel, FrameState};
use crate::object::{TypeInfo, Unreadable};
use crate::report::{GeneratorKind, GeneratorState};
use std::collections::HashSet;

/// `YIELD_FROM`, Include/opcode.h: the same number up to 3.10.
const YIELD_FROM: u8 = 72;
/// The least argument of the `RESUME` behind the `YIELD_VALUE` of a `yield from` or `await`: 3.11 and 3.12,
/// Python/bytecodes.c.
const RESUMES_DELEGATION: u8 = 2;
/// The most generators that are followed from one to the next.
const MAX_LINKS: usize = 200_000;
/// Wrappers around wrappers are followed this far.
const MAX_WRAPPERS: usize = 16;

/// A generator, coroutine or asynchronous generator.
#[derive(Clone, Debug)]
pub(super) struct Generator {
    pub(super) address: Address,
    pub(super) kind: GeneratorKind,
    pub(super) state: GeneratorState,
    /// Its frame; none once it ended.
    pub(super) frame: Option<RawFrame>,
    /// What it delegates to by `yield from` or `await`, or null.
    pub(super) delegate: Address,
}

/// Generators that wait for one another, outermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    pub(super) links: Vec<Generator>,
    /// What the last one awaits, which is no generator: a future, an iterator; or null.
    pub(super) end: Address,
}

/// Which generator an object of this type is.
pub(super) fn generator_kind(type_name: &str) -> Option<GeneratorKind> {
    match type_name {
        "generator" => Some(GeneratorKind::Generator),
        "coroutine" => Some(GeneratorKind::Coroutine),
        "async_generator" => Some(GeneratorKind::AsyncGenerator),
        _ => None,
    }
}

impl Stacks<'_, '_> {
    /// Reads a generator: `None` for an object that is none.
    pub(super) fn generator(&self, address: Address) -> Result<Option<Generator>, Unreadable> {
        let inspector = self.inspector;
        let Some(kind) = generator_kind(&inspector.type_of(address)?.name) else { return Ok(None) };
        inspector.spend(address, FRAME_COST)?;
        let (state, frame) = match inspector.layout.frame_model() {
            Some(FrameModel::FrameObject) => self.generator_with_frame_object(address)?,
            _ => self.generator_with_frame(address)?,
        };
        let (state, is_delegating) = match state {
            FrameState::Created => (GeneratorState::Created, false),
            FrameState::Suspended => {
                let delegates = match &frame {
                    Some(frame) => self.delegates(frame)?,
                    None => false,
                };
                (GeneratorState::Suspended, delegates)
            }
            FrameState::Delegating => (GeneratorState::Suspended, true),
            FrameState::Executing => (GeneratorState::Running, false),
            FrameState::Finished => (GeneratorState::Closed, false),
        };
        let delegate = match &frame {
            Some(frame) if is_delegating => self.delegate_of(frame)?,
            _ => Address::NULL,
        };
        Ok(Some(Generator { address, kind, state, frame, delegate }))
    }

    /// Up to 3.10 the frame is an object of its own.
    fn generator_with_frame_object(
        &self,
        address: Address,
    ) -> Result<(FrameState, Option<RawFrame>), Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let frame = inspector.pointer(address, layout.PyGenObject.gi_frame)?;
        if frame.is_null() {
            return Ok((FrameState::Finished, None));
        }
        let raw = self.frame_object(frame)?;
        let state = if layout.PyFrameObject.f_state.exists() {
            inspector.layout.frame_state(inspector.int(frame, layout.PyFrameObject.f_state)?)
        } else if inspector.uint(address, layout.PyGenObject.gi_running)? != 0 {
            FrameState::Executing
        } else if raw.last_instruction < 0 {
            FrameState::Created
        } else {
            FrameState::Suspended
        };
        Ok((state, (state != FrameState::Finished).then_some(raw)))
    }

    /// From 3.11 the frame lies in the generator.
    fn generator_with_frame(&self, address: Address) -> Result<(FrameState, Option<RawFrame>), Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyGenObject;
        let state = inspector.layout.frame_state(inspector.int(address, layout.gi_frame_state)?);
        if state == FrameState::Finished {
            return Ok((state, None));
        }
        let frame = self.interpreter_frame(inspector.field_address(address, layout.gi_iframe)?)?;
        Ok((state, Some(frame)))
    }

    /// Whether a suspended frame waits in a `yield from` or `await`: `_PyGen_yf`, Objects/genobject.c, before 3.13.
    fn delegates(&self, frame: &RawFrame) -> Result<bool, Unreadable> {
        let inspector = self.inspector;
        if inspector.layout.frame_model() != Some(FrameModel::FrameObject) {
            if inspector.layout.structs.PyInterpreterFrame.prev_instr.exists() {
                let next = self.code(frame.code)?.instructions.add(frame.last_instruction as u64).add(2);
                return Ok(inspector.memory.u8(next.add(1))? >= RESUMES_DELEGATION);
            }
            return Ok(false);
        }
        let layout = &inspector.layout.structs;
        let bytecode = inspector.non_null(frame.code, layout.PyCodeObject.co_code)?;
        let first = inspector.field_address(bytecode, layout.PyBytesObject.ob_sval)?;
        let next = first.add(frame.last_instruction as u64).add(2);
        Ok(inspector.memory.u8(next)? == YIELD_FROM)
    }

    /// What a suspended frame delegates to.
    fn delegate_of(&self, frame: &RawFrame) -> Result<Address, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let objects = &layout.PyFrameObject;
        let end = if layout.PyInterpreterFrame.stackpointer.exists() {
            inspector.non_null(frame.address, layout.PyInterpreterFrame.stackpointer)?
        } else if layout.PyInterpreterFrame.stacktop.exists() {
            let count = inspector.int(frame.address, layout.PyInterpreterFrame.stacktop)?;
            frame.slots.element(count as u64, 8)
        } else if objects.f_stackdepth.exists() {
            let count = inspector.int(frame.address, objects.f_stackdepth)?;
            inspector.pointer(frame.address, objects.f_valuestack)?.element(count as u64, 8)
        } else {
            inspector.non_null(frame.address, objects.f_stacktop)?
        };
        inspector.stack_reference(end.sub(8 * inspector.layout.delegate_depth()))
    }

    /// What an awaitable of the interpreter itself hands everything on to; the object itself where it is another.
    fn unwrapped(&self, object: Address) -> Result<Address, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let mut at = object;
        for _ in 0..MAX_WRAPPERS {
            let class = inspector.shape_of(at)?;
            let field = match class.name.as_str() {
                "coroutine_wrapper" => layout.PyCoroWrapper.cw_coroutine,
                "async_generator_asend" => layout.PyAsyncGenASend.ags_gen,
                "async_generator_athrow" => layout.PyAsyncGenAThrow.agt_gen,
                "anext_awaitable" => layout.AnextAwaitable.wrapped,
                "_asyncio.FutureIter" => layout.FutureIter.future,
                _ if class.nameless.is_some() => match self.wrapper_without_name(at, &class) {
                    Some(field) => field,
                    None => break,
                },
                _ => break,
            };
            match inspector.pointer(at, field)? {
                Address::NULL => break,
                inner => at = inner,
            }
        }
        Ok(at)
    }

    /// The field with what a wrapper hands on to, of one whose type's name is missing: no module has these types. It is
    /// known by its size and by the type of what it wraps.
    fn wrapper_without_name(&self, object: Address, class: &TypeInfo) -> Option<Field> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let (coroutine, asynchronous) = (GeneratorKind::Coroutine, GeneratorKind::AsyncGenerator);
        let candidates = [
            (layout.PyCoroWrapper.size_of, layout.PyCoroWrapper.cw_coroutine, Some(coroutine)),
            (layout.PyAsyncGenASend.size_of, layout.PyAsyncGenASend.ags_gen, Some(asynchronous)),
            (layout.PyAsyncGenAThrow.size_of, layout.PyAsyncGenAThrow.agt_gen, Some(asynchronous)),
            (layout.FutureIter.size_of, layout.FutureIter.future, None),
        ];
        let wraps = |field: Field, kind: Option<GeneratorKind>| -> Result<bool, Unreadable> {
            let inner = inspector.shape_of(inspector.non_null(object, field)?)?;
            match kind {
                Some(_) => Ok(generator_kind(&inner.name) == kind),
                None => Ok(inspector.future_class(&inner)?.is_some()),
            }
        };
        let found = candidates.into_iter().find(|&(size, field, kind)| {
            class.basic_size == i64::from(size) && wraps(field, kind).unwrap_or(false)
        });
        found.map(|(_, field, _)| field)
    }

    /// What a generator delegates to or awaits.
    pub(super) fn awaited(&self, generator: &Generator) -> Option<Address> {
        if generator.delegate.is_null() {
            return None;
        }
        Some(self.unwrapped(generator.delegate).unwrap_or(generator.delegate))
    }

    /// A generator and what it waits for, one after the other; what ended the walk early is a gap.
    pub(super) fn chain(&self, first: Address) -> Chain {
        let mut chain = Chain::default();
        let mut seen = HashSet::new();
        let mut at = first;
        let mut walk = || -> Result<(), Unreadable> {
            while !at.is_null() {
                at = self.unwrapped(at)?;
                let Some(generator) = self.generator(at)? else {
                    chain.end = at;
                    return Ok(());
                };
                if !seen.insert(at) || chain.links.len() >= MAX_LINKS {
                    let what = "the generators that await one another do not end".to_owned();
                    return Err(Unreadable::Nonsense { at, what });
                }
                at = generator.delegate;
                chain.links.push(generator);
            }
            Ok(())
        };
        if let Err(error) = walk() {
            self.inspector.note_gap(error.gap(format!("what the coroutine at {first} awaits")));
        }
        chain
    }
}
