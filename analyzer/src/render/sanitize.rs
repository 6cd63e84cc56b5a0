//! The one place that makes strings of a dump safe to show: no byte of a core may steer the reader's terminal.
//!
//! Control characters (C0, DEL, C1), bidirectional overrides and invisible format characters are shown escaped.
//! [`line()`] is for what must stay on one line; [`Guard`] is the last writer before the terminal, so that nothing that
//! was forgotten gets through.

use std::fmt;
use std::io::{self, Write};

/// Whether showing the character as it is could change or hide what stands around it.
///
/// Zero-width joiners are let through: scripts and emoji need them, and they cannot reorder text.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// How an escaped character is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// As in a Python string: `\x1b`, `\u202e`, `\U000e0001`. Also right in double-quoted YAML.
    Python,
    /// As in a JSON string: `\u001b`, and two surrogates beyond U+FFFF.
    Json,
}

impl Notation {
    fn escape(self, c: char, out: &mut impl fmt::Write) -> fmt::Result {
        let code = u32::from(c);
        match self {
            Notation::Python if code < 0x100 => write!(out, "\\x{code:02x}"),
            Notation::Python if code < 0x10000 => write!(out, "\\u{code:04x}"),
            Notation::Python => write!(out, "\\U{code:08x}"),
            Notation::Json => {
                c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
            }
        }
    }
}

/// Shows `text` on one line: line breaks and tabs are escaped too.
pub fn line(text: &str) -> Line<'_> {
    Line(text)
}

/// A string shown by [`line()`].
#[derive(Clone, Copy, Debug)]
pub struct Line<'a>(&'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((at, c)) = rest.char_indices().find(|&(_, c)| is_unsafe(c)) {
            f.write_str(rest.get(..at).unwrap_or_default())?;
            match c {
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                _ => Notation::Python.escape(c, f)?,
            }
            rest = rest.get(at + c.len_utf8()..).unwrap_or_default();
        }
        f.write_str(rest)
    }
}

/// A writer that lets only harmless UTF-8 through: everything unsafe but line feeds and tabs is escaped, and what is
/// no UTF-8 becomes U+FFFD.
#[derive(Debug)]
pub struct Guard<W> {
    out: W,
    notation: Notation,
    /// The first bytes of a character whose rest has not been written yet.
    partial: Vec<u8>,
}

impl<W: Write> Guard<W> {
    /// Guards `out`.
    pub fn new(out: W, notation: Notation) -> Self {
        Guard { out, notation, partial: Vec::new() }
    }

    /// The writer behind the guard, for what is known to be harmless.
    pub fn inner(&mut self) -> &mut W {
        &mut self.out
    }

    fn write_text(&mut self, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some((at, c)) =
            rest.char_indices().find(|&(_, c)| is_unsafe(c) && !matches!(c, '\n' | '\t'))
        {
            self.out.write_all(rest.get(..at).unwrap_or_default().as_bytes())?;
            let mut escaped = String::new();
            self.notation.escape(c, &mut escaped).map_err(io::Error::other)?;
            self.out.write_all(escaped.as_bytes())?;
            rest = rest.get(at + c.len_utf8()..).unwrap_or_default();
        }
        self.out.write_all(rest.as_bytes())
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.write_text(chunk.valid())?;
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            if chunks.peek().is_none() && is_partial(invalid) {
                self.partial = invalid.to_vec();
            } else {
                self.write_text("\u{fffd}")?;
            }
        }
        Ok(())
    }
}

/// Whether more bytes could still make a character of these.
fn is_partial(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none())
}

impl<W: Write> Write for Guard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.partial.is_empty() {
            self.write_bytes(bytes)?;
        } else {
            let mut joined = std::mem::take(&mut self.partial);
            joined.extend_from_slice(bytes);
            self.write_bytes(&joined)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(bytes: &[u8], notation: Notation, piece: usize) -> String {
        let mut out = Vec::new();
        let mut guard = Guard::new(&mut out, notation);
        for part in bytes.chunks(piece) {
            guard.write_all(part).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    /// A small generator of its own: the same strings in every run.
    fn hostile_bytes(seed: u64, len: usize) -> Vec<u8> {
        const PARTS: [&[u8]; 14] = [
            b"a",
            b"\n",
            b"\t",
            b"\r",
            b"\x1b[2J",
            b"\x00",
            b"\x7f",
            b"\xc2\x9b",
            b"\xe2\x80\xae",
            b"\xe2\x81\xa6",
            b"\xf3\xa0\x80\x81",
            b"\xe4\xbd\xa0",
            b"\xff",
            b"\xe2\x80",
        ];
        let mut state = seed;
        (0..len)
            .flat_map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                PARTS[(state >> 33) as usize % PARTS.len()].iter().copied()
            })
            .collect()
    }

    #[test]
    fn every_unsafe_character_alone_is_escaped_in_every_notation() {
        for c in ('\0'..=char::MAX).filter(|&c| is_unsafe(c)) {
            let text = format!("a{c}b");
            let shown = line(&text).to_string();
            assert!(!shown.contains(is_unsafe), "{shown:?}");
            assert!(shown.starts_with("a\\") && shown.ends_with('b'), "{shown:?}");
            let json = guarded(text.as_bytes(), Notation::Json, 64);
            if matches!(c, '\n' | '\t') {
                assert_eq!(json, text);
            } else {
                assert_eq!(serde_json::from_str::<String>(&format!("\"{json}\"")).unwrap(), text);
            }
        }
    }

    #[test]
    fn no_bytes_get_an_unsafe_character_through() {
        for seed in 0..300 {
            let bytes = hostile_bytes(seed, 40);
            for piece in [1, 2, 3, 7, 1000] {
                let shown = guarded(&bytes, Notation::Python, piece);
                assert!(!shown.contains(|c| is_unsafe(c) && c != '\n' && c != '\t'), "{shown:?}");
            }
            let shown = line(&String::from_utf8_lossy(&bytes)).to_string();
            assert!(!shown.contains(is_unsafe), "{shown:?}");
        }
    }

    #[test]
    fn pieces_make_no_difference() {
        for seed in 0..100 {
            let text = String::from_utf8_lossy(&hostile_bytes(seed, 30)).into_owned();
            let whole = guarded(text.as_bytes(), Notation::Python, usize::MAX);
            for piece in 1..5 {
                assert_eq!(guarded(text.as_bytes(), Notation::Python, piece), whole);
            }
        }
    }

    #[test]
    fn harmless_text_is_left_alone() {
        let text = "naïve 你好 👩\u{200d}💻 C:\\x \u{fffd} é";
        assert_eq!(line(text).to_string(), text);
        assert_eq!(guarded(text.as_bytes(), Notation::Json, 1), text);
    }
}
