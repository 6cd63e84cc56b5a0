//! Which decoder prints which type: by whose `__repr__` Python would call.

use super::numbers::{repr_complex, repr_float};
use super::text::{repr_bytes, repr_text};
use super::types::MethodSource;
use super::values::{CUT, Decoded, Walk};
use super::{TypeInfo, Unreadable};
use crate::addr::Address;

impl Walk<'_, '_> {
    /// Decodes one object.
    pub(super) fn decode(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        match self.inspector.repr_source(class) {
            source @ MethodSource::Native(owner) => match self.misfit(class, owner)? {
                None => self.native(object, class, owner),
                Some(misfit) => {
                    let opaque = self.opaque(object, class, source)?;
                    Ok(Decoded { note: Some(misfit), ..opaque })
                }
            },
            source @ MethodSource::Python { module, qualname, function } => {
                match self.python_repr(object, class, module, qualname, *function)? {
                    Some(decoded) if decoded.children.is_empty() => {
                        self.with_attributes(object, class, decoded)
                    }
                    Some(decoded) => Ok(decoded),
                    None => self.opaque(object, class, source),
                }
            }
            source @ MethodSource::Unknown(_) => self.opaque(object, class, source),
        }
    }

    /// Why the struct that the table has for instances of `owner`, a base of `class`, cannot be the one in memory: its
    /// size. Patch releases have changed structs of extension types.
    fn misfit(&self, class: &TypeInfo, owner: &str) -> Result<Option<String>, Unreadable> {
        let Some(expected) = self.struct_sizes(owner) else { return Ok(None) };
        for &base in &class.mro {
            let base = self.inspector.type_info(base)?;
            if base.name == owner && !expected.iter().any(|&size| i64::from(size) == base.basic_size) {
                return Ok(Some(format!(
                    "this interpreter's {owner} has {} bytes, which no table has",
                    base.basic_size
                )));
            }
        }
        Ok(None)
    }

    /// The sizes, in bytes, that instances of a C type may have; nothing for those that end in an array.
    fn struct_sizes(&self, owner: &str) -> Option<Vec<u32>> {
        let layout = &self.inspector.layout.structs;
        Some(match owner {
            "float" => vec![layout.PyFloatObject.size_of],
            "complex" => vec![layout.PyComplexObject.size_of],
            "bytearray" => vec![layout.PyByteArrayObject.size_of],
            "list" => vec![layout.PyListObject.size_of],
            "set" | "frozenset" => vec![layout.PySetObject.size_of],
            "dict" => vec![layout.PyDictObject.size_of],
            "frozendict" => vec![layout.PyFrozenDictObject.size_of],
            "collections.deque" => vec![layout.DequeObject.size_of],
            "collections.defaultdict" => vec![layout.DefDictObject.size_of],
            "collections.OrderedDict" => vec![layout.PyODictObject.size_of],
            "mappingproxy" => vec![layout.MappingProxyObject.size_of],
            "types.SimpleNamespace" => vec![layout.PyNamespaceObject.size_of],
            "range" => vec![layout.RangeObject.size_of],
            "slice" => vec![layout.PySliceObject.size_of],
            "BaseException" => vec![layout.PyBaseExceptionObject.size_of],
            "function" => vec![layout.PyFunctionObject.size_of],
            "method" => vec![layout.PyMethodObject.size_of],
            "builtin_function_or_method" => vec![layout.PyCFunctionObject.size_of],
            "module" => vec![layout.PyModuleObject.size_of],
            "functools.partial" => vec![layout.PartialObject.size_of],
            "_thread.lock" => vec![layout.LockObject.size_of, layout.MutexLockObject.size_of],
            "_thread.RLock" => vec![layout.RLockObject.size_of],
            "itertools.count" => vec![layout.CountObject.size_of],
            "itertools.repeat" => vec![layout.RepeatObject.size_of],
            "array.array" => vec![layout.ArrayObject.size_of],
            "datetime.timedelta" => vec![layout.PyDateTimeDelta.size_of],
            "datetime.timezone" => vec![layout.PyDateTimeTimeZone.size_of],
            "datetime.date" => vec![layout.PyDateTimeDate.size_of],
            "datetime.time" => vec![layout.PyDateTimeTime.size_of],
            "datetime.datetime" => vec![layout.PyDateTimeDateTime.size_of],
            "decimal.Decimal" => vec![layout.PyDecObject.size_of],
            "types.GenericAlias" => vec![layout.GenericAlias.size_of],
            "types.UnionType" | "typing.Union" => vec![layout.UnionObject.size_of],
            "string.templatelib.Template" => vec![layout.TemplateObject.size_of],
            "string.templatelib.Interpolation" => vec![layout.InterpolationObject.size_of],
            "operator.itemgetter" => vec![layout.ItemGetterObject.size_of],
            "operator.attrgetter" => vec![layout.AttrGetterObject.size_of],
            "super" => vec![layout.SuperObject.size_of],
            "sentinel" => vec![layout.SentinelObject.size_of],
            "lazy_import" => vec![layout.PyLazyImportObject.size_of],
            "ContextVar" | "_contextvars.ContextVar" => vec![layout.PyContextVar.size_of],
            "Token" | "_contextvars.Token" => vec![layout.PyContextToken.size_of],
            "_thread._ThreadHandle" => vec![layout.PyThreadHandleObject.size_of],
            "zoneinfo.ZoneInfo" => vec![layout.PyZoneInfo.size_of],
            "_io.TextIOWrapper" => vec![layout.TextIO.size_of],
            "_io.BufferedReader" | "_io.BufferedWriter" | "_io.BufferedRandom" => {
                vec![layout.Buffered.size_of]
            }
            "_io.FileIO" => vec![layout.FileIO.size_of],
            _ => return None,
        })
    }

