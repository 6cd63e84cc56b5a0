//! What the process's `_asyncio` says of structs.

use super::locate::{OTHER, ranked};
use crate::layout::{AsyncioOffsets, Layout};
use crate::memory::Memory;
use crate::process::{Inferior, symbols};
use crate::report::Evidence;

/// The section, in ELF and in PE, whose names have at most eight bytes.
const SECTION: &str = ".AsyncioDebug";
const MAPPED_SECTION: &str = "AsyncioD";

/// Applies what the module `_asyncio`, or what it is linked into, says of `layout`. Returns the evidence where that was
/// something else than the table says.
pub(super) fn apply(inferior: &dyn Inferior, memory: &dyn Memory, layout: &mut Layout) -> Option<Evidence> {
    if !layout.structs.TaskObj.task_node.exists() {
        return None;
    }
    for (rank, index) in ranked(inferior) {
        let Some(module) = inferior.process().modules.get(index) else { continue };
        if rank == OTHER && !module.file_name().starts_with("_asyncio") {
            continue;
        }
        let in_file = || symbols::section_address(inferior.module_file(index)?, module, SECTION);
        let section = symbols::mapped_section(memory, module, MAPPED_SECTION).or_else(in_file);
        let Some((address, _)) = section else { continue };
        let Ok(offsets) = AsyncioOffsets::read(memory, address) else { continue };
        if let Some(differences) = offsets.apply(layout) {
            let detail = format!("those of {}; {}", module.file_name(), differences.join("; "));
            return (!differences.is_empty()).then_some(Evidence {
                method: "debug-offsets",
                detail,
                address: Some(address),
            });
        }
    }
    None
}
