//! Reads fields of structs by the layout, and keeps what was learned on the way.

use super::numpy::Numpy;
use super::printable::Printable;
use super::static_names::StaticName;
use super::types::TypeInfo;
use crate::addr::Address;
use crate::layout::{Bits, Field, Layout};
use crate::memory::{Fault, Memory};
use crate::report::Gap;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Why something could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Bytes are missing.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The layout table has no such field.
    #[error("the layout has no {0}")]
    NoField(&'static str),
    /// Nothing tells where it lies.
    #[error("it is not known where {0} lies")]
    Unlocated(&'static str),
    /// The bytes are there and make no sense.
    #[error("{at}: {what}")]
    Nonsense {
        /// The virtual address of what made no sense.
        at: Address,
        /// What was expected and what was there instead.
        what: String,
    },
}

impl Unreadable {
    /// The virtual address that the failure is about, where there is one.
    pub fn at(&self) -> Option<Address> {
        match self {
            Unreadable::Fault(fault) => Some(fault.at),
            Unreadable::NoField(_) | Unreadable::Unlocated(_) => None,
            Unreadable::Nonsense { at, .. } => Some(*at),
        }
    }

    /// The failure as a gap of the report: `what` was wanted.
    pub fn gap(&self, what: impl Into<String>) -> Gap {
        let why = match self {
            Unreadable::Fault(fault) => fault.cause.to_string(),
            Unreadable::NoField(_) | Unreadable::Unlocated(_) => self.to_string(),
            Unreadable::Nonsense { what, .. } => what.clone(),
        };
        Gap { at: self.at(), what: what.into(), why }
    }
}

/// The most gaps that one report lists; what comes after is counted.
const MAX_GAPS: usize = 1000;

/// The most entries of containers that one report looks at.
const MAX_WORK: u64 = 1 << 27;

/// Objects in one process's memory, seen through one layout.
pub struct Inspector<'a> {
    /// The address space.
    pub memory: &'a dyn Memory,
    /// Where fields lie.
    pub layout: &'a Layout,
    pub(super) types: RefCell<HashMap<Address, Rc<TypeInfo>>>,
    pub(super) static_names: OnceCell<HashMap<Address, StaticName>>,
    pub(super) assumed: RefCell<HashMap<Address, &'static str>>,
    pub(super) printable: OnceCell<Printable>,
    pub(super) numpy: OnceCell<Numpy>,
    pub(super) values_left: Cell<usize>,
    pub(super) bytes_left: Cell<usize>,
    sys_modules: Cell<Address>,
    live_threads: RefCell<HashSet<u64>>,
    work_left: Cell<u64>,
    gaps: RefCell<Vec<Gap>>,
    seen_gaps: RefCell<HashSet<Gap>>,
    gaps_dropped: Cell<usize>,
}

impl<'a> Inspector<'a> {
    /// Starts with nothing learned.
    pub fn new(memory: &'a dyn Memory, layout: &'a Layout) -> Self {
        Inspector {
            memory,
            layout,
            types: RefCell::default(),
            static_names: OnceCell::new(),
            assumed: RefCell::default(),
            printable: OnceCell::new(),
            numpy: OnceCell::new(),
            values_left: Cell::new(super::values::MAX_VALUES),
            bytes_left: Cell::new(super::values::MAX_BYTES),
            sys_modules: Cell::default(),
            live_threads: RefCell::default(),
            work_left: Cell::new(MAX_WORK),
            gaps: RefCell::default(),
            seen_gaps: RefCell::default(),
            gaps_dropped: Cell::new(0),
        }
    }

