//! Struct sequences, such as `os.stat_result` and `sys.version_info`: tuples whose items have names.

use super::attributes::OBJECT_MEMBERS;
use super::values::{Decoded, Walk};
use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;

/// The most names of one type.
const MAX_NAMES: u64 = 256;
/// `REPR_BUFFER_SIZE` less what is kept for the end, and `TYPE_MAXSIZE`, of Objects/structseq.c up to 3.7.
const BUFFER_END: usize = 512 - 5;
const TYPE_LIMIT: usize = 100;

impl Inspector<'_> {
    /// The names of a struct sequence's items; nothing for other types. What `initialize_members` of
    /// Objects/structseq.c gives a type is found in no other: members that are the items of a tuple, in order.
    fn struct_sequence_names(&self, class: &TypeInfo) -> Result<Option<Vec<String>>, Unreadable> {
        let layout = &self.layout.structs;
        let members = self.pointer(class.address, layout.PyTypeObject.tp_members)?;
        if !class.is_tuple() || members.is_null() {
            return Ok(None);
        }
        let items = layout.PyTupleObject.ob_item;
        let mut next =
            items.place.map(|place| i64::from(place.offset)).ok_or(Unreadable::NoField(items.name))?;
        let mut names = Vec::new();
        for index in 0..MAX_NAMES {
            let member = members.element(index, u64::from(layout.PyMemberDef.size_of));
            let name = self.pointer(member, layout.PyMemberDef.name)?;
            if name.is_null() {
                break;
            }
            // Unnamed items are passed over.
            let offset = self.int(member, layout.PyMemberDef.offset)?;
            let is_object = OBJECT_MEMBERS.contains(&self.int(member, layout.PyMemberDef.type_code)?);
            if !is_object || offset < next || (offset - next) % 8 != 0 {
                return Ok(None);
            }
            next = offset.saturating_add(8);
            names.push(String::from_utf8_lossy(&self.memory.c_string(name, 512)?).into_owned());
        }
        Ok(Some(names).filter(|names| !names.is_empty()))
    }
}

impl Walk<'_, '_> {
    /// `structseq_repr`, Objects/structseq.c; nothing for an instance of another type.
    pub(super) fn struct_sequence(
        &mut self,
        object: Address,
        class: &TypeInfo,
    ) -> Result<Option<Decoded>, Unreadable> {
        let inspector = self.inspector;
        let Some(names) = inspector.struct_sequence_names(class)? else { return Ok(None) };
        let (items, count) = inspector.tuple_items(object, names.len())?;
        if count > names.len() as u64 {
            return Ok(None);
        }
        let fields: Vec<_> = names.into_iter().zip(items).collect();
        let mut out = self.fields(object, &class.tp_name, &fields);
        // The text without its `)` but with one more separator must fit.
        let is_long = out.repr.len() + 1 > BUFFER_END;
        if is_long && inspector.layout.struct_sequences_are_cut() && !out.truncated {
            let parts: Vec<_> =
                fields.iter().map(|(name, value)| (name.as_str(), self.part(object, *value).repr)).collect();
            out.repr = within_buffer(&class.tp_name, parts.iter().map(|(name, repr)| (*name, repr.as_str())));
        }
        Ok(Some(out))
    }
}

/// As much as the buffer of old `structseq_repr` takes.
fn within_buffer<'p>(type_name: &str, parts: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let start = type_name.get(..TYPE_LIMIT).unwrap_or(type_name);
    let mut text = format!("{start}(");
    let mut separator = "";
    for (name, repr) in parts {
        // The buffer has the separator behind each part.
        let used = text.len() + separator.len();
        if used + name.len() + repr.len() + 3 > BUFFER_END {
            return format!("{text}{separator}...)");
        }
        text.push_str(&format!("{separator}{name}={repr}"));
        separator = ", ";
    }
    text + ")"
}

#[cfg(test)]
mod tests {
    use super::within_buffer;

    #[test]
    fn long_sequences_are_cut_as_the_buffer_cuts_them() {
        let long = format!("'{}'", "x".repeat(200));
        let parts = [("sysname", long.as_str()), ("nodename", &long), ("release", &long)];
        let text = within_buffer("posix.uname_result", parts.into_iter());
        assert_eq!(text.len(), 448);
        assert!(text.ends_with("x', ...)"));
        assert_eq!(within_buffer("a.b", [("c", "1"), ("d", "2")].into_iter()), "a.b(c=1, d=2)");
    }
}
