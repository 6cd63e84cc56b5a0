//! Exception objects: their fields, `str()` and `repr()` as Objects/exceptions.c gives them.

use super::types::MethodSource;
use super::values::{Decoded, Limits, Walk};
use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::Field;

/// The most notes and members of a group that are shown.
const MAX_PARTS: usize = 100;
/// Exceptions whose message is another exception's message, nested at most this deep.
const MAX_NESTING: usize = 8;
/// How messages show arguments that are no strings.
const MESSAGE_LIMITS: Limits = Limits { depth: 8, max_items: 200, max_string: 1 << 14 };

/// Types whose `str()` is their `repr()`, whether they inherit it from `object` or have a slot of their own for it.
const REPR_IS_STR: [&str; 7] = ["object", "bytes", "bytearray", "int", "bool", "float", "complex"];
/// Those of them that 2.7 prints otherwise.
const REPR_IS_NO_STR_IN_2: [&str; 4] = ["long", "float", "complex", "bytearray"];

/// What an exception object holds.
#[derive(Clone, Debug)]
pub struct ExceptionFields {
    /// The type's qualified name.
    pub type_name: String,
    /// `str(exception)`, where that can be known; else why not.
    pub message: Result<String, String>,
    /// `__notes__`.
    pub notes: Vec<String>,
    /// `__traceback__`, or null.
    pub traceback: Address,
    /// `__cause__`, or null.
    pub cause: Address,
    /// `__context__`, or null.
    pub context: Address,
    /// `__suppress_context__`.
    pub suppress_context: bool,
    /// The members of a group.
    pub members: Vec<Address>,
}

