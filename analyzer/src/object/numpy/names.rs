//! How numpy/core/_dtype.py names dtypes.

use super::super::values::{Decoded, Walk};
use super::super::{Inspector, TypeInfo, Unreadable};
use super::dtype::{Dtype, FieldOf, Kind};
use super::style::Style;
use crate::addr::Address;

impl Dtype {
    /// `dtype_is_implied`, numpy/core/arrayprint.py: `bool_`, `int_`, `float64` and `complex128` need no mention.
    pub(super) fn is_implied(&self, style: &Style) -> bool {
        (matches!(self.number, 0 | 12 | 15) || self.number == style.int_number)
            && !(style.shows_byte_order && self.swapped)
    }

    fn stem(&self) -> &'static str {
        match (&self.kind, self.number) {
            (Kind::Bool, _) => "bool",
            (Kind::Signed, _) => "int",
            (Kind::Unsigned, _) => "uint",
            (Kind::Float(_), _) | (Kind::Other, 13) => "float",
            (Kind::Complex(_), _) | (Kind::Other, 16) => "complex",
            (Kind::Bytes, _) => "bytes",
            (Kind::Text, _) => "str",
            (Kind::Object, _) => "object",
            (Kind::DateTime(_), _) => "datetime",
            (Kind::TimeDelta(_), _) => "timedelta",
            _ => "void",
        }
    }

    fn code(&self) -> char {
        match (&self.kind, self.number) {
            (Kind::Bool, _) => 'b',
            (Kind::Signed, _) => 'i',
            (Kind::Unsigned, _) => 'u',
            (Kind::Float(_), _) | (Kind::Other, 13) => 'f',
            (Kind::Complex(_), _) | (Kind::Other, 16) => 'c',
            _ => 'V',
        }
    }

    /// `[D]`, or nothing for generic times.
    fn unit_text(&self) -> String {
        match &self.kind {
            Kind::DateTime(unit) | Kind::TimeDelta(unit) if !unit.is_generic() => {
                format!("[{}]", unit.name().unwrap_or_default())
            }
            _ => String::new(),
        }
    }

    /// `dtype.name`.
    fn name(&self) -> String {
        let bits = self.size.saturating_mul(8);
        match &self.kind {
            Kind::Bool | Kind::Object => self.stem().to_owned(),
            Kind::Bytes | Kind::Text if self.size == 0 => self.stem().to_owned(),
            Kind::Void | Kind::Struct(_) | Kind::Array(..) if self.size == 0 => self.scalar.1.clone(),
            Kind::Void | Kind::Struct(_) | Kind::Array(..) => format!("{}{bits}", self.scalar.1),
            Kind::Other if !matches!(self.number, 13 | 16) => self.scalar.1.clone(),
            _ => format!("{}{bits}{}", self.stem(), self.unit_text()),
        }
    }

    fn order(&self) -> &'static str {
        match self.kind {
            Kind::Bool | Kind::Bytes | Kind::Object | Kind::Void => "",
            Kind::Signed | Kind::Unsigned if self.size == 1 => "",
            _ if self.swapped => ">",
            _ => "<",
        }
    }

    /// `dtype.str`.
    fn text_code(&self) -> String {
        let order = if self.order().is_empty() { "|" } else { self.order() };
        match &self.kind {
            Kind::Object => "|O".to_owned(),
            Kind::Bytes => format!("|S{}", self.size),
            Kind::Text => format!("{order}U{}", self.size / 4),
            Kind::DateTime(_) => format!("{order}M8{}", self.unit_text()),
            Kind::TimeDelta(_) => format!("{order}m8{}", self.unit_text()),
            Kind::Void | Kind::Struct(_) | Kind::Array(..) => format!("|V{}", self.size),
            _ => format!("{order}{}{}", self.code(), self.size),
        }
    }

    /// `str(dtype)`.
    pub(super) fn text(&self, inspector: &Inspector<'_>, style: &Style) -> String {
        match &self.kind {
            Kind::Struct(fields) => self.struct_text(fields, true, inspector, style),
            Kind::Array(base, shape) => subarray_text(base, shape, inspector, style),
            Kind::Bytes | Kind::Text | Kind::Void => self.text_code(),
            _ if self.swapped => self.text_code(),
            _ => self.name(),
        }
    }

    /// The `dtype=` of an array's repr: `dtype_short_repr`.
    pub(super) fn short_repr(&self, inspector: &Inspector<'_>, style: &Style) -> String {
        match &self.kind {
            Kind::Struct(_) => self.text(inspector, style),
            Kind::Bytes | Kind::Text | Kind::Void | Kind::Array(..) => {
                format!("'{}'", self.text(inspector, style))
            }
            _ if self.swapped && style.shows_byte_order => format!("'{}'", self.text(inspector, style)),
            _ => {
                let name = self.name();
                let plain = name.starts_with(char::is_alphabetic) && name.chars().all(char::is_alphanumeric);
                if plain { name } else { format!("'{name}'") }
            }
        }
    }

    /// `repr(dtype)`.
    fn repr(&self, inspector: &Inspector<'_>, style: &Style) -> String {
        let aligned = if self.is_aligned { ", align=True" } else { "" };
        format!("dtype({}{aligned})", self.construction(false, inspector, style))
    }

    /// `_construction_repr`.
    fn construction(&self, short: bool, inspector: &Inspector<'_>, style: &Style) -> String {
        let order = self.order();
        match &self.kind {
            Kind::Struct(fields) => self.struct_text(fields, false, inspector, style),
            Kind::Array(base, shape) => subarray_text(base, shape, inspector, style),
            Kind::Bool => if short { "'?'" } else { "'bool'" }.to_owned(),
            Kind::Object => "'O'".to_owned(),
            Kind::Bytes | Kind::Text | Kind::Void => {
                let (code, count) = match self.kind {
                    Kind::Bytes => ('S', self.size),
                    Kind::Text => ('U', self.size / 4),
                    _ => ('V', self.size),
                };
                if self.size == 0 { format!("'{order}{code}'") } else { format!("'{order}{code}{count}'") }
            }
            Kind::DateTime(_) => format!("'{order}M8{}'", self.unit_text()),
            Kind::TimeDelta(_) => format!("'{order}m8{}'", self.unit_text()),
            _ if short || !self.is_default_order => format!("'{order}{}{}'", self.code(), self.size),
            _ => format!("'{}{}'", self.stem(), self.size.saturating_mul(8)),
        }
    }

    fn struct_text(
        &self,
        fields: &[FieldOf],
        include_align: bool,
        inspector: &Inspector<'_>,
        style: &Style,
    ) -> String {
        let text = if !(include_align && self.is_aligned) && self.is_packed(fields, style) {
            struct_list(fields, inspector, style)
        } else {
            self.struct_dict(fields, include_align, inspector, style)
        };
        let (module, name) = &self.scalar;
        if (module.as_str(), name.as_str()) == ("numpy", "void") {
            text
        } else {
            format!("({module}.{name}, {text})")
        }
    }

    /// `_is_packed`: the fields in order, without gaps that alignment does not explain.
    fn is_packed(&self, fields: &[FieldOf], style: &Style) -> bool {
        let align = |offset: u64, to: u64| {
            if self.is_aligned && style.new_struct_names {
                offset.checked_next_multiple_of(to).unwrap_or(u64::MAX)
            } else {
                offset
            }
        };
        let mut end = 0;
        let mut widest = 1;
        for field in fields {
            end = align(end, field.dtype.alignment);
            widest = widest.max(field.dtype.alignment);
            if field.offset != end {
                return false;
            }
            end = end.saturating_add(field.dtype.size);
        }
        align(end, widest) == self.size
    }

    fn struct_dict(
        &self,
        fields: &[FieldOf],
        include_align: bool,
        inspector: &Inspector<'_>,
        style: &Style,
    ) -> String {
        let (colon, comma) = if style.new_struct_names { (": ", ", ") } else { (":", ",") };
        let join =
            |part: &dyn Fn(&FieldOf) -> String| fields.iter().map(part).collect::<Vec<_>>().join(comma);
        let mut text = format!("{{'names'{colon}[{}", join(&|field| inspector.repr_of_text(&field.name)));
        text += &format!(
            "], 'formats'{colon}[{}",
            join(&|field| field.dtype.construction(true, inspector, style))
        );
        text += &format!("], 'offsets'{colon}[{}", join(&|field| field.offset.to_string()));
        if fields.iter().any(|field| field.title.is_some()) {
            let title = |field: &FieldOf| {
                field.title.as_ref().map_or_else(|| "None".to_owned(), |title| inspector.repr_of_text(title))
            };
            text += &format!("], 'titles'{colon}[{}", join(&title));
        }
        text += &format!("], 'itemsize'{colon}{}", self.size);
        if include_align && self.is_aligned {
            text += &format!(", 'aligned'{colon}True");
        }
        text + "}"
    }
}

