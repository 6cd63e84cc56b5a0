//! `Py_AsyncioModuleDebugOffsets` of Modules/_asynciomodule.c: from 3.14 the module `_asyncio` says, in a section of its
//! own, where fields lie that `_Py_DebugOffsets` leaves out and that patch releases move.

use super::debug_offsets::DebugOffsetsError;
use super::table::{Layout, STRUCT_LIMIT};
use crate::addr::Address;
use crate::memory::Memory;

/// Of the members, which are a `uint64_t` each: a struct's size and its fields' offsets, of `TaskObj`,
/// `PyInterpreterState` and `_PyThreadStateImpl`.
const MEMBERS: usize = 13;

/// What `_asyncio` says of structs: untrusted until it is applied.
pub struct AsyncioOffsets([u32; MEMBERS]);

impl AsyncioOffsets {
    /// Reads them at the start of the section.
    ///
    /// # Errors
    /// When the memory cannot be read, or a value is beyond any struct.
    pub fn read(memory: &dyn Memory, section: Address) -> Result<Self, DebugOffsetsError> {
        let mut members = [0; MEMBERS];
        for (at, member) in (section.0..).step_by(8).map(Address).zip(&mut members) {
            let value = memory.u64(at)?;
            *member = u32::try_from(value).ok().filter(|&value| value <= STRUCT_LIMIT).ok_or_else(|| {
                DebugOffsetsError::Implausible {
                    what: format!("asyncio's at {at}"),
                    value,
                    why: "beyond any struct",
                }
            })?;
        }
        Ok(AsyncioOffsets(members))
    }

    /// Puts them into a table, where they win over what it has. Returns what differed, a line for each; `None`, with the
    /// table as it was, where they are of another interpreter or cannot be.
    pub fn apply(&self, layout: &mut Layout) -> Option<Vec<String>> {
        let [
            task,
            task_name,
            _,
            _,
            _,
            task_coro,
            task_node,
            interpreter,
            interpreter_head,
            thread,
            running_loop,
            _,
            thread_head,
        ] = self.0;
        if interpreter != layout.structs.PyInterpreterState.size_of {
            return None;
        }
        let mut structs = layout.structs;
        let mut differences = Vec::new();
        for (name, size, fields) in [
            (
                "TaskObj",
                task,
                &[("task_name", task_name), ("task_coro", task_coro), ("task_node", task_node)][..],
            ),
            ("PyInterpreterState", interpreter, &[("asyncio_tasks_head", interpreter_head)]),
            (
                "PyThreadStateImpl",
                thread,
                &[("asyncio_running_loop", running_loop), ("asyncio_tasks_head", thread_head)],
            ),
        ] {
            let table = structs.size_mut(name)?;
            if *table != size {
                differences.push(format!("sizeof {name} is {size}, not {table}"));
                *table = size;
            }
            for &(field, offset) in fields {
                let field = structs.field_mut(name, field)?;
                let place = field.place.as_mut()?;
                if !offset.is_multiple_of(8) || offset.checked_add(place.size)? > size {
                    return None;
                }
                if place.offset != offset {
                    differences.push(format!("{} is at {offset}, not {}", field.name, place.offset));
                    place.offset = offset;
                }
            }
        }
        layout.structs = structs;
        Some(differences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::LayoutRegistry;
    use crate::memory::{Backing, FaultCause, Range, Region, Regions};

    /// Of Debian's 3.14.10 and of the 3.14.2 for Windows.
    const LINUX: [u64; MEMBERS] = [168, 136, 96, 108, 109, 128, 152, 225_864, 10_880, 936, 864, 872, 880];
    const WINDOWS: [u64; MEMBERS] = [168, 136, 96, 108, 109, 128, 152, 225_632, 10_664, 920, 848, 856, 864];

    fn read(members: &[u64]) -> Result<AsyncioOffsets, DebugOffsetsError> {
        let bytes: Vec<u8> = members.iter().flat_map(|member| member.to_le_bytes()).collect();
        let range =
            Range { start: Address(0x1000), size: bytes.len() as u64, writable: true, executable: false };
        let region = Region { range, backing: Backing::Bytes(&bytes, FaultCause::NotDumped) };
        AsyncioOffsets::read(&Regions::new(vec![region]), Address(0x1000))
    }

    fn table(name: &str) -> Layout {
        LayoutRegistry::new().get(name).unwrap().layout().unwrap().clone()
    }

    #[test]
    fn those_of_the_tables_own_release_agree_with_it() {
        let mut layout = table("cpython-3.14-lp64");
        assert_eq!(read(&LINUX).unwrap().apply(&mut layout).unwrap(), [""; 0]);
    }

    #[test]
    fn those_of_another_patch_release_win_over_the_table() {
        let mut layout = table("cpython-3.14-llp64");
        assert!(read(&WINDOWS).unwrap().apply(&mut layout).is_none(), "it is another interpreter's");
        layout.structs.PyInterpreterState.size_of = 225_632;
        assert_eq!(
            read(&WINDOWS).unwrap().apply(&mut layout).unwrap(),
            [
                "PyInterpreterState.asyncio_tasks_head is at 10664, not 10696",
                "sizeof PyThreadStateImpl is 920, not 928",
                "PyThreadStateImpl.asyncio_running_loop is at 848, not 856",
                "PyThreadStateImpl.asyncio_tasks_head is at 864, not 872",
            ]
        );
        assert_eq!(layout.structs.PyInterpreterState.asyncio_tasks_head.place.unwrap().offset, 10_664);
    }

    #[test]
    fn what_cannot_be_leaves_the_table_as_it_was() {
        let original = table("cpython-3.14-lp64").to_yaml();
        for member in [0, 1, 5, 6, 7, 8, 9, 10, 12] {
            for value in [1, 7, u64::from(STRUCT_LIMIT), u64::from(STRUCT_LIMIT) + 1, u64::MAX] {
                let mut members = LINUX;
                members[member] = value;
                let mut layout = table("cpython-3.14-lp64");
                if let Ok(offsets) = read(&members)
                    && offsets.apply(&mut layout).is_none()
                {
                    assert_eq!(layout.to_yaml(), original);
                } else {
                    Layout::from_yaml(&layout.to_yaml(), "applied").unwrap();
                }
            }
        }
        assert!(read(&LINUX[..5]).is_err());
        assert!(read(&LINUX).unwrap().apply(&mut table("cpython-3.13-lp64")).is_none());
    }
}
