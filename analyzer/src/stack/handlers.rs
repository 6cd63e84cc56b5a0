//! The exceptions that a frame was handling when it began to handle another one: they wait on its value stack.

use super::Stacks;
use super::frame::RawFrame;
use crate::addr::Address;
use crate::layout::FrameModel;
use crate::object::{Inspector, Unreadable};

/// The block type of a handler in progress, Include/opcode.h up to 3.10.
const EXCEPT_HANDLER: i64 = 257;
/// `CO_MAXBLOCKS`.
const MAX_BLOCKS: i64 = 20;
/// The longest exception table that is read, in bytes.
const MAX_TABLE: usize = 1 << 20;

/// An entry of `co_exceptiontable`, Objects/exception_handling_notes.txt; in code units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    start: u64,
    end: u64,
    target: u64,
    /// How many items of the value stack are kept.
    depth: u64,
    /// Whether the instruction is pushed before the exception.
    lasti: bool,
}

impl Stacks<'_, '_> {
    /// Exceptions saved by the handlers in progress of one frame, innermost first; what is no exception is for the
    /// caller to leave out.
    pub(super) fn saved_exceptions(&self, frame: &RawFrame) -> Result<Vec<Address>, Unreadable> {
        match self.inspector.layout.frame_model() {
            Some(FrameModel::FrameObject) => saved_by_blocks(self.inspector, frame.address),
            _ => self.saved_by_table(frame),
        }
    }

    /// From 3.11: which handlers are in progress follows from the exception table. A handler begins with
    /// `PUSH_EXC_INFO`, which saves the exception handled so far, and is covered up to its end by an entry that keeps
    /// just that much of the stack.
    fn saved_by_table(&self, frame: &RawFrame) -> Result<Vec<Address>, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyCodeObject;
        let Some(push_exc_info) = inspector.layout.push_exc_info else { return Ok(Vec::new()) };
        let table = inspector.non_null(frame.code, layout.co_exceptiontable)?;
        let entries = parse(&inspector.bytes_content(table, MAX_TABLE)?.0);
        if entries.is_empty() || frame.last_instruction < 0 {
            return Ok(Vec::new());
        }
        let instructions = inspector.field_address(frame.code, layout.co_code_adaptive)?;
        let begins_handler = |unit: u64| -> Result<bool, Unreadable> {
            Ok(inspector.memory.u8(instructions.element(unit, 2))? == push_exc_info)
        };
        let mut saving_places = Vec::new();
        for entry in &entries {
            if begins_handler(entry.target)? {
                saving_places.push(entry.depth + u64::from(entry.lasti));
            }
        }
        let stack = frame.slots.element(inspector.uint(frame.code, layout.co_nlocalsplus)?, 8);
        let stack_size = inspector.uint(frame.code, layout.co_stacksize)?;
        let mut saved = Vec::new();
        let mut places = Vec::new();
        let mut unit = frame.last_instruction as u64 / 2;
        // Each step leads one handler further out; a table that leads in circles ends with its length.
        for _ in 0..=2 * entries.len() {
            let Some(entry) = covering(&entries, unit) else { break };
            unit = entry.target;
            if begins_handler(entry.target)? {
                // Not in this handler but in what it guards: the next entry is of the handler itself.
                match covering(&entries, entry.target) {
                    Some(own) => unit = own.target,
                    None => break,
                }
                continue;
            }
            let place = entry.depth.checked_sub(1).filter(|place| saving_places.contains(place));
            if let Some(place) = place.filter(|&place| place < stack_size && !places.contains(&place)) {
                places.push(place);
                saved.push(inspector.stack_reference(stack.element(place, 8))?);
            }
        }
        Ok(saved)
    }
}

/// Up to 3.10: a handler in progress is a block; the saved traceback, value and type lie from its level on.
fn saved_by_blocks(inspector: &Inspector<'_>, frame: Address) -> Result<Vec<Address>, Unreadable> {
    let layout = &inspector.layout.structs;
    let blocks = inspector.field_address(frame, layout.PyFrameObject.f_blockstack)?;
    let stack = inspector.pointer(frame, layout.PyFrameObject.f_valuestack)?;
    let count = inspector.int(frame, layout.PyFrameObject.f_iblock)?.clamp(0, MAX_BLOCKS) as u64;
    let mut saved = Vec::new();
    for index in (0..count).rev() {
        let block = blocks.element(index, u64::from(layout.PyTryBlock.size_of));
        if inspector.int(block, layout.PyTryBlock.b_type)? == EXCEPT_HANDLER {
            let level = inspector.uint(block, layout.PyTryBlock.b_level)?;
            saved.push(inspector.item(stack, level + 1)?);
        }
    }
    Ok(saved)
}

fn covering(entries: &[Entry], unit: u64) -> Option<Entry> {
    entries.iter().find(|entry| entry.start <= unit && unit < entry.end).copied()
}

/// Four numbers an entry: start, length, target, and depth with the lasti flag; six bits a byte, the most significant
/// first, bit 6 set where more follow.
fn parse(table: &[u8]) -> Vec<Entry> {
    let mut numbers = Vec::new();
    let mut number = 0u64;
    for &byte in table {
        number = (number << 6) | u64::from(byte & 0x3f);
        if byte & 0x40 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    numbers
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&[start, length, target, depth]| Entry {
            start,
            end: start.saturating_add(length),
            target,
            depth: depth >> 1,
            lasti: depth & 1 == 1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_hold_numbers_of_six_bit_digits() {
        let table = [0x80 | 4, 0x40 | 1, 2, 10, 3, 0x80 | 5, 1, 9, 2];
        let expected = [
            Entry { start: 4, end: 4 + 66, target: 10, depth: 1, lasti: true },
            Entry { start: 5, end: 6, target: 9, depth: 1, lasti: false },
        ];
        assert_eq!(parse(&table), expected);
        assert_eq!(parse(&table[..7]), expected[..1], "a cut table loses its last entry");
    }
}
