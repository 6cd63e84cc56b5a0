//! YAML: the same document as the JSON.

use crate::render::sanitize::{Guard, Notation};
use serde::Serialize;
use std::io::{self, Write};

/// Writes `document` as YAML. For a terminal, what it could obey is shown escaped; else every string is exact.
///
/// # Errors
/// Those of `out`.
pub fn yaml(document: &impl Serialize, out: impl Write, for_terminal: bool) -> io::Result<()> {
    let mut out = KeepError { out, error: None };
    let result = if for_terminal {
        serde_yaml::to_writer(Guard::new(&mut out, Notation::Python), document)
    } else {
        serde_yaml::to_writer(&mut out, document)
    };
    match (result, out.error.take()) {
        (Ok(()), _) => out.flush(),
        (Err(_), Some(error)) => Err(error),
        (Err(error), None) => Err(io::Error::other(error)),
    }
}

/// Keeps the writer's error, of which `serde_yaml` gives only the text: a broken pipe must be known as one.
struct KeepError<W> {
    out: W,
    error: Option<io::Error>,
}

impl<W: Write> Write for KeepError<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).map_err(|error| {
            let kind = error.kind();
            self.error = Some(error);
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{frame, report, thread};

    fn shown(name: &str, for_terminal: bool) -> String {
        let mut out = Vec::new();
        yaml(&report(vec![thread(1, vec![frame(name, 1, "f")])]), &mut out, for_terminal).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_come_back_whole() {
        let name = "\u{1b}[2J\u{9b}31m\u{202e}gpj \"\\\n你: - yes";
        let parsed: serde_yaml::Value = serde_yaml::from_str(&shown(name, false)).unwrap();
        assert_eq!(parsed["threads"][0]["frames"][0]["file"].as_str(), Some(name));
    }

    #[test]
    fn a_terminal_gets_nothing_to_obey() {
        let text = shown("a\u{202e}b\u{9b}c", true);
        assert!(!text.contains(['\u{202e}', '\u{9b}']) && text.ends_with('\n'), "{text}");
    }

    #[test]
    fn a_broken_pipe_stays_one() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let document = report(Vec::new());
        assert_eq!(yaml(&document, Broken, false).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(super::super::json(&document, Broken).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
