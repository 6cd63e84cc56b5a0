//! Finding dumps: named ones, and all below folders, by their first bytes.

use super::analyze::name_of;
use crate::dump::{self, Probe};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// What one file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A dump, or what its name or the user says is one.
    Dump,
    /// A packed file that nothing but its content can tell to be one.
    Packed,
}

/// A file to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDump {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub found: Found,
    /// Its size on the disk, in bytes.
    pub size: u64,
}

/// All files to be looked at.
#[derive(Debug, Default)]
pub struct FoundDumps {
    /// Sorted by path, each file once.
    pub dumps: Vec<FoundDump>,
    /// How many further files were met that are no dumps.
    pub others: usize,
    /// How many names were met of files that have another name in `dumps`.
    pub duplicates: usize,
    /// What could not be looked into.
    pub warnings: Vec<String>,
}

/// Looks for dumps: at files that are named, whatever is in them, below folders by content, and at what patterns
/// (`/cores/*.zst`) match, which need not be anything. FIFOs and devices are never opened, symbolic links are followed,
/// each file is taken once, whatever names it has.
///
/// # Errors
/// When something is named that does not exist.
pub fn find(paths: &[PathBuf]) -> io::Result<FoundDumps> {
    let mut found = FoundDumps::default();
    let mut candidates = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) => add(path, &metadata, true, &mut candidates, &mut found),
            Err(error) => {
                for path in matches(path).ok_or(error).map_err(|error| in_context(path, &error))? {
                    match fs::metadata(&path) {
                        Ok(metadata) => add(&path, &metadata, false, &mut candidates, &mut found),
                        Err(error) => found.warnings.push(in_context(&path, &error).to_string()),
                    }
                }
            }
        }
    }
    candidates.sort_by(|one, other| (&one.path, !one.named).cmp(&(&other.path, !other.named)));
    let before = candidates.len();
    let mut met = HashSet::new();
    candidates.retain(|candidate| met.insert(candidate.inode));
    found.duplicates = before - candidates.len();
    let probed: Vec<_> = candidates.into_par_iter().map(Candidate::probe).collect();
    for one in probed {
        match one {
            Ok(Some(dump)) => found.dumps.push(dump),
            Ok(None) => found.others += 1,
            Err(warning) => found.warnings.push(warning),
        }
    }
    Ok(found)
}

fn in_context(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", name_of(path)))
}

/// What a pattern that no shell has expanded matches; `None` if it is no pattern.
fn matches(pattern: &Path) -> Option<Vec<PathBuf>> {
    let pattern = pattern.to_str().filter(|text| text.contains(['*', '?', '[']))?;
    Some(glob::glob(pattern).ok()?.filter_map(Result::ok).collect())
}

/// A file that may be a dump.
struct Candidate {
    path: PathBuf,
    /// Whether the user named it.
    named: bool,
    /// Device and inode.
    inode: (u64, u64),
    size: u64,
}

fn add(
    path: &Path,
    metadata: &Metadata,
    named: bool,
    candidates: &mut Vec<Candidate>,
    found: &mut FoundDumps,
) {
    let mut add = |path: &Path, metadata: &Metadata, named| {
        candidates.push(Candidate {
            path: path.to_owned(),
            named,
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
        });
    };
    if !metadata.is_dir() {
        add(path, metadata, named);
        return;
    }
    for entry in WalkDir::new(path).follow_links(true) {
        match entry.and_then(|entry| Ok((entry.metadata()?, entry))) {
            Ok((metadata, entry)) if metadata.is_file() => add(entry.path(), &metadata, false),
            Ok(_) => {}
            // A link that leads nowhere, or up to where it lies, holds nothing that is not met elsewhere.
            Err(error) if error.loop_ancestor().is_some() => {}
            Err(error) if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) => {}
            Err(error) => found.warnings.push(error.to_string()),
        }
    }
}

