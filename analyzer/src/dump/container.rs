//! The containers that are read: what each of them says, behind one face.

use super::Overwrite;
use super::address_space::Mapping;
use super::elf_core::{self, ElfCore};
use super::error::OpenProblem;
use super::minidump::{self, Minidump};
use super::segment::Segment;
use crate::addr::Address;
use crate::memory::{Memory, Touched};
use crate::process::ProcessInfo;
use crate::report::{DumpContents, SourceFormat};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// What a smaller dump holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many pages of memory, of [`PAGE_SIZE`](crate::memory::PAGE_SIZE).
    pub pages: u64,
    /// How many of the wanted pages could not be read and are missing.
    pub unreadable: u64,
}

/// A dump without its memory's bytes.
#[derive(Debug)]
pub(super) enum Container {
    /// An ELF core.
    ElfCore(ElfCore),
    /// A minidump.
    Minidump(Minidump),
}

impl Container {
    /// Reads the container `data`.
    pub(super) fn read(data: &[u8]) -> Result<(Container, ProcessInfo), OpenProblem> {
        if minidump::is_minidump(data) {
            let (minidump, process) = minidump::read(data)?;
            Ok((Container::Minidump(minidump), process))
        } else {
            let (core, process) = elf_core::read(data)?;
            Ok((Container::ElfCore(core), process))
        }
    }

    /// Its kind.
    pub(super) fn format(&self) -> SourceFormat {
        match self {
            Container::ElfCore(_) => SourceFormat::ElfCore,
            Container::Minidump(_) => SourceFormat::Minidump,
        }
    }

    /// Whether its file ends before what it promises.
    pub(super) fn truncated(&self) -> bool {
        match self {
            Container::ElfCore(core) => core.headers.truncated,
            Container::Minidump(minidump) => minidump.truncated,
        }
    }

    /// Notes that its file ends before what it promises.
    pub(super) fn set_truncated(&mut self) {
        match self {
            Container::ElfCore(core) => core.headers.truncated = true,
            Container::Minidump(minidump) => minidump.truncated = true,
        }
    }

    /// What it was told to hold, where it says so.
    pub(super) fn contents(&self) -> Option<&DumpContents> {
        match self {
            Container::ElfCore(_) => None,
            Container::Minidump(minidump) => Some(&minidump.contents),
        }
    }

    /// When it was written, in UTC as RFC 3339 has it.
    pub(super) fn time(&self) -> Option<&str> {
        match self {
            Container::ElfCore(_) => None,
            Container::Minidump(minidump) => minidump.time.as_deref(),
        }
    }

    /// All ranges of memory, ascending, without overlaps, none empty.
    pub(super) fn segments(&self) -> &[Segment] {
        match self {
            Container::ElfCore(core) => &core.headers.segments,
            Container::Minidump(minidump) => &minidump.segments,
        }
    }

    /// Where files were mapped, ascending, without overlaps.
    pub(super) fn mappings(&self) -> &[Mapping] {
        match self {
            Container::ElfCore(core) => &core.mappings,
            Container::Minidump(minidump) => &minidump.mappings,
        }
    }

    /// The path of the file of a module, by its index in [`ProcessInfo::modules`], in the target's own bytes.
    pub(super) fn module_path(&self, index: usize) -> Option<&[u8]> {
        let paths = match self {
            Container::ElfCore(core) => &core.module_paths,
            Container::Minidump(minidump) => &minidump.module_paths,
        };
        paths.get(index).map(Vec::as_slice)
    }

    /// Whether the first module is known to be the main program.
    pub(super) fn main_known(&self) -> bool {
        match self {
            Container::ElfCore(core) => core.main_known,
            Container::Minidump(minidump) => minidump.main_known,
        }
    }

    /// The bytes of memory that had to be read to learn all this.
    pub(super) fn touched(&self) -> &Touched {
        match self {
            Container::ElfCore(core) => &core.touched,
            Container::Minidump(minidump) => &minidump.touched,
        }
    }

    /// The pages of `data` that a debugger needs for files, threads and native stacks, and the bytes that were read to
    /// learn which.
    pub(super) fn pages_for_debuggers(
        &self,
        process: &ProcessInfo,
        data: &[u8],
    ) -> (BTreeSet<Address>, Touched) {
        match self {
            Container::ElfCore(core) => elf_core::pages_for_debuggers(core, process, data),
            Container::Minidump(minidump) => minidump::pages_for_debuggers(minidump, process, data),
        }
    }

    /// Writes one of the same kind that holds only `pages` of `memory`.
    pub(super) fn write(
        &self,
        process: &ProcessInfo,
        data: &[u8],
        memory: &dyn Memory,
        pages: &[Address],
        redact: Option<Overwrite<'_>>,
        out: &mut dyn Write,
    ) -> io::Result<Written> {
        match self {
            Container::ElfCore(core) => elf_core::write(&core.headers, data, memory, pages, redact, out),
            Container::Minidump(_) => {
                minidump::write((process.machine, &process.modules), data, memory, pages, redact, out)
            }
        }
    }
}
