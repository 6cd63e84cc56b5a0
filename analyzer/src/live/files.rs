//! The files of a live process' modules, wherever its root and its mounts are.

use super::modules::Origin;
use super::place::Place;
use crate::process::Module;
use crate::process::elf::file_build_id;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 31;

/// The bytes of the file of a module: the file at its path below the root of the process, as far as it is the same one;
/// else, also where it has been deleted, what the kernel keeps mapped.
pub(super) fn read(place: Place, module: &Module, origin: &Origin, is_main: bool) -> Option<Vec<u8>> {
    let path = Path::new(OsStr::from_bytes(&origin.path));
    let below_root = place.file("root").join(path.strip_prefix("/").unwrap_or(path));
    let (start, end) = origin.mapping;
    let kept = place.file(&format!("map_files/{start:x}-{end:x}"));
    let below_root =
        (!module.deleted).then_some(below_root).and_then(|path| read_same(&path, module, origin));
    let exe = || read_same(&place.file("exe"), module, origin).filter(|_| is_main);
    below_root.or_else(|| read_bounded(&kept)).or_else(exe)
}

/// Reads the file at `path` if it is the module's: by device and inode, or, where a file system shows others than the
/// kernel does, by its build id.
fn read_same(path: &Path, module: &Module, origin: &Origin) -> Option<Vec<u8>> {
    let metadata = std::fs::metadata(path).ok()?;
    let device = metadata.dev();
    let id = ((nix::libc::major(device), nix::libc::minor(device)), metadata.ino());
    if id != origin.id && module.build_id.is_none() {
        return None;
    }
    let bytes = read_bounded(path)?;
    (id == origin.id || file_build_id(&bytes) == module.build_id.as_deref()).then_some(bytes)
}

fn read_bounded(path: &Path) -> Option<Vec<u8>> {
    let size = std::fs::metadata(path).ok().filter(|found| found.is_file())?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(MAX_FILE)).ok()?);
    File::open(path).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
