//! `numpy.ndarray`: where its elements lie, and its repr (`_array_repr_implementation`, numpy/core/arrayprint.py).

use super::super::values::{CUT, Decoded, Walk, attribute, item};
use super::super::{Inspector, TypeInfo, Unreadable};
use super::cells::Cells;
use super::dtype::{Dtype, Kind};
use super::lines::Lines;
use super::names::shape_text;
use super::scalar::MAX_ELEMENT;
use super::style::Style;
use crate::addr::Address;
use crate::report::Value;
use std::iter::Peekable;

/// `NPY_MAXDIMS` of numpy 2.
const MAX_AXES: u64 = 64;
/// The most bytes of one array's elements that are read.
const MAX_BYTES: u64 = 1 << 24;

/// What a subclass may define so that its elements are not those of the array.
const CHANGES_ELEMENTS: [&str; 5] = ["__getitem__", "__array__", "shape", "dtype", "size"];
/// Subclasses that define such and are printed as arrays all the same.
const PLAIN_SUBCLASSES: [&str; 2] = ["numpy.matrix", "numpy.memmap"];

/// An array, read.
struct Array {
    data: Address,
    shape: Vec<u64>,
    /// From an element to the next of each axis, in bytes.
    strides: Vec<u64>,
    size: u64,
    descr: Address,
    dtype: Dtype,
}

