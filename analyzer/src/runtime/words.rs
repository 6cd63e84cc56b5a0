//! Passing over memory word by word.

use crate::addr::Address;
use crate::memory::{Memory, Range};

/// How much is read at once, in bytes: less than a processor's cache, so that what was read is still there.
const CHUNK: usize = 1 << 18;
/// The words that are looked at together.
const BLOCK: usize = 64;

/// Numbers to look for.
pub(super) struct Wanted {
    /// Ascending.
    numbers: Vec<u64>,
    first: u64,
    span: u64,
}

impl Wanted {
    /// `None` where there is nothing to look for.
    pub(super) fn new(mut numbers: Vec<u64>) -> Option<Self> {
        numbers.sort_unstable();
        numbers.dedup();
        let (first, last) = (*numbers.first()?, *numbers.last()?);
        Some(Wanted { numbers, first, span: last - first })
    }

    /// Whether a number may be among them; most are not by their size alone.
    fn may_have(&self, word: u64) -> bool {
        word.wrapping_sub(self.first) <= self.span
    }
}

/// Finds the virtual addresses within `range` of aligned words whose value is wanted, at most `limit`. Where bytes are
/// missing, the rest of the range is passed over.
pub(super) fn find(
    memory: &dyn Memory,
    range: Range,
    wanted: &Wanted,
    limit: usize,
    found: &mut Vec<Address>,
) {
    let already = found.len();
    chunks(memory, range, |at, words| {
        find_in(words, at, wanted, found);
        found.len() < limit
    });
    for at in found.iter().skip(already) {
        let _ = memory.u64(*at);
    }
}

/// Hands the aligned words of a range to `take`, some thousand at a time with the address of the first, as long as it
/// wants more and bytes are there.
fn chunks(memory: &dyn Memory, range: Range, mut take: impl FnMut(Address, &[[u8; 8]]) -> bool) {
    let mut buffer = vec![0; CHUNK.min(usize::try_from(range.size).unwrap_or(CHUNK))];
    let mut done = range.start.0.next_multiple_of(8) - range.start.0;
    while done + 8 <= range.size {
        let at = range.start.add(done);
        let size = buffer.len().min(usize::try_from(range.size - done).unwrap_or(usize::MAX)) & !7;
        let Some(chunk) = buffer.get_mut(..size) else { return };
        let (held, faulted) = match memory.pass_over(at, chunk) {
            Ok(()) => (size, false),
            Err(fault) => {
                let held = (fault.at.0.wrapping_sub(at.0) as usize).min(size) & !7;
                let Some(chunk) = buffer.get_mut(..held) else { return };
                (if memory.pass_over(at, chunk).is_ok() { held } else { 0 }, true)
            }
        };
        let words = buffer.get(..held).unwrap_or_default().as_chunks::<8>().0;
        if !take(at, words) || faulted {
            return;
        }
        done += size as u64;
    }
}

/// The virtual addresses and values of aligned words within `range` that are addresses of words from `lowest` to
/// `highest`, by `take`. Where bytes are missing, the rest of the range is passed over.
pub(super) fn pointers(
    memory: &dyn Memory,
    range: Range,
    (lowest, highest): (Address, Address),
    mut take: impl FnMut(Address, Address),
) {
    chunks(memory, range, |at, words| {
        for (index, word) in words.iter().enumerate() {
            let value = Address(u64::from_le_bytes(*word));
            if lowest <= value && value < highest && value.0.is_multiple_of(8) {
                take(at.element(index as u64, 8), value);
            }
        }
        true
    });
}

fn find_in(words: &[[u8; 8]], start: Address, wanted: &Wanted, found: &mut Vec<Address>) {
    for (number, block) in words.chunks(BLOCK).enumerate() {
        // Without a branch for each word, this compiles to vector instructions.
        if !block.iter().fold(false, |any, word| any | wanted.may_have(u64::from_le_bytes(*word))) {
            continue;
        }
        for (index, word) in block.iter().enumerate() {
            if wanted.numbers.binary_search(&u64::from_le_bytes(*word)).is_ok() {
                found.push(start.element((number * BLOCK + index) as u64, 8));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Backing, FaultCause, Region, Regions};

    fn search(bytes: &[u8], size: u64, start: u64, numbers: Vec<u64>) -> Vec<u64> {
        let range = Range { start: Address(start), size, writable: true, executable: false };
        let region = Region { range, backing: Backing::Bytes(bytes, FaultCause::NotDumped) };
        let mut found = Vec::new();
        find(&Regions::new(vec![region]), range, &Wanted::new(numbers).unwrap(), 100, &mut found);
        found.into_iter().map(|at| at.0 - start).collect()
    }

    #[test]
    fn finds_aligned_words_across_chunks() {
        let mut bytes = vec![0; 2 * CHUNK + 24];
        for (at, value) in [(0, 7u64), (CHUNK - 8, 9), (CHUNK, 7), (CHUNK + 12, 7), (2 * CHUNK + 16, 9)] {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        let size = bytes.len() as u64;
        let expected = [0, CHUNK as u64 - 8, CHUNK as u64, 2 * CHUNK as u64 + 16];
        assert_eq!(search(&bytes, size, 0x1000, vec![9, 7]), expected);
        assert_eq!(search(&bytes, size, 0x1000, vec![8]), [0; 0]);
    }

    #[test]
    fn missing_bytes_end_a_range() {
        let bytes = [7u64.to_le_bytes(), 7u64.to_le_bytes()].concat();
        assert_eq!(search(&bytes, 4096, 0x1000, vec![7]), [0, 8]);
        assert_eq!(search(&bytes[..12], 4096, 0x1000, vec![7]), [0]);
        assert_eq!(search(&bytes, 16, 0x1004, vec![7]), [0; 0]);
    }
}
