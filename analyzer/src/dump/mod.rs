//! Opening a dump: from a file to an address space and what the operating system knew of the process.

mod address_space;
mod container;
mod elf_core;
mod error;
mod input;
mod minidump;
mod module_file;
mod origin;
mod pack;
mod pages;
mod probe;
mod segment;
#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;
mod unpack;

pub use error::{OpenError, OpenProblem};
pub use module_file::{FileSearch, FoundFile, ModuleFile, Tried};
pub use pack::{Packer, into_new_file, pack};
pub use probe::{Probe, holds_dump, probe};

use crate::addr::Address;
use crate::memory::{Memory, Touched};
use crate::process::{Inferior, ProcessInfo};
use crate::report::Source;
use container::Container;
pub use container::Written;
use input::Opened;
pub use input::explain_shortened_files;
use memmap2::Mmap;
use module_file::NO_FILE;
use origin::Origin;
pub use origin::rfc3339;
use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
pub use unpack::{Codec, Progress};

/// What is said of a dump whose secrets were overwritten.
const REDACTED: &str = "the dump was made by `pycore shrink --redact`: secrets are overwritten, and what its report did not \
    need is zero";

/// Overwrites what bytes hold of secrets.
pub type Overwrite<'a> = &'a dyn Fn(&mut [u8]);

/// A dump, mapped, with what its container says.
#[derive(Debug)]
pub struct Dump {
    path: PathBuf,
    /// The file, or what was unpacked from it.
    file: File,
    data: Mmap,
    /// The size of the file on the disk, in bytes.
    size: u64,
    container: Container,
    process: ProcessInfo,
    /// What the file tells beside its bytes.
    origin: Origin,
    search: FileSearch,
    /// Per module, its file, once it was asked for.
    files: Vec<OnceCell<ModuleFile>>,
}

impl Dump {
    /// Opens the dump at `path`. Reads what its container says of the process, the headers of its modules and, in a core,
    /// the arguments on its first stack, nothing else; a truncated dump gives what it has.
    ///
    /// # Errors
    /// The file cannot be read, or is not a dump that is supported.
    pub fn open(path: &Path, search: FileSearch) -> Result<Dump, OpenError> {
        let in_context = |problem| OpenError { path: path.to_owned(), problem };
        let input = read(path, &search).map_err(in_context)?;
        if let Some(problem) = other_container(&input.data) {
            return Err(in_context(problem));
        }
        let (mut container, mut process) = Container::read(&input.data).map_err(in_context)?;
        if let Some(cut) = input.cut {
            container.set_truncated();
            process.warnings.insert(0, cut);
        }
        input.origin.complete(&mut process);
        let files = process.modules.iter().map(|_| OnceCell::new()).collect();
        Ok(Dump {
            path: path.to_owned(),
            file: input.file,
            data: input.data,
            size: input.size,
            container,
            process,
            origin: input.origin,
            search,
            files,
        })
    }

    /// The file of the module `index` of [`ProcessInfo::modules`], looked for when it is first asked for. Not found if
    /// there is no such module.
    pub fn file_of(&self, index: usize) -> &ModuleFile {
        let module = self.process.modules.get(index).zip(self.container.module_path(index));
        let Some(((module, path), file)) = module.zip(self.files.get(index)) else {
            return &NO_FILE;
        };
        file.get_or_init(|| {
            let main = self.container.main_known().then_some(index == 0);
            module_file::find(&self.search, module, path, main)
        })
    }

    /// The paths of the files of its modules, as the process had them.
    pub fn module_paths(&self) -> Vec<String> {
        self.process.modules.iter().map(|module| module.path.clone()).collect()
    }

    /// What every core of the process needs to hold: the pages that [`Dump::open`] reads, and those that a debugger needs
    /// for files, threads and native stacks; and which bytes of them were read to learn that.
    pub fn always_kept(&self) -> (Vec<Address>, Touched) {
        let (for_debuggers, mut touched) = self.container.pages_for_debuggers(&self.process, &self.data);
        touched.join(self.container.touched());
        let mut pages = self.container.touched().pages();
        pages.extend(for_debuggers);
        (pages, touched)
    }

    /// Writes a dump of the same process with the same notes or streams and mappings to `out`, but of its memory only `pages`, which
    /// should have those that are [always kept](Self::always_kept). The bytes come from `memory`, so pages of mapped files
    /// are then in the core too, and it needs no other file. `redact`, where there is one, overwrites what the notes hold
    /// of secrets; the core then says that it is redacted.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_smaller(
        &self,
        out: &mut dyn Write,
        memory: &dyn Memory,
        pages: &[Address],
        redact: Option<Overwrite<'_>>,
    ) -> io::Result<Written> {
        self.container.write(&self.process, &self.data, memory, pages, redact, out)
    }
}

impl Inferior for Dump {
    fn source(&self) -> Source {
        Source {
            path: self.path.to_string_lossy().into_owned(),
            format: self.container.format(),
            arch: self.process.machine.to_string(),
            size_bytes: self.size,
            truncated: self.container.truncated(),
            time: self.container.time().map(str::to_owned).or_else(|| self.origin.time.clone()),
            host: self.origin.host.clone(),
            boot_id: self.origin.boot_id.clone(),
            contents: self.container.contents().cloned(),
        }
    }

    fn process(&self) -> &ProcessInfo {
        &self.process
    }

