//! `_Py_DebugOffsets`: from 3.13 the interpreter itself says, at the start of `_PyRuntime`, where some of its fields
//! lie. Where its members are and what they mean is data: `layouts/debug-offsets-3.X.yaml`.

use super::schema::{Place, STRUCTS, Structs};
use super::table::{Abi, Layout, STRUCT_LIMIT};
use crate::addr::Address;
use crate::memory::{Fault, Memory};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// The first bytes of `_Py_DebugOffsets`.
pub const DEBUG_COOKIE: [u8; 8] = *b"xdebugpy";

/// `cookie`, `version` and `free_threaded`, in bytes.
const HEADER_SIZE: u64 = 24;

/// The maps of its members, each with the first `PY_VERSION_HEX` of its minor version that it holds for: the members
/// change up to the betas.
const MAPS: &[(u32, &str)] = &[
    (0x030d_0000, include_str!("../../layouts/debug-offsets-3.13.yaml")),
    (0x030e_00c1, include_str!("../../layouts/debug-offsets-3.14.yaml")),
    (0x030f_00b4, include_str!("../../layouts/debug-offsets-3.15.yaml")),
];

/// Why `_Py_DebugOffsets` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DebugOffsetsError {
    /// It could not be read.
    #[error("_Py_DebugOffsets: {0}")]
    Fault(#[from] Fault),
    /// The cookie is not there.
    #[error("no _Py_DebugOffsets at {0}: it does not start with \"xdebugpy\"")]
    NoCookie(Address),
    /// It belongs to a version that pycore does not know the structure of.
    #[error("_Py_DebugOffsets of a version that pycore does not know: hexversion {0:#x}")]
    UnknownVersion(u64),
    /// The map of its members is not valid.
    #[error("the map of _Py_DebugOffsets is not valid: {0}")]
    Map(String),
    /// It says something that cannot be.
    #[error("_Py_DebugOffsets is damaged: {what} is {value}, {why}")]
    Implausible {
        /// The member, or the field it speaks of.
        what: String,
        /// Its value.
        value: u64,
        /// Why it cannot be.
        why: &'static str,
    },
}

/// The map of one version.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Map {
    /// The members, by group, in their order.
    groups: serde_yaml::Mapping,
    structs: BTreeMap<String, StructMap>,
    /// The structs that free-threaded builds for Windows have otherwise.
    #[serde(default)]
    free_threaded_llp64: BTreeMap<String, StructMap>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StructMap {
    size: Option<String>,
    fields: BTreeMap<String, String>,
}

/// What an interpreter says of its own structs: untrusted until it is applied.
pub struct DebugOffsets {
    /// The interpreter's `PY_VERSION_HEX`: major, minor, micro in a byte each, release level and serial in 4 bits
    /// each.
    pub hexversion: u32,
    /// Whether it runs without a GIL.
    pub free_threaded: bool,
    /// The members by `group.name`.
    members: HashMap<String, u32>,
    structs: BTreeMap<String, StructMap>,
    free_threaded_llp64: BTreeMap<String, StructMap>,
}

impl DebugOffsets {
    /// Reads them at the address of `_PyRuntime`.
    ///
    /// # Errors
    /// When the memory cannot be read, does not start with the cookie, is of an unknown version, or holds an offset
    /// that is beyond any struct.
    pub fn read(memory: &dyn Memory, runtime: Address) -> Result<Self, DebugOffsetsError> {
        if memory.array(runtime)? != DEBUG_COOKIE {
            return Err(DebugOffsetsError::NoCookie(runtime));
        }
        let version = memory.u64(runtime.add(8))?;
        let unknown = || DebugOffsetsError::UnknownVersion(version);
        let hexversion = u32::try_from(version).map_err(|_| unknown())?;
        let (_, text) = MAPS
            .iter()
            .find(|(first, _)| *first <= hexversion && hexversion >> 16 == first >> 16)
            .ok_or_else(unknown)?;
        let map: Map =
            serde_yaml::from_str(text).map_err(|error| DebugOffsetsError::Map(error.to_string()))?;
        let free_threaded = memory.u64(runtime.add(16))?;
        if free_threaded > 1 {
            return Err(DebugOffsetsError::Implausible {
                what: "free_threaded".to_owned(),
                value: free_threaded,
                why: "neither 0 nor 1",
            });
        }
        Ok(DebugOffsets {
            hexversion,
            free_threaded: free_threaded == 1,
            members: read_members(memory, runtime.add(HEADER_SIZE), &map.groups)?,
            structs: map.structs,
            free_threaded_llp64: map.free_threaded_llp64,
        })
    }

