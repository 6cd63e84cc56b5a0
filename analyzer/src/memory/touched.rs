//! Which bytes of memory were read.

use super::PAGE_SIZE;
use crate::addr::Address;
use std::collections::BTreeMap;

/// One bit for each byte of a page.
const WORDS: usize = PAGE_SIZE as usize / 64;

/// A set of bytes, by page.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// By the page's number.
    pages: BTreeMap<u64, Box<[u64; WORDS]>>,
}

impl Touched {
    /// Adds `size` bytes from `at` on.
    pub(super) fn add(&mut self, at: Address, size: usize) {
        let (mut at, mut left) = (at.0, size as u64);
        while left > 0 {
            let offset = at % PAGE_SIZE;
            let here = left.min(PAGE_SIZE - offset);
            let page = self.pages.entry(at / PAGE_SIZE).or_insert_with(|| Box::new([0; WORDS]));
            set(page.as_mut_slice(), offset, offset + here);
            left -= here;
            at = at.wrapping_add(here);
        }
    }

    /// Adds what is in `other`.
    pub fn join(&mut self, other: &Touched) {
        for (number, bits) in &other.pages {
            let page = self.pages.entry(*number).or_insert_with(|| Box::new([0; WORDS]));
            for (word, more) in page.iter_mut().zip(bits.iter()) {
                *word |= more;
            }
        }
    }

    /// The start addresses of all pages, ascending.
    pub fn pages(&self) -> Vec<Address> {
        self.pages.keys().map(|page| Address(page * PAGE_SIZE)).collect()
    }

    /// Writes `fill` over the bytes of the page at `start` that are not in the set, words that `stays` accepts aside.
    pub fn clear_others(&self, start: Address, page: &mut [u8], fill: u8, stays: impl Fn(u64) -> bool) {
        let bits = self.pages.get(&(start.0 / PAGE_SIZE));
        for (index, word) in page.chunks_mut(8).enumerate() {
            if word.first_chunk().is_some_and(|word| stays(u64::from_le_bytes(*word))) {
                continue;
            }
            let touched = bits.and_then(|bits| bits.get(index / 8)).copied().unwrap_or(0) >> (index % 8 * 8);
            for (bit, byte) in word.iter_mut().enumerate() {
                if touched >> bit & 1 == 0 {
                    *byte = fill;
                }
            }
        }
    }
}

/// Sets the bits from `from` up to `to`.
fn set(words: &mut [u64], from: u64, to: u64) {
    let mut at = from;
    while at < to {
        let end = to.min(at - at % 64 + 64);
        let ones = u64::MAX >> (64 - (end - at)) << (at % 64);
        if let Some(word) = words.get_mut((at / 64) as usize) {
            *word |= ones;
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_read_and_nothing_else() {
        let mut touched = Touched::default();
        touched.add(Address(PAGE_SIZE + 1), 3);
        touched.add(Address(PAGE_SIZE + 60), 70);
        touched.add(Address(3 * PAGE_SIZE - 2), 4);
        assert_eq!(touched.pages(), [1, 2, 3].map(|page| Address(page * PAGE_SIZE)));
        let mut page = vec![7; PAGE_SIZE as usize];
        touched.clear_others(Address(PAGE_SIZE), &mut page, 0, |_| false);
        let kept = page.iter().enumerate().filter(|(_, byte)| **byte == 7).map(|(at, _)| at);
        assert_eq!(kept.collect::<Vec<_>>(), (1..4).chain(60..130).collect::<Vec<_>>());
        let mut page = vec![7; PAGE_SIZE as usize];
        touched.clear_others(Address(3 * PAGE_SIZE), &mut page, 0, |_| false);
        assert_eq!(page.iter().filter(|byte| **byte == 7).count(), 2);
        page[8..16].copy_from_slice(&77u64.to_le_bytes());
        touched.clear_others(Address(9 * PAGE_SIZE), &mut page, 0, |word| word == 77);
        assert!(page.iter().enumerate().all(|(at, &byte)| byte == if at == 8 { 77 } else { 0 }));
    }

    #[test]
    fn a_union_has_the_bytes_of_both() {
        let (mut one, mut other) = (Touched::default(), Touched::default());
        one.add(Address(0), 1);
        other.add(Address(2), 1);
        other.add(Address(PAGE_SIZE), 1);
        one.join(&other);
        assert_eq!(one.pages().len(), 2);
        let mut page = vec![7; 4];
        one.clear_others(Address(0), &mut page, 0, |_| false);
        assert_eq!(page, [7, 0, 7, 0]);
    }
}