    /// The same over another memory, with what was learned of types.
    pub(crate) fn over<'b>(&self, memory: &'b dyn Memory) -> Inspector<'b>
    where
        'a: 'b,
    {
        Inspector { types: self.types.clone(), ..Inspector::new(memory, self.layout) }
    }

    /// The dict `sys.modules`, for decoders that depend on a library's version; null where it is not known.
    pub fn sys_modules(&self) -> Address {
        self.sys_modules.get()
    }

    /// Says where `sys.modules` is.
    pub fn set_sys_modules(&self, dict: Address) {
        self.sys_modules.set(dict);
    }

    /// An address as `%p` of `PyUnicode_FromFormat` (Objects/unicodeobject.c) shows it, which asks the C library.
    pub(super) fn shown(&self, at: Address) -> String {
        if self.layout.pointers_have_all_digits() { format!("0x{:016X}", at.0) } else { at.to_string() }
    }

    /// Whether a thread state has this `thread_id`.
    pub(super) fn is_live_thread(&self, thread_id: u64) -> bool {
        self.live_threads.borrow().contains(&thread_id)
    }

    /// Says which threads live, by their `thread_id`.
    pub fn set_live_threads(&self, thread_ids: impl IntoIterator<Item = u64>) {
        self.live_threads.borrow_mut().extend(thread_ids);
    }

    /// Takes `units` from what one report may cost: entries of containers, whose tables a hostile dump makes huge, and
    /// whatever is met along lists that it makes long.
    pub(crate) fn spend(&self, at: Address, units: u64) -> Result<(), Unreadable> {
        let left = self.work_left.get().checked_sub(units).ok_or_else(|| Unreadable::Nonsense {
            at,
            what: format!("{units} more entries are beyond what one report may cost"),
        })?;
        self.work_left.set(left);
        Ok(())
    }

    /// Notes that something could not be read. The same gap twice is one gap.
    pub fn note_gap(&self, gap: Gap) {
        if self.seen_gaps.borrow().contains(&gap) {
            return;
        }
        if self.gaps.borrow().len() >= MAX_GAPS {
            self.gaps_dropped.set(self.gaps_dropped.get() + 1);
            return;
        }
        self.seen_gaps.borrow_mut().insert(gap.clone());
        self.gaps.borrow_mut().push(gap);
    }

    /// All gaps noted, in the order of reading, and how many more there were.
    pub fn take_gaps(&self) -> (Vec<Gap>, usize) {
        (self.gaps.take(), self.gaps_dropped.get())
    }

    /// The virtual address of a field of the struct at `base`.
    pub(crate) fn field_address(&self, base: Address, field: Field) -> Result<Address, Unreadable> {
        let place = field.place.ok_or(Unreadable::NoField(field.name))?;
        Ok(base.add(u64::from(place.offset)))
    }

    /// An unsigned integer field, or the bits of a bit-field.
    pub(crate) fn uint(&self, base: Address, field: Field) -> Result<u64, Unreadable> {
        let place = field.place.ok_or(Unreadable::NoField(field.name))?;
        let at = base.add(u64::from(place.offset));
        if let Some(bits) = place.bits {
            return self.bit_field(at, bits);
        }
        Ok(match place.size {
            1 => u64::from(self.memory.u8(at)?),
            2 => u64::from(self.memory.u16(at)?),
            4 => u64::from(self.memory.u32(at)?),
            8 => self.memory.u64(at)?,
            size => {
                return Err(Unreadable::Nonsense {
                    at,
                    what: format!("{field} is no integer: {size} bytes"),
                });
            }
        })
    }

    /// Bits of the storage unit at `unit`. No byte is read that has none of them: nobody may have written to it.
    fn bit_field(&self, unit: Address, bits: Bits) -> Result<u64, Unreadable> {
        let (shift, width) = (u32::from(bits.shift), u32::from(bits.width));
        let at = unit.add(u64::from(shift / 8));
        let mut word = [0; 8];
        let size = (shift % 8 + width).div_ceil(8) as usize;
        let bytes = word
            .get_mut(..size)
            .ok_or_else(|| Unreadable::Nonsense { at, what: format!("a bit-field of {width} bits") })?;
        self.memory.read(at, bytes)?;
        let mask = 1u64.checked_shl(width).unwrap_or(0).wrapping_sub(1);
        Ok(u64::from_le_bytes(word) >> (shift % 8) & mask)
    }

    /// A signed integer field.
    pub(crate) fn int(&self, base: Address, field: Field) -> Result<i64, Unreadable> {
        let value = self.uint(base, field)?;
        Ok(match field.place.map(|place| place.size) {
            Some(1) => i64::from(value as u8 as i8),
            Some(2) => i64::from(value as u16 as i16),
            Some(4) => i64::from(value as u32 as i32),
            _ => value as i64,
        })
    }

    /// A pointer field; null is a value like any other.
    pub(crate) fn pointer(&self, base: Address, field: Field) -> Result<Address, Unreadable> {
        Ok(self.memory.pointer(self.field_address(base, field)?)?)
    }

    /// A pointer field that must not be null.
    pub(crate) fn non_null(&self, base: Address, field: Field) -> Result<Address, Unreadable> {
        let target = self.pointer(base, field)?;
        if target.is_null() {
            return Err(Unreadable::Nonsense { at: base, what: format!("{field} is null") });
        }
        Ok(target)
    }

    /// `Py_TYPE(object)`.
    pub(crate) fn type_of(&self, object: Address) -> Result<Rc<TypeInfo>, Unreadable> {
        if object.is_null() {
            return Err(Unreadable::Nonsense {
                at: object,
                what: "a null pointer instead of an object".to_owned(),
            });
        }
        self.type_info(self.pointer(object, self.layout.structs.PyObject.ob_type)?)
    }

    /// `Py_TYPE(object)`, for who needs no name.
    pub(crate) fn shape_of(&self, object: Address) -> Result<Rc<TypeInfo>, Unreadable> {
        self.type_shape(self.non_null(object, self.layout.structs.PyObject.ob_type)?)
    }

    /// `Py_SIZE(object)`.
    pub(crate) fn ob_size(&self, object: Address) -> Result<i64, Unreadable> {
        self.int(object, self.layout.structs.PyVarObject.ob_size)
    }

    /// `Py_SIZE(object)` of a container: never negative.
    pub(crate) fn length(&self, object: Address) -> Result<u64, Unreadable> {
        let size = self.ob_size(object)?;
        u64::try_from(size)
            .map_err(|_| Unreadable::Nonsense { at: object, what: format!("a container of {size} items") })
    }

    /// The object that a frame's slot refers to; null where it refers to none. From 3.14 the slot is a `_PyStackRef`
    /// (Include/internal/pycore_stackref.h): the lowest bit only says who owns the reference; what has the next bit set
    /// is an int of the interpreter's own, or (3.15) a mark.
    pub(crate) fn stack_reference(&self, slot: Address) -> Result<Address, Unreadable> {
        let word = self.memory.pointer(slot)?;
        Ok(match (self.layout.has_tagged_references(), word.0 & 3) {
            (true, 1) => Address(word.0 & !3),
            (true, 2 | 3) => Address::NULL,
            _ => word,
        })
    }

    /// A pointer of an array of pointers.
    pub(crate) fn item(&self, array: Address, index: u64) -> Result<Address, Unreadable> {
        Ok(self.memory.pointer(array.element(index, 8))?)
    }
}
