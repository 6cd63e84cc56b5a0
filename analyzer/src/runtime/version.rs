//! `PY_VERSION_HEX`, the interpreter's version in one number.

use std::fmt;

/// `PY_VERSION_HEX`, Include/patchlevel.h: major, minor, micro in a byte each, release level and serial in 4 bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HexVersion(pub u32);

impl HexVersion {
    /// Major and minor version.
    pub fn python(self) -> (u8, u8) {
        let [major, minor, ..] = self.0.to_be_bytes();
        (major, minor)
    }
}

impl fmt::Display for HexVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, micro, release] = self.0.to_be_bytes();
        write!(f, "{major}.{minor}.{micro}")?;
        let serial = release & 0xf;
        match release >> 4 {
            0xa => write!(f, "a{serial}"),
            0xb => write!(f, "b{serial}"),
            0xc => write!(f, "rc{serial}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HexVersion;

    #[test]
    fn versions_read_as_the_interpreter_prints_them() {
        assert_eq!(HexVersion(0x030b_07f0).to_string(), "3.11.7");
        assert_eq!(HexVersion(0x030d_00c2).to_string(), "3.13.0rc2");
        assert_eq!(HexVersion(0x030d_00c2).python(), (3, 13));
    }
}