    /// A member by `group.name`, as the structure has it; `None` for one that this version does not have.
    pub fn member(&self, name: &str) -> Option<u32> {
        self.members.get(name).copied()
    }

    /// Puts them into a table, where they win over what it has. Returns what differed, a line for each.
    ///
    /// # Errors
    /// When a value cannot be: behind its struct's size, or not aligned. The table is as it was then.
    pub fn apply(&self, layout: &mut Layout) -> Result<Vec<String>, DebugOffsetsError> {
        let mut structs = layout.structs;
        let mut differences = Vec::new();
        let is_other = self.free_threaded && layout.abi == Abi::Llp64;
        for (name, map) in &self.structs {
            let map = self.free_threaded_llp64.get(name).filter(|_| is_other).unwrap_or(map);
            self.apply_struct(name, map, &mut structs, &mut differences)?;
        }
        layout.structs = structs;
        Ok(differences)
    }

    fn apply_struct(
        &self,
        name: &str,
        map: &StructMap,
        structs: &mut Structs,
        differences: &mut Vec<String>,
    ) -> Result<(), DebugOffsetsError> {
        let unknown = |field: &str| DebugOffsetsError::Map(format!("pycore reads no {name}{field}"));
        let size = structs.size_mut(name).ok_or_else(|| unknown(""))?;
        if let Some(sum) = &map.size {
            let value = self.evaluate(sum)?;
            if value == 0 {
                return Err(implausible(sum, value, "no size of a struct"));
            }
            if *size != value {
                differences.push(format!("sizeof {name} is {value}, not {size}"));
                *size = value;
            }
        }
        let size = *size;
        for (field_name, sum) in &map.fields {
            let field =
                structs.field_mut(name, field_name).ok_or_else(|| unknown(&format!(".{field_name}")))?;
            let value = self.evaluate(sum)?;
            let Some(place) = &mut field.place else {
                // Members of what only other builds have are 0.
                if value != 0 {
                    differences.push(format!("{field} is at {value}; the table has no such field"));
                }
                continue;
            };
            if !value.is_multiple_of(alignment(place)) {
                return Err(implausible(field.name, value, "not aligned"));
            }
            if place.offset != value {
                differences.push(format!("{} is at {value}, not {}", field.name, place.offset));
                place.offset = value;
            }
        }
        let fields = STRUCTS.iter().filter(|spec| spec.name == name).flat_map(|spec| spec.fields);
        for field in fields.filter_map(|field| structs.field(name, field.name)) {
            if let Some(place) = field.place
                && place.offset.saturating_add(place.size) > size
            {
                return Err(implausible(field.name, place.offset, "behind the end of its struct"));
            }
        }
        Ok(())
    }

    /// The value of a sum or difference of members and numbers, as the map has them: `a.b + c.d - e.f + 8`.
    fn evaluate(&self, sum: &str) -> Result<u32, DebugOffsetsError> {
        let mut value = 0u32;
        let mut subtract = false;
        for token in sum.split_ascii_whitespace() {
            match token {
                "+" => subtract = false,
                "-" => subtract = true,
                member => {
                    let operand = match self.members.get(member) {
                        Some(&value) => value,
                        None => member
                            .parse()
                            .map_err(|_| DebugOffsetsError::Map(format!("no member {member}")))?,
                    };
                    let result =
                        if subtract { value.checked_sub(operand) } else { value.checked_add(operand) };
                    value = result
                        .filter(|&value| value <= STRUCT_LIMIT)
                        .ok_or_else(|| implausible(member, operand, "not within its struct"))?;
                }
            }
        }
        Ok(value)
    }
}

