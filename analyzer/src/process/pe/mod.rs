//! A PE file as it lies loaded in memory: its headers, sections and what identifies it.
//!
//! Format: Microsoft's "PE Format"; the CodeView record `RSDS` as compilers and debuggers have agreed on it.

mod exports;
mod file;
#[cfg(test)]
pub(crate) mod synthetic;
mod version;

pub(crate) use file::Loaded;

use super::image::{ImageError, read_struct};
use super::{PdbId, PeIdentity};
use crate::addr::Address;
use crate::memory::{Memory, Range};
use object::LittleEndian as LE;
use object::pe::{
    self, ImageDataDirectory, ImageDebugDirectory, ImageDosHeader, ImageFileHeader, ImageOptionalHeader32,
    ImageOptionalHeader64, ImageSectionHeader,
};

/// How many sections are read; Windows itself loads no file with more than 96.
const MAX_SECTIONS: u16 = 96;
/// How many entries of the debug directory are read; real ones have up to eight.
const MAX_DEBUG_ENTRIES: u32 = 32;
/// The longest path of a PDB that is read, in bytes.
const MAX_PATH: usize = 1 << 10;
/// The largest image that is believed, in bytes: addresses within it have 31 bits.
const MAX_IMAGE: u32 = i32::MAX as u32;

/// A part of an image with protections of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// Its name, filled up with zeros.
    name: [u8; 8],
    /// Where it lies in memory, and what the process may do there.
    pub(crate) range: Range,
    /// Where it begins in the file, in bytes.
    file_offset: u32,
    /// How much of it the file has, in bytes.
    file_size: u32,
}

impl Section {
    /// Its name, which has at most eight bytes.
    pub(crate) fn name(&self) -> &[u8] {
        let end = self.name.iter().position(|&byte| byte == 0).unwrap_or(self.name.len());
        self.name.get(..end).unwrap_or_default()
    }
}

/// A PE file in memory.
pub(crate) struct Image<'m> {
    memory: &'m dyn Memory,
    base: Address,
    timestamp: u32,
    size_of_image: u32,
    checksum: u32,
    preferred_base: u64,
    directories: Vec<ImageDataDirectory>,
    headers: Vec<ImageSectionHeader>,
}

impl<'m> Image<'m> {
    /// Reads the headers of the file whose first byte is mapped at `base`.
    pub(crate) fn read(memory: &'m dyn Memory, base: Address) -> Result<Self, ImageError> {
        let dos: ImageDosHeader = read_struct(memory, base)?;
        if dos.e_magic.get(LE) != pe::IMAGE_DOS_SIGNATURE {
            return Err(ImageError::Unknown(base));
        }
        let nt = base.add(dos.e_lfanew.get(LE).into());
        if memory.u32(nt)? != pe::IMAGE_NT_SIGNATURE {
            return Err(ImageError::Unknown(base));
        }
        let file_header_at = nt.add(size_of::<u32>() as u64);
        let file: ImageFileHeader = read_struct(memory, file_header_at)?;
        let optional = file_header_at.add(size_of::<ImageFileHeader>() as u64);
        let (size_of_image, checksum, preferred_base, count, directories_at) = match memory.u16(optional)? {
            pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC => {
                let header: ImageOptionalHeader64 = read_struct(memory, optional)?;
                (
                    header.size_of_image.get(LE),
                    header.check_sum.get(LE),
                    header.image_base.get(LE),
                    header.number_of_rva_and_sizes.get(LE),
                    optional.add(size_of::<ImageOptionalHeader64>() as u64),
                )
            }
            pe::IMAGE_NT_OPTIONAL_HDR32_MAGIC => {
                let header: ImageOptionalHeader32 = read_struct(memory, optional)?;
                (
                    header.size_of_image.get(LE),
                    header.check_sum.get(LE),
                    header.image_base.get(LE).into(),
                    header.number_of_rva_and_sizes.get(LE),
                    optional.add(size_of::<ImageOptionalHeader32>() as u64),
                )
            }
            _ => return Err(ImageError::Malformed { at: optional, what: "an unknown optional header" }),
        };
        if size_of_image > MAX_IMAGE {
            return Err(ImageError::Malformed { at: optional, what: "an image of more than 2 GiB" });
        }
        let directories = (0..u64::from(count).min(pe::IMAGE_NUMBEROF_DIRECTORY_ENTRIES as u64))
            .map(|index| {
                read_struct(memory, directories_at.element(index, size_of::<ImageDataDirectory>() as u64))
            })
            .collect::<Result<_, _>>()?;
        let table = optional.add(file.size_of_optional_header.get(LE).into());
        let headers = (0..file.number_of_sections.get(LE).min(MAX_SECTIONS))
            .map(|index| {
                read_struct(memory, table.element(index.into(), size_of::<ImageSectionHeader>() as u64))
            })
            .collect::<Result<_, _>>()?;
        Ok(Image {
            memory,
            base,
            timestamp: file.time_date_stamp.get(LE),
            size_of_image,
            checksum,
            preferred_base,
            directories,
            headers,
        })
    }

