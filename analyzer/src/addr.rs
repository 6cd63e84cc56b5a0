//! Virtual addresses of the process that died or hangs, and the machine it ran on.

use std::fmt;

/// A virtual address in the *target* process, never in pycore's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address(pub u64);

impl Address {
    /// The null pointer.
    pub const NULL: Address = Address(0);

    /// Whether this is the null pointer.
    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    #[expect(clippy::should_implement_trait, reason = "the operator does not say that it wraps around")]
    /// The address `bytes` further on; wraps around as the target's own pointer arithmetic would.
    pub fn add(self, bytes: u64) -> Address {
        Address(self.0.wrapping_add(bytes))
    }

    #[expect(clippy::should_implement_trait, reason = "the operator does not say that it wraps around")]
    /// The address `bytes` before this one; wraps around.
    pub fn sub(self, bytes: u64) -> Address {
        Address(self.0.wrapping_sub(bytes))
    }

    /// The element `index` of an array of `stride`-byte elements that starts here; wraps around.
    pub fn element(self, index: u64, stride: u64) -> Address {
        self.add(index.wrapping_mul(stride))
    }
}

/// The instruction set of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
pub enum Machine {
    /// 64-bit x86, little-endian: `EM_X86_64`.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm, little-endian: `EM_AARCH64`.
    #[serde(rename = "aarch64")]
    Aarch64,
}

impl fmt::Display for Machine {
    /// As in `uname -m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Machine::X86_64 => "x86_64",
            Machine::Aarch64 => "aarch64",
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl schemars::JsonSchema for Address {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^0x[0-9a-f]+$",
            "description": "A virtual address of the target, in hexadecimal."
        })
    }
}
