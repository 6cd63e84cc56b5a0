//! Frames: a thread's chain of them, and those of tracebacks.

use super::Stacks;
use super::state::ThreadState;
use crate::addr::Address;
use crate::layout::FrameModel;
use crate::object::Unreadable;
use std::collections::HashSet;

/// `FRAME_OWNED_BY_GENERATOR`, Include/internal/pycore_frame.h.
const OWNED_BY_GENERATOR: u64 = 1;
/// The first of the owners whose frames Python does not show: `FRAME_OWNED_BY_CSTACK` in 3.12 and 3.13,
/// `FRAME_OWNED_BY_INTERPRETER` from 3.14.
const OWNED_BY_INTERPRETER: u64 = 3;
/// `CO_GENERATOR`, Include/code.h.
const GENERATOR: u64 = 0x20;
/// What a frame costs, in entries of containers.
pub(super) const FRAME_COST: u64 = 64;
/// The most frames of one thread that are followed.
const MAX_FRAMES: usize = 200_000;

/// A frame before its names are read.
#[derive(Clone, Debug)]
pub struct RawFrame {
    /// The frame itself: a `PyFrameObject` up to 3.10, a `_PyInterpreterFrame` from 3.11.
    pub address: Address,
    /// The frame's code object.
    pub code: Address,
    /// The instruction being executed, in bytes from the first one; negative before it.
    pub last_instruction: i64,
    /// The line where it is known without the instruction.
    pub line: Option<u32>,
    /// Where the slots of the variables start.
    pub slots: Address,
    /// The mapping of local names of modules and classes, or null.
    pub names: Address,
    /// Whether it belongs to a generator or a coroutine.
    pub in_generator: bool,
    /// Whether the frame was entered from C; not known of frames in tracebacks.
    pub is_entry: Option<bool>,
}

/// A link of a thread's chain of frames.
struct Link {
    /// `None` for frames that Python does not show. One that cannot be read does not end the chain.
    frame: Result<Option<RawFrame>, Unreadable>,
    previous: Address,
}

impl Stacks<'_, '_> {
    /// A thread's frames, innermost first, and what ended the walk early.
    pub(crate) fn frames_of(&self, thread: Address) -> (Vec<RawFrame>, Option<Unreadable>) {
        match self.innermost(thread) {
            Ok(first) => self.frames_from(first, |at| at),
            Err(error) => (Vec::new(), Some(error)),
        }
    }

    /// A frame and those around it, innermost first, and what ended the walk early. `place_of` gives where the bytes are
    /// that belong to an address.
    pub(super) fn frames_from(
        &self,
        first: Address,
        place_of: impl Fn(Address) -> Address,
    ) -> (Vec<RawFrame>, Option<Unreadable>) {
        let mut frames: Vec<RawFrame> = Vec::new();
        let mut seen = HashSet::new();
        let mut at = first;
        while !at.is_null() {
            if frames.len() >= MAX_FRAMES || !seen.insert(at) {
                let what = if frames.len() >= MAX_FRAMES {
                    "more frames than are followed"
                } else {
                    "the frames form a circle"
                };
                return (frames, Some(Unreadable::Nonsense { at, what: what.to_owned() }));
            }
            match self.inspector.spend(at, FRAME_COST).and_then(|()| self.link(place_of(at))) {
                Ok(link) => {
                    match link.frame {
                        Ok(Some(frame)) => frames.push(frame),
                        // A shim between C and Python (from 3.12): the frame above it was entered from C.
                        Ok(None) => mark_entry(&mut frames),
                        Err(error) => self.inspector.note_gap(error.gap(format!("the frame at {at}"))),
                    }
                    at = link.previous;
                }
                Err(error) => return (frames, Some(error)),
            }
        }
        mark_entry(&mut frames);
        (frames, None)
    }

    /// The code object of a thread's innermost frame, to judge a layout by; `None` for a thread without frames.
    pub(crate) fn innermost_code(&self, thread: &ThreadState) -> Result<Option<Address>, Unreadable> {
        match self.innermost(thread.address)? {
            Address::NULL => Ok(None),
            at => Ok(self.link(at)?.frame?.map(|frame| frame.code)),
        }
    }

