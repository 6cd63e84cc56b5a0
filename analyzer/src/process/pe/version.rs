//! The version resource: who a file says it is.
//!
//! `VS_VERSIONINFO` and what is in it, of Microsoft's "Version Information Reference": blocks of a length, a length of
//! the value, a type, a name in UTF-16, then the value and blocks within, each at a multiple of four bytes.

use super::Image;
use crate::addr::Address;
use crate::process::image::read_struct;
use object::LittleEndian as LE;
use object::pe::{self, ImageResourceDataEntry, ImageResourceDirectory, ImageResourceDirectoryEntry};

/// The most of a version resource that is read, in bytes; real ones have about a thousand.
const MAX_RESOURCE: u32 = 1 << 14;
/// The most entries of one directory of resources that are looked at.
const MAX_ENTRIES: u32 = 1 << 10;
/// The most blocks within a block that are looked at.
const MAX_BLOCKS: usize = 64;
/// `VS_FIXEDFILEINFO.dwSignature`.
const SIGNATURE: u32 = 0xfeef_04bd;

/// What a version resource tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    /// `dwFileVersion`, four numbers of 16 bits; zeros where there is none.
    pub(crate) file: [u16; 4],
    /// The strings of the first language: name and text.
    strings: Vec<(String, String)>,
}

impl Version {
    /// One of the strings, such as `ProductName`, `ProductVersion`, `OriginalFilename`.
    pub(crate) fn string(&self, name: &str) -> Option<&str> {
        self.strings.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_str())
    }
}

impl Image<'_> {
    /// The version resource, if the image has one and it is at hand.
    pub(crate) fn version(&self) -> Option<Version> {
        let (root, _) = self.directory(pe::IMAGE_DIRECTORY_ENTRY_RESOURCE)?;
        let sub_directory = |offset: u32| {
            let offset = offset.checked_sub(pe::IMAGE_RESOURCE_DATA_IS_DIRECTORY)?;
            Some(root.add(offset.into()))
        };
        let names = sub_directory(self.resource(root, Some(pe::RT_VERSION.into()))?)?;
        let languages = sub_directory(self.resource(names, None)?)?;
        let data = root.add(self.resource(languages, None)?.into());
        let data: ImageResourceDataEntry = read_struct(self.memory, data).ok()?;
        let at = self.at(data.offset_to_data.get(LE))?;
        let bytes = self.memory.bytes(at, data.size.get(LE).min(MAX_RESOURCE) as usize).ok()?;
        Version::parse(&bytes)
    }

    /// What the entry `id` of the directory of resources at `directory` leads to, or its first entry: an offset behind
    /// the first directory, with the highest bit set where it is that of another directory.
    fn resource(&self, directory: Address, id: Option<u32>) -> Option<u32> {
        let header: ImageResourceDirectory = read_struct(self.memory, directory).ok()?;
        let named = u32::from(header.number_of_named_entries.get(LE));
        let count = named + u32::from(header.number_of_id_entries.get(LE));
        let table = directory.add(size_of::<ImageResourceDirectory>() as u64);
        let mut entries = (0..count.min(MAX_ENTRIES)).map_while(|index| {
            let entry = table.element(index.into(), size_of::<ImageResourceDirectoryEntry>() as u64);
            read_struct::<ImageResourceDirectoryEntry>(self.memory, entry).ok()
        });
        let entry = entries.find(|entry| id.is_none_or(|id| entry.name_or_id.get(LE) == id))?;
        Some(entry.offset_to_data_or_directory.get(LE))
    }
}

