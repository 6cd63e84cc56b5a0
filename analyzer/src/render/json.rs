//! JSON: the report's contract, as it is.

use crate::render::sanitize::{Guard, Notation};
use serde::Serialize;
use std::io::{self, BufWriter, Write};

/// Writes `document` as indented JSON, with a line feed at its end.
///
/// Characters that a terminal could obey are written as `\u` escapes, which say the same to a JSON parser.
///
/// # Errors
/// Those of `out`.
pub fn json(document: &impl Serialize, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, Guard::new(out, Notation::Json));
    serde_json::to_writer_pretty(&mut out, document)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// `document` as JSON on one line, escaped like that of [`json`].
pub fn compact_json(document: &impl Serialize) -> String {
    super::to_string(|bytes| {
        let mut out = BufWriter::with_capacity(1 << 16, Guard::new(bytes, Notation::Json));
        serde_json::to_writer(&mut out, document)?;
        out.flush()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{frame, report, thread};

    #[test]
    fn hostile_strings_come_back_whole_from_escapes() {
        let name = "\u{1b}[2J\u{9b}31m\u{202e}gpj\u{e0001}\"\\\n你";
        let mut out = Vec::new();
        json(&report(vec![thread(1, vec![frame(name, 1, "f")])]), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("}\n"));
        for unsafe_char in ['\u{1b}', '\u{9b}', '\u{202e}', '\u{e0001}'] {
            assert!(!text.contains(unsafe_char));
        }
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["threads"][0]["frames"][0]["file"], name);
        assert_eq!(parsed["schema"], "pycore.report/1");
    }
}
