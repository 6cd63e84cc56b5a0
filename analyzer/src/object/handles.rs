//! Small objects of C that stand for something else: context variables and their tokens, thread handles, proxies of
//! weak references, `super`, foreign functions, time zones, matches of regular expressions, sentinels, lazy imports,
//! template strings.

use super::text::{repr_bytes, repr_text};
use super::types::MethodSource;
use super::values::{CUT, Decoded, Walk};
use super::{TypeInfo, Unreadable};
use crate::addr::Address;

/// The most characters of a match that are read.
const MAX_MATCH: u64 = 1 << 20;
/// The longest chain of lazy imports from one another that is followed.
const MAX_LAZY_IMPORTS: usize = 32;

impl Walk<'_, '_> {
    /// `contextvar_tp_repr`, Python/context.c.
    pub(super) fn context_variable(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyContextVar;
        let name = self.inner(object, inspector.non_null(object, layout.var_name)?);
        let default = inspector.pointer(object, layout.var_default)?;
        let default = (!default.is_null()).then(|| self.inner(object, default));
        let shown = default.as_ref().map(|value| format!(" default={}", value.repr)).unwrap_or_default();
        let mut out = Decoded::exact(format!(
            "<ContextVar name={}{shown} at {object}>",
            name.repr,
            object = self.inspector.shown(object)
        ));
        out.absorb(&name);
        default.iter().for_each(|value| out.absorb(value));
        Ok(out)
    }

    /// `token_tp_repr`, Python/context.c.
    pub(super) fn context_token(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyContextToken;
        let used = if inspector.uint(object, layout.tok_used)? == 0 { "" } else { " used" };
        let variable = self.inner(object, inspector.non_null(object, layout.tok_var)?);
        let mut out = Decoded::exact(format!(
            "<Token{used} var={} at {object}>",
            variable.repr,
            object = self.inspector.shown(object)
        ));
        out.absorb(&variable);
        Ok(out)
    }

    /// `PyThreadHandleObject_repr`, Modules/_threadmodule.c.
    pub(super) fn thread_handle(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs;
        let handle = self.inspector.non_null(object, layout.PyThreadHandleObject.handle)?;
        let ident = self.inspector.uint(handle, layout.ThreadHandle.ident)?;
        Ok(Decoded::exact(format!("<{} object: ident={ident}>", class.tp_name)))
    }

    /// `proxy_repr`, Objects/weakrefobject.c.
    pub(super) fn weak_proxy(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let target = inspector.pointer(object, inspector.layout.structs.PyWeakReference.wr_object)?;
        let class = inspector.type_of(target)?;
        Ok(Decoded::exact(if !inspector.layout.proxies_look_like_references() {
            format!(
                "<weakproxy at {object} to {} at {target}>",
                class.tp_name,
                object = self.inspector.shown(object),
                target = self.inspector.shown(target)
            )
        } else if class.name == "NoneType" {
            format!("<weakproxy at {object}; dead>", object = self.inspector.shown(object))
        } else {
            format!(
                "<weakproxy at {object}; to '{}' at {target}>",
                class.tp_name,
                object = self.inspector.shown(object),
                target = self.inspector.shown(target)
            )
        }))
    }

    /// `super_repr`, Objects/typeobject.c.
    pub(super) fn super_object(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.SuperObject;
        let name = |field| -> Result<Option<String>, Unreadable> {
            match inspector.pointer(object, field)? {
                Address::NULL => Ok(None),
                class => Ok(Some(inspector.type_info(class)?.tp_name.clone())),
            }
        };
        let class = name(layout.class)?.unwrap_or_else(|| "NULL".to_owned());
        let bound =
            name(layout.obj_type)?.map_or_else(|| "NULL".to_owned(), |name| format!("<{name} object>"));
        Ok(Decoded::exact(format!("<super: <class '{class}'>, {bound}>")))
    }

    /// `sentinel_repr`, Objects/sentinelobject.c.
    pub(super) fn sentinel(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.SentinelObject;
        let own = inspector.pointer(object, layout.repr)?;
        let shown = if own.is_null() || !inspector.is_str_object(own)? {
            inspector.non_null(object, layout.name)?
        } else {
            own
        };
        Ok(Decoded::exact(inspector.string(shown)?))
    }

    /// `lazy_import_repr`, Objects/lazyimportobject.c.
    pub(super) fn lazy_import(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyLazyImportObject;
        let from = inspector.non_null(object, layout.lz_from)?;
        let name = if !inspector.is_str_object(from)? {
            self.lazy_import_path(object, 0)?
        } else if self.imports_names(object)? {
            format!("{}...", inspector.string(from)?)
        } else {
            inspector.string(from)?
        };
        Ok(Decoded::exact(format!("<lazy_import '{name}'>")))
    }

