//! The compressions that are undone here, and how their files begin.

/// A compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// RFC 8878.
    Zstd,
    /// The LZ4 frame format, as systemd and `lz4` write it.
    Lz4,
    /// The .xz file format.
    Xz,
    /// RFC 1952.
    Gzip,
    /// bzip2 1.0.
    Bzip2,
}

/// How many bytes at the start of a file tell its compression, or of a frame that it holds nothing.
pub(super) const MAGIC_SIZE: usize = 8;

/// How a file of `lz4 -l` begins.
const LEGACY_LZ4: &[u8] = b"\x02\x21\x4c\x18";

/// Each codec, how its frames begin, and the command that unpacks it.
const CODECS: [(Codec, &[u8], &str); 6] = [
    (Codec::Zstd, b"\x28\xb5\x2f\xfd", "zstd -dk"),
    (Codec::Lz4, b"\x04\x22\x4d\x18", "lz4 -dk"),
    (Codec::Lz4, LEGACY_LZ4, "lz4 -dk"),
    (Codec::Xz, b"\xfd7zXZ\0", "xz -dk"),
    (Codec::Gzip, b"\x1f\x8b\x08", "gzip -dk"),
    (Codec::Bzip2, b"BZh", "bzip2 -dk"),
];

impl Codec {
    /// The codec of a file or frame that begins so.
    pub(in crate::dump) fn of(start: &[u8]) -> Option<Codec> {
        CODECS.iter().find(|(_, magic, _)| start.starts_with(magic)).map(|(codec, _, _)| *codec)
    }

    /// Its name.
    pub(in crate::dump) fn name(self) -> &'static str {
        match self {
            Codec::Zstd => "zstd",
            Codec::Lz4 => "lz4",
            Codec::Xz => "xz",
            Codec::Gzip => "gzip",
            Codec::Bzip2 => "bzip2",
        }
    }

    /// The command that unpacks a file by hand.
    pub(in crate::dump) fn command(self) -> &'static str {
        CODECS.iter().find(|(codec, _, _)| *codec == self).map_or("", |(_, _, command)| command)
    }
}

/// Whether a frame that begins so is of LZ4's older format.
pub(super) fn is_legacy_lz4(start: &[u8]) -> bool {
    start.starts_with(LEGACY_LZ4)
}

/// The size, with its header, of a frame that begins so and holds nothing for a decoder: zstd and LZ4 have the same.
pub(super) fn skippable_frame(start: &[u8]) -> Option<u64> {
    const MAGIC: u32 = 0x184d_2a50;
    const HEADER: u64 = 8;
    let magic = u32::from_le_bytes(*start.first_chunk()?);
    let size = u32::from_le_bytes(*start.get(4..)?.first_chunk()?);
    (magic & !0xf == MAGIC).then_some(HEADER + u64::from(size))
}
