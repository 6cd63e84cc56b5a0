//! The texts of elements as an array shows them: all of one dtype in one form (`_get_format_function`,
//! numpy/core/arrayprint.py).

use super::super::text::{repr_bytes, repr_text};
use super::super::values::{Decoded, Walk};
use super::dtype::{Dtype, FieldOf, Kind};
use super::float::{self, FloatFormat, Width};
use super::style::Style;
use super::time::NAT;
use crate::addr::Address;
use crate::report::Value;
use std::fmt::Write as _;

/// The most elements of arrays within elements.
const MAX_INNER: u64 = 1 << 16;

/// Elements that become text.
pub(super) struct Cells<'c, 'w, 'a> {
    pub(super) walk: &'c mut Walk<'w, 'a>,
    /// The array or the scalar that they are of.
    pub(super) owner: Address,
    pub(super) style: &'c Style,
    /// Whether floats look as they do by themselves: in structured scalars from 2.0 on.
    pub(super) bare_floats: bool,
    /// What is wrong with parts.
    pub(super) out: Decoded,
    /// The objects met, in order.
    pub(super) objects: Vec<Value>,
}

impl Cells<'_, '_, '_> {
    /// The texts of elements of one dtype, each the dtype's size long; `single` where they are no array but a scalar.
    /// Nothing for elements that are not decoded.
    pub(super) fn texts(&mut self, dtype: &Dtype, cells: &[&[u8]], single: bool) -> Option<Vec<String>> {
        match &dtype.kind {
            Kind::Bool => {
                let yes = if single { "True" } else { " True" };
                cells
                    .iter()
                    .map(|cell| Some(if *cell.first()? == 0 { "False" } else { yes }.to_owned()))
                    .collect()
            }
            Kind::Signed | Kind::Unsigned => {
                cells.iter().map(|cell| integer(dtype, cell)).collect::<Option<_>>().map(right_justified)
            }
            Kind::Float(width) => {
                let values =
                    cells.iter().map(|cell| number(dtype, *width, cell)).collect::<Option<Vec<_>>>()?;
                if self.bare_floats {
                    return Some(
                        values.iter().map(|&value| float::scalar(value, *width, self.style)).collect(),
                    );
                }
                let format = FloatFormat::new(&values, *width, self.style, false);
                Some(values.iter().map(|&value| format.format(value)).collect())
            }
            Kind::Complex(width) => self.complexes(dtype, *width, cells),
            Kind::Bytes => Some(cells.iter().map(|cell| self.bytes(cell)).collect()),
            Kind::Text => cells.iter().map(|cell| self.text(dtype, cell)).collect(),
            Kind::Object => cells.iter().map(|cell| self.object(cell)).collect(),
            Kind::DateTime(unit) => {
                let texts = cells.iter().map(|cell| match signed(dtype, cell)? {
                    NAT => Some("'NaT'".to_owned()),
                    value => Some(format!("'{}'", unit.iso(value)?)),
                });
                texts.collect::<Option<_>>().map(right_justified)
            }
            Kind::TimeDelta(_) => {
                let texts = cells.iter().map(|cell| match signed(dtype, cell)? {
                    NAT => Some("'NaT'".to_owned()),
                    value => Some(value.to_string()),
                });
                texts.collect::<Option<_>>().map(right_justified)
            }
            Kind::Void => Some(cells.iter().map(|cell| hexadecimal(cell)).collect()),
            Kind::Struct(fields) => self.structs(fields, cells, single),
            Kind::Array(base, shape) => self.arrays(base, shape, cells),
            Kind::Other => None,
        }
    }

    /// `ComplexFloatingFormat`: the real parts in one form, the imaginary parts in another.
    fn complexes(&mut self, dtype: &Dtype, width: Width, cells: &[&[u8]]) -> Option<Vec<String>> {
        let (mut reals, mut imaginaries) = (Vec::new(), Vec::new());
        for cell in cells {
            let (real, imaginary) = cell.split_at_checked(width.size())?;
            reals.push(number(dtype, width, real)?);
            imaginaries.push(number(dtype, width, imaginary)?);
        }
        let real_format = FloatFormat::new(&reals, width, self.style, false);
        let imaginary_format = FloatFormat::new(&imaginaries, width, self.style, true);
        let texts = reals.iter().zip(&imaginaries).map(|(&real, &imaginary)| {
            let text = imaginary_format.format(imaginary);
            let digits = text.trim_end();
            let padding = text.get(digits.len()..).unwrap_or_default();
            format!("{}{digits}j{padding}", real_format.format(real))
        });
        Some(texts.collect())
    }

    pub(super) fn bytes(&mut self, cell: &[u8]) -> String {
        let end = cell.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let limit = self.walk.limits.max_string;
        self.out.truncated |= end > limit;
        repr_bytes(cell.get(..end.min(limit)).unwrap_or_default(), false)
    }

    pub(super) fn text(&mut self, dtype: &Dtype, cell: &[u8]) -> Option<String> {
        let code = |unit: &[u8; 4]| {
            if dtype.swapped { u32::from_be_bytes(*unit) } else { u32::from_le_bytes(*unit) }
        };
        let mut text: Vec<u32> = cell.as_chunks::<4>().0.iter().map(code).collect();
        text.truncate(text.iter().rposition(|&code| code != 0).map_or(0, |last| last + 1));
        let limit = self.walk.limits.max_string;
        self.out.truncated |= text.len() > limit;
        text.truncate(limit);
        let valid = text.iter().all(|&code| code <= 0x10_ffff);
        valid.then(|| repr_text(&text, self.walk.inspector.printable()))
    }

    /// `_object_format`: the repr; lists are marked, so that they are not taken for a part of the array.
    fn object(&mut self, cell: &[u8]) -> Option<String> {
        let object = Address(u64::from_le_bytes(cell.try_into().ok()?));
        if object.is_null() {
            return Some("None".to_owned());
        }
        let value = self.walk.part(self.owner, object);
        self.out.absorb(&value);
        let text =
            if value.type_name == "list" { format!("list({})", value.repr) } else { value.repr.clone() };
        self.objects.push(value);
        Some(text)
    }

    /// `StructuredVoidFormat`.
    fn structs(&mut self, fields: &[FieldOf], cells: &[&[u8]], single: bool) -> Option<Vec<String>> {
        let mut rows = vec![Vec::new(); cells.len()];
        for field in fields {
            let from = usize::try_from(field.offset).ok()?;
            let to = from.checked_add(usize::try_from(field.dtype.size).ok()?)?;
            let column = cells.iter().map(|cell| cell.get(from..to)).collect::<Option<Vec<_>>>()?;
            for (row, text) in rows.iter_mut().zip(self.texts(&field.dtype, &column, single)?) {
                row.push(text);
            }
        }
        let texts = rows.into_iter().map(|row| match row.as_slice() {
            [only] => format!("({only},)"),
            _ => format!("({})", row.join(", ")),
        });
        Some(texts.collect())
    }

    /// `SubArrayFormat`.
    fn arrays(&mut self, base: &Dtype, shape: &[u64], cells: &[&[u8]]) -> Option<Vec<String>> {
        let count = shape.iter().try_fold(1u64, |count, &axis| count.checked_mul(axis))?;
        // numpy takes sequences among the objects for more axes.
        if base.kind == Kind::Object || count.checked_mul(cells.len() as u64)? > MAX_INNER {
            return None;
        }
        let size = usize::try_from(base.size).ok()?;
        let mut inner = Vec::new();
        for cell in cells {
            for index in 0..count as usize {
                let from = index.checked_mul(size)?;
                inner.push(cell.get(from..from.checked_add(size)?)?);
            }
        }
        let mut texts = self.texts(base, &inner, false)?.into_iter();
        let edge =
            (count > self.style.threshold && self.style.summarises_subarrays).then_some(self.style.edge);
        let shown = cells.iter().map(|_| {
            let of_cell: Vec<String> = texts.by_ref().take(count as usize).collect();
            nested(shape, &of_cell, edge)
        });
        Some(shown.collect())
    }
}

