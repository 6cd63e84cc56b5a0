//! Types of C by name, and the places of their members.

use super::ExtractError;
use super::files::{DebugFile, Files, Slice};
use crate::layout::schema::{Bits, Place, STRUCTS};
use gimli::{AttributeValue, DebuggingInformationEntry, DwTag, Unit, UnitOffset};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

/// The longest chain of typedefs, qualifiers and arrays that is followed, and the deepest nesting of structs.
const DEPTH_LIMIT: usize = 32;

/// How many entries are read after indexing; an interpreter takes fewer than 100,000.
const ENTRY_LIMIT: usize = 5_000_000;

type Entry<'a> = DebuggingInformationEntry<Slice<'a>>;

/// An entry of debug information: which file, which unit of it, and the offset within the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Die {
    file: usize,
    unit: usize,
    offset: UnitOffset,
}

/// A member of a struct or union.
#[derive(Clone, Copy)]
struct Member<'a> {
    /// None for anonymous structs and unions.
    name: Option<&'a [u8]>,
    kind: Die,
    /// From the start of the struct, in bytes; of bit-fields, to the integer that holds them.
    offset: u64,
    /// The size of the integer that holds a bit-field, in bytes, and which bits of it.
    bits: Option<(u64, Bits)>,
}

/// All structs, unions and wanted typedefs of some files.
pub(super) struct Types<'a> {
    files: &'a Files<'a>,
    typedefs: HashMap<&'a [u8], Vec<Die>>,
    /// Complete structs and unions by tag.
    tags: HashMap<&'a [u8], Vec<Die>>,
    members: RefCell<HashMap<Die, Rc<[Member<'a>]>>>,
    entries_read: Cell<usize>,
}

impl<'a> Types<'a> {
    pub(super) fn index(files: &'a Files<'a>) -> Result<Self, ExtractError> {
        let wanted: HashSet<&[u8]> =
            STRUCTS.iter().flat_map(|spec| spec.c_names).map(|name| name.as_bytes()).collect();
        let mut typedefs: HashMap<&[u8], Vec<Die>> = HashMap::new();
        let mut tags: HashMap<&[u8], Vec<Die>> = HashMap::new();
        for (file_index, file) in files.iter().enumerate() {
            let error = |error| file.error(error);
            for (unit_index, unit) in file.units.iter().enumerate() {
                let mut cursor = unit.entries();
                cursor.next_dfs().map_err(error)?;
                let mut entry = cursor.next_dfs().map_err(error)?;
                while let Some(found) = entry {
                    let die = Die { file: file_index, unit: unit_index, offset: found.offset() };
                    match found.tag() {
                        gimli::DW_TAG_typedef => {
                            if let Some(name) = name(file, unit, found)?.filter(|name| wanted.contains(name))
                            {
                                typedefs.entry(name).or_default().push(die);
                            }
                        }
                        tag if is_struct(tag) && !is_declaration(found) => {
                            if let Some(name) = name(file, unit, found)? {
                                tags.entry(name).or_default().push(die);
                            }
                        }
                        _ => {}
                    }
                    entry = cursor.next_sibling().map_err(error)?;
                }
            }
        }
        Ok(Types { files, typedefs, tags, members: RefCell::default(), entries_read: Cell::new(0) })
    }

    /// The complete structs that any of the names stands for, as a typedef or as a tag.
    pub(super) fn definitions(&self, names: &[&str]) -> Result<BTreeSet<Die>, ExtractError> {
        let mut found = BTreeSet::new();
        let mut declared = HashSet::new();
        for name in names {
            for &typedef in self.typedefs.get(name.as_bytes()).into_iter().flatten() {
                let Some((die, entry)) = self.unqualified(typedef)? else { continue };
                if !is_struct(entry.tag()) {
                    continue;
                }
                if is_declaration(&entry) {
                    declared.extend(self.name(die, &entry)?);
                } else {
                    found.insert(die);
                }
            }
            declared.insert(name.as_bytes());
        }
        found.extend(declared.into_iter().filter_map(|tag| self.tags.get(tag)).flatten());
        Ok(found)
    }