fn struct_list(fields: &[FieldOf], inspector: &Inspector<'_>, style: &Style) -> String {
    let items = fields.iter().map(|field| {
        let name = inspector.repr_of_text(&field.name);
        let name = match &field.title {
            Some(title) => format!("({}, {name})", inspector.repr_of_text(title)),
            None => name,
        };
        let format = match &field.dtype.kind {
            Kind::Array(base, shape) => {
                format!("{}, {}", base.construction(true, inspector, style), shape_text(shape))
            }
            _ => field.dtype.construction(true, inspector, style),
        };
        format!("({name}, {format})")
    });
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn subarray_text(base: &Dtype, shape: &[u64], inspector: &Inspector<'_>, style: &Style) -> String {
    format!("({}, {})", base.construction(true, inspector, style), shape_text(shape))
}

/// The repr of a shape, a tuple of ints.
pub(super) fn shape_text(shape: &[u64]) -> String {
    match shape {
        [only] => format!("({only},)"),
        _ => format!("({})", shape.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

impl Walk<'_, '_> {
    /// `arraydescr_repr`, numpy/core/src/multiarray/descriptor.c.
    pub(in crate::object) fn numpy_dtype(
        &mut self,
        object: Address,
        class: &TypeInfo,
    ) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let dtype = match inspector.dtype(object) {
            Ok(dtype) => dtype,
            Err(error) => {
                return Ok(Decoded::noted(
                    format!("<{} object at {object}>", class.name, object = self.inspector.shown(object)),
                    error.to_string(),
                ));
            }
        };
        match &inspector.numpy().style {
            Ok(style) if dtype.is_known() || matches!(dtype.number, 13 | 16) => {
                Ok(Decoded::exact(dtype.repr(inspector, style)))
            }
            Ok(style) => Ok(Decoded::noted(
                dtype.repr(inspector, style),
                format!("a dtype of a kind that is not known: {}", dtype.scalar_name()),
            )),
            Err(why) => Ok(Decoded::noted(dtype.repr(inspector, &Style::default()), why.clone())),
        }
    }
}
