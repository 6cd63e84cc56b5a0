//! Finding the files that were mapped into the process, and making sure that they are the same files.

use super::input::{self, Opened};
use super::unpack::Progress;
use crate::addr::Address;
use crate::memory::{Fault, Memory, PAGE_SIZE};
use crate::process::elf::build_id_by;
use crate::process::pe::Loaded;
use crate::process::{self, Module, PeIdentity, hex, is_windows_path};
use memmap2::Mmap;
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Why a file is not used for a module whose build id the dump left out.
const NO_BUILD_ID: &str = "the dump does not hold the module's build id, so this may be another file; \
    name it with --exe or --lib-path FILE";

/// Where to look for the files that the dump names. By default: at the paths that it names.
#[derive(Clone, Debug, Default)]
pub struct FileSearch {
    /// The main program.
    pub exe: Option<PathBuf>,
    /// Directories that hold a copy of the root of the machine where the process ran; this machine's own root is looked
    /// at after them.
    pub sysroots: Vec<PathBuf>,
    /// Directories that hold libraries themselves (not in directories below), and single files.
    pub lib_paths: Vec<PathBuf>,
    /// Whether no file is looked at at all: what the dump left out is missing.
    pub none: bool,
    /// The most bytes that a compressed dump may unpack to; by default 64 GiB. It is never more than there is room for
    /// in the directory for temporary files: `$TMPDIR`, else `/var/tmp`.
    pub unpack_limit: Option<u64>,
    /// Who is told how far long work is.
    pub progress: Option<Progress>,
}

impl FileSearch {
    /// Looks for the file of a module of a process that somebody else holds.
    pub fn find(&self, module: &Module) -> ModuleFile {
        find(self, module, module.path.as_bytes(), None)
    }
}

/// What became of the search for a module's file.
#[derive(Debug)]
pub enum ModuleFile {
    /// It was found.
    Found(FoundFile),
    /// It was not found.
    NotFound {
        /// What was looked at, in order, and why it would not do.
        tried: Vec<Tried>,
    },
}

/// What became of a search in which nothing was looked at.
pub(super) static NO_FILE: ModuleFile = ModuleFile::NotFound { tried: Vec::new() };

/// A file that was mapped into the process, found on this machine.
#[derive(Debug)]
pub struct FoundFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether its build id is the one in the dump. Otherwise the user named the file, and the dump has no build id.
    pub verified: bool,
    bytes: Mmap,
    /// Where the parts of a PE file lie in memory.
    loaded: Option<Box<Loaded>>,
}

/// A file that was considered and rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Its path.
    pub path: PathBuf,
    /// Why it would not do.
    pub reason: String,
}

impl ModuleFile {
    /// The bytes of the file, if it was found.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            ModuleFile::Found(file) => Some(file.bytes()),
            ModuleFile::NotFound { .. } => None,
        }
    }
}

impl FoundFile {
    /// All bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Fills `buffer` from the virtual address `at` with the bytes of a PE file as it was loaded, unless the process may
    /// have changed them. `None` where this is no PE file.
    pub(super) fn read_loaded(&self, at: Address, buffer: &mut [u8]) -> Option<Result<(), Fault>> {
        Some(self.loaded.as_ref()?.memory(&self.bytes).read(at, buffer))
    }

    /// The bytes of an ELF file that lie `distance` bytes from where the module begins in memory, `size` of them; unless
    /// the process may have changed them.
    pub fn unchanging_at(&self, distance: u64, size: u64) -> Option<&[u8]> {
        let header = FileHeader64::<LE>::parse(self.bytes()).ok()?;
        let program_headers = header.program_headers(LE, self.bytes()).ok()?;
        let loads = || program_headers.iter().filter(|segment| segment.p_type(LE) == elf::PT_LOAD);
        let first = loads().map(|segment| segment.p_vaddr(LE)).min()? & !(PAGE_SIZE - 1);
        let start = first.checked_add(distance)?;
        let end = start.checked_add(size)?;
        let offset = loads().find_map(|segment| {
            let from = segment.p_vaddr(LE) & !(PAGE_SIZE - 1);
            let to = segment.p_vaddr(LE).checked_add(segment.p_filesz(LE))?;
            (from <= start && end <= to)
                .then(|| (segment.p_offset(LE) & !(PAGE_SIZE - 1)).checked_add(start - from))
        })?;
        self.unchanging_bytes(distance, offset?, size).filter(|bytes| bytes.len() as u64 == size)
    }