impl Inspector<'_> {
    /// Reads an exception object.
    ///
    /// # Errors
    /// Missing bytes, or an object that is no exception.
    pub fn exception_fields(&self, object: Address) -> Result<ExceptionFields, Unreadable> {
        let class = self.type_of(object)?;
        if !class.is_exception() {
            if self.is_exception_object(object)? {
                return self.classic_exception_fields(object);
            }
            return Err(Unreadable::Nonsense {
                at: object,
                what: format!("an object of type {} instead of an exception", class.name),
            });
        }
        let layout = &self.layout.structs.PyBaseExceptionObject;
        // 2.7 has none of these.
        let pointer =
            |field: Field| if field.exists() { self.pointer(object, field) } else { Ok(Address::NULL) };
        let suppressed = layout.suppress_context;
        Ok(ExceptionFields {
            message: self.message(object, &class, 0),
            notes: self.notes(object).unwrap_or_else(|error| {
                self.note_gap(error.gap(format!("the notes of the {} at {object}", class.name)));
                Vec::new()
            }),
            traceback: pointer(layout.traceback)?,
            cause: pointer(layout.cause)?,
            context: pointer(layout.context)?,
            suppress_context: suppressed.exists() && self.uint(object, suppressed)? != 0,
            members: self.group_members(object, &class)?,
            type_name: class.name.clone(),
        })
    }

    /// `__notes__` lies in the instance's dict (`BaseException.add_note`).
    fn notes(&self, object: Address) -> Result<Vec<String>, Unreadable> {
        let dict = self.pointer(object, self.layout.structs.PyBaseExceptionObject.dict)?;
        if dict.is_null() {
            return Ok(Vec::new());
        }
        let Some(notes) = self.dict_get(dict, "__notes__")? else { return Ok(Vec::new()) };
        let class = self.type_of(notes)?;
        let items = if class.is_list() {
            self.list_items(notes, MAX_PARTS)?.0
        } else if class.is_tuple() {
            self.tuple_items(notes, MAX_PARTS)?.0
        } else {
            vec![notes]
        };
        items
            .into_iter()
            .map(|note| {
                if self.is_str_object(note)? {
                    self.string(note)
                } else {
                    Ok(self.value(note, MESSAGE_LIMITS).repr)
                }
            })
            .collect()
    }

    fn is_group(&self, class: &TypeInfo) -> Result<bool, Unreadable> {
        for &base in &class.mro {
            if self.type_info(base)?.name == "BaseExceptionGroup" {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn group_members(&self, object: Address, class: &TypeInfo) -> Result<Vec<Address>, Unreadable> {
        let field = self.layout.structs.PyBaseExceptionGroupObject.excs;
        if !field.exists() || !self.is_group(class)? {
            return Ok(Vec::new());
        }
        match self.pointer(object, field)? {
            Address::NULL => Ok(Vec::new()),
            members => Ok(self.tuple_items(members, MAX_PARTS)?.0),
        }
    }

    /// `str(exception)`.
    fn message(&self, object: Address, class: &TypeInfo, nesting: usize) -> Result<String, String> {
        let by_owner = |owner: &str| -> Result<Option<String>, Unreadable> {
            match owner {
                "BaseException" => Ok(None),
                "KeyError" => self.key_error_message(object),
                "OSError" | "EnvironmentError" => self.os_error_message(object, nesting),
                "ImportError" => self.text_field(object, self.layout.structs.PyImportErrorObject.msg),
                "SyntaxError" => self.syntax_error_message(object, nesting),
                "UnicodeDecodeError" | "UnicodeEncodeError" | "UnicodeTranslateError" => {
                    self.unicode_error_message(object, owner)
                }
                "BaseExceptionGroup" => self.group_message(object),
                _ => Err(Unreadable::Nonsense {
                    at: object,
                    what: format!("its str is C code of {owner}, not run"),
                }),
            }
        };
        let message = match self.str_source(class) {
            MethodSource::Native(owner) => by_owner(owner).and_then(|message| match message {
                Some(message) => Ok(message),
                None => self.message_from_args(object, nesting),
            }),
            MethodSource::Python { module, qualname, .. } => {
                return Err(format!(
                    "its str is code, {module}.{qualname}, not run; args: {}",
                    self.args_repr(object)
                ));
            }
            MethodSource::Unknown(why) => return Err(why.clone()),
        };
        message.map_err(|error| error.gap("").why)
    }

    fn args(&self, object: Address) -> Result<Address, Unreadable> {
        self.non_null(object, self.layout.structs.PyBaseExceptionObject.args)
    }

    fn args_repr(&self, object: Address) -> String {
        self.args(object).map_or_else(|error| error.to_string(), |args| self.value(args, MESSAGE_LIMITS).repr)
    }

    /// `BaseException_str`.
    fn message_from_args(&self, object: Address, nesting: usize) -> Result<String, Unreadable> {
        let args = self.args(object)?;
        match self.tuple_items(args, 2)? {
            (items, 1) => self.str_of(items.first().copied().unwrap_or_default(), nesting),
            (_, 0) => Ok(String::new()),
            _ => self.exact_repr(args),
        }
    }

    /// `repr(object)`, or why it cannot be known.
    pub(super) fn exact_repr(&self, object: Address) -> Result<String, Unreadable> {
        let value = self.value(object, MESSAGE_LIMITS);
        match value.note {
            None => Ok(value.repr),
            Some(note) => Err(Unreadable::Nonsense { at: object, what: format!("{} ({note})", value.repr) }),
        }
    }

    /// `str(object)`, or why it cannot be known.
    fn str_of(&self, object: Address, nesting: usize) -> Result<String, Unreadable> {
        let class = self.type_of(object)?;
        match self.str_source(&class) {
            MethodSource::Native(owner) if matches!(owner.as_str(), "str" | "unicode") => self.string(object),
            MethodSource::Native(owner)
                if self.layout.prints_like_python_2() && REPR_IS_NO_STR_IN_2.contains(&owner.as_str()) =>
            {
                self.classic_str(object, owner)
            }
            MethodSource::Native(owner) if REPR_IS_STR.contains(&owner.as_str()) => self.exact_repr(object),
            _ if class.is_exception() && nesting < MAX_NESTING => self
                .message(object, &class, nesting + 1)
                .map_err(|what| Unreadable::Nonsense { at: object, what }),
            _ => Err(Unreadable::Nonsense {
                at: object,
                what: format!(
                    "the str of a {} is code, not run; its repr: {}",
                    class.name,
                    self.value(object, MESSAGE_LIMITS).repr
                ),
            }),
        }
    }

    /// The text of a field that holds a `str`; `None` where it is null or something else.
    fn text_field(&self, object: Address, field: Field) -> Result<Option<String>, Unreadable> {
        match self.pointer(object, field)? {
            text if !text.is_null() && self.is_str_object(text)? => Ok(Some(self.string(text)?)),
            _ => Ok(None),
        }
    }

    /// `KeyError_str`: the repr of a single argument.
    fn key_error_message(&self, object: Address) -> Result<Option<String>, Unreadable> {
        match self.tuple_items(self.args(object)?, 1)? {
            (items, 1) => Ok(Some(self.exact_repr(items.first().copied().unwrap_or_default())?)),
            _ => Ok(None),
        }
    }

    /// `OSError_str`.
    fn os_error_message(&self, object: Address, nesting: usize) -> Result<Option<String>, Unreadable> {
        let layout = &self.layout.structs.PyOSErrorObject;
        let part = |field: Field| self.pointer(object, field);
        let text = |at: Address| if at.is_null() { Ok("None".to_owned()) } else { self.str_of(at, nesting) };
        let (number, reason) = (part(layout.myerrno)?, part(layout.strerror)?);
        let file = part(layout.filename)?;
        let other = if layout.filename2.exists() { part(layout.filename2)? } else { Address::NULL };
        let system = if layout.winerror.exists() { part(layout.winerror)? } else { Address::NULL };
        let mut message = if !system.is_null() && (!file.is_null() || !reason.is_null()) {
            format!("[WinError {}] {}", text(system)?, text(reason)?)
        } else if !file.is_null() || !number.is_null() && !reason.is_null() {
            format!("[Errno {}] {}", text(number)?, text(reason)?)
        } else {
            return Ok(None);
        };
        if !file.is_null() {
            message += &format!(": {}", self.exact_repr(file)?);
            if !other.is_null() {
                message += &format!(" -> {}", self.exact_repr(other)?);
            }
        }
        Ok(Some(message))
    }

    /// `SyntaxError_str`.
    fn syntax_error_message(&self, object: Address, nesting: usize) -> Result<Option<String>, Unreadable> {
        let layout = &self.layout.structs.PySyntaxErrorObject;
        let message = match self.pointer(object, layout.msg)? {
            Address::NULL => "None".to_owned(),
            message => self.str_of(message, nesting)?,
        };
        let file = self
            .text_field(object, layout.filename)?
            .map(|path| path.rsplit(self.layout.path_separator()).next().unwrap_or_default().to_owned());
        let line = match self.pointer(object, layout.lineno)? {
            Address::NULL => None,
            line => self.type_of(line)?.is_int().then(|| self.big_int(line)).transpose()?,
        };
        Ok(Some(match (file, line) {
            (Some(file), Some(line)) => format!("{message} ({file}, line {line})"),
            (Some(file), None) => format!("{message} ({file})"),
            (None, Some(line)) => format!("{message} (line {line})"),
            (None, None) => message,
        }))
    }

    /// `UnicodeDecodeError_str`, `UnicodeEncodeError_str`, `UnicodeTranslateError_str`.
    fn unicode_error_message(&self, object: Address, kind: &str) -> Result<Option<String>, Unreadable> {
        let layout = &self.layout.structs.PyUnicodeErrorObject;
        let subject = self.pointer(object, layout.object)?;
        if subject.is_null() {
            return Ok(Some(String::new()));
        }
        let reason = self.text_field(object, layout.reason)?.unwrap_or_default();
        let codec = match self.text_field(object, layout.encoding)? {
            Some(encoding) => format!("'{encoding}' codec "),
            None => String::new(),
        };
        let (start, end) = (self.int(object, layout.start)?, self.int(object, layout.end)?);
        let verb = match kind {
            "UnicodeDecodeError" => "decode byte",
            "UnicodeEncodeError" => "encode character",
            _ => "translate character",
        };
        let index = usize::try_from(start).unwrap_or(usize::MAX);
        let prefix = if self.layout.prints_like_python_2() { "u" } else { "" };
        let one = if end != start.saturating_add(1) || index > 1 << 24 {
            None
        } else if kind == "UnicodeDecodeError" {
            self.bytes_content(subject, index + 1)?.0.get(index).map(|byte| format!("0x{byte:02x}"))
        } else {
            self.text(subject, index + 1)?.code_points.get(index).map(|&code| match code {
                0..=0xff => format!("{prefix}'\\x{code:02x}'"),
                0x100..=0xffff => format!("{prefix}'\\u{code:04x}'"),
                _ => format!("{prefix}'\\U{code:08x}'"),
            })
        };
        Ok(Some(match one {
            Some(one) => format!("{codec}can't {verb} {one} in position {start}: {reason}"),
            None => format!("{codec}can't {verb}s in position {start}-{}: {reason}", end.saturating_sub(1)),
        }))
    }

    /// `BaseExceptionGroup_str`.
    fn group_message(&self, object: Address) -> Result<Option<String>, Unreadable> {
        let layout = &self.layout.structs.PyBaseExceptionGroupObject;
        let message = self.string(self.non_null(object, layout.msg)?)?;
        let count = self.length(self.non_null(object, layout.excs)?)?;
        let plural = if count == 1 { "" } else { "s" };
        Ok(Some(format!("{message} ({count} sub-exception{plural})")))
    }
}

impl Walk<'_, '_> {
    /// `BaseException_repr`.
    pub(super) fn exception(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let name = class.short_name();
        if self.is_inside(object) {
            return Ok(Decoded::noted(format!("{name}(…)"), "it contains itself"));
        }
        let args = self.inspector.args(object)?;
        let (items, count) = self.inspector.tuple_items(args, 1)?;
        Ok(match (items.first(), count) {
            (Some(&only), 1) if !self.inspector.layout.exceptions_show_tuples() => {
                let value = self.inner(object, only);
                self.call(name, vec![(None, value)])
            }
            _ => {
                let value = self.inner(object, args);
                let mut out = Decoded::exact(format!("{name}{}", value.repr));
                out.absorb(&value);
                out
            }
        })
    }

    /// `ImportError_repr`, from 3.15: as any exception's, with the module's name and path where they were given.
    pub(super) fn import_error(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyImportErrorObject;
        let mut out = self.exception(object, class)?;
        if !inspector.layout.import_errors_show_their_names() {
            return Ok(out);
        }
        for (keyword, field) in [("name", layout.name), ("path", layout.path)] {
            let value = inspector.pointer(object, field)?;
            if let (false, Some(open)) = (value.is_null(), out.repr.strip_suffix(')')) {
                let value = self.inner(object, value);
                let separator = if open.ends_with('(') { "" } else { ", " };
                out.repr = format!("{open}{separator}{keyword}={})", value.repr);
                out.absorb(&value);
            }
        }
        Ok(out)
    }

    /// `BaseExceptionGroup_repr`, of later releases of 3.13 and from 3.14: the members as they are, in brackets where a
    /// list of them was given; those of another sequence as its repr was then.
    pub(super) fn exception_group(
        &mut self,
        object: Address,
        class: &TypeInfo,
    ) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyBaseExceptionGroupObject;
        let name = class.short_name();
        if self.is_inside(object) {
            return Ok(Decoded::noted(format!("{name}(…)"), "it contains itself"));
        }
        let given = inspector.tuple_items(inspector.args(object)?, 2)?.0.get(1).copied();
        let given = given.map(|given| inspector.type_of(given)).transpose()?;
        let kept = if layout.excs_str.exists() {
            inspector.pointer(object, layout.excs_str)?
        } else {
            Address::NULL
        };
        let message = self.inner(object, inspector.non_null(object, layout.msg)?);
        let members = self.inner(object, inspector.non_null(object, layout.excs)?);
        let mut out = Decoded::default();
        out.absorb(&message);
        let shown = if !kept.is_null() {
            inspector.string(kept)?
        } else {
            out.absorb(&members);
            if given.as_ref().is_some_and(|given| given.is_list()) {
                let items = members.repr.strip_prefix('(').and_then(|items| items.strip_suffix(')'));
                let items = items.unwrap_or(&members.repr);
                format!("[{}]", items.strip_suffix(',').unwrap_or(items))
            } else {
                members.repr
            }
        };
        if !layout.excs_str.exists()
            && !given.is_some_and(|given| matches!(given.name.as_str(), "list" | "tuple"))
        {
            out.note = Some("made of another sequence, whose repr was kept where no table says".to_owned());
        }
        out.repr = format!("{name}({}, {shown})", message.repr);
        Ok(out)
    }
}
