//! What can be called or imported: functions, methods, descriptors, types, modules; and generators, references, locks.

use super::text::repr_text;
use super::values::{Decoded, Walk};
use super::{Inspector, MethodSource, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::Field;

/// `_Py_MEMORYVIEW_RELEASED`, Include/memoryobject.h.
const MEMORYVIEW_RELEASED: u64 = 1;
/// `_Py_LOCKED`, the lowest bit of a `PyMutex`, Include/cpython/lock.h.
const MUTEX_LOCKED: u64 = 1;

impl Inspector<'_> {
    fn string_field(&self, object: Address, field: Field) -> Result<String, Unreadable> {
        self.string(self.non_null(object, field)?)
    }

    /// `repr` of a name or a path that was read as text.
    pub(super) fn repr_of_text(&self, text: &str) -> String {
        let code_points: Vec<u32> = text.chars().map(u32::from).collect();
        repr_text(&code_points, self.printable())
    }

    /// `getattr(object, "__name__")` where it is a string, for the kinds of objects that have one.
    pub(super) fn dunder_name(&self, object: Address) -> Result<Option<String>, Unreadable> {
        let layout = &self.layout.structs;
        let class = self.type_of(object)?;
        if class.is_type() {
            return Ok(Some(self.type_info(object)?.short_name().to_owned()));
        }
        let field = match class.name.as_str() {
            "function" => layout.PyFunctionObject.func_name,
            "generator" | "coroutine" | "async_generator" => layout.PyGenObject.gi_name,
            "builtin_function_or_method" => {
                let method = self.non_null(object, layout.PyCFunctionObject.m_ml)?;
                return Ok(Some(self.c_name(self.non_null(method, layout.PyMethodDef.ml_name)?)?));
            }
            "module" => {
                let dict = self.non_null(object, layout.PyModuleObject.md_dict)?;
                return self.dict_get(dict, "__name__")?.map(|name| self.string(name)).transpose();
            }
            "method_descriptor" | "wrapper_descriptor" | "classmethod_descriptor" => {
                layout.PyDescrObject.d_name
            }
            _ => {
                let own = self.attribute(object, "__name__")?;
                return own
                    .filter(|&name| self.is_str_object(name).unwrap_or(false))
                    .map(|name| self.string(name))
                    .transpose();
            }
        };
        Ok(Some(self.string_field(object, field)?))
    }

    fn c_name(&self, at: Address) -> Result<String, Unreadable> {
        Ok(String::from_utf8_lossy(&self.memory.c_string(at, 512)?).into_owned())
    }
}

impl Walk<'_, '_> {
    /// `func_repr`, Objects/funcobject.c.
    pub(super) fn function(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let name = self
            .inspector
            .string_field(object, self.inspector.layout.structs.PyFunctionObject.func_qualname)?;
        Ok(Decoded::exact(format!("<function {name} at {object}>", object = self.inspector.shown(object))))
    }

    /// `method_repr`, Objects/classobject.c.
    pub(super) fn method(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let function = inspector.non_null(object, layout.PyMethodObject.im_func)?;
        let (name, note) = match inspector.type_of(function)?.name.as_str() {
            "function" => (inspector.string_field(function, layout.PyFunctionObject.func_qualname)?, None),
            other => match inspector.dunder_name(function)? {
                Some(name) if other == "builtin_function_or_method" => (name, None),
                _ => ("?".to_owned(), Some(format!("a method of a callable of type {other}"))),
            },
        };
        let owner = inspector.non_null(object, layout.PyMethodObject.im_self)?;
        let owner = self.inner(object, owner);
        let mut out = Decoded::exact(format!("<bound method {name} of {}>", owner.repr));
        out.note = note;
        out.absorb(&owner);
        Ok(out)
    }

    /// `meth_repr`, Objects/methodobject.c.
    pub(super) fn builtin_method(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let method = inspector.non_null(object, layout.PyCFunctionObject.m_ml)?;
        let name = inspector.c_name(inspector.non_null(method, layout.PyMethodDef.ml_name)?);
        let owner = inspector.pointer(object, layout.PyCFunctionObject.m_self)?;
        let name = match name {
            Ok(name) => name,
            Err(error) => inspector.method_name(method, owner)?.ok_or(error)?,
        };
        if owner.is_null() || inspector.type_of(owner)?.name == "module" {
            return Ok(Decoded::exact(format!("<built-in function {name}>")));
        }
        let class = inspector.type_of(owner)?;
        Ok(Decoded::exact(format!(
            "<built-in method {name} of {} object at {owner}>",
            class.tp_name,
            owner = self.inspector.shown(owner)
        )))
    }

