//! numpy's scalars: `np.float64(1.5)` from 2.0 on, `1.5` before (numpy/core/src/multiarray/scalartypes.c.src).

use super::super::types::MethodSource;
use super::super::values::{Decoded, Walk};
use super::super::{TypeInfo, Unreadable};
use super::cells::{Cells, hexadecimal, integer, number, signed};
use super::dtype::{Dtype, Kind};
use super::float;
use super::style::Style;
use super::time::{NAT, Unit};
use crate::addr::Address;
use crate::layout::Structs;

/// The most bytes of one element that are read.
pub(super) const MAX_ELEMENT: u64 = 1 << 20;

impl Walk<'_, '_> {
    /// An instance of `owner`, one of the scalar types whose repr is C code, or of a subclass.
    pub(in crate::object) fn numpy_scalar(
        &mut self,
        object: Address,
        class: &TypeInfo,
        owner: &str,
    ) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let numpy = inspector.numpy();
        let (style, why) = match &numpy.style {
            Ok(style) if owner == "numpy.void" => (style, style.unknown_options.clone()),
            Ok(style) => (style, None),
            Err(why) => (&Style::default(), Some(why.clone())),
        };
        let name = owner.strip_prefix("numpy.").unwrap_or(owner);
        let decoded = self.scalar_of(object, name, style, &numpy.table()?.structs)?;
        let Some(mut decoded) = decoded else {
            return self.opaque(object, class, &MethodSource::Native(owner.to_owned()));
        };
        // `genint_type_repr` knows its own types only by their names.
        if style.named_scalars
            && class.name != owner
            && let Some((_, value)) = decoded.repr.split_once('(')
            && Dtype::of_scalar(name).is_some_and(|dtype| dtype.is_integer())
        {
            decoded.repr = format!("{}({value}", class.short_name());
        }
        if decoded.note.is_none() {
            decoded.note = why;
        }
        Ok(decoded)
    }

    fn scalar_of(
        &mut self,
        object: Address,
        name: &str,
        style: &Style,
        structs: &Structs,
    ) -> Result<Option<Decoded>, Unreadable> {
        let inspector = self.inspector;
        let is_named = style.named_scalars;
        match name {
            "str_" | "bytes_" => {
                let (text, truncated) = if name == "str_" {
                    let mut text = inspector.text(object, self.limits.max_string)?;
                    if !text.truncated {
                        let end = text.code_points.iter().rposition(|&code| code != 0);
                        text.code_points.truncate(end.map_or(0, |last| last + 1));
                    }
                    (super::super::text::repr_text(&text.code_points, inspector.printable()), text.truncated)
                } else {
                    let (mut bytes, truncated) = inspector.bytes_content(object, self.limits.max_string)?;
                    if !truncated {
                        bytes.truncate(bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1));
                    }
                    (super::super::text::repr_bytes(&bytes, false), truncated)
                };
                let mut out = Decoded::exact(if is_named { format!("np.{name}({text})") } else { text });
                out.cut_if(truncated);
                Ok(Some(out))
            }
            "datetime64" | "timedelta64" => {
                let layout = &structs.PyDatetimeScalarObject;
                let value = inspector.int(object, layout.obval)?;
                let unit = Unit {
                    base: inspector.int(object, layout.unit)?,
                    count: inspector.int(object, layout.count)?,
                };
                Ok(time(name == "datetime64", value, unit, style).map(Decoded::exact))
            }
            "void" => {
                let layout = &structs.PyVoidScalarObject;
                let dtype = inspector.dtype(inspector.non_null(object, layout.descr)?)?;
                if dtype.size > MAX_ELEMENT {
                    return Ok(None);
                }
                let data = inspector.pointer(object, layout.obval)?;
                let bytes = inspector.memory.bytes(data, dtype.size as usize)?;
                Ok(self.scalar_repr(object, &dtype, &bytes, style))
            }
            _ => {
                let Some(dtype) = Dtype::of_scalar(name) else { return Ok(None) };
                let at = inspector.field_address(object, structs.PyScalarObject.obval)?;
                let bytes = inspector.memory.bytes(at, dtype.size as usize)?;
                Ok(self.scalar_repr(object, &dtype, &bytes, style))
            }
        }
    }

    /// The repr of an element as a scalar by itself; nothing for one that is not decoded. Objects are decoded by
    /// [`Cells`] alone.
    pub(super) fn scalar_repr(
        &mut self,
        owner: Address,
        dtype: &Dtype,
        bytes: &[u8],
        style: &Style,
    ) -> Option<Decoded> {
        let full_name = dtype.scalar_name();
        let name = match full_name.strip_prefix("numpy.").unwrap_or(&full_name) {
            "longlong" => "int64",
            "ulonglong" => "uint64",
            name => name,
        };
        let is_named = style.named_scalars;
        let mut cells = Cells {
            walk: self,
            owner,
            style,
            bare_floats: is_named,
            out: Decoded::default(),
            objects: Vec::new(),
        };
        let text = match &dtype.kind {
            Kind::Bool => {
                let value = if *bytes.first()? == 0 { "False" } else { "True" };
                return Some(Decoded::exact(if is_named {
                    format!("np.{value}_")
                } else {
                    value.to_owned()
                }));
            }
            Kind::DateTime(unit) => {
                return time(true, signed(dtype, bytes)?, *unit, style).map(Decoded::exact);
            }
            Kind::TimeDelta(unit) => {
                return time(false, signed(dtype, bytes)?, *unit, style).map(Decoded::exact);
            }
            Kind::Signed | Kind::Unsigned => integer(dtype, bytes)?,
            Kind::Float(width) => float::scalar(number(dtype, *width, bytes)?, *width, style),
            Kind::Complex(width) => {
                let (real, imaginary) = bytes.split_at_checked(width.size())?;
                let (real, imaginary) = (number(dtype, *width, real)?, number(dtype, *width, imaginary)?);
                let text = float::complex_scalar(real, imaginary, *width, style);
                match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
                    Some(bare) if is_named => bare.to_owned(),
                    _ => text,
                }
            }
            Kind::Text => cells.text(dtype, bytes)?,
            Kind::Bytes => cells.bytes(bytes),
            Kind::Void if is_named => hexadecimal(bytes),
            Kind::Void => format!("void({})", hexadecimal(bytes)),
            Kind::Struct(_) => {
                let text = cells.texts(dtype, &[bytes], true)?.pop()?;
                if is_named {
                    let dtype = dtype.as_void().text(cells.walk.inspector, style);
                    format!("{text}, dtype={dtype}")
                } else {
                    text
                }
            }
            Kind::Object | Kind::Array(..) | Kind::Other => return None,
        };
        let mut out = cells.out;
        out.repr = if is_named { format!("np.{name}({text})") } else { text };
        Some(out)
    }
}

/// `datetimetype_repr` and `timedeltatype_repr`.
fn time(is_point: bool, value: i64, unit: Unit, style: &Style) -> Option<String> {
    let package = if style.named_scalars { "np" } else { "numpy" };
    let name = unit.name()?;
    if is_point {
        let is_bare_nat = style.nat_has_unit && value == NAT;
        let argument =
            if unit.is_named_in_repr() || is_bare_nat { format!(",'{name}'") } else { String::new() };
        return Some(format!("{package}.datetime64('{}'{argument})", unit.iso(value)?));
    }
    let value = if value == NAT { "'NaT'".to_owned() } else { value.to_string() };
    let argument = if unit.is_generic() { String::new() } else { format!(",'{name}'") };
    Some(format!("{package}.timedelta64({value}{argument})"))
}
