//! Types of the standard library whose `__repr__` is written in Python: the same text, without running it.

use super::values::{Decoded, Walk, attribute};
use super::windows_path::parse_windows;
use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use num_bigint::{BigInt, Sign};
use std::collections::HashMap;

/// The attributes of one instance by name.
pub(super) struct Attributes(HashMap<String, Address>);

impl Attributes {
    pub(super) fn get(&self, name: &str) -> Option<Address> {
        self.0.get(name).copied()
    }
}

impl Inspector<'_> {
    pub(super) fn attribute_map(&self, object: Address, class: &TypeInfo) -> Result<Attributes, Unreadable> {
        Ok(Attributes(self.attributes(object, class, usize::MAX)?.0.into_iter().collect()))
    }

    pub(super) fn missing(&self, object: Address, name: &str) -> Unreadable {
        Unreadable::Nonsense { at: object, what: format!("it has no attribute {name}") }
    }

    fn strings(&self, list: Address) -> Result<Vec<String>, Unreadable> {
        let class = self.type_of(list)?;
        let items =
            if class.is_tuple() { self.tuple_items(list, 1 << 16)? } else { self.list_items(list, 1 << 16)? };
        items.0.into_iter().map(|item| self.string(item)).collect()
    }
}

impl Walk<'_, '_> {
    /// The repr of an instance whose `__repr__` is the Python function `module.qualname`, or `None` for one that
    /// is not of the standard library.
    pub(super) fn python_repr(
        &mut self,
        object: Address,
        class: &TypeInfo,
        module: &str,
        qualname: &str,
        function: Address,
    ) -> Result<Option<Decoded>, Unreadable> {
        if self.inspector.layout.prints_like_python_2()
            && let Some(decoded) = self.classic_library(object, class, module, qualname)?
        {
            return Ok(Some(decoded));
        }
        // Up to 3.6 the methods come from a module made for the class, `namedtuple_Point`.
        if (module == "collections" || module.starts_with("namedtuple_")) && class.is_tuple() {
            return self.named_tuple(object, class, class.short_name()).map(Some);
        }
        if matches!(module, "dataclasses" | "reprlib") && self.is_generated(function)? {
            return self.dataclass(object, class, function).map(Some);
        }
        let attributes = || self.inspector.attribute_map(object, class);
        let decoded = match (module, qualname) {
            ("collections", "Counter.__repr__") => self.counter(object, class)?,
            ("collections" | "reprlib", "ChainMap.__repr__") => {
                let maps = attributes()?.get("maps").ok_or_else(|| self.inspector.missing(object, "maps"))?;
                self.chain_map(object, class, maps)?
            }
            ("collections", "UserDict.__repr__" | "UserList.__repr__" | "UserString.__repr__") => {
                let data = attributes()?.get("data").ok_or_else(|| self.inspector.missing(object, "data"))?;
                let value = self.inner(object, data);
                Decoded {
                    repr: value.repr,
                    truncated: value.truncated,
                    note: value.note,
                    children: value.children,
                }
            }
            ("enum", "EnumMeta.__repr__" | "EnumType.__repr__") => self.enum_class(object)?,
            ("enum", _) => match self.enum_member(object, class, qualname, &attributes()?)? {
                Some(member) => member,
                None => return Ok(None),
            },
            ("fractions", "Fraction.__repr__") => {
                let attributes = attributes()?;
                let numerator = self.int_attribute(object, &attributes, "_numerator")?;
                let denominator = self.int_attribute(object, &attributes, "_denominator")?;
                Decoded::exact(format!("{}({numerator}, {denominator})", class.short_name()))
            }
            ("uuid", "UUID.__repr__") => {
                let number = self.int_attribute(object, &attributes()?, "int")?;
                let hex = format!("{:0>32}", number.to_str_radix(16));
                let mut groups = Vec::new();
                let mut rest = hex.as_str();
                for width in [8, 4, 4, 4, 12] {
                    let (group, after) =
                        rest.split_at_checked(width).ok_or_else(|| self.inspector.missing(object, "int"))?;
                    groups.push(group);
                    rest = after;
                }
                Decoded::exact(format!("{}('{}')", class.short_name(), groups.join("-")))
            }
            ("pathlib" | "pathlib._local", "PurePath.__repr__") => match self
                .path_text(class, &attributes()?)?
            {
                Some(path) => {
                    let path = if self.is_windows_path(class)? { path.replace('\\', "/") } else { path };
                    Decoded::exact(format!("{}({})", class.short_name(), self.inspector.repr_of_text(&path)))
                }
                None => return Ok(None),
            },
            ("threading", method) => match self.threading(object, class, method, &attributes()?)? {
                Some(decoded) => decoded,
                None => return Ok(None),
            },
            ("weakref", "WeakValueDictionary.__repr__" | "WeakKeyDictionary.__repr__") => {
                Decoded::exact(format!("<{} at {object}>", class.short_name()))
            }
            ("logging", method) => return self.logging(object, class, method, function),
            ("argparse", "_AttributeHolder.__repr__") => return self.parsed_arguments(object, class),
            ("os", "_Environ.__repr__") => return self.environment(object, class),
            ("ipaddress", method) => return self.network_address(object, class, method),
            ("annotationlib", "ForwardRef.__repr__") => {
                match self.forward_reference(object, &attributes()?)? {
                    Some(decoded) => decoded,
                    None => return Ok(None),
                }
            }
            ("socket", "socket.__repr__") => return self.socket(object, class, function).map(Some),
            _ => return Ok(None),
        };
        Ok(Some(decoded))
    }

