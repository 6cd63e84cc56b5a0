//! From an object to a [`Value`]: bounded in depth, breadth and total, and guarded against cycles.

use super::types::MethodSource;
use super::{Inspector, Unreadable};
use crate::addr::Address;
use crate::report::{Child, ChildKind, Value};

/// How much of a value is shown.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Levels of items and attributes that are listed below a variable; reprs show [`REPR_LEVELS`] more of containers.
    pub depth: usize,
    /// Items of one container.
    pub max_items: usize,
    /// Characters of one string, bytes of one bytes object.
    pub max_string: usize,
}

/// The deepest nesting that is followed, whatever the user asks for: decoding is recursive.
const MAX_DEPTH: usize = 64;
/// How many levels of nested containers a repr shows below the ones whose items are listed.
pub const REPR_LEVELS: usize = 3;
/// The most objects that one report decodes, and the most bytes that their reprs may take: a few lists that hold each
/// other grow beyond any memory.
pub(super) const MAX_VALUES: usize = 1_000_000;
pub(super) const MAX_BYTES: usize = 64 << 20;
/// The most objects below one variable, or four times the items that one container may show, if that is more.
const MAX_VALUES_OF_A_VARIABLE: usize = 20_000;

/// What stands for a part that a limit cut.
pub(super) const CUT: &str = "…";

/// A value in the making: what one decoder gives.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) repr: String,
    pub(super) truncated: bool,
    pub(super) note: Option<String>,
    pub(super) children: Vec<Child>,
}

impl Decoded {
    /// A value whose repr says all.
    pub(super) fn exact(repr: impl Into<String>) -> Self {
        Decoded { repr: repr.into(), ..Decoded::default() }
    }

    /// A value whose repr is not what Python would print, and why.
    pub(super) fn noted(repr: impl Into<String>, note: impl Into<String>) -> Self {
        Decoded { repr: repr.into(), note: Some(note.into()), ..Decoded::default() }
    }

    /// Takes over what is wrong with a part whose repr became part of this one.
    pub(super) fn absorb(&mut self, part: &Value) {
        self.truncated |= part.truncated;
        if self.note.is_none() && part.note.is_some() {
            self.note = Some("a part of it is not as Python would print it".to_owned());
        }
    }
}

/// One walk from a variable down.
pub(super) struct Walk<'w, 'a> {
    pub(super) inspector: &'w Inspector<'a>,
    pub(super) limits: Limits,
    /// The objects between the variable and here, outermost first.
    path: Vec<Address>,
    depth: usize,
    /// How many more objects may be decoded.
    left: usize,
}

impl Inspector<'_> {
    /// What a variable is bound to.
    pub fn value(&self, object: Address, limits: Limits) -> Value {
        let limits = Limits { depth: limits.depth.min(MAX_DEPTH), ..limits };
        let left = MAX_VALUES_OF_A_VARIABLE.max(limits.max_items.saturating_mul(4));
        Walk { inspector: self, limits, path: Vec::new(), depth: 0, left }.value(object)
    }
}

impl Walk<'_, '_> {
    /// Decodes an object at the current depth. What cannot be read is a gap and a value that says so.
    pub(super) fn value(&mut self, object: Address) -> Value {
        let inspector = self.inspector;
        let class = match inspector.type_of(object) {
            Ok(class) => class,
            Err(error) => return self.unreadable(object, "?", &error),
        };
        let Some((own, all)) = self.left.checked_sub(1).zip(inspector.values_left.get().checked_sub(1))
        else {
            return Value {
                type_name: class.name.clone(),
                repr: CUT.to_owned(),
                address: Some(object),
                truncated: true,
                redacted: false,
                note: None,
                children: Vec::new(),
            };
        };
        self.left = own;
        inspector.values_left.set(all);
        match self.decode(object, &class) {
            Ok(decoded) => {
                match inspector.bytes_left.get().checked_sub(decoded.repr.len()) {
                    Some(left) => inspector.bytes_left.set(left),
                    None => inspector.values_left.set(0),
                }
                Value {
                    type_name: class.name.clone(),
                    repr: decoded.repr,
                    address: Some(object),
                    truncated: decoded.truncated,
                    redacted: false,
                    note: decoded.note,
                    children: decoded.children,
                }
            }
            Err(error) => self.unreadable(object, &class.name, &error),
        }
    }