    /// The place of the member that a path such as `state.kind` leads to; anonymous members are looked into.
    pub(super) fn member(&self, definition: Die, path: &str) -> Result<Option<Place>, ExtractError> {
        let mut structure = definition;
        let mut start = 0u64;
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            let Some(member) = self.find(structure, name.as_bytes(), 0)? else { return Ok(None) };
            start = start.saturating_add(member.offset);
            if names.peek().is_some() {
                structure = member.kind;
                continue;
            }
            let (size, bits) = match member.bits {
                Some((size, bits)) => (size, Some(bits)),
                None => (self.byte_size(member.kind)?, None),
            };
            let place = |offset, size| Some(Place { offset, size, bits });
            return Ok(place(self.narrow(definition, start)?, self.narrow(definition, size)?));
        }
        Ok(None)
    }

    /// `sizeof` the type, in bytes.
    pub(super) fn size(&self, die: Die) -> Result<u32, ExtractError> {
        let size = self.byte_size(die)?;
        self.narrow(die, size)
    }

    /// Where a definition is, for people.
    pub(super) fn describe(&self, die: Die) -> String {
        self.files
            .get(die.file)
            .map(|file| file.describe(die.unit, self.section_offset(die)))
            .unwrap_or_default()
    }

    /// The member of that name, in the struct or in an anonymous member of it, by its offset from the struct.
    fn find(&self, structure: Die, name: &[u8], depth: usize) -> Result<Option<Member<'a>>, ExtractError> {
        let members = self.members(structure)?;
        if let Some(member) = members.iter().find(|member| member.name == Some(name)) {
            return Ok(Some(*member));
        }
        if depth == DEPTH_LIMIT {
            return Err(self.unsupported(structure, "structs nested too deeply"));
        }
        for anonymous in members.iter().filter(|member| member.name.is_none()) {
            self.count(structure)?;
            if let Some(member) = self.find(anonymous.kind, name, depth + 1)? {
                let offset = member.offset.saturating_add(anonymous.offset);
                return Ok(Some(Member { offset, ..member }));
            }
        }
        Ok(None)
    }

    /// The members of a struct or union, through typedefs; none of any other type.
    fn members(&self, die: Die) -> Result<Rc<[Member<'a>]>, ExtractError> {
        if let Some(members) = self.members.borrow().get(&die) {
            return Ok(members.clone());
        }
        let mut members = Vec::new();
        if let Some((definition, entry)) = self.complete(die)?
            && is_struct(entry.tag())
            && entry.has_children()
        {
            let (file, unit) = self.unit(definition)?;
            let error = |error| file.error(error);
            let mut cursor = unit.entries_at_offset(definition.offset).map_err(error)?;
            cursor.next_dfs().map_err(error)?;
            let mut entry = cursor.next_dfs().map_err(error)?;
            while let Some(found) = entry {
                self.count(definition)?;
                if found.tag() == gimli::DW_TAG_member {
                    members.push(self.read_member(Die { offset: found.offset(), ..definition }, found)?);
                }
                entry = cursor.next_sibling().map_err(error)?;
            }
        }
        let members: Rc<[Member<'a>]> = members.into();
        self.members.borrow_mut().insert(die, members.clone());
        Ok(members)
    }

    fn read_member(&self, die: Die, entry: &Entry<'a>) -> Result<Member<'a>, ExtractError> {
        let kind =
            self.type_of(die, entry)?.ok_or_else(|| self.unsupported(die, "a member without a type"))?;
        let number = |name| match entry.attr_value(name) {
            None => Ok(None),
            Some(value) => match value.udata_value() {
                Some(number) => Ok(Some(number)),
                None => Err(self.unsupported(die, "a member's place that is not a constant")),
            },
        };
        let mut offset = number(gimli::DW_AT_data_member_location)?.unwrap_or_default();
        let mut bits = None;
        if let Some(width) = number(gimli::DW_AT_bit_size)? {
            let size = match number(gimli::DW_AT_byte_size)? {
                Some(size) => size,
                None => self.byte_size(kind)?,
            };
            let misplaced = || self.unsupported(die, "a bit-field that is not within an integer");
            let from_start = match number(gimli::DW_AT_bit_offset)? {
                None => number(gimli::DW_AT_data_bit_offset)?
                    .unwrap_or_default()
                    .saturating_add(offset.saturating_mul(8)),
                // Up to DWARF 3: from the most significant bit of the integer to that of the bit-field.
                Some(from_top) => size
                    .saturating_add(offset)
                    .saturating_mul(8)
                    .checked_sub(from_top.saturating_add(width))
                    .ok_or_else(misplaced)?,
            };
            if !(1..=8).contains(&size) {
                return Err(misplaced());
            }
            let shift = from_start % (8 * size);
            if width == 0 || shift + width.min(65) > 8 * size {
                return Err(misplaced());
            }
            offset = from_start / (8 * size) * size;
            bits = Some((size, Bits { shift: shift as u8, width: width as u8 }));
        }
        Ok(Member { name: self.name(die, entry)?, kind, offset, bits })
    }

    fn byte_size(&self, die: Die) -> Result<u64, ExtractError> {
        let mut die = die;
        let mut count = 1u64;
        for _ in 0..DEPTH_LIMIT {
            let Some((definition, entry)) = self.complete(die)? else { return Ok(count) };
            if let Some(size) = entry.attr_value(gimli::DW_AT_byte_size).and_then(|size| size.udata_value()) {
                return Ok(count.saturating_mul(size));
            }
            match entry.tag() {
                gimli::DW_TAG_pointer_type => return Ok(count.saturating_mul(8)),
                gimli::DW_TAG_array_type => {
                    count = count.saturating_mul(self.element_count(definition)?);
                    die = self
                        .type_of(definition, &entry)?
                        .ok_or_else(|| self.unsupported(definition, "an array without a type"))?;
                }
                // A type that is declared only: nothing of it can be wanted.
                _ => return Ok(0),
            }
        }
        Err(self.unsupported(die, "types nested too deeply"))
    }

    /// The product of an array's dimensions; 0 of a flexible array member.
    fn element_count(&self, array: Die) -> Result<u64, ExtractError> {
        let (file, unit) = self.unit(array)?;
        let error = |error| file.error(error);
        let mut cursor = unit.entries_at_offset(array.offset).map_err(error)?;
        cursor.next_dfs().map_err(error)?;
        let mut count = 1u64;
        let mut entry = cursor.next_dfs().map_err(error)?;
        while let Some(found) = entry {
            self.count(array)?;
            if found.tag() == gimli::DW_TAG_subrange_type {
                let number = |name| found.attr_value(name).and_then(|value| value.udata_value());
                let dimension = number(gimli::DW_AT_count)
                    .or_else(|| number(gimli::DW_AT_upper_bound).map(|last| last.wrapping_add(1)));
                count = count.saturating_mul(dimension.unwrap_or_default());
            }
            entry = cursor.next_sibling().map_err(error)?;
        }
        Ok(count)
    }

    /// The type behind typedefs and qualifiers; of a declared struct, a complete one with its tag where there is
    /// one. None for `void`.
    fn complete(&self, die: Die) -> Result<Option<(Die, Entry<'a>)>, ExtractError> {
        let Some((die, entry)) = self.unqualified(die)? else { return Ok(None) };
        if is_declaration(&entry)
            && let Some(tag) = self.name(die, &entry)?
            && let Some(&definition) = self.tags.get(tag).and_then(|definitions| definitions.first())
        {
            return Ok(Some((definition, self.entry(definition)?)));
        }
        Ok(Some((die, entry)))
    }

    /// The type behind typedefs and qualifiers. None for `void`.
    fn unqualified(&self, die: Die) -> Result<Option<(Die, Entry<'a>)>, ExtractError> {
        let mut die = die;
        for _ in 0..DEPTH_LIMIT {
            let entry = self.entry(die)?;
            match entry.tag() {
                gimli::DW_TAG_typedef
                | gimli::DW_TAG_const_type
                | gimli::DW_TAG_volatile_type
                | gimli::DW_TAG_restrict_type
                | gimli::DW_TAG_atomic_type => match self.type_of(die, &entry)? {
                    Some(next) => die = next,
                    None => return Ok(None),
                },
                _ => return Ok(Some((die, entry))),
            }
        }
        Err(self.unsupported(die, "types nested too deeply"))
    }

    /// What `DW_AT_type` of an entry refers to.
    fn type_of(&self, die: Die, entry: &Entry<'a>) -> Result<Option<Die>, ExtractError> {
        match entry.attr_value(gimli::DW_AT_type) {
            None => Ok(None),
            Some(AttributeValue::UnitRef(offset)) => Ok(Some(Die { offset, ..die })),
            Some(AttributeValue::DebugInfoRef(target)) => {
                let units = self.files.get(die.file).map(|file| file.units.as_slice()).unwrap_or_default();
                let behind = |unit: &Unit<Slice<'a>>| unit.header.debug_info_offset() <= Some(target);
                let unit = units.partition_point(behind).wrapping_sub(1);
                units
                    .get(unit)
                    .and_then(|found| target.to_unit_offset(&found.header))
                    .map(|offset| Some(Die { unit, offset, ..die }))
                    .ok_or_else(|| self.unsupported(die, "a reference to no unit"))
            }
            Some(_) => Err(self.unsupported(
                die,
                "a type in another section or file, as -fdebug-types-section and dwz -m put it",
            )),
        }
    }

    fn entry(&self, die: Die) -> Result<Entry<'a>, ExtractError> {
        self.count(die)?;
        let (file, unit) = self.unit(die)?;
        unit.entry(die.offset).map_err(|error| file.error(error))
    }

    fn name(&self, die: Die, entry: &Entry<'a>) -> Result<Option<&'a [u8]>, ExtractError> {
        let (file, unit) = self.unit(die)?;
        name(file, unit, entry)
    }

    fn unit(&self, die: Die) -> Result<(&'a DebugFile<'a>, &'a Unit<Slice<'a>>), ExtractError> {
        self.files
            .get(die.file)
            .and_then(|file| Some((file, file.units.get(die.unit)?)))
            .ok_or(ExtractError::NoStructs)
    }

    fn count(&self, die: Die) -> Result<(), ExtractError> {
        let read = self.entries_read.get();
        self.entries_read.set(read + 1);
        if read < ENTRY_LIMIT { Ok(()) } else { Err(self.unsupported(die, "more types than pycore reads")) }
    }

    fn narrow(&self, die: Die, size: u64) -> Result<u32, ExtractError> {
        u32::try_from(size).map_err(|_| self.unsupported(die, "a struct of more than 4 GiB"))
    }

    fn section_offset(&self, die: Die) -> usize {
        let unit = self.files.get(die.file).and_then(|file| file.units.get(die.unit));
        unit.and_then(|unit| die.offset.to_debug_info_offset(&unit.header))
            .map(|offset| offset.0)
            .unwrap_or_default()
    }

    fn unsupported(&self, die: Die, what: &'static str) -> ExtractError {
        match self.files.get(die.file) {
            Some(file) => file.unsupported(self.section_offset(die), what),
            None => ExtractError::NoStructs,
        }
    }
}

fn is_struct(tag: DwTag) -> bool {
    matches!(tag, gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type | gimli::DW_TAG_class_type)
}

fn is_declaration(entry: &Entry<'_>) -> bool {
    matches!(entry.attr_value(gimli::DW_AT_declaration), Some(AttributeValue::Flag(true)))
}

fn name<'a>(
    file: &DebugFile<'a>,
    unit: &Unit<Slice<'a>>,
    entry: &Entry<'a>,
) -> Result<Option<&'a [u8]>, ExtractError> {
    entry
        .attr_value(gimli::DW_AT_name)
        .map(|value| file.dwarf.attr_string(unit, value).map(|name| name.slice()))
        .transpose()
        .map_err(|error| file.error(error))
}