impl Candidate {
    /// `None` if it is no dump; a warning if that cannot be known.
    fn probe(self) -> Result<Option<FoundDump>, String> {
        let expected = self.named || is_named_like_dump(&self.path);
        let found = match dump::probe(&self.path) {
            Ok(Probe::Dump) => Found::Dump,
            Ok(Probe::Packed) if expected => Found::Dump,
            Ok(Probe::Packed) => Found::Packed,
            Ok(Probe::Other | Probe::Empty) if expected => Found::Dump,
            Ok(Probe::NotRegular) if self.named => Found::Dump,
            Ok(Probe::Other | Probe::Empty | Probe::NotRegular) => return Ok(None),
            // The entry will say why it cannot be read.
            Err(_) if expected => Found::Dump,
            Err(error) => return Err(in_context(&self.path, &error).to_string()),
        };
        Ok(Some(FoundDump { path: self.path, found, size: self.size }))
    }
}

/// Whether only dumps are called so. What is in such a file may be nothing: where a disk was full, that is all there is.
fn is_named_like_dump(path: &Path) -> bool {
    const PACKED: [&str; 6] = [".zst", ".lz4", ".xz", ".gz", ".bz2", ".lzma"];
    const ENDINGS: [&str; 4] = [".core", ".dmp", ".mdmp", ".coredump"];
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = PACKED.iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
    let numbered = || {
        let rest = name.strip_prefix("core").or_else(|| name.strip_prefix("vgcore"));
        rest.is_some_and(|rest| {
            rest.starts_with(['.', '-', '_']) && rest.ends_with(|c: char| c.is_ascii_digit())
        })
    };
    name == "core" || ENDINGS.iter().any(|ending| name.ends_with(ending)) || numbered()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const CORE: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0\x3e\0";

    fn names(found: &FoundDumps, root: &Path) -> Vec<String> {
        found.dumps.iter().map(|dump| dump.path.strip_prefix(root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn dumps_are_found_by_content_once_each_and_without_opening_what_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/x.bin"), CORE).unwrap();
        fs::write(root.join("a/library.so"), [&CORE[..16], b"\x03\0", &CORE[18..]].concat()).unwrap();
        fs::write(root.join("a/core.py"), "import os\n").unwrap();
        fs::write(root.join("a/core.4711"), "").unwrap();
        fs::write(root.join("a/packed"), zstd::encode_all(CORE, 1).unwrap()).unwrap();
        fs::hard_link(root.join("a/b/x.bin"), root.join("a/same.bin")).unwrap();
        symlink(root.join("a/b/x.bin"), root.join("z-link")).unwrap();
        symlink(root, root.join("a/b/loop")).unwrap();
        symlink("nowhere", root.join("a/b/dangling")).unwrap();
        std::process::Command::new("mkfifo").arg(root.join("core.1")).status().unwrap();
        let found = find(&[root.to_owned()]).unwrap();
        assert_eq!(names(&found, root), ["a/b/x.bin", "a/core.4711", "a/packed"]);
        assert_eq!((found.duplicates, found.others, found.warnings), (2, 2, vec![]));
        assert_eq!(found.dumps[2].found, Found::Packed);
        assert_eq!(found.dumps[0].size, CORE.len() as u64);
    }

    #[test]
    fn what_is_named_is_taken_and_has_to_exist_unless_it_is_a_pattern() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("notes.txt"), "hello").unwrap();
        fs::write(root.join("x.bin"), CORE).unwrap();
        assert_eq!(names(&find(&[root.join("notes.txt")]).unwrap(), root), ["notes.txt"]);
        assert_eq!(names(&find(&[root.join("*")]).unwrap(), root), ["x.bin"]);
        assert_eq!(names(&find(&[root.join("core.*")]).unwrap(), root), [""; 0]);
        let error = find(&[root.join("core.1")]).unwrap_err().to_string();
        assert!(error.contains("core.1: No such file"), "{error}");
    }

    #[test]
    fn names_tell_dumps_from_sources() {
        let of = |name: &str| is_named_like_dump(Path::new(name));
        for name in [
            "core",
            "core.1",
            "core-python3-4711",
            "core.x.0.b.1.17.zst",
            "a.core",
            "x.dmp",
            "vgcore.5",
            "a.core.gz",
        ] {
            assert!(of(name), "{name}");
        }
        for name in ["core.py", "core.c", "cores", "score.1", "core.o", "x.log.gz", "core-js.md"] {
            assert!(!of(name), "{name}");
        }
    }
}
