//! Hiding secrets in the memory that a smaller core takes along.

use super::text::{self, Kind};
use super::{Content, Secrets};
use crate::addr::Address;
use crate::memory::{Fault, Memory, PAGE_SIZE, Range, Touched};
use aho_corasick::AhoCorasick;
use std::collections::{BTreeMap, BTreeSet};

/// What stands in memory for a unit of a secret.
const MASK: u8 = b'*';
/// How far behind its address an object of text may have its content, in bytes: the longest head of a `str` or `bytes`.
const LONGEST_HEAD: usize = 96;
/// The shortest run of text that is searched for secrets, in characters.
const SHORTEST_RUN: usize = 8;
/// How many contiguous bytes are searched at a time.
const CHUNK: usize = 16 << 20;

/// A memory some of whose pages are overwritten.
pub(crate) struct Overwritten<'a> {
    inner: &'a dyn Memory,
    /// By their first address, contiguous bytes.
    runs: BTreeMap<u64, Vec<u8>>,
}

impl Overwritten<'_> {
    fn run(&self, at: Address) -> Option<(u64, &Vec<u8>)> {
        let (start, run) = self.runs.range(..=at.0).next_back()?;
        (at.0 - start < run.len() as u64).then_some((*start, run))
    }
}

impl Memory for Overwritten<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        let mut at = at;
        let mut rest = buffer;
        while !rest.is_empty() {
            let Some((start, run)) = self.run(at) else {
                let until = self.runs.range(at.0..).next().map_or(u64::MAX, |(next, _)| next - at.0);
                let here = rest.len().min(usize::try_from(until).unwrap_or(usize::MAX));
                let (now, later) = rest.split_at_mut(here);
                self.inner.read(at, now)?;
                at = at.add(here as u64);
                rest = later;
                continue;
            };
            let found =
                usize::try_from(at.0 - start).ok().and_then(|offset| run.get(offset..)).unwrap_or_default();
            let here = rest.len().min(found.len());
            let (now, later) = rest.split_at_mut(here);
            now.copy_from_slice(found.get(..here).unwrap_or_default());
            at = at.add(here as u64);
            rest = later;
        }
        Ok(())
    }

    fn ranges(&self) -> Vec<Range> {
        self.inner.ranges()
    }
}

/// The same memory, but in `pages` nothing is left of `secrets`, nor of what is shaped like one, and outside of what
/// `is_kept` says only pointers are left of what was not `touched`: nobody knows what is in the rest.
pub(crate) fn redact_pages<'a>(
    memory: &'a dyn Memory,
    pages: &[Address],
    touched: &Touched,
    is_kept: impl Fn(Address) -> bool,
    secrets: &Secrets,
) -> Overwritten<'a> {
    let ranges = memory.ranges();
    let is_pointer = |word: u64| {
        let before = ranges.partition_point(|range| range.start.0 <= word).checked_sub(1);
        before.and_then(|index| ranges.get(index)).is_some_and(|range| range.contains(Address(word)))
    };
    let mut runs = BTreeMap::<u64, Vec<u8>>::new();
    for start in pages.iter().map(|page| page.0 - page.0 % PAGE_SIZE).collect::<BTreeSet<_>>() {
        for held in held_parts(memory, &ranges, start) {
            let mut page = vec![0; PAGE_SIZE as usize];
            let Some(part) = page.get_mut(held.clone()) else { continue };
            let at = start + held.start as u64;
            if memory.read(Address(at), part).is_err() {
                continue;
            }
            if !is_kept(Address(start)) {
                touched.clear_others(Address(start), &mut page, 0, is_pointer);
            }
            page.truncate(held.end);
            let mut part = page.split_off(held.start);
            match runs.range_mut(..at).next_back() {
                Some((first, run)) if first + run.len() as u64 == at && run.len() < CHUNK => {
                    run.append(&mut part)
                }
                _ => {
                    runs.insert(at, part);
                }
            }
        }
    }
    let searcher = encoded(secrets);
    for run in runs.values_mut() {
        hide(run, searcher.as_ref());
    }
    let mut hidden = Overwritten { inner: memory, runs };
    for (address, content) in &secrets.objects {
        hidden.hide_object(*address, content);
    }
    hidden
}

/// Which parts of the page at `start` can be read. Ranges of a minidump begin and end within pages.
fn held_parts(memory: &dyn Memory, ranges: &[Range], start: u64) -> Vec<std::ops::Range<usize>> {
    let end = start.saturating_add(PAGE_SIZE);
    let first = ranges.partition_point(|range| range.end().0 <= start);
    let within = ranges.iter().skip(first).take_while(|range| range.start.0 < end);
    let part = |range: &Range| {
        let from = range.start.0.max(start);
        let mut bytes = [0; PAGE_SIZE as usize];
        let wanted = usize::try_from(range.end().0.min(end) - from).ok()?;
        let size = match memory.read(Address(from), bytes.get_mut(..wanted)?) {
            Ok(()) => wanted,
            Err(fault) => usize::try_from(fault.at.0.saturating_sub(from)).ok()?.min(wanted),
        };
        let offset = usize::try_from(from - start).ok()?;
        (size > 0).then_some(offset..offset + size)
    };
    within.filter_map(part).collect()
}

