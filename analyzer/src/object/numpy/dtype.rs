//! `numpy.dtype`: what the bytes of an element mean.

use super::super::{Inspector, Unreadable};
use super::float::Width;
use super::time::Unit;
use crate::addr::Address;
use crate::layout::Structs;
use std::collections::HashMap;

/// The deepest nesting of dtypes that is followed, and the most dtypes and axes within one.
const MAX_NESTING: usize = 8;
const MAX_PARTS: usize = 1024;
const MAX_AXES: usize = 64;
/// `NPY_ALIGNED_STRUCT`, numpy/ndarraytypes.h.
const ALIGNED_STRUCT: u64 = 0x80;

/// What the bytes of an element are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float(Width),
    Complex(Width),
    /// `S`: bytes, zeros at the end left out.
    Bytes,
    /// `U`: code points of 4 bytes, zeros at the end left out.
    Text,
    /// A pointer to an object.
    Object,
    DateTime(Unit),
    TimeDelta(Unit),
    /// `V`: bytes without a meaning.
    Void,
    Struct(Vec<FieldOf>),
    /// An array within an element.
    Array(Box<Dtype>, Vec<u64>),
    /// What this program does not decode: `longdouble`, dtypes of users.
    Other,
}

/// A field of a structured dtype.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FieldOf {
    pub(super) name: String,
    pub(super) title: Option<String>,
    pub(super) dtype: Dtype,
    /// Where it lies in the element, in bytes.
    pub(super) offset: u64,
}

/// A `numpy.dtype`, read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dtype {
    pub(super) kind: Kind,
    /// `type_num`: `NPY_TYPES`.
    pub(super) number: i64,
    /// `itemsize`, in bytes.
    pub(super) size: u64,
    /// Whether numbers have their most significant byte first.
    pub(super) swapped: bool,
    /// Whether `byteorder` is `=` or `|`: names need not tell it.
    pub(super) is_default_order: bool,
    /// `type.__module__` and `type.__name__`.
    pub(super) scalar: (String, String),
    pub(super) alignment: u64,
    pub(super) is_aligned: bool,
}

/// How much more of one dtype is read.
struct Bounds {
    nesting: usize,
    parts: usize,
}

impl Inspector<'_> {
    /// Reads a dtype object.
    pub(super) fn dtype(&self, object: Address) -> Result<Dtype, Unreadable> {
        self.dtype_within(object, &mut Bounds { nesting: MAX_NESTING, parts: MAX_PARTS })
    }

    fn dtype_within(&self, object: Address, bounds: &mut Bounds) -> Result<Dtype, Unreadable> {
        let nonsense = |what: String| Unreadable::Nonsense { at: object, what };
        if bounds.nesting == 0 || bounds.parts == 0 {
            return Err(nonsense(format!("more than {MAX_PARTS} dtypes in one, or nested too deep")));
        }
        bounds.nesting -= 1;
        bounds.parts -= 1;
        let class = self.type_of(object)?;
        let structs = &self.numpy().table_of_dtype(object, &class)?.structs;
        let layout = &structs.PyArrayDescr;
        let number = self.int(object, layout.type_num)?;
        let size = self.int(object, layout.elsize)?;
        let size = u64::try_from(size).map_err(|_| nonsense(format!("a dtype of {size} bytes")))?;
        let order = self.uint(object, layout.byteorder)? as u8;
        let scalar = match self.pointer(object, layout.typeobj)? {
            Address::NULL => (String::new(), String::new()),
            scalar => {
                let scalar = self.type_info(scalar)?;
                (scalar.module.clone(), scalar.short_name().to_owned())
            }
        };
        let subarray = self.pointer(object, layout.subarray)?;
        let names = self.pointer(object, layout.names)?;
        let kind = match number {
            20 if !subarray.is_null() => {
                let base = self.non_null(subarray, structs.PyArrayArrayDescr.base)?;
                let shape = self.non_null(subarray, structs.PyArrayArrayDescr.shape)?;
                Kind::Array(Box::new(self.dtype_within(base, bounds)?), self.shape_of_subarray(shape)?)
            }
            20 if !names.is_null() && !self.is_none(names)? => {
                Kind::Struct(self.dtype_fields(object, structs, names, bounds)?)
            }
            21 => Kind::DateTime(self.time_unit(object, structs)?),
            22 => Kind::TimeDelta(self.time_unit(object, structs)?),
            _ => kind_of(number, size),
        };
        bounds.nesting += 1;
        if let Kind::Struct(fields) = &kind
            && fields.iter().any(|field| field.offset.saturating_add(field.dtype.size) > size)
        {
            return Err(nonsense("a dtype whose fields lie beyond its end".to_owned()));
        }
        Ok(Dtype {
            kind,
            number,
            size,
            swapped: order == b'>',
            is_default_order: matches!(order, b'=' | b'|'),
            scalar,
            alignment: self.uint(object, layout.alignment)?.max(1),
            is_aligned: self.uint(object, layout.flags)? & ALIGNED_STRUCT != 0,
        })
    }

    fn shape_of_subarray(&self, shape: Address) -> Result<Vec<u64>, Unreadable> {
        let nonsense = || Unreadable::Nonsense { at: shape, what: "no shape of a subarray".to_owned() };
        let class = self.type_of(shape)?;
        let axes = if class.is_tuple() { self.tuple_items(shape, MAX_AXES)?.0 } else { vec![shape] };
        axes.into_iter().map(|axis| u64::try_from(self.small_int(axis)?).map_err(|_| nonsense())).collect()
    }

    /// `fields` maps each name to a tuple of dtype, offset and perhaps a title.
    fn dtype_fields(
        &self,
        object: Address,
        structs: &Structs,
        names: Address,
        bounds: &mut Bounds,
    ) -> Result<Vec<FieldOf>, Unreadable> {
        let nonsense = |what: &str| Unreadable::Nonsense { at: object, what: what.to_owned() };
        let fields = self.non_null(object, structs.PyArrayDescr.fields)?;
        let mut described = HashMap::new();
        for (key, value) in self.dict_entries(fields, 2 * MAX_PARTS)?.pairs {
            if self.is_str_object(key)? {
                described.insert(self.string(key)?, value);
            }
        }
        let (names, count) = self.tuple_items(names, MAX_PARTS)?;
        if count > names.len() as u64 {
            return Err(nonsense("a dtype of too many fields"));
        }
        let mut found = Vec::new();
        for name in names {
            let name = self.string(name)?;
            let description =
                described.get(&name).ok_or_else(|| nonsense("a dtype with a field that is not described"))?;
            let (parts, _) = self.tuple_items(*description, 3)?;
            let (Some(&dtype), Some(&offset)) = (parts.first(), parts.get(1)) else {
                return Err(nonsense("a dtype with a field without an offset"));
            };
            found.push(FieldOf {
                name,
                title: match parts.get(2) {
                    Some(&title) if !self.is_none(title)? => Some(self.string(title)?),
                    _ => None,
                },
                dtype: self.dtype_within(dtype, bounds)?,
                offset: u64::try_from(self.small_int(offset)?)
                    .map_err(|_| nonsense("a dtype with a negative offset"))?,
            });
        }
        Ok(found)
    }

    fn time_unit(&self, object: Address, structs: &Structs) -> Result<Unit, Unreadable> {
        let meta = self.non_null(object, structs.PyArrayDescr.c_metadata)?;
        let layout = &structs.PyArrayDatetimeMeta;
        Ok(Unit { base: self.int(meta, layout.unit)?, count: self.int(meta, layout.count)? })
    }
}

