//! The address space of a dump: its own bytes, and those of mapped files where it left pages out.

use super::module_file::ModuleFile;
use super::segment::Segment;
use crate::addr::Address;
use crate::memory::{Backing, Fault, FaultCause, LazyBytes, Range, Region, Regions};
use crate::process::Module;

/// A range of addresses where a part of a file was mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// The first virtual address.
    pub(super) start: u64,
    /// The first virtual address behind it.
    pub(super) end: u64,
    /// Where the mapping begins in the file, in bytes.
    pub(super) file_offset: u64,
    /// The distance from where its module begins in memory, in bytes; 0 without a module.
    pub(super) distance: u64,
    /// The module it belongs to, as an index; none for a file that is not ELF.
    pub(super) module: Option<usize>,
}

/// Lays out an address space: `segments` with their bytes in `data`, and where they have none, `mappings`, whose files
/// `file` finds by the module's index when they are first read.
///
/// Pages that a process never wrote to are the same as the file's, and the kernel leaves them out of a core. A page
/// that it did write to is dumped, unless it was told to leave those out as well (`coredump_filter`). So a file's
/// bytes stand in only where neither the process nor the loader could write: what a writable page held is not known.
/// The same holds for images of Windows, of which minidumps leave out what was not asked for; their files say themselves
/// what can be written to.
pub(super) fn lay_out<'a, F>(
    segments: &[Segment],
    mappings: &[Mapping],
    modules: &[Module],
    data: &'a [u8],
    file: F,
) -> Regions<'a>
where
    F: Fn(usize) -> &'a ModuleFile + Copy + 'a,
{
    let mut layout = Layout { mappings, modules, file, regions: Vec::new() };
    let mut end = 0;
    for segment in segments {
        layout.fill(end, segment.start, None);
        let bytes = segment.bytes(data);
        let held_end = segment.start + bytes.len() as u64;
        let promised_end = segment.start + segment.file_size;
        layout.add(segment.start, held_end, Some(segment), Backing::Bytes(bytes, FaultCause::NotDumped));
        layout.fill(held_end, promised_end, Some((segment, FaultCause::Truncated)));
        layout.fill(promised_end, segment.end(), Some((segment, FaultCause::NotDumped)));
        end = segment.end();
    }
    layout.fill(end, u64::MAX, None);
    Regions::new(layout.regions)
}

struct Layout<'a, 'm, F> {
    mappings: &'m [Mapping],
    modules: &'m [Module],
    file: F,
    regions: Vec<Region<'a>>,
}

impl<'a, F: Fn(usize) -> &'a ModuleFile + Copy + 'a> Layout<'a, '_, F> {
    /// Fills addresses for which the dump has no bytes: those of `missing`, a segment and why it lacks them, or those
    /// between the segments.
    fn fill(&mut self, start: u64, end: u64, missing: Option<(&Segment, FaultCause)>) {
        let segment = missing.map(|(segment, _)| segment);
        let mappings = self.mappings;
        let first = mappings.partition_point(|mapping| mapping.end <= start);
        let mut at = start;
        for mapping in mappings.iter().skip(first).take_while(|mapping| mapping.start < end) {
            let (mapped_start, mapped_end) = (mapping.start.max(at), mapping.end.min(end));
            if let Some((segment, cause)) = missing {
                self.add(at, mapped_start, Some(segment), Backing::Absent(cause));
            }
            let cause = missing.map_or(FaultCause::NotDumped, |(_, cause)| cause);
            let backing = match mapping.module {
                Some(module) if segment.is_none_or(|segment| !segment.writable) => {
                    let offset = mapping.file_offset.saturating_add(mapped_start - mapping.start);
                    let distance = mapping.distance.saturating_add(mapped_start - mapping.start);
                    self.file_backing(module, distance, offset, mapped_end - mapped_start, cause)
                }
                _ => Backing::Absent(cause),
            };
            self.add(mapped_start, mapped_end, segment, backing);
            at = mapped_end;
        }
        if let Some((segment, cause)) = missing {
            self.add(at, end, Some(segment), Backing::Absent(cause));
        }
    }

    /// `size` bytes from `offset` of a module's file, mapped `distance` bytes behind its base; missing for `cause`
    /// where the process may have changed them.
    fn file_backing(
        &self,
        module: usize,
        distance: u64,
        offset: u64,
        size: u64,
        cause: FaultCause,
    ) -> Backing<'a> {
        let file = self.file;
        if self.modules.get(module).is_some_and(Module::is_pe) {
            return Backing::Elsewhere(Box::new(move |at, buffer| {
                let missing = |cause| Fault { at, cause };
                match file(module) {
                    ModuleFile::Found(found) => found.read_loaded(at, buffer).unwrap_or(Err(missing(cause))),
                    ModuleFile::NotFound { .. } => Err(missing(FaultCause::FileMissing)),
                }
            }));
        }
        Backing::Lazy(LazyBytes::new(move || match file(module) {
            ModuleFile::Found(found) => found.unchanging_bytes(distance, offset, size).ok_or(cause),
            ModuleFile::NotFound { .. } => Err(FaultCause::FileMissing),
        }))
    }

    fn add(&mut self, start: u64, end: u64, segment: Option<&Segment>, backing: Backing<'a>) {
        if start < end {
            let range = Range {
                start: Address(start),
                size: end - start,
                writable: segment.is_some_and(|segment| segment.writable),
                executable: segment.is_some_and(|segment| segment.executable),
            };
            self.regions.push(Region { range, backing });
        }
    }
}
