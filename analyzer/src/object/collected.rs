//! The objects that the cyclic collector tracks: lists through the headers in front of the objects (Modules/gcmodule.c,
//! Python/gc.c).

use super::{Inspector, Unreadable};
use crate::addr::Address;
use crate::layout::Field;

/// Flags in the lowest bits of `_gc_next` (`NEXT_MASK_UNREACHABLE`, `_PyGC_NEXT_MASK_OLD_SPACE_1`).
const FLAGS: u64 = 3;
/// The size of a pointer of the target, in bytes: `_gc_prev` lies that far behind `_gc_next`.
const WORD: u64 = 8;
/// Later releases of 3.13 (3.13.18 does, 3.13.0 does not) align `PyGC_Head` to 4 bytes only, and so have no padding before
/// the generations; nothing that they say of themselves tells.
const UNPADDED: u64 = 4;
/// The longest header with the part of an object up to its type, in bytes.
const MAX_HEAD: usize = 128;
/// The most objects of one report that are looked at; at some 50 ns each.
pub(crate) const MAX_TRACKED: u64 = 1 << 26;

impl Inspector<'_> {
    /// The heads of the lists of an interpreter's collector: the runtime's up to 3.8, which all interpreters share.
    ///
    /// # Errors
    /// The layout has no such lists. Those of free-threaded builds, which use none, are empty.
    pub(crate) fn collector_lists(
        &self,
        runtime: Option<Address>,
        interpreter: Address,
    ) -> Result<Vec<Address>, Unreadable> {
        let layout = &self.layout.structs;
        let (shared, own) = (&layout.PyRuntimeState, &layout.PyInterpreterState);
        let arrays = [
            (runtime, shared.gc_generations),
            (runtime, shared.gc_permanent_generation),
            (Some(interpreter), own.gc_young),
            (Some(interpreter), own.gc_generations),
            (Some(interpreter), own.gc_old),
            (Some(interpreter), own.gc_permanent_generation),
        ];
        let mut heads = Vec::new();
        for (base, field) in arrays {
            let Some(place) = field.place else { continue };
            let base = base.ok_or(Unreadable::Unlocated("_PyRuntime"))?;
            let mut first = self.field_address(base, field)?;
            let earlier = first.sub(UNPADDED);
            if !self.is_head(first) && self.is_head(earlier) {
                first = earlier;
            }
            let stride = layout.GcGeneration.size_of;
            let count = place.size.checked_div(stride).unwrap_or(0);
            for index in 0..u64::from(count) {
                let generation = first.element(index, u64::from(stride));
                heads.push(self.field_address(generation, layout.GcGeneration.head)?);
            }
        }
        if heads.is_empty() {
            return Err(Unreadable::NoField(own.gc_generations.name));
        }
        Ok(heads)
    }

    /// Whether the first link of a list leads back to this head.
    fn is_head(&self, head: Address) -> bool {
        let next = self.pointer(head, self.layout.structs.PyGcHead.gc_next);
        let back = next.and_then(|next| Ok(self.memory.pointer(Address(next.0 & !FLAGS).add(WORD))?));
        back.is_ok_and(|back| back.0 & !FLAGS == head.0)
    }

    /// Follows one list of the collector and gives `visit` each object with its type, at most `left` of them, which is
    /// lowered by what was seen.
    ///
    /// # Errors
    /// Missing bytes, a list that does not lead back to its head, or `left` is used up. What was met before was visited.
    pub(crate) fn tracked_objects(
        &self,
        head: Address,
        left: &mut u64,
        visit: &mut dyn FnMut(Address, Address),
    ) -> Result<(), Unreadable> {
        let layout = &self.layout.structs;
        let offset = |field: Field| field.place.map(|place| place.offset as usize);
        let header = layout.PyGcHead.size_of as usize;
        let (Some(next_at), Some(type_at)) =
            (offset(layout.PyGcHead.gc_next), offset(layout.PyObject.ob_type))
        else {
            return Err(Unreadable::NoField(layout.PyGcHead.gc_next.name));
        };
        let type_at = header + type_at;
        let mut buffer = [0u8; MAX_HEAD];
        let bytes = buffer.get_mut(..type_at + 8).ok_or(Unreadable::NoField(layout.PyGcHead.gc_next.name))?;
        let word = |bytes: &[u8], at: usize| -> Address {
            let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
            Address(word.map_or(0, |word| u64::from_le_bytes(*word)))
        };
        let unflagged = |next: Address| Address(next.0 & !FLAGS);
        let mut at = unflagged(self.pointer(head, layout.PyGcHead.gc_next)?);
        // Brent's algorithm: a circle that does not lead through the head meets the mark again.
        let (mut mark, mut steps, mut until_moved) = (head, 0u64, 64u64);
        while at != head {
            *left = left.checked_sub(1).ok_or_else(|| Unreadable::Nonsense {
                at,
                what: format!("more than {MAX_TRACKED} objects are not looked at"),
            })?;
            if at == mark || at.is_null() {
                let what = "the collector's list does not lead back to its head".to_owned();
                return Err(Unreadable::Nonsense { at, what });
            }
            steps += 1;
            if steps == until_moved {
                (mark, steps, until_moved) = (at, 0, until_moved * 2);
            }
            self.memory.read(at, bytes)?;
            visit(at.add(header as u64), word(bytes, type_at));
            at = unflagged(word(bytes, next_at));
        }
        Ok(())
    }
}
