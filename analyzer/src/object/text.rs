//! `str`, `bytes` and `bytearray`: their content, and their repr.

use super::printable::Printable;
use super::{Inspector, Unreadable};
use crate::addr::Address;
use crate::layout::StrModel;
use std::fmt::Write as _;

/// The most characters of a name, a path or a message that are read.
pub(crate) const NAME_LIMIT: usize = 1 << 14;

/// The content of a `str`: code points, lone surrogates included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The code points read.
    pub code_points: Vec<u32>,
    /// Whether the string goes on.
    pub truncated: bool,
}

impl Text {
    /// As text; surrogates, which have no place in text, as `\udc80`.
    pub fn to_text(&self) -> String {
        let mut out = String::with_capacity(self.code_points.len());
        for &code in &self.code_points {
            match char::from_u32(code) {
                Some(character) => out.push(character),
                None => push_escape(&mut out, code),
            }
        }
        out
    }
}

/// `\x..`, `\u....` or `\U........`, whichever fits.
fn push_escape(out: &mut String, code: u32) {
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// `unicode_repr`, Objects/unicodeobject.c.
pub(super) fn repr_text(text: &[u32], printable: &Printable) -> String {
    let has = |wanted: char| text.contains(&u32::from(wanted));
    let quote = if has('\'') && !has('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for &code in text {
        match char::from_u32(code) {
            Some(character) if character == quote || character == '\\' => out.extend(['\\', character]),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(character) if printable.contains(character) => out.push(character),
            _ => push_escape(&mut out, code),
        }
    }
    out.push(quote);
    out
}

/// A string of bytes as text: UTF-8, other bytes as `\xff`.
fn bytes_to_text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|&byte| push_escape(&mut out, u32::from(byte)));
    }
    out
}

/// `string_repr`, Objects/stringobject.c of 2.7: that of `bytes` without the prefix.
pub(super) fn repr_byte_string(bytes: &[u8]) -> String {
    let mut repr = repr_bytes(bytes, false);
    repr.remove(0);
    repr
}

/// Text of 2-byte units, in which pairs of surrogates are one character.
pub(super) fn joined_surrogates(units: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut joined: Vec<u32> = Vec::new();
    for unit in units {
        match joined.last_mut() {
            Some(high) if (0xd800..0xdc00).contains(high) && (0xdc00..0xe000).contains(&unit) => {
                *high = ((*high & 0x3ff) << 10 | unit & 0x3ff) + 0x1_0000;
            }
            _ => joined.push(unit),
        }
    }
    joined
}

/// `unicodeescape_string`, Objects/unicodeobject.c of 2.7: nothing but ASCII is printed as it is.
pub(super) fn repr_unicode(text: &[u32]) -> String {
    let has = |wanted: char| text.contains(&u32::from(wanted));
    let quote = if has('\'') && !has('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 3);
    out.extend(['u', quote]);
    for &code in text {
        match char::from_u32(code) {
            Some(character) if character == quote || character == '\\' => out.extend(['\\', character]),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(character @ ' '..='~') => out.push(character),
            _ => push_escape(&mut out, code),
        }
    }
    out.push(quote);
    out
}

/// `PyBytes_Repr`, Objects/bytesobject.c. `bytearray_repr` differs: it escapes a single quote always.
pub(super) fn repr_bytes(bytes: &[u8], escape_single_quotes: bool) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    let mut out = String::with_capacity(bytes.len() + 3);
    out.push('b');
    out.push(char::from(quote));
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            _ if byte == quote || (byte == b'\'' && escape_single_quotes) => {
                out.extend(['\\', char::from(byte)])
            }
            0x20..=0x7e => out.push(char::from(byte)),
            _ => push_escape(&mut out, u32::from(byte)),
        }
    }
    out.push(char::from(quote));
    out
}

