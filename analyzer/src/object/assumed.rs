//! Types whose own data is missing, as in a core that was cut off before it: known by what must be of that type.

use super::types::{BYTES_SUBCLASS, TUPLE_SUBCLASS, TypeInfo, UNICODE_SUBCLASS};
use super::{Inspector, Unreadable};
use crate::addr::Address;

impl Inspector<'_> {
    /// Takes the type of `object` for the static type `name` wherever that type's own data cannot be read.
    pub(crate) fn assume_type(&self, object: Address, name: &'static str) -> Result<(), Unreadable> {
        let class = self.non_null(object, self.layout.structs.PyObject.ob_type)?;
        self.assumed.borrow_mut().entry(class).or_insert(name);
        let mut types = self.types.borrow_mut();
        if types.get(&class).is_some_and(|known| known.nameless.is_some()) {
            types.remove(&class);
        }
        Ok(())
    }

    /// The name that was assumed for the type at `class`.
    pub(super) fn assumed_name(&self, class: Address) -> Option<String> {
        self.assumed.borrow().get(&class).map(|name| (*name).to_owned())
    }

    /// What follows from the name that was assumed for the type at `class`.
    pub(super) fn assumed_type(&self, class: Address) -> Option<TypeInfo> {
        let name = self.assumed_name(class)?;
        let flags = match name.as_str() {
            "str" => UNICODE_SUBCLASS,
            "bytes" => BYTES_SUBCLASS,
            "tuple" => TUPLE_SUBCLASS,
            _ => 0,
        };
        Some(TypeInfo::by_name_alone(class, name, flags))
    }

    /// Whether the bytes at `object` make a compact string, whatever its type says: a kind and flags that go together,
    /// characters that are ones, and the NUL behind them.
    pub(crate) fn is_shaped_like_str(&self, object: Address) -> bool {
        let layout = &self.layout.structs;
        let shaped = || -> Result<bool, Unreadable> {
            let kind = self.uint(object, layout.PyASCIIObject.kind)?;
            let ascii = self.uint(object, layout.PyASCIIObject.ascii)? == 1;
            if self.uint(object, layout.PyASCIIObject.compact)? != 1
                || !matches!(kind, 1 | 2 | 4)
                || ascii && kind != 1
            {
                return Ok(false);
            }
            let text = self.text(object, super::text::NAME_LIMIT)?;
            let head =
                if ascii { &layout.PyASCIIObject.size_of } else { &layout.PyCompactUnicodeObject.size_of };
            let end = object.add(u64::from(*head)).element(text.code_points.len() as u64, kind);
            let limit = if ascii { 0x80 } else { 0x11_0000 };
            Ok(!text.truncated
                && text.code_points.iter().all(|&code| code != 0 && code < limit)
                && self.memory.bytes(end, kind as usize)?.iter().all(|&byte| byte == 0))
        };
        shaped().unwrap_or(false)
    }
}
