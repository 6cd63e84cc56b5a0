//! Unpacking a compressed core into a temporary file, so that it can be mapped like any other.

use super::error::OpenProblem;
use crate::memory::PAGE_SIZE;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// How a file that zstd packed begins (RFC 8878).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How much is unpacked at a time, in bytes.
const CHUNK: usize = 1 << 18;
/// The most that is unpacked unless the user says otherwise, in bytes.
const DEFAULT_LIMIT: u64 = 64 << 30;

/// An unpacked core.
pub(super) struct Unpacked {
    /// Its bytes, in a file without a name. What is zero takes no room.
    pub(super) file: File,
    /// Why it ends too early, if it does.
    pub(super) cut: Option<String>,
}

/// Whether a file that begins so can be unpacked here.
pub(super) fn is_packed(start: &[u8]) -> bool {
    start.starts_with(&ZSTD_MAGIC)
}

/// Unpacks `packed`, to no more than `limit` bytes, into a file in the directory for temporary files.
pub(super) fn unpack(packed: &File, limit: Option<u64>) -> Result<Unpacked, OpenProblem> {
    let mut file = tempfile::tempfile().map_err(OpenProblem::Unpack)?;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    let mut room = free_space(&file).unwrap_or(u64::MAX);
    let mut decoder = zstd::stream::read::Decoder::new(packed).map_err(OpenProblem::Unpack)?;
    let mut buffer = vec![0; CHUNK];
    let mut size = 0u64;
    let cut = loop {
        let (filled, outcome) = fill(&mut decoder, &mut buffer);
        let chunk = buffer.get(..filled).unwrap_or_default();
        size += filled as u64;
        if size > limit {
            return Err(OpenProblem::UnpacksTooLarge { limit });
        }
        let written = write_sparse(&mut file, chunk).map_err(OpenProblem::Unpack)?;
        room = room
            .checked_sub(written)
            .ok_or_else(|| OpenProblem::Unpack(io::ErrorKind::StorageFull.into()))?;
        match outcome {
            Err(error) if size == 0 => return Err(OpenProblem::Unpack(error)),
            Err(error) => {
                break Some(format!("the compressed dump is damaged or cut off after {size} bytes: {error}"));
            }
            Ok(()) if filled < buffer.len() => break None,
            Ok(()) => {}
        }
    };
    file.set_len(size).map_err(OpenProblem::Unpack)?;
    Ok(Unpacked { file, cut })
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
    let is_zero = |page: &[u8]| page.iter().all(|&byte| byte == 0);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn packed(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn contents(mut file: File) -> Vec<u8> {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn sample() -> Vec<u8> {
        let mut bytes = vec![0; 3 << 20];
        for (index, byte) in bytes.iter_mut().enumerate().filter(|(index, _)| index % (1 << 19) < 5000) {
            *byte = ((index * 2_654_435_761) >> 7) as u8 | 1;
        }
        bytes.extend([9; 77]);
        bytes
    }

    #[test]
    fn zeros_take_no_room() {
        let bytes = sample();
        let unpacked = unpack(&packed(&zstd::encode_all(&*bytes, 1).unwrap()), None).unwrap();
        assert!(unpacked.cut.is_none());
        assert!(unpacked.file.metadata().unwrap().blocks() * 512 < 1 << 18);
        assert_eq!(contents(unpacked.file), bytes);
    }

    #[test]
    fn frames_behind_each_other_are_one_file() {
        let both =
            [zstd::encode_all(&b"one"[..], 1).unwrap(), zstd::encode_all(&b"two"[..], 1).unwrap()].concat();
        assert_eq!(contents(unpack(&packed(&both), None).unwrap().file), b"onetwo");
    }

    #[test]
    fn a_cut_or_damaged_stream_gives_what_it_has() {
        let bytes = sample();
        let whole = zstd::encode_all(&*bytes, 1).unwrap();
        let unpacked = unpack(&packed(&whole[..whole.len() / 2]), None).unwrap();
        assert!(unpacked.cut.unwrap().contains("cut off"));
        let got = contents(unpacked.file);
        assert!(got.len() > 4096 && bytes.starts_with(&got));
        assert!(matches!(unpack(&packed(&whole[..5]), None), Err(OpenProblem::Unpack(_))));
    }

    #[test]
    fn no_more_than_the_limit_is_unpacked() {
        let whole = zstd::encode_all(&vec![0; 10 << 20][..], 1).unwrap();
        assert!(matches!(
            unpack(&packed(&whole), Some((10 << 20) - 1)),
            Err(OpenProblem::UnpacksTooLarge { limit: 10_485_759 })
        ));
        assert!(unpack(&packed(&whole), Some(10 << 20)).is_ok());
    }
}
