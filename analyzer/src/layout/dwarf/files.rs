//! The object files that debug information is read from.

use super::ExtractError;
use crate::addr::Machine;
use crate::layout::Abi;
use gimli::{Dwarf, DwarfSections, EndianSlice, LittleEndian, SectionId, Unit};
use object::read::{ReadCache, ReadRef, RelocationMap};
use object::{AddressSize, Architecture, BinaryFormat, Object, ObjectKind, ObjectSection};
use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};

/// No interpreter has sections as large as this, in bytes.
const SECTION_LIMIT: u64 = 1 << 30;

/// The sections that types are read from. gimli wants the line program and the address table of a unit, too.
const WANTED: [SectionId; 7] = [
    SectionId::DebugInfo,
    SectionId::DebugAbbrev,
    SectionId::DebugStr,
    SectionId::DebugLineStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugLine,
    SectionId::DebugAddr,
];

pub(super) type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// The wanted sections of one object file.
pub(super) struct Container {
    path: PathBuf,
    /// In hexadecimal; empty where the file has none.
    pub(super) build_id: String,
    /// `None` for one that pycore does not know.
    pub(super) machine: Option<Machine>,
    pub(super) abi: Abi,
    sections: DwarfSections<Vec<u8>>,
}

impl Container {
    pub(super) fn open(path: &Path) -> Result<Self, ExtractError> {
        let file = File::open(path).map_err(|source| ExtractError::Read { path: path.to_owned(), source })?;
        let cache = ReadCache::new(file);
        let object_error = |source| ExtractError::Object { path: path.to_owned(), source };
        let object = object::File::parse(&cache).map_err(object_error)?;
        if object.architecture().address_size() != Some(AddressSize::U64) || !object.is_little_endian() {
            return Err(ExtractError::Abi { path: path.to_owned() });
        }
        let build_id = object.build_id().map_err(object_error)?.unwrap_or_default();
        if object.section_by_name(SectionId::DebugInfo.name()).is_none() {
            return Err(ExtractError::NoDebugInfo { path: path.to_owned() });
        }
        let sections = DwarfSections::load(|id| section(path, &object, id))?;
        Ok(Container {
            path: path.to_owned(),
            machine: match object.architecture() {
                Architecture::X86_64 => Some(Machine::X86_64),
                Architecture::Aarch64 => Some(Machine::Aarch64),
                _ => None,
            },
            abi: match object.format() {
                BinaryFormat::Coff | BinaryFormat::Pe => Abi::Llp64,
                _ => Abi::Lp64,
            },
            build_id: build_id.iter().map(|byte| format!("{byte:02x}")).collect(),
            sections,
        })
    }

    /// The file's name without directories.
    pub(super) fn file_name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The section's bytes, decompressed and relocated; empty where it is not there or not wanted.
fn section<'data, R: ReadRef<'data>>(
    path: &Path,
    object: &object::File<'data, R>,
    id: SectionId,
) -> Result<Vec<u8>, ExtractError> {
    let Some(section) = object.section_by_name(id.name()).filter(|_| WANTED.contains(&id)) else {
        return Ok(Vec::new());
    };
    let object_error = |source| ExtractError::Object { path: path.to_owned(), source };
    let compressed = section.compressed_data().map_err(object_error)?;
    if compressed.uncompressed_size > SECTION_LIMIT {
        return Err(ExtractError::TooLarge {
            path: path.to_owned(),
            section: id.name(),
            size: compressed.uncompressed_size,
        });
    }
    let mut data = compressed.decompress().map(Cow::into_owned).map_err(object_error)?;
    if object.kind() == ObjectKind::Relocatable {
        relocate(object, &section, &mut data);
    }
    Ok(data)
}

/// Applies the relocations of an object file that was not linked. Those that cannot be, of thread-local variables,
/// do not concern types.
fn relocate<'data, R: ReadRef<'data>>(
    object: &object::File<'data, R>,
    section: &object::Section<'data, '_, R>,
    data: &mut [u8],
) {
    for (offset, relocation) in section.relocations() {
        let size = usize::from(relocation.size() / 8);
        let mut map = RelocationMap::default();
        let place = usize::try_from(offset)
            .ok()
            .and_then(|start| Some(start..start.checked_add(size)?))
            .and_then(|range| data.get_mut(range));
        if let (Ok(()), Some(place)) = (map.add(object, offset, relocation), place) {
            let mut value = [0; 8];
            if let Some(value) = value.get_mut(..size) {
                value.copy_from_slice(place);
            }
            let value = map.relocate(offset, u64::from_le_bytes(value)).to_le_bytes();
            if let Some(value) = value.get(..size) {
                place.copy_from_slice(value);
            }
        }
    }
}

/// The debug information of one file.
pub(super) struct DebugFile<'a> {
    path: &'a Path,
    pub(super) dwarf: Dwarf<Slice<'a>>,
    /// In the order of their offsets.
    pub(super) units: Vec<Unit<Slice<'a>>>,
}

impl DebugFile<'_> {
    pub(super) fn error(&self, source: gimli::Error) -> ExtractError {
        ExtractError::Dwarf { path: self.path.to_owned(), source }
    }

    pub(super) fn unsupported(&self, offset: usize, what: &'static str) -> ExtractError {
        ExtractError::Unsupported { path: self.path.to_owned(), offset, what }
    }

    /// `DW_AT_producer` of the first unit that has one.
    pub(super) fn producer(&self) -> Result<String, ExtractError> {
        for unit in &self.units {
            let root = unit.entry(unit.header.root_offset()).map_err(|error| self.error(error))?;
            if let Some(value) = root.attr_value(gimli::DW_AT_producer) {
                let text = self.dwarf.attr_string(unit, value).map_err(|error| self.error(error))?;
                return Ok(text.to_string_lossy().into_owned());
            }
        }
        Ok(String::new())
    }

    /// Where an entry of `.debug_info` is, for people: the file and the unit.
    pub(super) fn describe(&self, unit: usize, offset: usize) -> String {
        let name = self.units.get(unit).and_then(|unit| unit.name);
        format!(
            "{}: {offset:#x} ({})",
            self.path.display(),
            name.map(|name| name.to_string_lossy()).unwrap_or_default()
        )
    }
}

/// The debug information of all files.
pub(super) struct Files<'a>(Vec<DebugFile<'a>>);

impl<'a> Files<'a> {
    pub(super) fn parse(containers: &'a [Container]) -> Result<Self, ExtractError> {
        containers
            .iter()
            .map(|container| {
                let dwarf = container.sections.borrow(|bytes| EndianSlice::new(bytes, LittleEndian));
                let mut file = DebugFile { path: &container.path, dwarf, units: Vec::new() };
                let mut headers = file.dwarf.units();
                while let Some(header) = headers.next().map_err(|error| file.error(error))? {
                    file.units.push(file.dwarf.unit(header).map_err(|error| file.error(error))?);
                }
                Ok(file)
            })
            .collect::<Result<_, _>>()
            .map(Files)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &DebugFile<'a>> {
        self.0.iter()
    }

    pub(super) fn get(&self, index: usize) -> Option<&DebugFile<'a>> {
        self.0.get(index)
    }
}
