//! What a program was started with: `os.environ` and what `argparse` made of the arguments.

use super::text::{repr_bytes, repr_text};
use super::values::{CUT, Decoded, Walk, item};
use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;

impl Inspector<'_> {
    /// Whether a class takes a method from the class of this qualified name, which is of `module`.
    fn takes_method(&self, class: &TypeInfo, name: &str, qualname: &str) -> Result<bool, Unreadable> {
        let Some(method) = self.class_attribute(class, name)? else { return Ok(false) };
        if self.type_of(method)?.name != "function" {
            return Ok(false);
        }
        let found = self.non_null(method, self.layout.structs.PyFunctionObject.func_qualname)?;
        Ok(self.string(found)? == qualname)
    }
}

impl Walk<'_, '_> {
    /// `_AttributeHolder.__repr__`, Lib/argparse.py; nothing for classes that choose what they show.
    pub(super) fn parsed_arguments(
        &mut self,
        object: Address,
        class: &TypeInfo,
    ) -> Result<Option<Decoded>, Unreadable> {
        let inspector = self.inspector;
        if !inspector.takes_method(class, "_get_kwargs", "_AttributeHolder._get_kwargs")?
            || !inspector.takes_method(class, "_get_args", "_AttributeHolder._get_args")?
        {
            return Ok(None);
        }
        let mut fields = inspector.attributes(object, class, usize::MAX)?.0;
        let is_plain = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !fields.iter().all(|(name, _)| is_plain(name)) {
            return Ok(None);
        }
        if inspector.layout.parsed_arguments_are_sorted() {
            fields.sort();
        }
        Ok(Some(self.fields(object, class.short_name(), &fields)))
    }

    /// `_Environ.__repr__`, Lib/os.py: names and values decoded with the encoding of the file system, which is not
    /// looked for; most have but ASCII characters.
    pub(super) fn environment(
        &mut self,
        object: Address,
        class: &TypeInfo,
    ) -> Result<Option<Decoded>, Unreadable> {
        let inspector = self.inspector;
        let attributes = inspector.attribute_map(object, class)?;
        let Some(data) = attributes.get("_data") else { return Ok(None) };
        if class.name != "os._Environ" || !inspector.type_of(data)?.is_dict() {
            return Ok(None);
        }
        let entries = inspector.dict_entries(data, self.limits.max_items)?;
        let mut out = Decoded::default();
        let mut shown = Vec::new();
        for &(key, value) in &entries.pairs {
            let (Some(key), Some(value)) = (self.decoded(key, &mut out)?, self.decoded(value, &mut out)?)
            else {
                return Ok(None);
            };
            shown.push(format!("{key}: {value}"));
            if !self.lists_no_children() {
                let value = crate::report::Value {
                    type_name: "str".to_owned(),
                    repr: value,
                    address: None,
                    truncated: false,
                    redacted: false,
                    note: None,
                    children: Vec::new(),
                };
                out.children.push(item(key, value));
            }
        }
        if entries.used > entries.pairs.len() as u64 {
            shown.push(CUT.to_owned());
            out.truncated = true;
        }
        out.repr = format!("environ({{{}}})", shown.join(", "));
        Ok(Some(out))
    }

    /// The repr of the text that some bytes are; nothing for other objects.
    fn decoded(&self, bytes: Address, out: &mut Decoded) -> Result<Option<String>, Unreadable> {
        let inspector = self.inspector;
        if inspector.type_of(bytes)?.name != "bytes" {
            return Ok(None);
        }
        let (bytes, truncated) = inspector.bytes_content(bytes, self.limits.max_string)?;
        out.truncated |= truncated;
        let cut = if truncated { CUT } else { "" };
        if bytes.is_ascii() {
            let text: Vec<u32> = bytes.iter().map(|&byte| u32::from(byte)).collect();
            return Ok(Some(repr_text(&text, inspector.printable()) + cut));
        }
        out.note = Some("names or values that are not ASCII are shown as bytes".to_owned());
        Ok(Some(repr_bytes(&bytes, false) + cut))
    }
}
