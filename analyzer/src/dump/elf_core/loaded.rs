//! The modules of a core that does not say which files were mapped: qemu's, a truncated one of gcore's, or one of a
//! process with more mappings than the kernel lists.
//!
//! The ELF headers in memory say where each module lies, and the loader's list of link maps (`struct r_debug` and
//! `struct link_map` of glibc's and musl's link.h) says which files they are.

use super::modules::MAX_MODULES;
use super::notes::FileMapping;
use crate::addr::Address;
use crate::dump::segment::Segment;
use crate::memory::{Memory, PAGE_SIZE};
use crate::process::elf::Image;
use object::LittleEndian as LE;
use object::elf;

/// How many link maps are followed.
const MAX_LINK_MAPS: usize = 1 << 16;
/// What is public of a `struct link_map`, in bytes: `l_addr`, `l_name`, `l_ld`, `l_next`, `l_prev`. Debuggers read all of it.
const LINK_MAP: usize = 40;
/// The longest path that is read, in bytes: the kernel's `PATH_MAX`.
const MAX_PATH: usize = 4096;

/// A module, as its own headers describe it.
struct Loaded {
    base: Address,
    end: Address,
    /// The parts of its file that the loader mapped.
    parts: Vec<FileMapping>,
    /// Where the loader left its `struct r_debug`, in a main program.
    debug: Option<Address>,
    /// The name it was built with.
    so_name: Option<Vec<u8>>,
}

/// What memory tells of the mapped files.
pub(super) struct LoadedFiles {
    /// Ascending by address. A path is empty where nobody knows it.
    pub(super) files: Vec<FileMapping>,
    /// Where the main program lies.
    pub(super) main: Option<Address>,
}

/// Looks for ELF headers where segments begin. A main program whose path nobody knows gets `executable`.
pub(super) fn list(segments: &[Segment], memory: &dyn Memory, executable: Option<&[u8]>) -> LoadedFiles {
    let mut modules = Vec::<Loaded>::new();
    for segment in segments.iter().filter(|segment| segment.file_size > 0) {
        let base = Address(segment.start);
        if modules.len() < MAX_MODULES
            && modules.last().is_none_or(|last| last.end <= base)
            && let Some(module) = loaded_at(memory, base)
        {
            modules.push(module);
        }
    }
    let mut paths = link_maps(memory, &modules);
    paths.sort();
    let main = modules.iter().find(|module| module.debug.is_some()).map(|module| module.base);
    let mut files = Vec::new();
    for module in modules {
        let path = paths.get(paths.partition_point(|(dynamic, _)| *dynamic < module.base));
        let path = path.filter(|(dynamic, _)| *dynamic < module.end).map(|(_, path)| path.as_slice());
        let own_name = module.so_name.as_deref().or(executable.filter(|_| module.debug.is_some()));
        let path = path.filter(|path| !path.is_empty()).or(own_name).unwrap_or_default();
        files.extend(module.parts.into_iter().map(|part| FileMapping { path: path.to_vec(), ..part }));
    }
    LoadedFiles { files, main }
}

fn loaded_at(memory: &dyn Memory, base: Address) -> Option<Loaded> {
    let image = Image::read(memory, base).ok()?;
    let bias = image.load_bias();
    let mut parts = Vec::new();
    for header in image.segments(elf::PT_LOAD).filter(|header| header.p_filesz.get(LE) > 0) {
        let address = header.p_vaddr.get(LE).wrapping_add(bias);
        let within_page = address % PAGE_SIZE;
        let start = address - within_page;
        let end = address.checked_add(header.p_filesz.get(LE))?.checked_next_multiple_of(PAGE_SIZE)?;
        let file_offset = header.p_offset.get(LE).checked_sub(within_page)?;
        parts.push(FileMapping { start, end, file_offset, path: Vec::new() });
    }
    let dynamic = image.dynamic().unwrap_or_default();
    let value = |wanted| dynamic.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let strings = value(elf::DT_STRTAB).map(|strings| image.dynamic_address(image.end(), strings));
    let so_name = strings
        .zip(value(elf::DT_SONAME))
        .and_then(|(strings, offset)| memory.c_string(strings.add(offset), MAX_PATH).ok());
    let debug = value(elf::DT_DEBUG).map(Address).filter(|debug| !debug.is_null());
    Some(Loaded { base, end: image.end(), parts, debug, so_name })
}

/// Reads the loader's list of link maps, given where the modules lie.
pub(super) fn follow_link_maps(memory: &dyn Memory, bases: impl Iterator<Item = Address>) {
    let modules = bases.filter_map(|base| loaded_at(memory, base)).collect::<Vec<_>>();
    link_maps(memory, &modules);
}

/// Where each loaded file has its dynamic section, and its path; empty for the main program.
fn link_maps(memory: &dyn Memory, modules: &[Loaded]) -> Vec<(Address, Vec<u8>)> {
    const R_MAP: u64 = 8;
    const L_NAME: usize = 1;
    const L_LD: usize = 2;
    const L_NEXT: usize = 3;
    let mut found = Vec::new();
    let debug = modules.iter().find_map(|module| module.debug);
    let mut next = debug.and_then(|debug| memory.pointer(debug.add(R_MAP)).ok());
    while let Some(link_map) = next.filter(|link_map| !link_map.is_null())
        && found.len() < MAX_LINK_MAPS
        && let Ok(fields) = memory.array::<LINK_MAP>(link_map)
    {
        let field = |index| fields.as_chunks().0.get(index).map(|word| Address(u64::from_le_bytes(*word)));
        let path = field(L_NAME).and_then(|name| memory.c_string(name, MAX_PATH).ok()).unwrap_or_default();
        found.extend(field(L_LD).map(|dynamic| (dynamic, path)));
        next = field(L_NEXT);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Backing, FaultCause, Range, RecordingMemory, Region, Regions};

    #[test]
    fn a_link_map_is_read_whole_also_where_a_page_ends_within_it() {
        const DEBUG: u64 = 0x1000;
        for at in [0x1ff8, 0x1fe0] {
            let mut bytes = vec![0; 0x2000];
            let mut put = |address: u64, value: u64| {
                let start = (address - DEBUG) as usize;
                bytes[start..start + 8].copy_from_slice(&value.to_le_bytes());
            };
            put(DEBUG + 8, at);
            put(at + 16, 0x7777);
            let range = Range { start: Address(DEBUG), size: 0x2000, writable: true, executable: false };
            let backing = Backing::Bytes(&bytes, FaultCause::NotDumped);
            let memory = Regions::new(vec![Region { range, backing }]);
            let recording = RecordingMemory::new(&memory);
            let debug = Some(Address(DEBUG));
            let main = Loaded { base: Address(0), end: Address(1), parts: Vec::new(), debug, so_name: None };
            assert_eq!(link_maps(&recording, &[main]), [(Address(0x7777), Vec::new())]);
            assert_eq!(recording.touched().pages(), [Address(0x1000), Address(0x2000)]);
        }
    }
}