    /// What tells this file from others.
    pub(crate) fn identity(&self) -> PeIdentity {
        PeIdentity {
            timestamp: self.timestamp,
            size: self.size_of_image,
            checksum: self.checksum,
            file_version: self.version().map(|version| version.file),
            pdb: self.pdb(),
        }
    }

    /// The CodeView record `RSDS`: a GUID, an age, a path.
    fn pdb(&self) -> Option<PdbId> {
        let (table, size) = self.directory(pe::IMAGE_DIRECTORY_ENTRY_DEBUG)?;
        let entry_size = size_of::<ImageDebugDirectory>() as u64;
        let count = (u64::from(size) / entry_size).min(MAX_DEBUG_ENTRIES.into());
        let entries = (0..count).map_while(|index| {
            read_struct::<ImageDebugDirectory>(self.memory, table.element(index, entry_size)).ok()
        });
        entries.filter(|entry| entry.typ.get(LE) == pe::IMAGE_DEBUG_TYPE_CODEVIEW).find_map(|entry| {
            let record = self.at(entry.address_of_raw_data.get(LE))?;
            if self.memory.array(record) != Ok(*b"RSDS") {
                return None;
            }
            let path = self.memory.c_string(record.add(24), MAX_PATH).unwrap_or_default();
            Some(PdbId {
                guid: self.memory.array(record.add(4)).ok()?,
                age: self.memory.u32(record.add(20)).ok()?,
                path: String::from_utf8_lossy(&path).into_owned(),
            })
        })
    }

    /// The sections that lie within the image.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section> {
        self.headers.iter().filter_map(|header| {
            let start = self.at(header.virtual_address.get(LE))?;
            let left = self.size_of_image - header.virtual_address.get(LE);
            // Linkers leave the size in memory 0 where it is that of the file.
            let size = match header.virtual_size.get(LE) {
                0 => header.size_of_raw_data.get(LE),
                size => size,
            };
            let flags = header.characteristics.get(LE).0;
            let range = Range {
                start,
                size: size.min(left).into(),
                writable: flags & pe::IMAGE_SCN_MEM_WRITE.0 != 0,
                executable: flags & pe::IMAGE_SCN_MEM_EXECUTE.0 != 0,
            };
            Some(Section {
                name: header.name,
                range,
                file_offset: header.pointer_to_raw_data.get(LE),
                file_size: header.size_of_raw_data.get(LE),
            })
        })
    }

    /// The section `name`.
    pub(crate) fn section(&self, name: &str) -> Option<Section> {
        self.sections().find(|section| section.name() == name.as_bytes())
    }

    /// The virtual address that lies `rva` bytes behind the image's first byte, if that is within the image.
    fn at(&self, rva: u32) -> Option<Address> {
        (rva != 0 && rva < self.size_of_image).then(|| self.base.add(rva.into()))
    }

    /// The virtual address and size, in bytes, of one of the tables that the optional header lists.
    fn directory(&self, index: usize) -> Option<(Address, u32)> {
        let directory = self.directories.get(index)?;
        Some((self.at(directory.virtual_address.get(LE))?, directory.size.get(LE)))
    }
}
