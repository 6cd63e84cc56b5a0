//! What 2.7 has and no later version, and what it prints otherwise: two kinds of strings and of ints, classes that
//! derive from nothing and their instances, `file`, `buffer`, `xrange`.

use super::exceptions::ExceptionFields;
use super::numbers::{str_complex, str_float};
use super::text::{repr_byte_string, repr_unicode};
use super::values::{CUT, Decoded, Walk, attribute};
use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::Field;
use num_bigint::BigInt;

/// The most bases of a class that are followed, each with its own bases.
const MAX_BASES: usize = 256;

impl Inspector<'_> {
    /// Whether the object may be raised: an exception, or in 2.7 an instance of any class that derives from nothing.
    pub(crate) fn is_exception_object(&self, object: Address) -> Result<bool, Unreadable> {
        let class = self.type_of(object)?;
        Ok(class.is_exception() || self.is_classic_instance(&class))
    }

    pub(super) fn is_classic_instance(&self, class: &TypeInfo) -> bool {
        self.layout.structs.PyInstanceObject.in_class.exists() && class.name == "instance"
    }

    /// How reports name a class: a type, or in 2.7 a class that derives from nothing.
    pub(crate) fn name_of_class(&self, class: Address) -> Result<String, Unreadable> {
        if self.layout.structs.PyClassObject.cl_name.exists() && self.type_of(class)?.name == "classobj" {
            let (module, name) = self.classic_names(class)?;
            return Ok(module.map_or_else(|| name.clone(), |module| format!("{module}.{name}")));
        }
        Ok(self.type_info(class)?.name.clone())
    }

    /// `__module__`, where it is a `str`, and `__name__` of a class that derives from nothing.
    fn classic_names(&self, class: Address) -> Result<(Option<String>, String), Unreadable> {
        let layout = &self.layout.structs.PyClassObject;
        let module = match self.dict_get(self.non_null(class, layout.cl_dict)?, "__module__")? {
            Some(module) if self.is_byte_string(module)? => Some(self.string(module)?),
            _ => None,
        };
        let name = self.non_null(class, layout.cl_name)?;
        let name = if self.is_byte_string(name)? { self.string(name)? } else { "?".to_owned() };
        Ok((module, name))
    }

    /// `class_lookup`, Objects/classobject.c: depth first, left to right.
    pub(super) fn classic_lookup(&self, class: Address, name: &str) -> Result<Option<Address>, Unreadable> {
        let layout = &self.layout.structs.PyClassObject;
        let mut todo = vec![class];
        for _ in 0..MAX_BASES {
            let Some(class) = todo.pop() else { return Ok(None) };
            if self.type_of(class)?.name != "classobj" {
                continue;
            }
            if let Some(found) = self.dict_get(self.non_null(class, layout.cl_dict)?, name)? {
                return Ok(Some(found));
            }
            let (bases, _) = self.tuple_items(self.non_null(class, layout.cl_bases)?, MAX_BASES)?;
            todo.extend(bases.into_iter().rev());
        }
        Ok(None)
    }

    /// Takes classes that derive from nothing out of a method resolution order.
    pub(super) fn without_classic(
        &self,
        mro: Vec<Address>,
    ) -> Result<(Vec<Address>, Vec<Address>), Unreadable> {
        if !self.layout.structs.PyClassObject.cl_name.exists() {
            return Ok((mro, Vec::new()));
        }
        let (mut types, mut classic) = (Vec::new(), Vec::new());
        for base in mro {
            if self.is_type_object(base)? { types.push(base) } else { classic.push(base) }
        }
        Ok((types, classic))
    }

    /// Whether a class that derives from nothing and is among a type's bases defines `name`.
    pub(super) fn classic_bases_define(&self, class: &TypeInfo, name: &str) -> Result<bool, Unreadable> {
        for &base in &class.classic_bases {
            if self.classic_lookup(base, name)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An attribute of an instance as `instance_getattr2` finds it, but for descriptors.
    pub(super) fn classic_attribute(
        &self,
        object: Address,
        name: &str,
    ) -> Result<Option<Address>, Unreadable> {
        let layout = &self.layout.structs.PyInstanceObject;
        if let Some(own) = self.dict_get(self.non_null(object, layout.in_dict)?, name)? {
            return Ok(Some(own));
        }
        self.classic_lookup(self.non_null(object, layout.in_class)?, name)
    }

    /// The attributes of the instance itself, by name.
    pub(super) fn classic_attributes(&self, object: Address) -> Result<Vec<(String, Address)>, Unreadable> {
        let dict = self.non_null(object, self.layout.structs.PyInstanceObject.in_dict)?;
        let mut named = Vec::new();
        for (key, value) in self.dict_entries(dict, usize::MAX)?.pairs {
            if self.is_str_object(key)? {
                named.push((self.string(key)?, value));
            }
        }
        Ok(named)
    }

    /// What `instance_repr` prints of an instance without a `__repr__`.
    fn classic_instance_repr(&self, object: Address) -> Result<String, Unreadable> {
        let class = self.non_null(object, self.layout.structs.PyInstanceObject.in_class)?;
        let (module, name) = self.classic_names(class)?;
        Ok(format!(
            "<{}.{name} instance at {object}>",
            module.as_deref().unwrap_or("?"),
            object = self.shown(object)
        ))
    }

    /// An instance of a class that derives from nothing, as an exception.
    pub(super) fn classic_exception_fields(&self, object: Address) -> Result<ExceptionFields, Unreadable> {
        let class = self.non_null(object, self.layout.structs.PyInstanceObject.in_class)?;
        let message =
            match (self.classic_attribute(object, "__str__")?, self.classic_attribute(object, "__repr__")?) {
                (None, None) => Ok(self.classic_instance_repr(object)?),
                _ => Err("its str is code, not run".to_owned()),
            };
        Ok(ExceptionFields {
            type_name: self.name_of_class(class)?,
            message,
            notes: Vec::new(),
            traceback: Address::NULL,
            cause: Address::NULL,
            context: Address::NULL,
            suppress_context: false,
            members: Vec::new(),
        })
    }

    /// `str(object)` where it differs from `repr(object)`: fewer digits, no `L`, the bytes themselves.
    pub(super) fn classic_str(&self, object: Address, owner: &str) -> Result<String, Unreadable> {
        let layout = &self.layout.structs;
        Ok(match owner {
            "long" => self.big_int(object)?.to_string(),
            "float" => str_float(self.float_field(object, layout.PyFloatObject.ob_fval)?),
            "complex" => str_complex(
                self.float_field(object, layout.PyComplexObject.real)?,
                self.float_field(object, layout.PyComplexObject.imag)?,
            ),
            _ => {
                return Err(Unreadable::Nonsense {
                    at: object,
                    what: format!("the str of a {owner} is not read"),
                });
            }
        })
    }

    /// `__name__` of a function, a builtin one, a type or a class, as 2.7's `repr` of methods shows it.
    fn classic_name(&self, object: Address) -> Result<Option<String>, Unreadable> {
        if self.type_of(object)?.name == "classobj" {
            return Ok(Some(self.classic_names(object)?.1));
        }
        self.dunder_name(object)
    }
}

impl Walk<'_, '_> {
    /// The repr of an object of 2.7 whose `tp_repr` is that of the type `owner`; `None` where it is as in Python 3.
    pub(super) fn classic(
        &mut self,
        object: Address,
        class: &TypeInfo,
        owner: &str,
    ) -> Result<Option<Decoded>, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        Ok(Some(match owner {
            "int" => Decoded::exact(inspector.big_int(object)?.to_string()),
            "long" => Decoded::exact(format!("{}L", inspector.big_int(object)?)),
            "bool" => {
                Decoded::exact(if inspector.big_int(object)? == BigInt::ZERO { "False" } else { "True" })
            }
            "str" => self.byte_string(object)?,
            "unicode" => self.unicode(object)?,
            "set" | "frozenset" => self.classic_set(object, class)?,
            "xrange" => self.xrange(object)?,
            "instance" => self.classic_instance(object)?,
            "classobj" => {
                let (module, name) = inspector.classic_names(object)?;
                Decoded::exact(format!(
                    "<class {}.{name} at {object}>",
                    module.as_deref().unwrap_or("?"),
                    object = self.inspector.shown(object)
                ))
            }
            "instancemethod" => self.classic_method(object)?,
            "function" => {
                let name =
                    inspector.string(inspector.non_null(object, layout.PyFunctionObject.func_name)?)?;
                Decoded::exact(format!(
                    "<function {name} at {object}>",
                    object = self.inspector.shown(object)
                ))
            }
            "type" => self.classic_type(object)?,
            "module" => self.classic_module(object)?,
            "generator" => {
                let code = inspector.non_null(object, layout.PyGenObject.gi_code)?;
                let name = inspector.string(inspector.non_null(code, layout.PyCodeObject.co_name)?)?;
                Decoded::exact(format!(
                    "<generator object {name} at {object}>",
                    object = self.inspector.shown(object)
                ))
            }
            "file" => self.classic_file(object)?,
            "buffer" => self.buffer(object)?,
            "dictproxy" => {
                let mapping =
                    self.inner(object, inspector.non_null(object, layout.MappingProxyObject.mapping)?);
                self.call("dict_proxy", vec![(None, mapping)])
            }
            "memoryview" => {
                Decoded::exact(format!("<memory at {object}>", object = self.inspector.shown(object)))
            }
            _ => return Ok(None),
        }))
    }

    fn byte_string(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let (bytes, truncated) = self.inspector.bytes_content(object, self.limits.max_string)?;
        let mut out = Decoded::exact(repr_byte_string(&bytes));
        out.cut_if(truncated);
        Ok(out)
    }

    fn unicode(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let text = self.inspector.text(object, self.limits.max_string)?;
        let mut out = Decoded::exact(repr_unicode(&text.code_points));
        out.cut_if(text.truncated);
        Ok(out)
    }

    /// `set_repr`, Objects/setobject.c: as a list.
    fn classic_set(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        if self.is_inside(object) {
            return Ok(Decoded::exact(format!("{}(...)", class.tp_name)));
        }
        let (items, count) = self.inspector.set_items(object, self.limits.max_items)?;
        let inner = self.sequence(object, &items, count, ("[", "]"));
        Ok(Self::wrapped(inner, &format!("{}(", class.tp_name), ")"))
    }

    /// `range_repr`, Objects/rangeobject.c.
    fn xrange(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs.RangeObject;
        let read = |field: Field| self.inspector.int(object, field);
        let (start, step, length) = (read(layout.start)?, read(layout.step)?, read(layout.len)?);
        let stop = start.wrapping_add(step.wrapping_mul(length));
        Ok(Decoded::exact(match (start, step) {
            (0, 1) => format!("xrange({stop})"),
            (_, 1) => format!("xrange({start}, {stop})"),
            _ => format!("xrange({start}, {stop}, {step})"),
        }))
    }

    /// `instance_repr`, Objects/classobject.c.
    fn classic_instance(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let repr = inspector.classic_instance_repr(object)?;
        let mut out = match inspector.classic_attribute(object, "__repr__")? {
            None => Decoded::exact(repr),
            Some(_) => Decoded::noted(repr, "its repr is code, not run"),
        };
        if self.lists_no_children() || self.is_inside(object) {
            return Ok(out);
        }
        for (name, value) in inspector.classic_attributes(object)? {
            if out.children.len() >= self.limits.max_items {
                out.truncated = true;
                break;
            }
            let value = self.part(object, value);
            self.list_child(&mut out, attribute(name, value));
        }
        Ok(out)
    }

    /// `instancemethod_repr`, Objects/classobject.c.
    fn classic_method(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyMethodObject;
        let name = |field: Field| -> Result<String, Unreadable> {
            match inspector.pointer(object, field)? {
                Address::NULL => Ok("?".to_owned()),
                named => Ok(inspector.classic_name(named)?.unwrap_or_else(|| "?".to_owned())),
            }
        };
        let (class, function) = (name(layout.im_class)?, name(layout.im_func)?);
        let owner = inspector.pointer(object, layout.im_self)?;
        if owner.is_null() {
            return Ok(Decoded::exact(format!("<unbound method {class}.{function}>")));
        }
        let owner = self.inner(object, owner);
        let mut out = Decoded::exact(format!("<bound method {class}.{function} of {}>", owner.repr));
        out.absorb(&owner);
        Ok(out)
    }

    /// `type_repr`, Objects/typeobject.c.
    fn classic_type(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let class = self.inspector.type_info(object)?;
        let kind = if class.is_heap_type() { "class" } else { "type" };
        Ok(Decoded::exact(if class.module.is_empty() || class.module == self.inspector.layout.builtins() {
            format!("<{kind} '{}'>", class.tp_name)
        } else {
            format!("<{kind} '{}.{}'>", class.module, class.qualname)
        }))
    }

    /// `module_repr`, Objects/moduleobject.c.
    fn classic_module(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let dict = inspector.pointer(object, inspector.layout.structs.PyModuleObject.md_dict)?;
        let text = |name: &str| -> Result<Option<String>, Unreadable> {
            let found = if dict.is_null() { None } else { inspector.dict_get(dict, name)? };
            match found {
                Some(found) if inspector.is_byte_string(found)? => Ok(Some(inspector.string(found)?)),
                _ => Ok(None),
            }
        };
        let name = text("__name__")?.unwrap_or_else(|| "?".to_owned());
        Ok(Decoded::exact(match text("__file__")? {
            Some(file) => format!("<module '{name}' from '{file}'>"),
            None => format!("<module '{name}' (built-in)>"),
        }))
    }

    /// `file_repr`, Objects/fileobject.c.
    fn classic_file(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyFileObject;
        let state = if inspector.pointer(object, layout.f_fp)?.is_null() { "closed" } else { "open" };
        let mode = inspector.string(inspector.non_null(object, layout.f_mode)?)?;
        let name = inspector.non_null(object, layout.f_name)?;
        if inspector.is_str_object(name)? && !inspector.is_byte_string(name)? {
            // `PyUnicode_AsUnicodeEscapeString`: quotes are not escaped.
            let text = inspector.text(name, self.limits.max_string)?;
            let cut = if text.truncated { CUT } else { "" };
            let name: String = text.code_points.iter().map(|&code| escape_without_quotes(code)).collect();
            let repr = format!(
                "<{state} file u'{name}{cut}', mode '{mode}' at {object}>",
                object = self.inspector.shown(object)
            );
            return Ok(Decoded { truncated: text.truncated, ..Decoded::exact(repr) });
        }
        let name = self.inner(object, name);
        let mut out = Decoded::exact(format!(
            "<{state} file {}, mode '{mode}' at {object}>",
            name.repr,
            object = self.inspector.shown(object)
        ));
        out.absorb(&name);
        Ok(out)
    }

    /// `buffer_repr`, Objects/bufferobject.c.
    fn buffer(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyBufferObject;
        let status = if inspector.int(object, layout.b_readonly)? == 0 { "read-write" } else { "read-only" };
        let size = inspector.int(object, layout.b_size)?;
        Ok(Decoded::exact(match inspector.pointer(object, layout.b_base)? {
            Address::NULL => {
                let start = inspector.pointer(object, layout.b_ptr)?;
                format!(
                    "<{status} buffer ptr {start}, size {size} at {object}>",
                    object = self.inspector.shown(object),
                    start = self.inspector.shown(start)
                )
            }
            base => {
                let offset = inspector.int(object, layout.b_offset)?;
                format!(
                    "<{status} buffer for {base}, size {size}, offset {offset} at {object}>",
                    object = self.inspector.shown(object),
                    base = self.inspector.shown(base)
                )
            }
        }))
    }
}

/// A character within `repr` of a `unicode`, between no quotes.
fn escape_without_quotes(code: u32) -> String {
    let quoted = repr_unicode(&[code]);
    match char::from_u32(code) {
        Some(quote @ ('\'' | '"')) => quote.to_string(),
        _ => quoted.get(2..quoted.len() - 1).unwrap_or_default().to_owned(),
    }
}