    fn innermost(&self, thread: Address) -> Result<Address, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        match inspector.layout.frame_model() {
            Some(FrameModel::FrameObject) => inspector.pointer(thread, layout.PyThreadState.frame),
            Some(FrameModel::CurrentFrame) => inspector.pointer(thread, layout.PyThreadState.current_frame),
            Some(FrameModel::CFrame) => {
                let cframe = inspector.non_null(thread, layout.PyThreadState.cframe)?;
                inspector.pointer(cframe, layout.PyCFrame.current_frame)
            }
            None => Err(Unreadable::NoField("PyThreadState.frame")),
        }
    }

    fn link(&self, at: Address) -> Result<Link, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        if inspector.layout.frame_model() == Some(FrameModel::FrameObject) {
            let previous = inspector.pointer(at, layout.PyFrameObject.f_back)?;
            let frame = self.frame_object(at);
            return Ok(Link {
                frame: frame.map(|frame| Some(RawFrame { is_entry: Some(true), ..frame })),
                previous,
            });
        }
        let layout = &layout.PyInterpreterFrame;
        let previous = inspector.pointer(at, layout.previous)?;
        Ok(Link { frame: self.shown_frame(at), previous })
    }

    /// A `_PyInterpreterFrame`, if Python shows it.
    fn shown_frame(&self, at: Address) -> Result<Option<RawFrame>, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyInterpreterFrame;
        let owner = inspector.uint(at, layout.owner)?;
        if owner >= OWNED_BY_INTERPRETER {
            return Ok(None);
        }
        let mut frame = self.interpreter_frame(at)?;
        if layout.is_entry.exists() {
            frame.is_entry = Some(inspector.uint(at, layout.is_entry)? != 0);
        }
        // `_PyFrame_IsIncomplete`: a frame that is still being set up, which Python does not show either.
        let incomplete =
            owner != OWNED_BY_GENERATOR && frame.last_instruction < self.code(frame.code)?.first_traceable;
        Ok((!incomplete).then_some(frame))
    }

    /// A `_PyInterpreterFrame`.
    pub(super) fn interpreter_frame(&self, at: Address) -> Result<RawFrame, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyInterpreterFrame;
        let code = if layout.f_executable.exists() { layout.f_executable } else { layout.f_code };
        let instruction = if layout.instr_ptr.exists() { layout.instr_ptr } else { layout.prev_instr };
        let code = inspector.stack_reference(inspector.field_address(at, code)?)?;
        let instruction = inspector.pointer(at, instruction)?;
        Ok(RawFrame {
            address: at,
            code,
            last_instruction: instruction.0.wrapping_sub(self.instructions(at, code)?.0) as i64,
            line: None,
            slots: inspector.field_address(at, layout.localsplus)?,
            names: inspector.pointer(at, layout.f_locals)?,
            in_generator: inspector.uint(at, layout.owner)? == OWNED_BY_GENERATOR,
            is_entry: None,
        })
    }

    /// Where the instructions start that a frame executes. Free-threaded builds have copies of them from 3.14 on, one for
    /// each thread (`_PyFrame_GetBytecode`, Include/internal/pycore_interpframe.h).
    fn instructions(&self, frame: Address, code: Address) -> Result<Address, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let own = self.code(code)?.instructions;
        if !layout.PyInterpreterFrame.tlbc_index.exists() {
            return Ok(own);
        }
        let index = inspector.int(frame, layout.PyInterpreterFrame.tlbc_index)?;
        let copies = inspector.non_null(code, layout.PyCodeObject.co_tlbc)?;
        let count = inspector.int(copies, layout.PyCodeArray.size)?;
        let index = u64::try_from(index).ok().filter(|_| index < count).ok_or_else(|| {
            Unreadable::Nonsense { at: frame, what: format!("copy {index} of {count} of the instructions") }
        })?;
        inspector.item(inspector.field_address(copies, layout.PyCodeArray.entries)?, index)
    }

    /// A `PyFrameObject`, as tracebacks hold them.
    pub(super) fn frame_object(&self, at: Address) -> Result<RawFrame, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyFrameObject;
        if layout.f_frame.exists() {
            return self.interpreter_frame(inspector.non_null(at, layout.f_frame)?);
        }
        Ok(RawFrame {
            address: at,
            code: inspector.non_null(at, layout.f_code)?,
            last_instruction: inspector.int(at, layout.f_lasti)? * inspector.layout.bytes_per_lasti(),
            line: None,
            slots: inspector.field_address(at, layout.f_localsplus)?,
            names: inspector.pointer(at, layout.f_locals)?,
            in_generator: if layout.f_gen.exists() {
                !inspector.pointer(at, layout.f_gen)?.is_null()
            } else {
                let flags = inspector.layout.structs.PyCodeObject.co_flags;
                inspector.uint(inspector.non_null(at, layout.f_code)?, flags)? & GENERATOR != 0
            },
            is_entry: None,
        })
    }
}

fn mark_entry(frames: &mut [RawFrame]) {
    if let Some(frame) = frames.last_mut()
        && frame.is_entry.is_none()
    {
        frame.is_entry = Some(true);
    }
}
