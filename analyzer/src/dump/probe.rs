//! Whether a file is a dump, told by its first bytes alone.

use super::input::{self, Opened};
use super::{minidump, unpack};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// How many bytes at the start of a file, unpacked, are looked at: `e_type` of an ELF header lies within them.
const START: usize = 20;
/// How the reports begin that Apport keeps cores in.
const APPORT: &[u8] = b"ProblemType: ";

/// What the first bytes of a file say that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// An ELF core or a minidump, or the beginning of one that was cut off.
    Dump,
    /// It is packed; [`holds_dump`] says what is in it.
    Packed,
    /// Anything else that has bytes.
    Other,
    /// It has no bytes.
    Empty,
    /// It is no regular file. FIFOs and devices are not opened.
    NotRegular,
}

/// Looks at the first bytes of a file as they lie on the disk.
///
/// # Errors
/// When it cannot be read.
pub fn probe(path: &Path) -> io::Result<Probe> {
    let Opened::Regular(file) = input::open(path)? else { return Ok(Probe::NotRegular) };
    let start = read_start(&file)?;
    Ok(if start.is_empty() {
        Probe::Empty
    } else if unpack::is_packed(&start) {
        Probe::Packed
    } else if is_dump(&start) {
        Probe::Dump
    } else {
        Probe::Other
    })
}

/// Whether what is packed in a file begins like a dump. To unpack only that takes memory, as the file demands it.
///
/// # Errors
/// When the file cannot be read, or nothing of it unpacked: what it holds cannot be known.
pub fn holds_dump(path: &Path) -> io::Result<bool> {
    let Opened::Regular(file) = input::open(path)? else { return Ok(false) };
    let start = read_start(&file)?;
    Ok(is_dump(&unpack::peek(io::Cursor::new(start).chain(file), START)?))
}

fn read_start(file: &File) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.take(START as u64).read_to_end(&mut start)?;
    Ok(start)
}

fn is_dump(start: &[u8]) -> bool {
    is_core(start) || minidump::is_minidump(start) || start.starts_with(APPORT)
}

/// Whether these are the first bytes of an ELF core of either byte order, perhaps all of them that there are.
fn is_core(start: &[u8]) -> bool {
    const MAGIC: &[u8] = b"\x7fELF";
    /// The offset of `EI_DATA`, and its value for big-endian files.
    const DATA: usize = 5;
    const BIG_ENDIAN: u8 = 2;
    /// The offset of `e_type`, and its value for cores.
    const TYPE: usize = 16;
    const ET_CORE: u16 = 4;
    if !start.starts_with(MAGIC) {
        return false;
    }
    let kind = start.get(TYPE..).and_then(|rest| rest.first_chunk()).map(|&bytes| match start.get(DATA) {
        Some(&BIG_ENDIAN) => u16::from_be_bytes(bytes),
        _ => u16::from_le_bytes(bytes),
    });
    kind.is_none_or(|kind| kind == ET_CORE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn probed(bytes: &[u8]) -> Probe {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        probe(file.path()).unwrap()
    }

    fn elf(order: u8, kind: [u8; 2]) -> Vec<u8> {
        [b"\x7fELF\x02", &[order][..], &[0; 10], &kind, &[0; 100]].concat()
    }

    #[test]
    fn dumps_are_known_by_their_first_bytes() {
        assert_eq!(probed(&elf(1, [4, 0])), Probe::Dump);
        assert_eq!(probed(&elf(2, [0, 4])), Probe::Dump);
        assert_eq!(probed(&elf(1, [3, 0])), Probe::Other);
        assert_eq!(probed(&elf(2, [4, 0])), Probe::Other);
        assert_eq!(probed(b"\x7fELF\x02\x01"), Probe::Dump);
        assert_eq!(probed(b"MDMP\x93\xa7 and more that there is in one"), Probe::Dump);
        assert_eq!(probed(b"ProblemType: Crash\n"), Probe::Dump);
        assert_eq!(probed(b"#!/bin/sh\n"), Probe::Other);
        assert_eq!(probed(b""), Probe::Empty);
        assert_eq!(probe(Path::new("/dev/null")).unwrap(), Probe::NotRegular);
        assert_eq!(probe(Path::new("/tmp")).unwrap(), Probe::NotRegular);
        assert!(probe(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn packed_dumps_are_known_by_what_was_packed() {
        let packed = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
        let holds = |bytes: &[u8]| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(bytes).unwrap();
            assert_eq!(probe(file.path()).unwrap(), Probe::Packed);
            holds_dump(file.path())
        };
        let whole = packed(&elf(1, [4, 0]));
        assert!(holds(&whole).unwrap());
        assert!(holds(&packed(&whole)).unwrap());
        assert!(!holds(&packed(b"some log")).unwrap());
        assert!(holds(&whole[..8]).is_err());
    }
}
