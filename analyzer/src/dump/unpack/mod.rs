//! Unpacking a compressed core into a temporary file, so that it can be mapped like any other.

mod codec;
mod input;
mod members;
#[cfg(test)]
mod tests;

pub use codec::Codec;

use super::error::OpenProblem;
use crate::memory::PAGE_SIZE;
use codec::MAGIC_SIZE;
use input::Input;
use members::Members;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// How much is unpacked at a time, in bytes.
const CHUNK: usize = 1 << 18;
/// The most that is unpacked unless the user says otherwise, in bytes.
const DEFAULT_LIMIT: u64 = 64 << 30;
/// How many compressions around each other are undone.
const MAX_LAYERS: usize = 4;

/// Says how far a long work came: its name, how many bytes are done, how many there are where that is known. It is over
/// when the name is empty.
pub type Progress = fn(&str, u64, Option<u64>);

/// An unpacked core.
pub(super) struct Unpacked {
    /// Its bytes, in a file without a name. What is zero takes no room.
    pub(super) file: File,
    /// Their number.
    pub(super) size: u64,
    /// How many bytes there were before they were unpacked.
    pub(super) packed_size: u64,
    /// Why it ends too early, if it does.
    pub(super) cut: Option<String>,
}

/// How a stream is to be unpacked.
#[derive(Clone, Copy, Default)]
pub(super) struct Rules {
    /// The most bytes that it may give.
    pub(super) limit: Option<u64>,
    /// How many bytes go in, where that is known.
    pub(super) packed_size: Option<u64>,
    /// Who is told how far it is.
    pub(super) progress: Option<Progress>,
}

/// Whether a file that begins so can be unpacked here.
pub(super) fn is_packed(start: &[u8]) -> bool {
    Codec::of(start).is_some() || codec::skippable_frame(start).is_some()
}

/// The first bytes of what unpacking `packed` would give, at most `size`; fewer where it ends or is damaged.
///
/// # Errors
/// When nothing can be unpacked.
pub(super) fn peek<'a>(packed: impl Read + 'a, size: usize) -> io::Result<Vec<u8>> {
    let mut unpacked = layers(Box::new(packed)).0;
    let start = unpacked.peek(size).to_vec();
    match unpacked.failure() {
        Some(error) if start.is_empty() => Err(error),
        _ => Ok(start),
    }
}

/// Unpacks `packed`, or copies it where it is not packed, into a file in a directory for temporary files.
pub(super) fn unpack<'a>(packed: impl Read + 'a, rules: Rules) -> Result<Unpacked, OpenProblem> {
    let mut file = temporary_file().map_err(OpenProblem::Temporary)?;
    let limit = rules.limit.unwrap_or(DEFAULT_LIMIT);
    let mut room = free_space(&file).unwrap_or(u64::MAX);
    let taken = std::rc::Rc::new(Cell::new(0));
    let counted = Counted { inner: packed, taken: taken.clone() };
    let (mut unpacked, outermost) = layers(Box::new(counted));
    let mut buffer = vec![0; CHUNK];
    let mut size = 0u64;
    let cut = loop {
        let (filled, outcome) = fill(&mut unpacked, &mut buffer);
        let chunk = buffer.get(..filled).unwrap_or_default();
        size += filled as u64;
        if size > limit {
            return Err(OpenProblem::UnpacksTooLarge { limit });
        }
        let written = write_sparse(&mut file, chunk).map_err(OpenProblem::Temporary)?;
        room = room
            .checked_sub(written)
            .ok_or_else(|| OpenProblem::Temporary(io::ErrorKind::StorageFull.into()))?;
        if let Some(progress) = rules.progress {
            progress("unpacking", taken.get(), rules.packed_size);
        }
        match (outcome, outermost) {
            (Err(error), Some(codec)) if size == 0 => return Err(OpenProblem::Unpack { codec, error }),
            (Err(error), Some(codec)) => {
                break Some(format!(
                    "the dump was packed with {} and is damaged or cut off after {size} bytes: {error}",
                    codec.name()
                ));
            }
            (Err(error), None) => return Err(OpenProblem::Unreadable(error)),
            (Ok(()), _) if filled < buffer.len() => break None,
            (Ok(()), _) => {}
        }
    };
    if let Some(progress) = rules.progress {
        progress("", 0, None);
    }
    file.set_len(size).map_err(OpenProblem::Temporary)?;
    Ok(Unpacked { file, size, packed_size: taken.get(), cut })
}

/// A stream with all compressions undone, and the outermost of them.
fn layers<'a>(packed: Box<dyn Read + 'a>) -> (Input<Box<dyn Read + 'a>>, Option<Codec>) {
    let mut input = Input::new(packed);
    let mut outermost = None;
    for _ in 0..MAX_LAYERS {
        let start = input.peek(MAGIC_SIZE);
        let Some(codec) = Codec::of(start).or(codec::skippable_frame(start).map(|_| Codec::Zstd)) else {
            break;
        };
        outermost.get_or_insert(codec);
        input = Input::new(Box::new(Members::new(codec, input)));
    }
    (input, outermost)
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    taken: std::rc::Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.taken.set(self.taken.get() + count as u64);
        Ok(count)
    }
}

/// A file without a name: in `$TMPDIR`, else where large temporary files belong, as `/tmp` is often kept in memory.
fn temporary_file() -> io::Result<File> {
    const LARGE: &str = "/var/tmp";
    if std::env::var_os("TMPDIR").is_none()
        && let Ok(file) = tempfile::tempfile_in(Path::new(LARGE))
    {
        return Ok(file);
    }
    tempfile::tempfile()
}

/// Reads until the buffer is full or the stream ends; tells how far it came even if there was an error.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> (usize, io::Result<()>) {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Err(error)),
        }
    }
    (filled, Ok(()))
}

/// Writes a chunk at the end of a file, leaving holes for pages of zeros; gives how many bytes take room.
fn write_sparse(file: &mut File, chunk: &[u8]) -> io::Result<u64> {
    const PAGE: usize = PAGE_SIZE as usize;
    const ZEROS: [u8; PAGE] = [0; PAGE];
    let is_zero = |page: &[u8]| ZEROS.starts_with(page);
    let pages = chunk.chunks(PAGE).collect::<Vec<_>>();
    let mut written = 0;
    let mut at = 0;
    for run in pages.chunk_by(|one, next| is_zero(one) == is_zero(next)) {
        let size = run.iter().map(|page| page.len()).sum::<usize>();
        if run.first().is_some_and(|page| is_zero(page)) {
            file.seek(SeekFrom::Current(size as i64))?;
        } else {
            file.write_all(chunk.get(at..at + size).unwrap_or_default())?;
            written += size as u64;
        }
        at += size;
    }
    Ok(written)
}

/// How many bytes may be written to the file system that holds `file`.
fn free_space(file: &File) -> Option<u64> {
    let status = rustix::fs::fstatvfs(file).ok()?;
    status.f_bavail.checked_mul(status.f_frsize)
}