    pub(super) fn int_attribute(
        &self,
        object: Address,
        attributes: &Attributes,
        name: &str,
    ) -> Result<BigInt, Unreadable> {
        self.inspector.big_int(attributes.get(name).ok_or_else(|| self.inspector.missing(object, name))?)
    }

    pub(super) fn text_attribute(
        &self,
        object: Address,
        attributes: &Attributes,
        name: &str,
    ) -> Result<String, Unreadable> {
        self.inspector.string(attributes.get(name).ok_or_else(|| self.inspector.missing(object, name))?)
    }

    /// `namedtuple`, Lib/collections/__init__.py.
    pub(super) fn named_tuple(
        &mut self,
        object: Address,
        class: &TypeInfo,
        name: &str,
    ) -> Result<Decoded, Unreadable> {
        let names = self.inspector.class_attribute(class, "_fields")?;
        let names =
            self.inspector.strings(names.ok_or_else(|| self.inspector.missing(object, "_fields"))?)?;
        let (items, _) = self.inspector.tuple_items(object, names.len())?;
        let fields: Vec<_> = names.into_iter().zip(items).collect();
        Ok(self.fields(object, name, &fields))
    }

    /// Whether a wrapper made by `recursive_repr` wraps a function that `dataclass` generated.
    fn is_generated(&self, wrapper: Address) -> Result<bool, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let closure = inspector.pointer(wrapper, layout.PyFunctionObject.func_closure)?;
        if closure.is_null() {
            return Ok(false);
        }
        for cell in inspector.tuple_items(closure, 8)?.0 {
            let wrapped = inspector.pointer(cell, layout.PyCellObject.ob_ref)?;
            if !wrapped.is_null() && inspector.type_of(wrapped)?.name == "function" {
                let code = inspector.non_null(wrapped, layout.PyFunctionObject.func_code)?;
                let file = inspector.string(inspector.non_null(code, layout.PyCodeObject.co_filename)?)?;
                return Ok(file == "<string>");
            }
        }
        Ok(false)
    }

    /// The `__repr__` that `dataclass` generates, Lib/dataclasses.py: the fields of the class that was decorated.
    fn dataclass(
        &mut self,
        object: Address,
        class: &TypeInfo,
        function: Address,
    ) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        if self.is_inside(object) {
            return Ok(Decoded::exact("..."));
        }
        let mut specs = None;
        for &base in &class.mro {
            let base = inspector.type_info(base)?;
            if !base.dict.is_null() && inspector.dict_get(base.dict, "__repr__")? == Some(function) {
                specs = inspector.class_attribute(&base, "__dataclass_fields__")?;
                break;
            }
        }
        let specs = specs.ok_or_else(|| inspector.missing(object, "__dataclass_fields__"))?;
        let values = inspector.attribute_map(object, class)?;
        let mut fields = Vec::new();
        for (name, spec) in inspector.dict_entries(specs, usize::MAX)?.pairs {
            let name = inspector.string(name)?;
            let spec_class = inspector.type_of(spec)?;
            let spec = inspector.attribute_map(spec, &spec_class)?;
            let shown = self.int_attribute(object, &spec, "repr")?.sign() != Sign::NoSign;
            let kind = spec.get("_field_type").ok_or_else(|| inspector.missing(object, "_field_type"))?;
            let kind = inspector.attribute(kind, "name")?.ok_or_else(|| inspector.missing(kind, "name"))?;
            if !shown || inspector.string(kind)? != "_FIELD" {
                continue;
            }
            let value = match values.get(&name) {
                Some(value) => Some(value),
                None => inspector.class_attribute(class, &name)?,
            };
            fields.push((name.clone(), value.ok_or_else(|| inspector.missing(object, &name))?));
        }
        Ok(self.fields(object, &class.qualname, &fields))
    }

    /// `EnumMeta.__repr__`.
    fn enum_class(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let class = self.inspector.type_info(object)?;
        let mut kind = "enum";
        if self.inspector.layout.flags_name_themselves() {
            for &base in &class.mro {
                let base = self.inspector.type_info(base)?;
                if base.name == "enum.Flag" {
                    kind = "flag";
                }
            }
        }
        Ok(Decoded::exact(format!("<{kind} '{}'>", class.short_name())))
    }

    /// `Enum.__repr__`, `Flag.__repr__` and their variants, Lib/enum.py.
    fn enum_member(
        &mut self,
        object: Address,
        class: &TypeInfo,
        method: &str,
        attributes: &Attributes,
    ) -> Result<Option<Decoded>, Unreadable> {
        let inspector = self.inspector;
        let name = match attributes.get("_name_") {
            Some(name) if inspector.is_str_object(name)? => Some(inspector.string(name)?),
            _ => None,
        };
        let value_object = attributes.get("_value_").ok_or_else(|| inspector.missing(object, "_value_"))?;
        let value = self.inner(object, value_object);
        let short = class.short_name();
        let repr = match (method, name) {
            ("Enum.__repr__" | "Flag.__repr__" | "IntFlag.__repr__", Some(name)) => {
                format!("<{short}.{name}: {}>", value.repr)
            }
            ("global_enum_repr", Some(name)) => {
                format!("{}.{name}", class.module.rsplit('.').next().unwrap_or(&class.module))
            }
            ("Flag.__repr__" | "IntFlag.__repr__", None) if inspector.layout.flags_name_themselves() => {
                format!("<{short}: {}>", value.repr)
            }
            ("Flag.__repr__" | "IntFlag.__repr__", None) => match self.decompose(class, value_object)? {
                Some(members) => format!("<{short}.{members}: {}>", value.repr),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let mut out = Decoded::exact(repr);
        out.absorb(&value);
        Ok(Some(out))
    }

    /// `_decompose` of Lib/enum.py up to 3.10.
    fn decompose(&self, class: &TypeInfo, value: Address) -> Result<Option<String>, Unreadable> {
        let inspector = self.inspector;
        let value = inspector.big_int(value)?;
        let Some(map) = inspector.class_attribute(class, "_value2member_map_")? else { return Ok(None) };
        let is_negative = value.sign() == Sign::Minus;
        let mut members: Vec<(BigInt, String)> = Vec::new();
        let mut own = None;
        for (key, member) in inspector.dict_entries(map, usize::MAX)?.pairs {
            let number = inspector.big_int(key)?;
            let name = match inspector.attribute(member, "_name_")? {
                Some(name) if inspector.is_str_object(name)? => Some(inspector.string(name)?),
                _ => None,
            };
            let power_of_two =
                !is_negative && number.sign() == Sign::Plus && number.magnitude().count_ones() == 1;
            let covered = number.sign() != Sign::NoSign && &number & &value == number;
            let is_checked = name.is_some() || power_of_two;
            let shown = name.unwrap_or_else(|| number.to_string());
            if number == value {
                own = Some((number.clone(), shown.clone()));
            }
            if covered && is_checked {
                members.push((number, shown));
            }
        }
        if members.is_empty() {
            members.extend(own);
        }
        members.sort_by(|a, b| b.0.cmp(&a.0));
        if members.len() > 1 && members.first().is_some_and(|(number, _)| *number == value) {
            members.remove(0);
        }
        Ok(Some(members.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join("|")))
    }

    fn is_windows_path(&self, class: &TypeInfo) -> Result<bool, Unreadable> {
        for &base in &class.mro {
            if self.inspector.type_info(base)?.qualname == "PureWindowsPath" {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `str(path)`, Lib/pathlib.py: cached, or put together from its parts as far as it was parsed.
    fn path_text(&self, class: &TypeInfo, attributes: &Attributes) -> Result<Option<String>, Unreadable> {
        let inspector = self.inspector;
        if let Some(cached) = attributes.get("_str") {
            return Ok(Some(inspector.string(cached)?));
        }
        let windows = self.is_windows_path(class)?;
        let separator = if windows { "\\" } else { "/" };
        let (anchor, tail) = match (attributes.get("_drv"), attributes.get("_root")) {
            (Some(drive), Some(root)) => {
                let anchor = inspector.string(drive)? + &inspector.string(root)?;
                let tail = match (attributes.get("_parts"), attributes.get("_tail_cached")) {
                    (Some(parts), _) => {
                        let parts = inspector.strings(parts)?;
                        parts.into_iter().skip(usize::from(!anchor.is_empty())).collect()
                    }
                    (None, Some(tail)) => inspector.strings(tail)?,
                    (None, None) => return Ok(None),
                };
                (anchor, tail)
            }
            _ => match attributes.get("_raw_paths") {
                Some(raw) if windows => parse_windows(&inspector.strings(raw)?),
                Some(raw) => parse_posix(&inspector.strings(raw)?),
                None => return Ok(None),
            },
        };
        let text = anchor + &tail.join(separator);
        Ok(Some(if text.is_empty() { ".".to_owned() } else { text }))
    }

    /// The synchronisation objects and threads of Lib/threading.py.
    fn threading(
        &mut self,
        object: Address,
        class: &TypeInfo,
        method: &str,
        attributes: &Attributes,
    ) -> Result<Option<Decoded>, Unreadable> {
        let inspector = self.inspector;
        let number = |name: &str| self.int_attribute(object, attributes, name);
        let is_set = |name: &str| Ok::<_, Unreadable>(number(name)?.sign() != Sign::NoSign);
        let headed = |status: String| format!("<{} at {object}: {status}>", qualified(class));
        let repr = match method {
            "Event.__repr__" => headed(if is_set("_flag")? { "set" } else { "unset" }.to_owned()),
            "Semaphore.__repr__" => headed(format!("value={}", number("_value")?)),
            "BoundedSemaphore.__repr__" => {
                headed(format!("value={}/{}", number("_value")?, number("_initial_value")?))
            }
            "Barrier.__repr__" => {
                let state = number("_state")?;
                headed(if state == BigInt::from(-2) {
                    "broken".to_owned()
                } else {
                    format!("waiters={}/{}", number("_count")?, number("_parties")?)
                })
            }
            "Condition.__repr__" => {
                let lock = attributes.get("_lock").ok_or_else(|| inspector.missing(object, "_lock"))?;
                let waiters =
                    attributes.get("_waiters").ok_or_else(|| inspector.missing(object, "_waiters"))?;
                let waiters = inspector.length(waiters)?;
                let lock = self.inner(object, lock);
                let mut out = Decoded::exact(format!("<Condition({}, {waiters})>", lock.repr));
                out.absorb(&lock);
                self.list_child(&mut out, attribute("_lock", lock));
                return Ok(Some(out));
            }
            "Thread.__repr__" => {
                let started =
                    attributes.get("_started").ok_or_else(|| inspector.missing(object, "_started"))?;
                let started_class = inspector.type_of(started)?;
                let event = inspector.attribute_map(started, &started_class)?;
                let started = self.int_attribute(started, &event, "_flag")?.sign() != Sign::NoSign;
                let ident = match attributes.get("_ident") {
                    Some(ident) if inspector.type_of(ident)?.is_int() => Some(inspector.big_int(ident)?),
                    _ => None,
                };
                let alive = ident
                    .as_ref()
                    .and_then(|ident| u64::try_from(ident).ok())
                    .is_some_and(|ident| inspector.is_live_thread(ident));
                let mut status = match (started, alive) {
                    (false, _) => "initial",
                    (true, true) => "started",
                    (true, false) => "stopped",
                }
                .to_owned();
                if is_set("_daemonic")? {
                    status += " daemon";
                }
                if let Some(ident) = ident {
                    status += &format!(" {ident}");
                }
                let name = self.text_attribute(object, attributes, "_name")?;
                format!("<{}({name}, {status})>", class.short_name())
            }
            _ => return Ok(None),
        };
        Ok(Some(Decoded::exact(repr)))
    }
}

/// `module.qualname`, as f-strings of the standard library write it: with `builtins` too.
fn qualified(class: &TypeInfo) -> String {
    format!("{}.{}", class.module, class.qualname)
}

/// `PurePosixPath` of several segments: what `posixpath.join`, `splitroot` and dropping `.` make of them.
fn parse_posix(segments: &[String]) -> (String, Vec<String>) {
    let mut path = String::new();
    for segment in segments {
        if segment.starts_with('/') {
            path.clone_from(segment);
        } else {
            if !path.is_empty() && !path.ends_with('/') {
                path.push('/');
            }
            path.push_str(segment);
        }
    }
    let root = match path.bytes().take_while(|&byte| byte == b'/').count() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let tail = path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
    (root.to_owned(), tail)
}

#[cfg(test)]
mod tests {
    use super::parse_posix;

    #[test]
    fn posix_paths_are_joined_and_normalised_as_pathlib_does() {
        let parse = |segments: &[&str]| {
            let (root, tail) =
                parse_posix(&segments.iter().map(|&segment| segment.to_owned()).collect::<Vec<_>>());
            root + &tail.join("/")
        };
        assert_eq!(parse(&["a", "b", "./c//d/"]), "a/b/c/d");
        assert_eq!(parse(&["a", "/b"]), "/b");
        assert_eq!(parse(&["//a/b"]), "//a/b");
        assert_eq!(parse(&["///a/b"]), "/a/b");
        assert_eq!(parse(&["a/../b"]), "a/../b");
        assert_eq!(parse(&[]), "");
    }
}