/// Texts in brackets on one line, of a long axis only the first and the last.
fn nested(shape: &[u64], texts: &[String], edge: Option<u64>) -> String {
    let Some((&length, inner)) = shape.split_first() else {
        return texts.first().cloned().unwrap_or_default();
    };
    let step = texts.len().checked_div(length as usize).unwrap_or(0);
    let edge = edge.filter(|edge| edge.saturating_mul(2) < length);
    let mut parts = Vec::new();
    for index in 0..length {
        match edge {
            Some(edge) if index == edge => parts.push("...".to_owned()),
            Some(edge) if index > edge && index < length - edge => {}
            _ => {
                let from = index as usize * step;
                parts.push(nested(inner, texts.get(from..from + step).unwrap_or_default(), edge));
            }
        }
    }
    format!("[{}]", parts.join(", "))
}

fn right_justified(texts: Vec<String>) -> Vec<String> {
    let width = texts.iter().map(String::len).max().unwrap_or(0);
    texts.into_iter().map(|text| format!("{text:>width$}")).collect()
}

/// The bytes of a number, the least significant first.
fn ordered(dtype: &Dtype, cell: &[u8]) -> Vec<u8> {
    let mut bytes = cell.to_vec();
    if dtype.swapped {
        bytes.reverse();
    }
    bytes
}