    /// The bytes from `offset`, at most `size` of them, mapped `distance` bytes from where the module begins in memory;
    /// unless the loader maps something writable there: then the process may have changed them. It is the addresses
    /// that tell, as the last page of a read-only segment and the first of a writable one are often one page of the
    /// file.
    pub(super) fn unchanging_bytes(&self, distance: u64, offset: u64, size: u64) -> Option<&[u8]> {
        let header = FileHeader64::<LE>::parse(self.bytes()).ok()?;
        let program_headers = header.program_headers(LE, self.bytes()).ok()?;
        let loads = || program_headers.iter().filter(|segment| segment.p_type(LE) == elf::PT_LOAD);
        let first = loads().map(|segment| segment.p_vaddr(LE)).min()? & !(PAGE_SIZE - 1);
        let start = first.checked_add(distance)?;
        let end = start.checked_add(size)?;
        let writable = loads().filter(|segment| segment.p_flags(LE).0 & elf::PF_W.0 != 0).any(|segment| {
            let from = segment.p_vaddr(LE) & !(PAGE_SIZE - 1);
            from < end && start < segment.p_vaddr(LE).saturating_add(segment.p_memsz(LE))
        });
        if writable {
            return None;
        }
        let end = usize::try_from(offset.checked_add(size)?).unwrap_or(usize::MAX).min(self.bytes.len());
        let start = usize::try_from(offset).ok()?.min(end);
        self.bytes.get(start..end)
    }
}

/// A file to look at.
struct Candidate {
    /// A directory that is the root of `path`.
    root: Option<PathBuf>,
    path: PathBuf,
    /// Whether the user named this very file for this module.
    named: bool,
    /// Whether it is worth a word if it turns out to be another file.
    expected: bool,
}

impl Candidate {
    /// Where it is for a person, who does not care for symbolic links.
    fn shown_path(&self) -> PathBuf {
        match &self.root {
            Some(root) => root.join(self.path.strip_prefix("/").unwrap_or(&self.path)),
            None => self.path.clone(),
        }
    }
}

/// Looks for the file of `module`, whose path in the target's own bytes is `target_path`. `main` says whether it is the
/// main program; `None`: nobody knows.
pub(super) fn find(
    search: &FileSearch,
    module: &Module,
    target_path: &[u8],
    main: Option<bool>,
) -> ModuleFile {
    let mut tried = Vec::new();
    for candidate in candidates(search, target_path, main) {
        match check(&candidate, module) {
            Ok(found) => return ModuleFile::Found(found),
            Err(reason) if candidate.expected => tried.push(Tried { path: candidate.shown_path(), reason }),
            Err(_) => {}
        }
    }
    let on_windows = std::str::from_utf8(target_path).is_ok_and(is_windows_path);
    if on_windows && tried.is_empty() && !search.none {
        let path = PathBuf::from(OsStr::from_bytes(target_path));
        let reason = "not a path of this machine; name the file with --lib-path, or its root with --sysroot";
        tried.push(Tried { path, reason: reason.to_owned() });
    }
    ModuleFile::NotFound { tried }
}

fn candidates(search: &FileSearch, target_path: &[u8], main: Option<bool>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    if search.none {
        return candidates;
    }
    if let Some(exe) = search.exe.as_ref().filter(|_| main != Some(false)) {
        let known = main == Some(true);
        candidates.push(Candidate { root: None, path: exe.clone(), named: known, expected: known });
    }
    let on_windows = std::str::from_utf8(target_path).ok().filter(|path| is_windows_path(path));
    let name = match on_windows {
        Some(path) => process::file_name(path).as_bytes(),
        None => target_path.rsplit(|&byte| byte == b'/').next().unwrap_or_default(),
    };
    for path in &search.lib_paths {
        if path.is_dir() {
            candidates.push(Candidate {
                root: None,
                path: in_directory(path, name, on_windows.is_some()),
                named: false,
                expected: true,
            });
        } else {
            let is_same = |file_name: &OsStr| match on_windows {
                Some(_) => file_name.as_bytes().eq_ignore_ascii_case(name),
                None => file_name.as_bytes() == name,
            };
            let same_name = path.file_name().is_some_and(is_same);
            candidates.push(Candidate {
                root: None,
                path: path.clone(),
                named: same_name,
                expected: same_name,
            });
        }
    }
    let as_here = on_windows.and_then(path_below_drive);
    let Some(target_path) = usable_path(as_here.as_deref().map_or(target_path, str::as_bytes)) else {
        return candidates;
    };
    let in_container = path_in_container(target_path);
    for root in &search.sysroots {
        let paths = [Some((target_path, true)), in_container.as_deref().map(|path| (path, false))];
        candidates.extend(paths.into_iter().flatten().map(|(path, expected)| Candidate {
            root: Some(root.clone()),
            path: path.to_owned(),
            named: false,
            expected,
        }));
    }
    // Wine calls this machine's own root so.
    if on_windows.is_none_or(|path| path.starts_with(['Z', 'z'])) {
        candidates.push(Candidate { path: target_path.to_owned(), named: false, expected: true, root: None });
    }
    candidates
}

