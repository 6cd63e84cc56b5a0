//! `array.array`: machine values in one block.

use super::numbers::repr_float;
use super::text::repr_text;
use super::values::{CUT, Decoded, Walk};
use super::{TypeInfo, Unreadable};
use crate::addr::Address;

/// One machine value of a block.
pub(super) fn machine_value(code: char, bytes: &[u8]) -> Option<String> {
    let mut word = [0; 8];
    word.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let unsigned = u64::from_le_bytes(word);
    let unused = 64 - 8 * bytes.len() as u32;
    let signed = unsigned.checked_shl(unused).map_or(0, |high| (high as i64) >> unused);
    Some(match (code, bytes.len()) {
        ('f', 4) => repr_float(f64::from(f32::from_bits(unsigned as u32))),
        ('d', 8) => repr_float(f64::from_bits(unsigned)),
        ('b' | 'h' | 'i' | 'l' | 'q', 1 | 2 | 4 | 8) => signed.to_string(),
        ('B' | 'H' | 'I' | 'L' | 'Q', 1 | 2 | 4 | 8) => unsigned.to_string(),
        _ => return None,
    })
}

impl Walk<'_, '_> {
    /// `array_repr`, Modules/arraymodule.c.
    pub(super) fn array(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let descr = inspector.non_null(object, layout.ArrayObject.ob_descr)?;
        let code = char::from(inspector.uint(descr, layout.ArrayDescr.typecode)? as u8);
        let item_size = inspector.uint(descr, layout.ArrayDescr.itemsize)? as usize;
        let nonsense = || Unreadable::Nonsense {
            at: descr,
            what: format!("an array of {item_size}-byte items '{code}'"),
        };
        if !(1..=8).contains(&item_size) {
            return Err(nonsense());
        }
        let name = class.short_name();
        let count = inspector.length(object)?;
        if count == 0 {
            return Ok(Decoded::exact(format!("{name}('{code}')")));
        }
        let text = matches!(code, 'u' | 'w');
        let limit = if text { self.limits.max_string } else { self.limits.max_items } as u64;
        let shown = count.min(limit);
        let items = inspector.pointer(object, layout.ArrayObject.ob_item)?;
        let bytes = inspector.memory.bytes(items, shown as usize * item_size)?;
        let mut out = Decoded { truncated: shown < count, ..Decoded::default() };
        let body = if text {
            let code_points: Vec<u32> = bytes
                .chunks_exact(item_size)
                .map(|unit| unit.iter().rev().fold(0, |code, &byte| code << 8 | u32::from(byte)))
                .collect();
            let body = repr_text(&code_points, inspector.printable());
            if out.truncated { format!("{body}{CUT}") } else { body }
        } else {
            let mut values = bytes
                .chunks_exact(item_size)
                .map(|item| machine_value(code, item))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(nonsense)?;
            if out.truncated {
                values.push(CUT.to_owned());
            }
            format!("[{}]", values.join(", "))
        };
        out.repr = format!("{name}('{code}', {body})");
        Ok(out)
    }
}