    /// Whether it is a `from` import of some names: `lz_attr` is a tuple of them, or of no name, or null.
    fn imports_names(&self, object: Address) -> Result<bool, Unreadable> {
        let inspector = self.inspector;
        match inspector.pointer(object, inspector.layout.structs.PyLazyImportObject.lz_attr)? {
            Address::NULL => Ok(false),
            names => Ok(!inspector.type_of(names)?.is_tuple() || inspector.length(names)? > 0),
        }
    }

    /// `lazy_import_path`: what the import gives, which for `import a.b` is `a`. A name of a module is taken from the
    /// lazy import of the module.
    fn lazy_import_path(&self, object: Address, depth: usize) -> Result<String, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyLazyImportObject;
        let from = inspector.non_null(object, layout.lz_from)?;
        if inspector.is_str_object(from)? {
            let module = inspector.string(from)?;
            let whole = self.imports_names(object)?;
            return Ok(module.split('.').next().filter(|_| !whole).map(str::to_owned).unwrap_or(module));
        }
        if depth >= MAX_LAZY_IMPORTS || inspector.type_of(from)?.name != "lazy_import" {
            return Err(Unreadable::Nonsense { at: object, what: "a lazy import from no module".to_owned() });
        }
        let name = inspector.string(inspector.non_null(object, layout.lz_attr)?)?;
        Ok(format!("{}.{name}", self.lazy_import_path(from, depth + 1)?))
    }

    /// `template_repr`, Objects/templateobject.c.
    pub(super) fn template(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.TemplateObject;
        let mut parts = Vec::new();
        for (name, field) in [("strings", layout.strings), ("interpolations", layout.interpolations)] {
            parts.push((name.to_owned(), inspector.non_null(object, field)?));
        }
        Ok(self.fields(object, class.short_name(), &parts))
    }

    /// `interpolation_repr`, Objects/interpolationobject.c.
    pub(super) fn interpolation(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs.InterpolationObject;
        let mut parts = Vec::new();
        for field in [layout.value, layout.expression, layout.conversion, layout.format_spec] {
            let part = self.inspector.non_null(object, field)?;
            parts.push((None, self.part(object, part)));
        }
        Ok(self.call(class.short_name(), parts))
    }

    /// `PyCFuncPtr_repr`, Modules/_ctypes/_ctypes.c.
    pub(super) fn foreign_function(
        &mut self,
        object: Address,
        class: &TypeInfo,
    ) -> Result<Decoded, Unreadable> {
        Ok(Decoded::exact(format!(
            "<{} object at {object}>",
            class.tp_name,
            object = self.inspector.shown(object)
        )))
    }

    /// `zoneinfo_repr`, Modules/_zoneinfo.c.
    pub(super) fn zone_info(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyZoneInfo;
        let key = inspector.non_null(object, layout.key)?;
        if inspector.is_none(key)? {
            let file = inspector.string(inspector.non_null(object, layout.file_repr)?)?;
            return Ok(Decoded::exact(format!("{}.from_file({file})", class.tp_name)));
        }
        let key = self.inner(object, key);
        let mut out = Decoded::exact(format!("{}(key={})", class.tp_name, key.repr));
        out.absorb(&key);
        Ok(out)
    }

    /// `match_repr`, Modules/_sre. The text of a match is what stands at its place now.
    pub(super) fn regex_match(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let mark = inspector.field_address(object, layout.MatchObject.mark)?;
        let start = inspector.memory.u64(mark)?;
        let end = inspector.memory.u64(mark.add(8))?;
        let subject = inspector.pointer(object, layout.MatchObject.string)?;
        if subject.is_null() || end < start || end >> 62 != 0 {
            return self.opaque(object, class, &MethodSource::Native(class.name.clone()));
        }
        let count = (end - start).min(MAX_MATCH).min(self.limits.max_string as u64);
        let kind = inspector.type_of(subject)?;
        let text = if kind.is_str() {
            let text = inspector.text_between(subject, start as usize, count as usize)?;
            repr_text(&text.code_points, inspector.printable())
        } else {
            let data = match kind.name.as_str() {
                "bytes" => inspector.field_address(subject, layout.PyBytesObject.ob_sval)?,
                "bytearray" => inspector.pointer(subject, layout.PyByteArrayObject.ob_start)?,
                _ => return self.opaque(object, class, &MethodSource::Native(class.name.clone())),
            };
            let available = inspector.length(subject)?.saturating_sub(start);
            repr_bytes(&inspector.memory.bytes(data.add(start), count.min(available) as usize)?, false)
        };
        let truncated = count < end - start;
        let cut = if truncated { CUT } else { "" };
        let repr = format!("<{} object; span=({start}, {end}), match={text}{cut}>", class.tp_name);
        Ok(Decoded { truncated, ..Decoded::exact(repr) })
    }
}