/// By `NPY_TYPES`, numpy/ndarraytypes.h, for dtypes that need no more to be known.
fn kind_of(number: i64, size: u64) -> Kind {
    match (number, size) {
        (0, 1) => Kind::Bool,
        (1 | 3 | 5 | 7 | 9, 1 | 2 | 4 | 8) => Kind::Signed,
        (2 | 4 | 6 | 8 | 10, 1 | 2 | 4 | 8) => Kind::Unsigned,
        (11, 4) => Kind::Float(Width::Single),
        (12, 8) => Kind::Float(Width::Double),
        (23, 2) => Kind::Float(Width::Half),
        (14, 8) => Kind::Complex(Width::Single),
        (15, 16) => Kind::Complex(Width::Double),
        (17, 8) => Kind::Object,
        (18, _) => Kind::Bytes,
        (19, _) => Kind::Text,
        (20, _) => Kind::Void,
        _ => Kind::Other,
    }
}

impl Dtype {
    /// The dtype of a scalar of the type `numpy.NAME` that has its value within: not for `str_`, `bytes_`, `void`.
    pub(super) fn of_scalar(name: &str) -> Option<Self> {
        let (size, number) = match name {
            "bool_" | "bool" => (1, 0),
            "int8" => (1, 1),
            "uint8" => (1, 2),
            "int16" => (2, 3),
            "uint16" => (2, 4),
            "int32" | "intc" => (4, 5),
            "uint32" | "uintc" => (4, 6),
            "int64" | "int_" | "long" => (8, 7),
            "uint64" | "uint" | "ulong" => (8, 8),
            "longlong" => (8, 9),
            "ulonglong" => (8, 10),
            "float16" => (2, 23),
            "float32" => (4, 11),
            "float64" => (8, 12),
            "complex64" => (8, 14),
            "complex128" => (16, 15),
            _ => return None,
        };
        Some(Dtype {
            kind: kind_of(number, size),
            number,
            size,
            swapped: false,
            is_default_order: true,
            scalar: ("numpy".to_owned(), name.to_owned()),
            alignment: size,
            is_aligned: false,
        })
    }

    /// Whether elements are integers.
    pub(super) fn is_integer(&self) -> bool {
        matches!(self.kind, Kind::Signed | Kind::Unsigned)
    }

    /// The same struct without a class of its own for its elements.
    pub(super) fn as_void(&self) -> Self {
        Dtype { scalar: ("numpy".to_owned(), "void".to_owned()), ..self.clone() }
    }

    /// `type.__name__` of the elements, with its module: `numpy.float64`.
    pub(super) fn scalar_name(&self) -> String {
        let (module, name) = &self.scalar;
        match module.as_str() {
            "" | "builtins" => name.clone(),
            _ => format!("{module}.{name}"),
        }
    }

    /// Whether this program knows the bytes and names of such elements.
    pub(super) fn is_known(&self) -> bool {
        match &self.kind {
            Kind::Other => false,
            Kind::Struct(fields) => fields.iter().all(|field| field.dtype.is_known()),
            Kind::Array(base, _) => base.is_known(),
            Kind::DateTime(unit) | Kind::TimeDelta(unit) => unit.name().is_some(),
            _ => true,
        }
    }
}
