//! Which of the mapped files are ELF modules, and where each of them lies.

use super::notes::FileMapping;
use crate::addr::Address;
use crate::dump::address_space::Mapping;
use crate::dump::segment::Segment;
use crate::memory::Memory;
use crate::process::ImageError;
use crate::process::Module;
use crate::process::elf::Image;
use std::collections::{HashMap, HashSet};

/// How many modules are told apart.
pub(super) const MAX_MODULES: usize = 1 << 16;
/// What the kernel puts behind the path of a file that has been unlinked.
const DELETED: &[u8] = b" (deleted)";

/// The modules of a process and where their files were mapped.
#[derive(Debug, Default)]
pub(super) struct Modules {
    /// The main program first, then by address.
    pub(super) modules: Vec<Module>,
    /// The path of each module's file in the target's own bytes.
    pub(super) paths: Vec<Vec<u8>>,
    /// Every mapped file's ranges, ascending, without overlaps.
    pub(super) mappings: Vec<Mapping>,
    /// Whether the first module is known to be the main program.
    pub(super) main_known: bool,
    /// Whether there were more modules than are told apart.
    pub(super) cut: bool,
}

/// Groups the mapped files into modules. `memory` holds the dump's own bytes only, so that build ids come from there;
/// `in_main_program` are addresses that lie in the main program, by the auxiliary vector.
pub(super) fn list(
    files: &[FileMapping],
    segments: &[Segment],
    memory: &dyn Memory,
    in_main_program: &[u64],
) -> Modules {
    let code = files_with_code(files, segments, in_main_program);
    let mut found = Modules::default();
    let mut extents = Vec::new();
    let mut latest = HashMap::<&[u8], usize>::new();
    let mut end = 0;
    for file in files.iter().filter(|file| {
        let follows = file.start >= end;
        end = end.max(file.end);
        follows
    }) {
        let start = Address(file.start);
        let inside = latest.get(file.path.as_slice()).copied().filter(|&module| {
            file.file_offset != 0
                || extents.get(module).copied().flatten().is_some_and(|extent| start < extent)
        });
        let module = inside.or_else(|| {
            let (module, extent) = module_at(file, memory, code.contains(file.path.as_slice()))?;
            if found.modules.len() == MAX_MODULES {
                found.cut = true;
                return None;
            }
            let index = found.modules.len();
            found.modules.push(module);
            found.paths.push(on_disk(&file.path).to_vec());
            extents.push(extent);
            latest.insert(&file.path, index);
            Some(index)
        });
        let mut distance = 0;
        if let Some((index, module)) = module.and_then(|index| Some((index, found.modules.get_mut(index)?))) {
            // A part of the file that is mapped once more elsewhere, as libffi does it, is no part of the image.
            let extent = extents.get(index).copied().flatten();
            if extent.is_none_or(|extent| start < extent) {
                module.end = module.end.max(Address(file.end));
            }
            distance = file.start.saturating_sub(module.base.0);
        }
        found.mappings.push(Mapping {
            start: file.start,
            end: file.end,
            file_offset: file.file_offset,
            distance,
            module,
        });
    }
    found.put_main_first(in_main_program);
    found
}

/// The paths of the files that are taken for modules even where the dump left out their ELF headers: parts of them
/// were executable, or they are the main program, or have the name of a shared library.
fn files_with_code<'a>(
    files: &'a [FileMapping],
    segments: &[Segment],
    in_main_program: &[u64],
) -> HashSet<&'a [u8]> {
    let is_code = |file: &FileMapping| {
        let segment = segments.get(segments.partition_point(|segment| segment.end() <= file.start));
        let name = on_disk(&file.path).rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        segment.is_some_and(|segment| segment.executable && segment.start <= file.start)
            || in_main_program.iter().any(|address| (file.start..file.end).contains(address))
            || name.ends_with(b".so")
            || name.windows(4).any(|part| part == b".so.")
    };
    files.iter().filter(|file| is_code(file)).map(|file| file.path.as_slice()).collect()
}

/// A path without what the kernel puts behind that of a file which has been unlinked.
fn on_disk(path: &[u8]) -> &[u8] {
    path.strip_suffix(DELETED).unwrap_or(path)
}

impl Modules {
    fn put_main_first(&mut self, in_main_program: &[u64]) {
        let main = in_main_program.iter().find_map(|address| {
            let index = self.mappings.partition_point(|mapping| mapping.end <= *address);
            self.mappings.get(index).filter(|mapping| mapping.start <= *address)?.module
        });
        let Some(main) = main else {
            return;
        };
        self.main_known = true;
        if let (Some(modules), Some(paths)) = (self.modules.get_mut(..=main), self.paths.get_mut(..=main)) {
            modules.rotate_right(1);
            paths.rotate_right(1);
        }
        for module in self.mappings.iter_mut().filter_map(|mapping| mapping.module.as_mut()) {
            *module = match (*module).cmp(&main) {
                std::cmp::Ordering::Less => *module + 1,
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => *module,
            };
        }
    }
}

/// The module whose first byte `file` maps, and where its image ends in memory, if its headers are there to tell.
/// `has_code` decides where the dump left out the first page.
fn module_at(file: &FileMapping, memory: &dyn Memory, has_code: bool) -> Option<(Module, Option<Address>)> {
    if file.file_offset != 0 {
        return None;
    }
    let base = Address(file.start);
    let (build_id, extent) = match Image::read(memory, base) {
        Ok(image) => (image.build_id(), Some(image.end())),
        Err(ImageError::Fault(_)) if has_code => (None, None),
        Err(_) => return None,
    };
    let path = on_disk(&file.path);
    let module = Module {
        path: String::from_utf8_lossy(path).into_owned(),
        deleted: path.len() < file.path.len(),
        base,
        end: Address(file.end),
        build_id,
        pe: None,
    };
    Some((module, extent))
}