    fn unreadable(&self, object: Address, type_name: &str, error: &Unreadable) -> Value {
        self.inspector.note_gap(
            error.gap(format!("the {type_name} object at {object}").replace("the ? object", "an object")),
        );
        Value {
            type_name: type_name.to_owned(),
            repr: format!("<unreadable at {object}>"),
            address: Some(object),
            truncated: false,
            redacted: false,
            note: Some(error.to_string()),
            children: Vec::new(),
        }
    }

    /// Whether the object is already being decoded further out: `Py_ReprEnter`.
    pub(super) fn is_inside(&self, object: Address) -> bool {
        self.path.contains(&object)
    }

    /// Whether the repr of a container at hand is not to show its items.
    pub(super) fn at_limit(&self) -> bool {
        self.depth >= self.limits.depth + REPR_LEVELS
    }

    /// Whether the parts of the object at hand are not to be listed as children.
    pub(super) fn lists_no_children(&self) -> bool {
        self.depth >= self.limits.depth
    }

    /// Lists a part as a child, unless it is too far down for that.
    pub(super) fn list_child(&self, out: &mut Decoded, child: Child) {
        if !self.lists_no_children() {
            out.children.push(child);
        }
    }

    /// Decodes a part of `object`, one level down.
    pub(super) fn part(&mut self, object: Address, part: Address) -> Value {
        self.path.push(object);
        self.depth += 1;
        let value = self.value(part);
        self.depth -= 1;
        self.path.pop();
        value
    }

    /// Decodes a part whose repr stands inside the repr of `object` without being one of its items, such as the
    /// `self` of a bound method; it does not count as a level, but cycles end.
    pub(super) fn inner(&mut self, object: Address, part: Address) -> Value {
        if self.path.len() > 2 * MAX_DEPTH || self.is_inside(part) || part == object {
            return self.head(part);
        }
        self.path.push(object);
        let value = self.value(part);
        self.path.pop();
        value
    }

    /// An object that is being decoded further out: such as the instance whose attribute is its own bound method.
    fn head(&self, object: Address) -> Value {
        let mut value = Value {
            type_name: String::new(),
            repr: CUT.to_owned(),
            address: Some(object),
            truncated: true,
            redacted: false,
            note: None,
            children: Vec::new(),
        };
        let Ok(class) = self.inspector.type_of(object) else { return value };
        value.type_name.clone_from(&class.name);
        let note = match self.inspector.repr_source(&class) {
            MethodSource::Native(owner) if owner == "object" => None,
            MethodSource::Python { .. } => Some("it is a part of itself".to_owned()),
            _ => return value,
        };
        Value {
            repr: format!("<{} object at {object}>", class.name, object = self.inspector.shown(object)),
            truncated: false,
            note,
            ..value
        }
    }
}

impl Value {
    /// A value that is no object in memory.
    pub(super) fn made(type_name: &str, repr: String) -> Self {
        Value {
            type_name: type_name.to_owned(),
            repr,
            address: None,
            truncated: false,
            redacted: false,
            note: None,
            children: Vec::new(),
        }
    }
}

/// An item of a container.
pub(super) fn item(name: impl Into<String>, value: Value) -> Child {
    Child { kind: ChildKind::Item, name: name.into(), value }
}

/// An attribute of an instance.
pub(super) fn attribute(name: impl Into<String>, value: Value) -> Child {
    Child { kind: ChildKind::Attribute, name: name.into(), value }
}