    fn native(&mut self, object: Address, class: &TypeInfo, owner: &str) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        if inspector.layout.prints_like_python_2()
            && let Some(decoded) = self.classic(object, class, owner)?
        {
            return Ok(decoded);
        }
        match owner {
            "object" => self.instance(object, class),
            "NoneType" => Ok(Decoded::exact("None")),
            "ellipsis" => Ok(Decoded::exact("Ellipsis")),
            "NotImplementedType" => Ok(Decoded::exact("NotImplemented")),
            "int" => Ok(Decoded::exact(inspector.big_int(object)?.to_string())),
            "bool" => Ok(Decoded::exact(if inspector.small_int(object)? == 0 { "False" } else { "True" })),
            "float" => {
                Ok(Decoded::exact(repr_float(inspector.float_field(object, layout.PyFloatObject.ob_fval)?)))
            }
            "complex" => Ok(Decoded::exact(repr_complex(
                inspector.float_field(object, layout.PyComplexObject.real)?,
                inspector.float_field(object, layout.PyComplexObject.imag)?,
            ))),
            "str" => self.text(object),
            "bytes" => self.bytes(object),
            "bytearray" => self.byte_array(object, class),
            "list" => self.list(object),
            "tuple" => self.tuple(object),
            "set" | "frozenset" => self.set(object, class),
            "dict" => self.dict(object),
            "frozendict" => self.frozen_dict(object, class),
            "collections.deque" => self.deque(object, class),
            "collections.defaultdict" => self.default_dict(object, class),
            "collections.OrderedDict" => self.ordered_dict(object, class),
            "dict_keys" | "dict_values" | "dict_items" | "odict_keys" | "odict_values" | "odict_items" => {
                self.dict_view(object, class)
            }
            "mappingproxy" => self.mapping_proxy(object),
            "types.SimpleNamespace" => self.namespace(object, class),
            "range" => self.range(object),
            "slice" => self.slice(object),
            "BaseException" => self.exception(object, class),
            "BaseExceptionGroup" => self.exception_group(object, class),
            "ImportError" => self.import_error(object, class),
            "function" => self.function(object),
            "method" => self.method(object),
            "builtin_function_or_method" => self.builtin_method(object),
            "method_descriptor" | "classmethod_descriptor" => self.descriptor(object, "method"),
            "wrapper_descriptor" => self.descriptor(object, "slot wrapper"),
            "member_descriptor" => self.descriptor(object, "member"),
            "getset_descriptor" => self.descriptor(object, "attribute"),
            "method-wrapper" => self.method_wrapper(object),
            "classmethod" => self.wrapped_callable(object, "classmethod", layout.ClassMethod.cm_callable),
            "staticmethod" => self.wrapped_callable(object, "staticmethod", layout.StaticMethod.sm_callable),
            "functools.partial" => self.partial(object, class),
            "type" => self.class(object),
            "module" => self.module(object),
            "generator" | "coroutine" | "async_generator" => self.generator(object, owner),
            "weakref" | "weakref.ReferenceType" | "weakref.weakref" => self.weak_reference(object),
            "cell" => self.cell(object),
            "code" => self.code(object),
            "memoryview" => self.memory_view(object),
            "_thread.lock" => self.lock(object, class),
            "_thread.RLock" => self.rlock(object, class),
            "re.Pattern" | "_sre.SRE_Pattern" => self.pattern(object),
            "itertools.count" => self.counting(object, class),
            "itertools.repeat" => self.repeating(object, class),
            "array.array" => self.array(object, class),
            "datetime.date" => self.date(object, class),
            "datetime.time" => self.time(object, class),
            "datetime.datetime" => self.date_time(object, class),
            "datetime.timedelta" => self.time_delta(object, class),
            "datetime.timezone" => self.time_zone(object, class),
            "decimal.Decimal" => self.decimal(object),
            "re.Match" => self.regex_match(object, class),
            "types.GenericAlias" => self.generic_alias(object),
            "types.UnionType" | "typing.Union" => self.union_alias(object),
            "string.templatelib.Template" => self.template(object, class),
            "string.templatelib.Interpolation" => self.interpolation(object, class),
            "operator.itemgetter" => self.item_getter(object, class),
            "operator.attrgetter" => self.attribute_getter(object, class),
            "super" => self.super_object(object),
            "sentinel" => self.sentinel(object),
            "lazy_import" => self.lazy_import(object),
            "ContextVar" | "_contextvars.ContextVar" => self.context_variable(object),
            "Token" | "_contextvars.Token" => self.context_token(object),
            "_thread._ThreadHandle" => self.thread_handle(object, class),
            "weakproxy" | "weakcallableproxy" | "weakref.ProxyType" | "weakref.CallableProxyType" => {
                self.weak_proxy(object)
            }
            "_ctypes.PyCFuncPtr" | "_ctypes.CFuncPtr" => self.foreign_function(object, class),
            "zoneinfo.ZoneInfo" => self.zone_info(object, class),
            "_io.TextIOWrapper" => self.text_file(object, class),
            "_io.BufferedReader" | "_io.BufferedWriter" | "_io.BufferedRandom" => {
                self.buffered_file(object, class, owner)
            }
            "_io._Buffered" => self.buffered_file(object, class, &class.name),
            "_io.FileIO" => self.raw_file(object, class),
            "numpy.ndarray" => self.numpy_array(object, class),
            "numpy.dtype" => self.numpy_dtype(object, class),
            _ if owner.starts_with("numpy.") => self.numpy_scalar(object, class, owner),
            _ => match self.struct_sequence(object, class)? {
                Some(decoded) => Ok(decoded),
                None => self.opaque(object, class, &MethodSource::Native(owner.to_owned())),
            },
        }
    }

    fn text(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let text = self.inspector.text(object, self.limits.max_string)?;
        let mut out = Decoded::exact(repr_text(&text.code_points, self.inspector.printable()));
        out.cut_if(text.truncated);
        Ok(out)
    }

    fn bytes(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let (bytes, truncated) = self.inspector.bytes_content(object, self.limits.max_string)?;
        let mut out = Decoded::exact(repr_bytes(&bytes, false));
        out.cut_if(truncated);
        Ok(out)
    }

    /// `bytearray_repr`, Objects/bytearrayobject.c.
    fn byte_array(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let count = usize::try_from(inspector.length(object)?).unwrap_or(usize::MAX);
        let shown = count.min(self.limits.max_string);
        let bytes = match inspector.pointer(object, inspector.layout.structs.PyByteArrayObject.ob_start)? {
            Address::NULL => Vec::new(),
            start => inspector.memory.bytes(start, shown)?,
        };
        let mut inner = Decoded::exact(repr_bytes(&bytes, true));
        inner.cut_if(shown < count);
        inner.repr = format!("{}({})", self.shown_name(class, "bytearray"), inner.repr);
        Ok(inner)
    }
}

impl Decoded {
    /// Marks a string that goes on.
    pub(super) fn cut_if(&mut self, truncated: bool) {
        if truncated {
            self.repr.push_str(CUT);
            self.truncated = true;
        }
    }
}