/// A float, or a part of a complex number.
pub(super) fn number(dtype: &Dtype, width: Width, cell: &[u8]) -> Option<f64> {
    width.read(&ordered(dtype, cell))
}

/// A signed integer or a time.
pub(super) fn signed(dtype: &Dtype, cell: &[u8]) -> Option<i64> {
    Some(match *ordered(dtype, cell) {
        [a] => i64::from(a as i8),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => return None,
    })
}

/// An integer in decimal.
pub(super) fn integer(dtype: &Dtype, cell: &[u8]) -> Option<String> {
    let value = signed(dtype, cell)?;
    if dtype.kind == Kind::Signed {
        return Some(value.to_string());
    }
    let unused = 64 - 8 * cell.len() as u32;
    Some((value as u64 & (u64::MAX >> unused)).to_string())
}

/// `str` of bytes without a meaning.
pub(super) fn hexadecimal(cell: &[u8]) -> String {
    let mut text = "b'".to_owned();
    for byte in cell {
        let _ = write!(text, "\\x{byte:02X}");
    }
    text + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_all_widths_are_read() {
        let of = |name: &str| Dtype::of_scalar(name).unwrap();
        assert_eq!(integer(&of("int8"), &[0xff]).unwrap(), "-1");
        assert_eq!(integer(&of("uint8"), &[0xff]).unwrap(), "255");
        assert_eq!(integer(&of("uint64"), &[0xff; 8]).unwrap(), u64::MAX.to_string());
        let mut swapped = of("int16");
        swapped.swapped = true;
        assert_eq!(integer(&swapped, &[1, 2]).unwrap(), "258");
        assert_eq!(integer(&of("int16"), &[1, 2, 3]), None);
    }

    #[test]
    fn arrays_within_elements_are_on_one_line() {
        let texts: Vec<String> = (0..6).map(|number| number.to_string()).collect();
        assert_eq!(nested(&[2, 3], &texts, None), "[[0, 1, 2], [3, 4, 5]]");
        assert_eq!(nested(&[6], &texts, Some(2)), "[0, 1, ..., 4, 5]");
        assert_eq!(nested(&[0], &[], None), "[]");
    }
}
