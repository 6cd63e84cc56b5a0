//! Strings of dumps as a database takes them: of bounded length, without NUL, and digests where things are told apart.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// How many bytes of a path, a title or a message are kept.
pub(super) const SHORT: usize = 1 << 10;
/// How many bytes of a report are kept.
pub(super) const LONG: usize = 64 << 10;
/// How long a fingerprint may be, to be kept as it is.
const FINGERPRINT: usize = 100;

/// `text`, cut to `limit` bytes. PostgreSQL takes no NUL, so another character stands for it.
pub(super) fn kept(text: &str, limit: usize) -> String {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut kept = text.get(..end).unwrap_or_default().replace('\0', "\u{2400}");
    if end < text.len() {
        kept.push('\u{2026}');
    }
    kept
}

/// What tells the whole of `parts` apart from any other.
pub(super) fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A fingerprint as it is kept: as it is, or a digest of what can be none.
pub(super) fn fingerprint(id: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.');
    if !id.is_empty() && id.len() <= FINGERPRINT && id.chars().all(is_plain) {
        id.to_owned()
    } else {
        format!("x:{}", digest([id]))
    }
}

/// A name that a user gives to a run, as it is kept: as it is, or a digest of what is too long.
pub(super) fn name(given: &str) -> String {
    if given.len() <= SHORT && !given.chars().any(char::is_control) {
        given.to_owned()
    } else {
        format!("x:{}", digest([given]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_cut_at_characters_and_have_no_nul() {
        assert_eq!(kept("a\0b", 10), "a\u{2400}b");
        assert_eq!(kept("a\u{e9}b", 2), "a\u{2026}");
        assert_eq!(kept(&"x".repeat(1 << 20), 3), "xxx\u{2026}");
    }

    #[test]
    fn what_differs_has_another_digest() {
        assert_eq!(digest(["a", "b"]), digest(["a", "b"]));
        assert_ne!(digest(["a", "b"]), digest(["ab", ""]));
        assert_ne!(digest(["a"]), digest(["a", ""]));
        assert_eq!(fingerprint("v1:0123abcd"), "v1:0123abcd");
        for odd in ["", "a\0", "' OR 1", &"a".repeat(1 << 20)] {
            assert_eq!(fingerprint(odd).len(), 34);
        }
    }
}