/// The file `name` of a directory. On Windows letters of either case are the same.
fn in_directory(directory: &Path, name: &[u8], on_windows: bool) -> PathBuf {
    let exact = directory.join(OsStr::from_bytes(name));
    if !on_windows || exact.exists() {
        return exact;
    }
    let entries = std::fs::read_dir(directory).into_iter().flatten().map_while(Result::ok);
    let similar =
        entries.map(|entry| entry.file_name()).find(|entry| entry.as_bytes().eq_ignore_ascii_case(name));
    similar.map_or(exact, |similar| directory.join(similar))
}

/// A path of Windows below the root of its drive, as paths are written here.
fn path_below_drive(path: &str) -> Option<String> {
    let (drive, path) = path.split_once(':')?;
    (drive.len() == 1).then(|| path.replace('\\', "/"))
}

/// The path that a file has for the processes of a container, where the kernel gives the one in the layer of the overlay
/// that it comes from: `/var/lib/docker/overlay2/ID/diff/usr/bin/python3`,
/// `/var/lib/containerd/.../snapshots/12/fs/usr/bin/python3`.
fn path_in_container(path: &Path) -> Option<PathBuf> {
    const LAYERS: [&str; 5] = ["diff", "merged", "fs", "upper", "rootfs"];
    let parts = path.components().collect::<Vec<_>>();
    let layer = parts.iter().position(|part| LAYERS.iter().any(|layer| part.as_os_str() == *layer))?;
    let inside = parts.get(layer + 1..).filter(|inside| !inside.is_empty())?;
    Some([Component::RootDir].iter().chain(inside).collect())
}

/// A path that the dump names, if it may be followed: absolute and without steps upwards, as the kernel writes them.
fn usable_path(path: &[u8]) -> Option<&Path> {
    let path = Path::new(OsStr::from_bytes(path));
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    (path.is_absolute() && plain && !path.as_os_str().as_bytes().contains(&0)).then_some(path)
}

/// Opens a candidate if it is the file that was mapped, else says why it is not.
fn check(candidate: &Candidate, module: &Module) -> Result<FoundFile, String> {
    let opened = match &candidate.root {
        Some(root) => input::open_in(root, &candidate.path),
        None => input::open(&candidate.path),
    };
    let file = match opened {
        Ok(Opened::Regular(file)) => file,
        Ok(Opened::Directory) => return Err("is a directory".to_owned()),
        Ok(_) => return Err("is not a regular file".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err("no such file".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    if let Some(wanted) = module.pe.as_ref().filter(|_| module.is_pe()) {
        let bytes = input::map(&file).map_err(|error| error.to_string())?;
        let loaded = Loaded::new(&bytes, module.base).ok_or("is not a PE file")?;
        difference(wanted, loaded.identity()).map_or(Ok(()), Err)?;
        return Ok(FoundFile {
            path: candidate.shown_path(),
            verified: true,
            bytes,
            loaded: Some(Box::new(loaded)),
        });
    }
    if module.build_id.is_none() && !candidate.named {
        return Err(NO_BUILD_ID.to_owned());
    }
    let bytes = input::map(&file).map_err(|error| error.to_string())?;
    let header = FileHeader64::<LE>::parse(&*bytes).map_err(|_| "is not a 64-bit ELF file".to_owned())?;
    let program_headers =
        header.program_headers(LE, &*bytes).map_err(|_| "is a damaged ELF file".to_owned())?;
    let verified = match (&module.build_id, build_id_by(program_headers, &bytes)) {
        (None, _) => false,
        (Some(wanted), Some(found)) if wanted == found => true,
        (Some(wanted), Some(found)) => {
            return Err(format!("is another file: its build id is {}, not {}", hex(found), hex(wanted)));
        }
        (Some(wanted), None) => {
            return Err(format!("has no build id; the one in the dump is {}", hex(wanted)));
        }
    };
    Ok(FoundFile { path: candidate.shown_path(), verified, bytes, loaded: None })
}

/// What tells that a PE file is not the one that was loaded.
fn difference(wanted: &PeIdentity, found: &PeIdentity) -> Option<String> {
    let is_same = (wanted.timestamp, wanted.size) == (found.timestamp, found.size);
    if !is_same {
        return Some(format!(
            "is another file: its timestamp and size are {:08X}{:x}, not {:08X}{:x}",
            found.timestamp, found.size, wanted.timestamp, wanted.size
        ));
    }
    let (wanted, found) = (wanted.pdb.as_ref()?, found.pdb.as_ref()?);
    ((wanted.guid, wanted.age) != (found.guid, found.age))
        .then(|| format!("is another file: the id of its PDB is {}, not {}", found.text(), wanted.text()))
}
