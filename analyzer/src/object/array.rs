//! `array.array`: machine values in one block.

use super::numbers::{repr_complex, repr_float};
use super::numpy::half;
use super::text::{joined_surrogates, repr_byte_string, repr_text, repr_unicode};
use super::values::{CUT, Decoded, Walk};
use super::{TypeInfo, Unreadable};
use crate::addr::Address;

/// One machine value of a block, by its type code.
pub(super) fn machine_value(code: &str, bytes: &[u8]) -> Option<String> {
    if let Some(part) = code.strip_prefix('Z') {
        let (real, imaginary) = bytes.split_at_checked(bytes.len() / 2)?;
        return Some(repr_complex(machine_float(part, real)?, machine_float(part, imaginary)?));
    }
    if let Some(float) = machine_float(code, bytes) {
        return Some(repr_float(float));
    }
    let mut word = [0; 8];
    word.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let unsigned = u64::from_le_bytes(word);
    let unused = 64 - 8 * bytes.len() as u32;
    let signed = unsigned.checked_shl(unused).map_or(0, |high| (high as i64) >> unused);
    Some(match (code, bytes.len()) {
        ("b" | "h" | "i" | "l" | "q", 1 | 2 | 4 | 8) => signed.to_string(),
        ("B" | "H" | "I" | "L" | "Q", 1 | 2 | 4 | 8) => unsigned.to_string(),
        _ => return None,
    })
}

/// A floating-point number, by its type code.
fn machine_float(code: &str, bytes: &[u8]) -> Option<f64> {
    Some(match code {
        "e" => half(u16::from_le_bytes(bytes.try_into().ok()?)),
        "f" => f64::from(f32::from_le_bytes(bytes.try_into().ok()?)),
        "d" => f64::from_le_bytes(bytes.try_into().ok()?),
        _ => return None,
    })
}

impl Walk<'_, '_> {
    /// `array_repr`, Modules/arraymodule.c.
    pub(super) fn array(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let descr = inspector.non_null(object, layout.ArrayObject.ob_descr)?;
        let typecode = layout.ArrayDescr.typecode;
        let letters = typecode.place.ok_or(Unreadable::NoField(typecode.name))?.size as usize;
        let letters = inspector.memory.bytes(inspector.field_address(descr, typecode)?, letters)?;
        let code: String = letters.into_iter().take_while(|&byte| byte != 0).map(char::from).collect();
        let item_size = inspector.uint(descr, layout.ArrayDescr.itemsize)? as usize;
        let nonsense = || Unreadable::Nonsense {
            at: descr,
            what: format!("an array of {item_size}-byte items '{code}'"),
        };
        if !(1..=16).contains(&item_size) {
            return Err(nonsense());
        }
        let is_classic = inspector.layout.prints_like_python_2();
        let name = if is_classic { "array" } else { class.short_name() };
        let count = inspector.length(object)?;
        if count == 0 {
            return Ok(Decoded::exact(format!("{name}('{code}')")));
        }
        let text = matches!(code.as_str(), "u" | "w" | "c");
        let limit = if text { self.limits.max_string } else { self.limits.max_items } as u64;
        let shown = count.min(limit);
        let items = inspector.pointer(object, layout.ArrayObject.ob_item)?;
        let bytes = inspector.memory.bytes(items, shown as usize * item_size)?;
        let mut out = Decoded { truncated: shown < count, ..Decoded::default() };
        let body = if text {
            let units = bytes
                .chunks_exact(item_size)
                .map(|unit| unit.iter().rev().fold(0, |code, &byte| code << 8 | u32::from(byte)));
            let body = if code == "c" {
                repr_byte_string(&bytes)
            } else if is_classic && item_size == 2 {
                repr_unicode(&joined_surrogates(units))
            } else if item_size == 2 {
                repr_text(&joined_surrogates(units), inspector.printable())
            } else if is_classic {
                repr_unicode(&units.collect::<Vec<_>>())
            } else {
                repr_text(&units.collect::<Vec<_>>(), inspector.printable())
            };
            if out.truncated { format!("{body}{CUT}") } else { body }
        } else {
            let mut values = bytes
                .chunks_exact(item_size)
                .map(|item| machine_value(&code, item))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(nonsense)?;
            if is_classic && matches!(code.as_str(), "I" | "L") {
                values.iter_mut().for_each(|value| value.push('L'));
            }
            if out.truncated {
                values.push(CUT.to_owned());
            }
            format!("[{}]", values.join(", "))
        };
        out.repr = format!("{name}('{code}', {body})");
        Ok(out)
    }
}