impl Inspector<'_> {
    fn numpy_array(&self, object: Address) -> Result<Array, Unreadable> {
        let layout = &self.numpy().table()?.structs.PyArrayObject;
        let nonsense = |what: String| Unreadable::Nonsense { at: object, what };
        let axes = self.uint(object, layout.nd)?;
        if axes > MAX_AXES {
            return Err(nonsense(format!("an array of {axes} axes")));
        }
        let words = |field| -> Result<Vec<u64>, Unreadable> {
            if axes == 0 {
                return Ok(Vec::new());
            }
            let bytes = self.memory.bytes(self.non_null(object, field)?, 8 * axes as usize)?;
            Ok(bytes.as_chunks::<8>().0.iter().map(|&word| u64::from_le_bytes(word)).collect())
        };
        let shape = words(layout.dimensions)?;
        let size = if shape.contains(&0) {
            Some(0)
        } else {
            shape.iter().try_fold(1u64, |size, &axis| size.checked_mul(axis))
        };
        let fits = |size: &u64| i64::try_from(*size).is_ok() && shape.iter().all(|&axis| axis >> 63 == 0);
        let size = size.filter(fits).ok_or_else(|| nonsense(format!("an array of shape {shape:?}")))?;
        let descr = self.non_null(object, layout.descr)?;
        Ok(Array {
            data: self.pointer(object, layout.data)?,
            strides: words(layout.strides)?,
            size,
            descr,
            dtype: self.dtype(descr)?,
            shape,
        })
    }

    /// Whether elements of an instance may be others than those of the array.
    fn changes_elements(&self, class: &TypeInfo) -> Result<bool, Unreadable> {
        for &base in &class.mro {
            let base = self.type_info(base)?;
            if base.name == "numpy.ndarray" || PLAIN_SUBCLASSES.contains(&base.name.as_str()) {
                return Ok(false);
            }
            for name in CHANGES_ELEMENTS {
                if !base.dict.is_null() && self.dict_get(base.dict, name)?.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl Array {
    /// The indices that numpy shows: of a long axis of a large array only the first and the last.
    fn shown_indices(&self, style: &Style) -> Vec<Vec<u64>> {
        let shorten = self.size > style.threshold;
        let of_axis = |&length: &u64| {
            if shorten && style.edge.saturating_mul(2) < length {
                (0..style.edge).chain(length - style.edge..length).collect()
            } else {
                (0..length).collect()
            }
        };
        self.shape.iter().map(of_axis).collect()
    }

    /// How many elements numpy shows.
    fn shown_count(&self, style: &Style) -> u64 {
        let shorten = self.size > style.threshold;
        let of_axis = |&length: &u64| if shorten { length.min(style.edge.saturating_mul(2)) } else { length };
        self.shape.iter().map(of_axis).fold(1, u64::saturating_mul)
    }

    fn element(&self, index: &[u64]) -> Address {
        index.iter().zip(&self.strides).fold(self.data, |at, (&index, &stride)| at.element(index, stride))
    }
}

/// All combinations of indices of the axes, the last axis changing fastest; at most `limit`.
fn combinations(axes: &[Vec<u64>], limit: usize) -> Vec<Vec<u64>> {
    let mut found = vec![Vec::new()];
    for axis in axes {
        let longer = found.iter().flat_map(|start: &Vec<u64>| {
            axis.iter().map(move |&index| start.iter().copied().chain([index]).collect())
        });
        found = longer.take(limit).collect();
    }
    found
}

/// The first `limit` indices of an array in C order.
fn first_indices(shape: &[u64], size: u64, limit: usize) -> Vec<Vec<u64>> {
    let count = size.min(limit as u64);
    let of_number = |mut number: u64| {
        let mut index: Vec<u64> = shape
            .iter()
            .rev()
            .map(|&axis| {
                let place = number % axis.max(1);
                number /= axis.max(1);
                place
            })
            .collect();
        index.reverse();
        index
    };
    (0..count).map(of_number).collect()
}

impl Walk<'_, '_> {
    /// `array_repr`, numpy/core/src/multiarray/strfuncs.c.
    pub(in crate::object) fn numpy_array(
        &mut self,
        object: Address,
        class: &TypeInfo,
    ) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let array = inspector.numpy_array(object)?;
        let style = match &inspector.numpy().style {
            Ok(Style { unknown_options: Some(why), .. }) | Err(why) => {
                return self.plain_array(object, &array, why.clone());
            }
            Ok(style) => style,
        };
        if !array.dtype.is_known() {
            return self.plain_array(object, &array, format!("{} is not decoded", array.dtype.scalar_name()));
        }
        if inspector.changes_elements(class)? {
            return self.plain_array(object, &array, format!("{} may show other elements", class.name));
        }
        let count = array.shown_count(style);
        let is_object = array.dtype.kind == Kind::Object;
        let bytes = count.checked_mul(array.dtype.size).filter(|&bytes| bytes <= MAX_BYTES);
        if count > self.limits.max_items as u64 || bytes.is_none() || (is_object && self.at_limit()) {
            return self.plain_array(object, &array, format!("its form is that of {count} elements"));
        }
        let prefix = if class.name == "numpy.ndarray" { "array" } else { class.short_name() };
        if is_object && self.is_inside(object) {
            return Ok(Decoded::exact(array_repr(inspector, &array, style, prefix, CYCLE)));
        }
        let indices = if array.size == 0 {
            Vec::new()
        } else {
            combinations(&array.shown_indices(style), count as usize)
        };
        let contents = self.contents(&array, &indices)?;
        let slices: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
        let mut cells = Cells {
            walk: self,
            owner: object,
            style,
            bare_floats: false,
            out: Decoded::default(),
            objects: Vec::new(),
        };
        let Some(words) = cells.texts(&array.dtype, &slices, array.shape.is_empty()) else {
            return self.plain_array(object, &array, "an element is not decoded".to_owned());
        };
        let (mut out, objects) = (cells.out, cells.objects);
        let edge = (array.size > style.threshold).then_some(style.edge);
        let lines = Lines { words: words.into_iter(), shape: &array.shape, edge, boxes: style.boxes };
        let body = if array.size == 0 {
            "[]".to_owned()
        } else {
            lines.text(prefix.len() + 1, style.line_width.saturating_sub(1))
        };
        out.repr = array_repr(inspector, &array, style, prefix, &body);
        self.array_children(object, &array, &indices, &contents, objects, &mut out);
        Ok(out)
    }

    fn contents(&self, array: &Array, indices: &[Vec<u64>]) -> Result<Vec<Vec<u8>>, Unreadable> {
        self.inspector.spend(array.data, indices.len() as u64)?;
        let size = array.dtype.size as usize;
        indices.iter().map(|index| Ok(self.inspector.memory.bytes(array.element(index), size)?)).collect()
    }

    /// Shape, dtype and the first elements of an array whose repr is not known.
    fn plain_array(&mut self, object: Address, array: &Array, note: String) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let style = inspector.numpy().style.clone().unwrap_or_default();
        let is_hidden = array.dtype.kind == Kind::Object && (self.at_limit() || self.is_inside(object));
        let limit = match array.dtype.size {
            size if size > MAX_ELEMENT || !array.dtype.is_known() || is_hidden => 0,
            size => self.limits.max_items.min((MAX_BYTES / size.max(1)) as usize),
        };
        let indices = first_indices(&array.shape, array.size, limit);
        let contents = self.contents(array, &indices)?;
        let mut cells = Cells {
            walk: self,
            owner: object,
            style: &style,
            bare_floats: true,
            out: Decoded::default(),
            objects: Vec::new(),
        };
        let words: Vec<String> = contents
            .iter()
            .map(|cell| cells.texts(&array.dtype, &[cell], true).and_then(|mut texts| texts.pop()))
            .map(|text| text.unwrap_or_else(|| CUT.to_owned()))
            .collect();
        let (mut out, objects) = (cells.out, cells.objects);
        out.truncated |= (words.len() as u64) < array.size;
        let mut words = words.into_iter().peekable();
        let body = if array.size == 0 { "[]".to_owned() } else { brackets(&array.shape, &mut words) };
        out.repr = format!(
            "<numpy.ndarray shape={} dtype={} {body}>",
            shape_text(&array.shape),
            array.dtype.text(inspector, &style)
        );
        out.note = Some(format!("not as numpy prints it: {note}"));
        self.array_children(object, array, &indices, &contents, objects, &mut out);
        Ok(out)
    }

    fn array_children(
        &mut self,
        object: Address,
        array: &Array,
        indices: &[Vec<u64>],
        contents: &[Vec<u8>],
        objects: Vec<Value>,
        out: &mut Decoded,
    ) {
        if self.lists_no_children() {
            return;
        }
        let dtype = self.part(object, array.descr);
        out.children.push(attribute("dtype", dtype));
        let name = |index: &[u64]| match index {
            [only] => only.to_string(),
            _ => shape_text(index),
        };
        if let Some(shape) = self.made("tuple".to_owned(), Decoded::exact(shape_text(&array.shape))) {
            out.children.push(attribute("shape", shape));
        }
        if array.dtype.kind == Kind::Object {
            let shown = indices.iter().zip(objects);
            out.children.extend(shown.map(|(index, value)| item(name(index), value)));
            return;
        }
        let style = self.inspector.numpy().style.clone().unwrap_or_default();
        for (index, cell) in indices.iter().zip(contents) {
            let Some(decoded) = self.scalar_repr(object, &array.dtype, cell, &style) else { continue };
            let Some(value) = self.made(array.dtype.scalar_name(), decoded) else { break };
            out.children.push(item(name(index), value));
        }
    }

    /// A value that is no object of the process; nothing where the report already holds too many.
    fn made(&self, type_name: String, decoded: Decoded) -> Option<Value> {
        let left = self.inspector.values_left.get().checked_sub(1)?;
        self.inspector.values_left.set(left);
        Some(Value {
            type_name,
            repr: decoded.repr,
            address: None,
            truncated: decoded.truncated,
            redacted: false,
            note: decoded.note,
            children: decoded.children,
        })
    }
}

/// What stands for an array within itself.
const CYCLE: &str = "...";

/// Nested lists on one line, which end where the words end.
fn brackets(shape: &[u64], words: &mut Peekable<impl Iterator<Item = String>>) -> String {
    let Some((&length, inner)) = shape.split_first() else {
        return words.next().unwrap_or_else(|| CUT.to_owned());
    };
    let mut parts = Vec::new();
    for _ in 0..length {
        if words.peek().is_none() {
            parts.push(CUT.to_owned());
            break;
        }
        parts.push(brackets(inner, words));
    }
    format!("[{}]", parts.join(", "))
}

/// The elements between the class's name and what they do not tell: shape and dtype.
fn array_repr(inspector: &Inspector<'_>, array: &Array, style: &Style, class: &str, body: &str) -> String {
    let start = format!("{class}({body}");
    let is_empty = array.size == 0;
    let shape = format!("shape={}", shape_text(&array.shape));
    let tells_shape = (is_empty && array.shape != [0])
        || (style.shape_of_summary && !is_empty && array.size > style.threshold);
    let dtype = format!("dtype={}", array.dtype.short_repr(inspector, style));
    let tells_dtype = is_empty || !array.dtype.is_implied(style);
    let (start, extras) = match (tells_shape, tells_dtype) {
        (false, false) => return start + ")",
        (true, true) if style.shape_of_summary => (start + ",", format!("{shape}, {dtype})")),
        (true, true) => (format!("{start}, {shape},"), format!("{dtype})")),
        (true, false) => (start + ",", format!("{shape})")),
        (false, true) => (start + ",", format!("{dtype})")),
    };
    let last_line = start.rsplit('\n').next().unwrap_or_default().chars().count();
    if last_line + extras.chars().count() + 1 > style.line_width {
        format!("{start}\n{}{extras}", " ".repeat(class.len() + 1))
    } else {
        format!("{start} {extras}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_run_in_c_order() {
        assert_eq!(first_indices(&[2, 3], 6, 4), [[0, 0], [0, 1], [0, 2], [1, 0]]);
        assert_eq!(first_indices(&[], 1, 4), [[0u64; 0]]);
        assert_eq!(combinations(&[vec![0, 9], vec![1, 2]], 4), [[0, 1], [0, 2], [9, 1], [9, 2]]);
    }

    #[test]
    fn nested_lists_end_where_the_elements_end() {
        let words = |count: usize| vec!["1".to_owned(); count].into_iter().peekable();
        assert_eq!(brackets(&[2, 2], &mut words(4)), "[[1, 1], [1, 1]]");
        assert_eq!(brackets(&[2, 2], &mut words(1)), format!("[[1, {CUT}], {CUT}]"));
        assert_eq!(brackets(&[u64::MAX, 5], &mut words(0)), format!("[{CUT}]"));
    }
}
