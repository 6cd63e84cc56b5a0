//! `str.isprintable` of one character, by the Unicode database that the interpreter was built with.

use regex_syntax::hir::{Class, HirKind};

/// The printable characters beyond ASCII, as sorted ranges.
pub(super) struct Printable {
    ranges: Vec<(u32, u32)>,
}

impl Printable {
    /// For a Unicode version such as `14.0.0`; for one that is not known, today's.
    /// Printable is everything but the categories C and Z (Objects/unicodectype.c, `_PyUnicode_IsPrintable`).
    pub(super) fn new(unicode: &str) -> Self {
        let age = unicode.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        let ranges = Self::ranges(&format!(r"[\p{{Age={age}}}&&[^\p{{C}}\p{{Z}}]]"))
            .or_else(|| Self::ranges(r"[^\p{C}\p{Z}]"))
            .unwrap_or_default();
        Printable { ranges }
    }

    fn ranges(pattern: &str) -> Option<Vec<(u32, u32)>> {
        match regex_syntax::parse(pattern).ok()?.into_kind() {
            HirKind::Class(Class::Unicode(class)) => {
                Some(class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect())
            }
            _ => None,
        }
    }

    /// Whether `repr` shows the character as it is.
    pub(super) fn contains(&self, character: char) -> bool {
        let code = u32::from(character);
        if code < 0x7f {
            return code >= 0x20;
        }
        let after = self.ranges.partition_point(|&(start, _)| start <= code);
        after.checked_sub(1).and_then(|index| self.ranges.get(index)).is_some_and(|&(_, end)| code <= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_unicode_version() {
        let old = Printable::new("11.0.0");
        let new = Printable::new("14.0.0");
        assert!(old.contains('é') && old.contains(' ') && old.contains('😀'));
        assert!(!old.contains('\u{7f}') && !old.contains('\u{a0}') && !old.contains('\u{ad}'));
        assert!(!old.contains('\u{1FAE0}') && new.contains('\u{1FAE0}'), "melting face came with Unicode 14");
    }
}
