//! JSON: the contracts, as they are.

use crate::render;
use crate::render::sanitize::{Guard, Notation};
use crate::report::{Entry, Triage};
use std::io::{self, BufWriter, Write};

/// Writes a triage as indented JSON, `pycore.triage/1`.
///
/// # Errors
/// Those of `out`.
pub fn json(triage: &Triage, out: impl Write) -> io::Result<()> {
    render::json(triage, out)
}

/// Writes entries as `pycore.entry/1`, one on a line.
///
/// # Errors
/// Those of `out`.
pub fn ndjson<'a>(entries: impl IntoIterator<Item = &'a Entry>, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, Guard::new(out, Notation::Json));
    for entry in entries {
        serde_json::to_writer(&mut out, entry)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::triage::samples::{HOSTILE, entries, hostile_triage, triage};

    #[test]
    fn a_triage_comes_back_as_it_was() {
        for triage in [triage(), hostile_triage()] {
            let mut out = Vec::new();
            json(&triage, &mut out).unwrap();
            assert_eq!(serde_json::from_slice::<Triage>(&out).unwrap(), triage);
        }
    }

    #[test]
    fn an_entry_is_one_line_and_comes_back_as_it_was() {
        let mut wanted = entries();
        wanted[0].path = HOSTILE.to_owned();
        let mut out = Vec::new();
        ndjson(&wanted, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let read: Vec<Entry> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, wanted);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }
}