/// Hides secrets in bytes that are no memory: the notes of a core.
pub(crate) fn redact_notes(bytes: &mut [u8], secrets: &Secrets) {
    hide(bytes, encoded(secrets).as_ref());
}

/// How wide the characters are that [`encoded`] finds, by the pattern's number in each needle.
const WIDTHS: [usize; 5] = [1, 1, 2, 4, 1];

/// Finds the secrets in all encodings that CPython and programs have, and in the text of reprs.
fn encoded(secrets: &Secrets) -> Option<AhoCorasick> {
    secrets.searcher(|needle| -> [Vec<u8>; WIDTHS.len()] {
        let [narrow, utf8, utf16, utf32] = needle.encoded();
        [narrow, utf8, utf16, utf32, needle.escaped.clone().into_bytes()]
    })
}

fn hide(bytes: &mut [u8], searcher: Option<&AhoCorasick>) {
    if let Some(searcher) = searcher {
        let found = searcher.find_iter(&*bytes).map(|found| (found.range(), found.pattern().as_usize()));
        for (range, pattern) in found.collect::<Vec<_>>() {
            let width = WIDTHS.get(pattern % WIDTHS.len()).copied().unwrap_or(1);
            mask(bytes.get_mut(range).unwrap_or_default(), width);
        }
    }
    for width in [1, 2, 4] {
        for phase in 0..width {
            hide_in_texts(bytes, width, phase);
        }
    }
}

/// Writes the mask over all characters of a text, which are `width` bytes wide.
fn mask(bytes: &mut [u8], width: usize) {
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = if index % width == 0 { MASK } else { 0 };
    }
}

/// Hides what looks secret in runs of ASCII characters that are each `width` bytes wide, the first at `phase`.
fn hide_in_texts(bytes: &mut [u8], width: usize, phase: usize) {
    let mut found = Vec::new();
    let mut text = String::new();
    let mut start = phase;
    let ends = std::iter::once(None);
    let units = bytes.get(phase..).unwrap_or_default().chunks_exact(width).map(Some).chain(ends).enumerate();
    for (index, unit) in units {
        let character = match unit {
            Some([low, high @ ..]) if high.iter().all(|&byte| byte == 0) => {
                Some(*low).filter(|low| matches!(low, b'\t' | b'\n' | b'\r' | b' '..=b'~'))
            }
            _ => None,
        };
        if let Some(character) = character {
            text.push(char::from(character));
            continue;
        }
        if text.len() >= SHORTEST_RUN {
            let secrets = text::secrets(&text, Kind::Plain).into_iter();
            found.extend(
                secrets.map(|secret| start + secret.range.start * width..start + secret.range.end * width),
            );
        }
        text.clear();
        start = phase + (index + 1) * width;
    }
    for range in found {
        mask(bytes.get_mut(range).unwrap_or_default(), width);
    }
}

/// How an `int` (digits of 30 bits; 2.7: a C long) or `float` has its value. None of small ones, which are shared.
fn number_forms(text: &str) -> Vec<Vec<u8>> {
    const SMALL: u128 = 1024;
    let digits = text.trim_start_matches('-');
    if let Some(value) = digits.parse::<u128>().ok().filter(|&value| value > SMALL) {
        let places = (128 - value.leading_zeros()).div_ceil(30);
        let in_digits =
            (0..places).flat_map(|place| ((value >> (30 * place)) as u32 & 0x3fff_ffff).to_le_bytes());
        let long = text.parse::<i64>().ok().map(|value| value.to_le_bytes().to_vec());
        return [in_digits.collect()].into_iter().chain(long).collect();
    }
    text.parse::<f64>()
        .ok()
        .filter(|value| value.fract() != 0.0)
        .map(|value| value.to_le_bytes().to_vec())
        .into_iter()
        .collect()
}

impl Overwritten<'_> {
    /// Hides the content of the object at `address`, within the object.
    fn hide_object(&mut self, address: Address, content: &Content) {
        let Some((start, _)) = self.run(address) else { return };
        let Some(run) = self.runs.get_mut(&start) else { return };
        let offset = usize::try_from(address.0 - start).unwrap_or(usize::MAX);
        match content {
            Content::Units(units) if !units.is_empty() => {
                for width in [1, 2, 4] {
                    let needle = units
                        .iter()
                        .flat_map(|unit| unit.to_le_bytes().into_iter().take(width))
                        .collect::<Vec<_>>();
                    let wide = units.iter().any(|&unit| width < 4 && unit >> (8 * width) != 0);
                    let end = run.len().min(offset + LONGEST_HEAD + needle.len());
                    let object = run.get_mut(offset..end).unwrap_or_default();
                    if wide {
                        continue;
                    }
                    if let Some(at) = object.windows(needle.len()).position(|window| window == needle) {
                        mask(object.get_mut(at..at + needle.len()).unwrap_or_default(), width);
                        return;
                    }
                }
            }
            Content::Units(_) => {}
            Content::Number(text) => {
                let end = run.len().min(offset + LONGEST_HEAD);
                let object = run.get_mut(offset..end).unwrap_or_default();
                for needle in number_forms(text) {
                    if let Some(at) = object.windows(needle.len()).position(|window| window == needle) {
                        object.get_mut(at..at + needle.len()).unwrap_or_default().fill(0);
                        return;
                    }
                }
            }
        }
    }
}
