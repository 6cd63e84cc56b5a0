//! What is mapped into a live process: ranges of memory, and the files among them that are modules.

use crate::addr::Address;
use crate::memory::{Memory, Range};
use crate::process::Module;
use crate::process::elf::Image;
use procfs::process::{MMPermissions, MMapPath, MemoryMap};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What the kernel puts behind the path of a file that has been unlinked.
const DELETED: &[u8] = b" (deleted)";
/// How many modules are told apart.
const MAX_MODULES: usize = 1 << 16;

/// Which file a module is of.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// Its path as the process has it.
    pub(super) path: Vec<u8>,
    /// Its device, major and minor number, and its inode there.
    pub(super) id: FileId,
    /// The addresses of the mapping of its first byte.
    pub(super) mapping: (u64, u64),
}

/// The device, major and minor number, and the inode of a file.
pub(super) type FileId = ((u32, u32), u64);

/// The mapped ranges, ascending.
pub(super) fn ranges(maps: &[MemoryMap]) -> Vec<Range> {
    let ranges = maps.iter().filter(|map| map.perms.contains(MMPermissions::READ)).map(|map| Range {
        start: Address(map.address.0),
        size: map.address.1.saturating_sub(map.address.0),
        writable: map.perms.contains(MMPermissions::WRITE),
        executable: map.perms.contains(MMPermissions::EXECUTE),
    });
    ranges.filter(|range| range.size > 0).collect()
}

/// Groups mapped files into modules, the one with an address of `in_main_program` first. The root directory of the process
/// is `root`, as seen from here.
pub(super) fn list(
    maps: &[MemoryMap],
    memory: &dyn Memory,
    in_main_program: &[u64],
    root: &Path,
) -> Vec<(Module, Origin)> {
    let mut found = Vec::<(Module, Origin)>::new();
    let mut extents = Vec::<Address>::new();
    let mut latest = HashMap::<FileId, usize>::new();
    for map in maps.iter().filter(|map| map.inode != 0) {
        let MMapPath::Path(path) = &map.pathname else { continue };
        let (start, end) = (Address(map.address.0), Address(map.address.1));
        let id = ((map.dev.0.cast_unsigned(), map.dev.1.cast_unsigned()), map.inode);
        let inside = latest
            .get(&id)
            .copied()
            .filter(|&index| map.offset != 0 || extents.get(index).is_some_and(|extent| start < *extent));
        if let Some(index) = inside {
            // A part of the file that is mapped once more elsewhere, as libffi does it, is no part of the image.
            if let Some((module, _)) = found.get_mut(index)
                && extents.get(index).is_some_and(|extent| start < *extent)
            {
                module.end = module.end.max(end);
            }
            continue;
        }
        if map.offset != 0 || found.len() == MAX_MODULES {
            continue;
        }
        let Ok(image) = Image::read(memory, start) else { continue };
        let inside = path.strip_prefix(root).map(|inside| Path::new("/").join(inside));
        let path = inside.as_ref().unwrap_or(path).as_os_str().as_bytes();
        let on_disk = path.strip_suffix(DELETED).unwrap_or(path);
        latest.insert(id, found.len());
        extents.push(image.end());
        let module = Module {
            path: String::from_utf8_lossy(on_disk).into_owned(),
            deleted: on_disk.len() < path.len(),
            base: start,
            end,
            build_id: image.build_id(),
            pe: None,
        };
        found.push((module, Origin { path: on_disk.to_vec(), id, mapping: map.address }));
    }
    let is_main =
        |module: &Module| in_main_program.iter().any(|&at| module.base.0 <= at && at < module.end.0);
    if let Some(main) = found.iter().position(|(module, _)| is_main(module))
        && let Some(modules) = found.get_mut(..=main)
    {
        modules.rotate_right(1);
    }
    found
}