    /// `method_repr` and its neighbours in Objects/descrobject.c.
    pub(super) fn descriptor(&mut self, object: Address, kind: &str) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyDescrObject;
        let name = inspector.string_field(object, layout.d_name)?;
        let owner = inspector.type_info(inspector.non_null(object, layout.d_type)?)?;
        if owner.name == "object" && inspector.layout.shared_descriptors_name_no_owner() {
            return Ok(Decoded::exact(format!("<{kind} '{name}'>")));
        }
        Ok(Decoded::exact(format!("<{kind} '{name}' of '{}' objects>", owner.tp_name)))
    }

    /// `wrapper_repr`, Objects/descrobject.c.
    pub(super) fn method_wrapper(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let descriptor = inspector.non_null(object, layout.WrapperObject.descr)?;
        let name = inspector.string_field(descriptor, layout.PyDescrObject.d_name)?;
        let owner = inspector.non_null(object, layout.WrapperObject.self_object)?;
        let class = inspector.type_of(owner)?;
        Ok(Decoded::exact(format!(
            "<method-wrapper '{name}' of {} object at {owner}>",
            class.tp_name,
            owner = self.inspector.shown(owner)
        )))
    }

    /// `cm_repr` and `sm_repr`, Objects/funcobject.c.
    pub(super) fn wrapped_callable(
        &mut self,
        object: Address,
        name: &str,
        field: Field,
    ) -> Result<Decoded, Unreadable> {
        let inner = self.inspector.non_null(object, field)?;
        let inner = self.inner(object, inner);
        let mut out = Decoded::exact(format!("<{name}({})>", inner.repr));
        out.absorb(&inner);
        Ok(out)
    }

    /// `partial_repr`, Modules/_functoolsmodule.c.
    pub(super) fn partial(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PartialObject;
        let mut parts = vec![(None, self.inner(object, inspector.non_null(object, layout.function)?))];
        let (arguments, _) =
            inspector.tuple_items(inspector.non_null(object, layout.args)?, self.limits.max_items)?;
        for argument in arguments {
            parts.push((None, self.inner(object, argument)));
        }
        let keywords = inspector.pointer(object, layout.kw)?;
        if !keywords.is_null() && inspector.type_of(keywords)?.is_dict() {
            for (key, value) in inspector.dict_entries(keywords, self.limits.max_items)?.pairs {
                parts.push((Some(inspector.string(key)?), self.inner(object, value)));
            }
        }
        let name = if class.name == "functools.partial" { "functools.partial" } else { class.short_name() };
        Ok(self.call(name, parts))
    }

    /// `type_repr`, Objects/typeobject.c.
    pub(super) fn class(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let class = self.inspector.type_info(object)?;
        Ok(Decoded::exact(format!(
            "<class '{}'>",
            if class.module.is_empty() { &class.tp_name } else { &class.name }
        )))
    }

    /// `_module_repr`, Lib/importlib/_bootstrap.py.
    pub(super) fn module(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let dict = inspector.non_null(object, inspector.layout.structs.PyModuleObject.md_dict)?;
        let quoted = |object: Address| inspector.string(object).map(|text| inspector.repr_of_text(&text));
        let is_none = |object: Address| inspector.type_of(object).is_ok_and(|class| class.name == "NoneType");
        let get = |name: &str| inspector.dict_get(dict, name);

        if let Some(spec) = get("__spec__")?.filter(|&spec| !is_none(spec)) {
            let class = inspector.type_of(spec)?;
            let (fields, _) = inspector.attributes(spec, &class, usize::MAX)?;
            let field = |name: &str| fields.iter().find(|(found, _)| found == name).map(|&(_, value)| value);
            let name = field("name").map_or_else(|| Ok("'?'".to_owned()), quoted)?;
            let origin = field("origin").filter(|&origin| !is_none(origin));
            return match origin {
                Some(origin) => {
                    let located = match field("_set_fileattr") {
                        Some(flag) => inspector.big_int(flag)?.sign() == num_bigint::Sign::Plus,
                        None => false,
                    };
                    let origin = inspector.string(origin)?;
                    Ok(Decoded::exact(if located {
                        format!("<module {name} from {}>", inspector.repr_of_text(&origin))
                    } else {
                        format!("<module {name} ({origin})>")
                    }))
                }
                None => {
                    self.module_by_loader(object, &name, field("loader").filter(|&loader| !is_none(loader)))
                }
            };
        }
        let name = get("__name__")?.map_or_else(|| Ok("'?'".to_owned()), quoted)?;
        match get("__file__")? {
            Some(file) if !is_none(file) => {
                Ok(Decoded::exact(format!("<module {name} from {}>", quoted(file)?)))
            }
            _ => self.module_by_loader(object, &name, get("__loader__")?.filter(|&loader| !is_none(loader))),
        }
    }

    fn module_by_loader(
        &mut self,
        object: Address,
        name: &str,
        loader: Option<Address>,
    ) -> Result<Decoded, Unreadable> {
        let Some(loader) = loader else { return Ok(Decoded::exact(format!("<module {name}>"))) };
        let loader = self.inner(object, loader);
        if self.inspector.layout.loaders_describe_modules() {
            // `module_repr` of the loaders in Lib/importlib.
            let kind = match loader.repr.as_str() {
                "<class '_frozen_importlib.BuiltinImporter'>" => Some("built-in"),
                "<class '_frozen_importlib.FrozenImporter'>" => Some("frozen"),
                _ if loader.type_name.ends_with("_NamespaceLoader") => Some("namespace"),
                _ => None,
            };
            if let Some(kind) = kind {
                return Ok(Decoded::exact(format!("<module {name} ({kind})>")));
            }
        }
        let mut out = Decoded::exact(format!("<module {name} ({})>", loader.repr));
        out.absorb(&loader);
        Ok(out)
    }

    /// `gen_repr` and its neighbours, Objects/genobject.c.
    pub(super) fn generator(&mut self, object: Address, kind: &str) -> Result<Decoded, Unreadable> {
        let name =
            self.inspector.string_field(object, self.inspector.layout.structs.PyGenObject.gi_qualname)?;
        Ok(Decoded::exact(format!(
            "<{kind} object {name} at {object}>",
            object = self.inspector.shown(object)
        )))
    }

    /// `weakref_repr`, Objects/weakrefobject.c.
    pub(super) fn weak_reference(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let target = inspector.pointer(object, inspector.layout.structs.PyWeakReference.wr_object)?;
        if target.is_null() {
            return Ok(Decoded::exact(format!(
                "<weakref at {object}; dead>",
                object = self.inspector.shown(object)
            )));
        }
        let class = inspector.type_of(target)?;
        if class.name == "NoneType" {
            return Ok(Decoded::exact(format!(
                "<weakref at {object}; dead>",
                object = self.inspector.shown(object)
            )));
        }
        let name = inspector.dunder_name(target)?.map(|name| format!(" ({name})")).unwrap_or_default();
        Ok(Decoded::exact(format!(
            "<weakref at {object}; to '{}' at {target}{name}>",
            class.tp_name,
            object = self.inspector.shown(object),
            target = self.inspector.shown(target)
        )))
    }

    /// `cell_repr`, Objects/cellobject.c.
    pub(super) fn cell(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let target = inspector.pointer(object, inspector.layout.structs.PyCellObject.ob_ref)?;
        if target.is_null() {
            return Ok(Decoded::exact(format!(
                "<cell at {object}: empty>",
                object = self.inspector.shown(object)
            )));
        }
        let class = inspector.type_of(target)?;
        Ok(Decoded::exact(format!(
            "<cell at {object}: {} object at {target}>",
            class.tp_name,
            object = self.inspector.shown(object),
            target = self.inspector.shown(target)
        )))
    }

    /// `code_repr`, Objects/codeobject.c.
    pub(super) fn code(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyCodeObject;
        let name = inspector.string_field(object, layout.co_name)?;
        let file = inspector.string_field(object, layout.co_filename)?;
        let line = inspector.int(object, layout.co_firstlineno)?;
        Ok(Decoded::exact(format!(
            "<code object {name} at {object}, file \"{file}\", line {line}>",
            object = self.inspector.shown(object)
        )))
    }

    /// `memory_repr`, Objects/memoryobject.c.
    pub(super) fn memory_view(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let flags = self.inspector.uint(object, self.inspector.layout.structs.PyMemoryViewObject.flags)?;
        let released = if flags & MEMORYVIEW_RELEASED == 0 { "" } else { "released " };
        Ok(Decoded::exact(format!("<{released}memory at {object}>", object = self.inspector.shown(object))))
    }

    /// `lock_repr`, Modules/_threadmodule.c. Later releases of 3.13 (3.13.5 does, 3.13.0 does not) keep a `PyMutex`.
    pub(super) fn lock(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs;
        let locked = if class.basic_size == i64::from(layout.MutexLockObject.size_of) {
            self.inspector.uint(object, layout.MutexLockObject.lock)? & MUTEX_LOCKED != 0
        } else {
            self.inspector.uint(object, layout.LockObject.locked)? != 0
        };
        let state = if locked { "locked" } else { "unlocked" };
        Ok(Decoded::exact(format!(
            "<{state} {} object at {object}>",
            class.tp_name,
            object = self.inspector.shown(object)
        )))
    }

    /// `rlock_repr`, Modules/_threadmodule.c.
    pub(super) fn rlock(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs.RLockObject;
        let owner = self.inspector.int(object, layout.rlock_owner)?;
        let count = if layout.level.exists() {
            let locked = self.inspector.uint(object, layout.mutex)? & MUTEX_LOCKED != 0;
            if locked { self.inspector.uint(object, layout.level)?.saturating_add(1) } else { 0 }
        } else {
            self.inspector.uint(object, layout.rlock_count)?
        };
        let state = if count > 0 { "locked" } else { "unlocked" };
        Ok(Decoded::exact(format!(
            "<{state} {} object owner={owner} count={count} at {object}>",
            class.tp_name,
            object = self.inspector.shown(object)
        )))
    }

    /// `pattern_repr`, Modules/_sre: the pattern's repr is cut at 200 characters, as there.
    pub(super) fn pattern(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        const FLAGS: [(u64, &str); 9] = [
            (1, "re.TEMPLATE"),
            (2, "re.IGNORECASE"),
            (4, "re.LOCALE"),
            (8, "re.MULTILINE"),
            (16, "re.DOTALL"),
            (32, "re.UNICODE"),
            (64, "re.VERBOSE"),
            (128, "re.DEBUG"),
            (256, "re.ASCII"),
        ];
        const LOCALE_ASCII_UNICODE: u64 = 4 | 256 | 32;
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PatternObject;
        let pattern = inspector.non_null(object, layout.pattern)?;
        let is_text = inspector.is_str_object(pattern)?;
        let limits = self.limits;
        self.limits.max_string = 201;
        let pattern = self.inner(object, pattern);
        self.limits = limits;
        let mut out =
            Decoded::exact(format!("re.compile({}", pattern.repr.chars().take(200).collect::<String>()));
        out.note = pattern.note;
        let mut flags = inspector.uint(object, layout.flags)?;
        if is_text && flags & LOCALE_ASCII_UNICODE == 32 {
            flags &= !32;
        }
        let mut names = Vec::new();
        for (bit, name) in FLAGS {
            if flags & bit != 0 {
                names.push(name.to_owned());
                flags &= !bit;
            }
        }
        if flags != 0 {
            names.push(format!("{flags:#x}"));
        }
        if !names.is_empty() {
            out.repr.push_str(", ");
            out.repr.push_str(&names.join("|"));
        }
        out.repr.push(')');
        Ok(out)
    }

    /// `count_repr`, Modules/itertoolsmodule.c.
    pub(super) fn counting(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.CountObject;
        let long = inspector.pointer(object, layout.long_cnt)?;
        let mut parts = vec![if long.is_null() {
            inspector.int(object, layout.cnt)?.to_string()
        } else {
            self.inner(object, long).repr
        }];
        let step = inspector.non_null(object, layout.long_step)?;
        let step = self.inner(object, step);
        if step.repr != "1" {
            parts.push(step.repr);
        }
        Ok(Decoded::exact(format!("{}({})", class.short_name(), parts.join(", "))))
    }

    /// `repeat_repr`, Modules/itertoolsmodule.c.
    pub(super) fn repeating(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.RepeatObject;
        let element = inspector.non_null(object, layout.element)?;
        let element = self.inner(object, element);
        let count = inspector.int(object, layout.cnt)?;
        let count = if count < 0 { String::new() } else { format!(", {count}") };
        let mut out = Decoded::exact(format!("{}({}{count})", class.short_name(), element.repr));
        out.absorb(&element);
        Ok(out)
    }

    /// An instance whose class has no `__repr__` of its own: `object_repr`, Objects/typeobject.c.
    pub(super) fn instance(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let repr = format!("<{} object at {object}>", class.name, object = self.inspector.shown(object));
        self.with_attributes(object, class, Decoded::exact(repr))
    }

    /// An instance whose `__repr__` is code that pycore does not know: type, address and attributes.
    pub(super) fn opaque(
        &mut self,
        object: Address,
        class: &TypeInfo,
        source: &MethodSource,
    ) -> Result<Decoded, Unreadable> {
        let why = match source {
            MethodSource::Native(owner) => format!("its repr is C code of {owner}, not run"),
            MethodSource::Python { module, qualname, .. } => {
                format!("its repr is code, {module}.{qualname}, not run")
            }
            MethodSource::Unknown(why) => format!("its repr is not known: {why}"),
        };
        let repr = format!("<{} object at {object}>", class.name, object = self.inspector.shown(object));
        self.with_attributes(object, class, Decoded::noted(repr, why))
    }

    pub(super) fn with_attributes(
        &mut self,
        object: Address,
        class: &TypeInfo,
        mut out: Decoded,
    ) -> Result<Decoded, Unreadable> {
        if self.lists_no_children() || self.is_inside(object) {
            return Ok(out);
        }
        let (attributes, more) = self.inspector.attributes(object, class, self.limits.max_items)?;
        for (name, value) in attributes {
            let value = self.part(object, value);
            self.list_child(&mut out, super::values::attribute(name, value));
        }
        out.truncated |= more;
        Ok(out)
    }
}