impl Inspector<'_> {
    /// The content of a `str` (or of an instance of a subclass), at most `limit` code points.
    ///
    /// # Errors
    /// Missing bytes, or an object that is no string. The representation is that of PEP 393
    /// (Include/cpython/unicodeobject.h).
    pub fn text(&self, object: Address, limit: usize) -> Result<Text, Unreadable> {
        self.text_between(object, 0, limit)
    }

    /// The content of a `str` from the code point `start` on, at most `limit` code points; as [`Inspector::text`].
    pub(super) fn text_between(
        &self,
        object: Address,
        start: usize,
        limit: usize,
    ) -> Result<Text, Unreadable> {
        if self.layout.str_model() == StrModel::BytesAndUnicode {
            return self.classic_text(object, start, limit);
        }
        let layout = &self.layout.structs;
        let length = self.int(object, layout.PyASCIIObject.length)?;
        let length = usize::try_from(length).map_err(|_| Unreadable::Nonsense {
            at: object,
            what: format!("a string of {length} characters"),
        })?;
        let kind = self.uint(object, layout.PyASCIIObject.kind)?;
        let compact = self.uint(object, layout.PyASCIIObject.compact)? == 1;
        let ascii = self.uint(object, layout.PyASCIIObject.ascii)? == 1;
        let data = match (compact, ascii) {
            (true, true) => object.add(u64::from(layout.PyASCIIObject.size_of)),
            (true, false) => object.add(u64::from(layout.PyCompactUnicodeObject.size_of)),
            (false, _) => self.non_null(object, layout.PyUnicodeObject.data)?,
        };
        let rest = length.saturating_sub(start);
        let count = rest.min(limit);
        let unreadable_kind =
            || Unreadable::Nonsense { at: object, what: format!("a string of kind {kind}, not 1, 2 or 4") };
        let width = match kind {
            1 | 2 | 4 => kind as usize,
            _ => return Err(unreadable_kind()),
        };
        let data = data.element(start.min(length) as u64, width as u64);
        let bytes = self.memory.bytes(data, count.saturating_mul(width))?;
        let code_points: Vec<u32> = match width {
            1 => bytes.into_iter().map(u32::from).collect(),
            2 => bytes.as_chunks::<2>().0.iter().map(|&unit| u32::from(u16::from_le_bytes(unit))).collect(),
            _ => bytes.as_chunks::<4>().0.iter().map(|&unit| u32::from_le_bytes(unit)).collect(),
        };
        if let Some(code) = code_points.iter().find(|&&code| code > 0x10_ffff) {
            return Err(Unreadable::Nonsense { at: data, what: format!("{code:#x} is no code point") });
        }
        Ok(Text { code_points, truncated: count < rest })
    }

    /// The content of a `str` of 2.7, each byte as a code point, or of a `unicode`; pairs of surrogates are one code
    /// point, as `repr` shows them. `start` and `limit` count what the array holds.
    fn classic_text(&self, object: Address, start: usize, limit: usize) -> Result<Text, Unreadable> {
        let layout = &self.layout.structs;
        let is_bytes = self.is_byte_string(object)?;
        let length =
            if is_bytes { self.ob_size(object)? } else { self.int(object, layout.PyUnicodeObject.length)? };
        let length = usize::try_from(length).map_err(|_| Unreadable::Nonsense {
            at: object,
            what: format!("a string of {length} characters"),
        })?;
        let rest = length.saturating_sub(start);
        let count = rest.min(limit);
        let truncated = count < rest;
        let data = if is_bytes {
            self.field_address(object, layout.PyBytesObject.ob_sval)?
        } else {
            self.non_null(object, layout.PyUnicodeObject.str)?
        };
        let width = if is_bytes {
            1
        } else if self.layout.narrow_unicode {
            2
        } else {
            4
        };
        let data = data.element(start.min(length) as u64, width);
        let bytes = self.memory.bytes(data, count.saturating_mul(width as usize))?;
        let code_points: Vec<u32> = match width {
            1 => bytes.into_iter().map(u32::from).collect(),
            2 => joined_surrogates(
                bytes.as_chunks::<2>().0.iter().map(|&unit| u32::from(u16::from_le_bytes(unit))),
            ),
            _ => bytes.as_chunks::<4>().0.iter().map(|&unit| u32::from_le_bytes(unit)).collect(),
        };
        if let Some(code) = code_points.iter().find(|&&code| code > 0x10_ffff) {
            return Err(Unreadable::Nonsense { at: data, what: format!("{code:#x} is no code point") });
        }
        Ok(Text { code_points, truncated })
    }

    /// A name, a path or a message: the text of a `str`.
    ///
    /// # Errors
    /// As [`Inspector::text`]; an object whose type is not derived from `str` is no string.
    pub fn string(&self, object: Address) -> Result<String, Unreadable> {
        if object.is_null() || !self.is_str_object(object)? {
            return Err(Unreadable::Nonsense {
                at: object,
                what: "another object instead of a str".to_owned(),
            });
        }
        if self.is_byte_string(object)? {
            let (bytes, truncated) = self.bytes_content(object, NAME_LIMIT)?;
            let more = if truncated { "…" } else { "" };
            return Ok(bytes_to_text(&bytes) + more);
        }
        let text = self.text(object, NAME_LIMIT)?;
        let mut string = text.to_text();
        if text.truncated {
            string.push('…');
        }
        Ok(string)
    }

    /// Whether the object is the ASCII string `wanted`, with as few reads as can be.
    pub(crate) fn is_ascii_string(&self, object: Address, wanted: &str) -> Result<bool, Unreadable> {
        let layout = &self.layout.structs;
        if self.layout.str_model() == StrModel::BytesAndUnicode {
            let length = if self.is_byte_string(object)? {
                self.ob_size(object)? as u64
            } else {
                self.uint(object, layout.PyUnicodeObject.length)?
            };
            let is_as_long = length == wanted.len() as u64;
            return Ok(is_as_long
                && self
                    .classic_text(object, 0, wanted.len())?
                    .code_points
                    .iter()
                    .copied()
                    .eq(wanted.bytes().map(u32::from)));
        }
        if self.uint(object, layout.PyASCIIObject.length)? != wanted.len() as u64
            || self.uint(object, layout.PyASCIIObject.ascii)? != 1
            || self.uint(object, layout.PyASCIIObject.compact)? != 1
        {
            return Ok(false);
        }
        let data = object.add(u64::from(layout.PyASCIIObject.size_of));
        Ok(self.memory.bytes(data, wanted.len())? == wanted.as_bytes())
    }

    /// The content of a `bytes` object, at most `limit` bytes, and whether it goes on.
    pub(crate) fn bytes_content(&self, object: Address, limit: usize) -> Result<(Vec<u8>, bool), Unreadable> {
        let length = usize::try_from(self.length(object)?).unwrap_or(usize::MAX);
        let data = self.field_address(object, self.layout.structs.PyBytesObject.ob_sval)?;
        Ok((self.memory.bytes(data, length.min(limit))?, length > limit))
    }

    pub(super) fn printable(&self) -> &Printable {
        self.printable.get_or_init(|| Printable::new(&self.layout.unicode))
    }
}