/// Reads the members in the order of the map. Their values are offsets and sizes, none of them beyond
/// [`STRUCT_LIMIT`].
fn read_members(
    memory: &dyn Memory,
    start: Address,
    groups: &serde_yaml::Mapping,
) -> Result<HashMap<String, u32>, DebugOffsetsError> {
    let mut members = HashMap::new();
    let mut at = start;
    for (group, names) in groups {
        let (Some(group), Some(names)) = (group.as_str(), names.as_sequence()) else {
            return Err(DebugOffsetsError::Map("a group is a list of names".to_owned()));
        };
        for name in names {
            let name = name.as_str().ok_or_else(|| DebugOffsetsError::Map(format!("a name in {group}")))?;
            let what = format!("{group}.{name}");
            let value = memory.u64(at)?;
            let value =
                u32::try_from(value).ok().filter(|&value| value <= STRUCT_LIMIT).ok_or_else(|| {
                    DebugOffsetsError::Implausible { what: what.clone(), value, why: "beyond any struct" }
                })?;
            members.insert(what, value);
            at = at.add(8);
        }
    }
    Ok(members)
}

fn implausible(what: &str, value: u32, why: &'static str) -> DebugOffsetsError {
    DebugOffsetsError::Implausible { what: what.to_owned(), value: value.into(), why }
}