    fn memory(&self) -> Box<dyn Memory + '_> {
        let copier = |bytes: &[u8], buffer: &mut [u8]| input::copy(&self.file, &self.data, bytes, buffer);
        let memory = address_space::lay_out(
            self.container.segments(),
            self.container.mappings(),
            &self.process.modules,
            &self.data,
            |index| self.file_of(index),
        );
        Box::new(memory.passing_over_by(Box::new(copier)))
    }

    fn module_file(&self, index: usize) -> Option<&[u8]> {
        self.file_of(index).bytes()
    }

    fn file_warnings(&self) -> Vec<String> {
        let files = self.files.iter().filter_map(OnceCell::get);
        let unverified = files.filter_map(|file| match file {
            ModuleFile::Found(found) if !found.verified => Some(format!(
                "{}: used because it was named; the dump has no build id to tell whether it is the same file",
                found.path.display()
            )),
            _ => None,
        });
        let exe = self.search.exe.as_ref().filter(|_| self.container.main_known()).and_then(|exe| match self
            .file_of(0)
        {
            ModuleFile::NotFound { tried } => {
                let tried = tried.iter().find(|tried| tried.path == *exe)?;
                Some(format!("{}: {}", exe.display(), tried.reason))
            }
            ModuleFile::Found(found) if found.path != *exe => {
                Some(format!("{}: not used, {} is the main program", exe.display(), found.path.display()))
            }
            ModuleFile::Found(_) => None,
        });
        exe.into_iter().chain(unverified).collect()
    }

    fn missing_files(&self, missing: &[Address]) -> Vec<String> {
        let files = self.process.modules.iter().zip(&self.files);
        files
            .filter(|(module, _)| missing.iter().any(|&at| module.base <= at && at < module.end))
            .filter_map(|(module, file)| match file.get()? {
                ModuleFile::Found(_) => None,
                ModuleFile::NotFound { tried } => {
                    let reason = tried.last().map_or("it was not looked for", |tried| tried.reason.as_str());
                    Some(format!("{}: bytes of it are missing: {reason}", module.path))
                }
            })
            .collect()
    }
}

/// A file, mapped, unpacked if need be.
struct Input {
    file: File,
    data: Mmap,
    /// Its size before it was unpacked, in bytes.
    size: u64,
    /// Why it ends too early, where unpacking it showed that.
    cut: Option<String>,
    /// What the file tells beside its bytes.
    origin: Origin,
}

fn read(path: &Path, search: &FileSearch) -> Result<Input, OpenProblem> {
    let file = match input::open(path) {
        Ok(Opened::Regular(file)) => file,
        Ok(Opened::Pipe(pipe)) => return read_stream(pipe, None, search, Origin::default()),
        Ok(Opened::Directory) => return Err(OpenProblem::Directory),
        Ok(Opened::Special) => return Err(OpenProblem::NotRegular),
        Ok(Opened::Terminal) => return Err(OpenProblem::Terminal),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(OpenProblem::Missing),
        Err(error) => return Err(OpenProblem::Unreadable(error)),
    };
    let size = file.metadata().map_err(OpenProblem::Unreadable)?.len();
    if size == 0 {
        return Err(OpenProblem::Empty);
    }
    let origin = Origin::of(path, &file);
    let data = input::map(&file).map_err(OpenProblem::Unreadable)?;
    if unpack::is_packed(&data) {
        read_stream(file, Some(size), search, origin)
    } else {
        Ok(Input { file, data, size, cut: None, origin })
    }
}

/// Reads a stream to its end, into a temporary file; `size` is how long it is, where that is known.
fn read_stream(
    stream: File,
    size: Option<u64>,
    search: &FileSearch,
    origin: Origin,
) -> Result<Input, OpenProblem> {
    let rules = unpack::Rules { limit: search.unpack_limit, packed_size: size, progress: search.progress };
    let unpacked = unpack::unpack(stream, rules)?;
    if unpacked.size == 0 {
        return Err(OpenProblem::Empty);
    }
    let data = input::map(&unpacked.file).map_err(OpenProblem::Temporary)?;
    if let Some(codec) = unpack::Codec::of(&data) {
        return Err(OpenProblem::TooManyLayers { codec });
    }
    let size = size.unwrap_or(unpacked.packed_size);
    Ok(Input { file: unpacked.file, data, size, cut: unpacked.cut, origin })
}

/// Containers that are known, but cannot be read.
fn other_container(data: &[u8]) -> Option<OpenProblem> {
    const PACKED: [(&[u8], &str, &str); 8] = [
        (b"PK\x03\x04", "a zip archive", "unzip"),
        (b"MSCF", "a cabinet, as Windows Error Reporting sends them", "cabextract"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x"),
        (b"\x1f\x9d", "compressed with compress", "gzip -dk"),
        (b"\x89LZO\0", "compressed with lzop", "lzop -d"),
        (b"LZIP", "compressed with lzip", "lzip -dk"),
        (b"\x5d\0\0", "compressed with lzma", "lzma -dk"),
        (b"ProblemType: ", "a report of Apport", "apport-unpack FILE DIRECTORY"),
    ];
    let (_, kind, command) = PACKED.into_iter().find(|(magic, _, _)| data.starts_with(magic))?;
    Some(OpenProblem::Packed { kind, command })
}