impl Version {
    /// Reads a `VS_VERSIONINFO`.
    fn parse(bytes: &[u8]) -> Option<Version> {
        let root = Block::parse(bytes)?;
        if root.key != "VS_VERSION_INFO" {
            return None;
        }
        let word = |at: usize| root.value.as_chunks::<4>().0.get(at).map(|word| u32::from_le_bytes(*word));
        let file = match (word(0), word(2), word(3)) {
            (Some(SIGNATURE), Some(high), Some(low)) => {
                [(high >> 16) as u16, high as u16, (low >> 16) as u16, low as u16]
            }
            _ => [0; 4],
        };
        let strings = root.blocks().filter(|block| block.key == "StringFileInfo");
        let strings = strings.take(1).flat_map(|info| info.blocks().take(1).collect::<Vec<_>>());
        let strings = strings.flat_map(|table| table.blocks().collect::<Vec<_>>());
        let strings = strings.map(|string| (string.key, text(string.value))).collect();
        Some(Version { file, strings })
    }
}

/// A block of a version resource.
struct Block<'a> {
    key: String,
    value: &'a [u8],
    /// The blocks within.
    rest: &'a [u8],
}

impl<'a> Block<'a> {
    /// The block that `bytes` begin with.
    fn parse(bytes: &'a [u8]) -> Option<Block<'a>> {
        const HEADER: usize = 6;
        const TEXT: u16 = 1;
        let field = |index: usize| bytes.as_chunks::<2>().0.get(index).map(|word| u16::from_le_bytes(*word));
        let bytes = bytes.get(..usize::from(field(0)?).min(bytes.len()))?;
        let key = bytes.get(HEADER..)?;
        let units = key.as_chunks::<2>().0.iter().position(|unit| *unit == [0; 2])?;
        let value_at = (HEADER + 2 * units + 2).next_multiple_of(4).min(bytes.len());
        // The length of a text counts characters, but some compilers count bytes.
        let unit = if field(2)? == TEXT { 2 } else { 1 };
        let value_end = (value_at + unit * usize::from(field(1)?)).min(bytes.len());
        Some(Block {
            key: text(key),
            value: bytes.get(value_at..value_end)?,
            rest: bytes.get(value_end.next_multiple_of(4).min(bytes.len())..)?,
        })
    }

    fn blocks(&self) -> impl Iterator<Item = Block<'a>> {
        let mut rest = self.rest;
        let next = move || {
            let block = Block::parse(rest)?;
            let size = rest.first_chunk::<2>().map_or(0, |size| usize::from(u16::from_le_bytes(*size)));
            rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
            Some(block)
        };
        std::iter::from_fn(next).take(MAX_BLOCKS)
    }
}

/// UTF-16 up to its first NUL.
fn text(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{BASE, Dll, SIZE};
    use super::*;
    use crate::memory::{Backing, FaultCause, Range, Region, Regions};

    fn read(bytes: &[u8]) -> Option<Version> {
        let range = Range { start: Address(BASE), size: SIZE, writable: false, executable: false };
        let backing = Backing::Bytes(bytes, FaultCause::NotDumped);
        Image::read(&Regions::new(vec![Region { range, backing }]), Address(BASE)).ok()?.version()
    }

    fn dll() -> Dll {
        let strings = vec![["ProductName", "Python"], ["ProductVersion", "3.12.10"], ["Comments", ""]];
        Dll { version: Some(([3, 12, 10150, 1013], strings)), ..Dll::default() }
    }

    #[test]
    fn numbers_and_strings_are_read() {
        let version = read(&dll().loaded()).unwrap();
        assert_eq!(version.file, [3, 12, 10150, 1013]);
        assert_eq!(version.string("ProductName"), Some("Python"));
        assert_eq!(version.string("ProductVersion"), Some("3.12.10"));
        assert_eq!(version.string("Comments"), Some(""));
        assert_eq!(version.string("CompanyName"), None);
    }

    #[test]
    fn a_file_without_one_has_none() {
        assert_eq!(read(&Dll::default().loaded()), None);
    }

    #[test]
    fn any_damage_is_survived() {
        let whole = dll().loaded();
        for at in 0xc00..0x1000 {
            for value in [0, 1, 0x10, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = read(&bytes);
            }
        }
        for size in 0xc00..0x1000 {
            let _ = read(&whole[..size]);
        }
    }
}