/// The alignment of a field of basic type, in bytes; 1 of arrays and structs.
fn alignment(place: &Place) -> u32 {
    match place.size {
        2 | 4 | 8 => place.size,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::LayoutRegistry;
    use crate::memory::{Backing, FaultCause, Range, Region, Regions};

    const AT: Address = Address(0x10_0000);

    /// `_Py_DebugOffsets` of CPython 3.13.0 on x86-64 Linux, from its `_PyRuntime`.
    const MEMBERS: [u64; 70] = [
        283_320, 608, 632, 194_968, 7272, 7264, 7344, 7400, 7656, 7640, 7648, 16, 7752, 0, 7768, 7760, 304,
        0, 8, 16, 72, 152, 160, 232, 32, 80, 8, 0, 56, 72, 70, 208, 112, 120, 128, 136, 68, 52, 96, 104, 200,
        16, 8, 416, 24, 88, 168, 32, 24, 16, 40, 24, 16, 48, 32, 40, 24, 16, 32, 16, 24, 40, 16, 32, 64, 32,
        16, 40, 240, 200,
    ];

    /// Those of 3.14.10 and 3.15.2, of Debian's builds.
    const MEMBERS_3_14: [u64; 92] = [
        316_616, 784, 808, 225_864, 7280, 7272, 7344, 7360, 7408, 7688, 7672, 7680, 16, 7784, 0, 7800, 7792,
        7992, 0, 832, 0, 8, 16, 72, 152, 160, 232, 32, 88, 8, 0, 56, 80, 74, 64, 0, 216, 112, 120, 128, 136,
        68, 52, 96, 104, 208, 0, 16, 8, 416, 24, 88, 168, 40, 32, 16, 40, 24, 16, 200, 24, 40, 32, 48, 32,
        40, 24, 16, 32, 16, 24, 40, 16, 32, 64, 32, 16, 40, 264, 192, 160, 24, 72, 67, 0, 8, 24, 304, 8076,
        0, 4, 512,
    ];
    const MEMBERS_3_15: [u64; 108] = [
        346_568, 912, 936, 226_240, 7272, 7264, 7336, 7352, 7400, 7592, 7576, 7584, 16, 7736, 0, 7752, 7744,
        7944, 0, 888, 0, 8, 16, 72, 80, 88, 96, 176, 184, 256, 32, 36, 40, 136, 288, 0, 88, 8, 0, 56, 80, 74,
        64, 0, 216, 112, 120, 128, 136, 68, 52, 96, 104, 208, 0, 16, 8, 424, 24, 88, 168, 32, 288, 944, 888,
        40, 32, 16, 40, 24, 16, 200, 24, 40, 32, 48, 32, 40, 24, 16, 32, 16, 24, 40, 16, 32, 64, 32, 16, 40,
        56, 176, 112, 120, 1120, 104, 160, 24, 72, 67, 0, 8, 24, 344, 8028, 0, 4, 512,
    ];

    /// The positions in [`MEMBERS`] of `thread_state.size`, `.current_frame`, and of
    /// `interpreter_state.gil_runtime_state`.
    const THREAD_SIZE: usize = 16;
    const CURRENT_FRAME: usize = 20;
    const GIL_STATE: usize = 12;

    fn bytes() -> Vec<u8> {
        bytes_of(0x030d_00f0, &MEMBERS)
    }

    fn bytes_of(hexversion: u64, members: &[u64]) -> Vec<u8> {
        let mut bytes = DEBUG_COOKIE.to_vec();
        for value in [hexversion, 0].iter().chain(members) {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<DebugOffsets, DebugOffsetsError> {
        let range = Range { start: AT, size: bytes.len() as u64, writable: true, executable: false };
        let region = Region { range, backing: Backing::Bytes(bytes, FaultCause::NotDumped) };
        DebugOffsets::read(&Regions::new(vec![region]), AT)
    }

    fn with(member: usize, value: u64) -> Vec<u8> {
        let mut bytes = bytes();
        let at = HEADER_SIZE as usize + 8 * member;
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    fn table() -> Layout {
        LayoutRegistry::new().get("cpython-3.13-lp64").unwrap().layout().unwrap().clone()
    }

    #[test]
    fn the_real_ones_agree_with_the_table() {
        let offsets = read(&bytes()).unwrap();
        assert_eq!(offsets.hexversion, 0x030d_00f0);
        assert!(!offsets.free_threaded);
        assert_eq!(offsets.apply(&mut table()).unwrap(), [""; 0]);
        for (name, bytes) in [
            ("cpython-3.14-lp64", bytes_of(0x030e_0af0, &MEMBERS_3_14)),
            ("cpython-3.15-lp64", bytes_of(0x030f_02f0, &MEMBERS_3_15)),
        ] {
            let registry = LayoutRegistry::new();
            let mut table = registry.get(name).unwrap().layout().unwrap().clone();
            assert_eq!(read(&bytes).unwrap().apply(&mut table).unwrap(), [""; 0]);
            table.structs.PyThreadState.current_frame.place.as_mut().unwrap().offset += 8;
            let differences = read(&bytes).unwrap().apply(&mut table).unwrap();
            assert_eq!(differences, ["PyThreadState.current_frame is at 72, not 80"]);
        }
    }

    #[test]
    fn every_map_names_fields_that_pycore_reads_and_members_that_exist() {
        for (_, text) in MAPS {
            let map: Map = serde_yaml::from_str(text).unwrap();
            let memory = vec![0; 1 << 14];
            let range = Range { start: AT, size: 1 << 14, writable: true, executable: false };
            let region = Region { range, backing: Backing::Bytes(&memory, FaultCause::NotDumped) };
            let members = read_members(&Regions::new(vec![region]), AT, &map.groups).unwrap();
            let Map { structs, free_threaded_llp64, .. } = map;
            assert!(free_threaded_llp64.keys().all(|name| structs.contains_key(name)));
            let offsets =
                DebugOffsets { hexversion: 0, free_threaded: false, members, structs, free_threaded_llp64 };
            for (name, map) in offsets.structs.iter().chain(&offsets.free_threaded_llp64) {
                assert!(map.size.iter().all(|sum| offsets.evaluate(sum).is_ok()), "sizeof {name}");
                for (field, sum) in &map.fields {
                    assert!(offsets.evaluate(sum).is_ok(), "{name}.{field}: {sum}");
                    assert!(Structs::default().field_mut(name, field).is_some(), "{name}.{field}");
                }
            }
        }
    }

    #[test]
    fn they_win_over_the_table() {
        let mut layout = table();
        let differences = read(&with(CURRENT_FRAME, 80)).unwrap().apply(&mut layout).unwrap();
        assert_eq!(differences, ["PyThreadState.current_frame is at 80, not 72"]);
        assert_eq!(layout.structs.PyThreadState.current_frame.place.unwrap().offset, 80);

        let differences = read(&with(THREAD_SIZE, 312)).unwrap().apply(&mut layout).unwrap();
        assert_eq!(differences[0], "sizeof PyThreadState is 312, not 304");
        assert_eq!(layout.structs.PyThreadState.size_of, 312);
    }

    #[test]
    fn a_sum_moves_with_each_of_its_members() {
        let mut layout = table();
        read(&with(7, 7408)).unwrap().apply(&mut layout).unwrap();
        assert_eq!(layout.structs.PyInterpreterState.gc_collecting.place.unwrap().offset, 7608);
    }

    #[test]
    fn what_cannot_be_leaves_the_table_as_it_was() {
        for (member, value, why) in [
            (CURRENT_FRAME, 1 << 20, "behind the end of its struct"),
            (CURRENT_FRAME, 304, "behind the end of its struct"),
            (CURRENT_FRAME, 73, "not aligned"),
            (THREAD_SIZE, 0, "no size of a struct"),
            (THREAD_SIZE, 8, "behind the end of its struct"),
            (GIL_STATE, 7800, "not within its struct"),
        ] {
            let mut layout = table();
            let error = read(&with(member, value)).unwrap().apply(&mut layout).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
            assert_eq!(layout.to_yaml(), table().to_yaml());
        }
    }

    #[test]
    fn no_value_makes_it_panic() {
        for member in 0..MEMBERS.len() {
            for value in [0, 1, 7, 1 << 20, (1 << 20) + 1, u64::from(u32::MAX), u64::MAX - 7, u64::MAX] {
                if let Ok(offsets) = read(&with(member, value)) {
                    let mut layout = table();
                    let _ = offsets.apply(&mut layout);
                    Layout::from_yaml(&layout.to_yaml(), "applied").unwrap();
                }
            }
        }
        assert!(matches!(read(&with(3, u64::MAX)), Err(DebugOffsetsError::Implausible { .. })));
    }

    #[test]
    fn anything_else_is_refused() {
        let mut no_cookie = bytes();
        no_cookie[0] = b'y';
        assert!(matches!(read(&no_cookie), Err(DebugOffsetsError::NoCookie(AT))));
        assert!(matches!(read(&[0; 4]), Err(DebugOffsetsError::Fault(_))));
        for cut in [8, 16, 24, 100, 583] {
            assert!(matches!(read(&bytes()[..cut]), Err(DebugOffsetsError::Fault(_))), "{cut}");
        }
        for hexversion in [0u64, 0x030c_00f0, 0x030e_00b4, 0x030f_00b3, 0x0310_00f0, 0x1_030d_00f0, u64::MAX]
        {
            let mut other = bytes();
            other[8..16].copy_from_slice(&hexversion.to_le_bytes());
            assert!(
                matches!(read(&other), Err(DebugOffsetsError::UnknownVersion(found)) if found == hexversion)
            );
        }
        let mut threads = bytes();
        threads[16] = 2;
        assert!(matches!(read(&threads), Err(DebugOffsetsError::Implausible { .. })));
    }
}
