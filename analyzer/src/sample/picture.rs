//! Memory of a running process, copied by as few system calls as can be.

use crate::addr::Address;
use crate::live::Remote;
use crate::memory::{Fault, FaultCause, Memory, Range};
use nix::errno::Errno;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

/// What is copied at once, in bytes: a frame, most of a thread state. Never more than a page.
const LINE: usize = 256;
/// For how many pictures a line is copied that nobody looked at. To copy one in vain costs some 25th of what it costs to
/// fetch one that was missed.
const KEPT: u32 = 24;
/// For how many pictures lines are known of a thread that was not looked at.
const RESTED: u32 = 2000;
/// The most lines that are fetched at once when they are missed.
const MAX_FETCHED: u64 = 4096;

/// A picture of the parts of memory that are looked at. What the last pictures were asked for is copied in one go when
/// the next one is taken, without what only belongs to threads that will not be looked at; what it is asked for beyond
/// that, when it is asked.
pub(super) struct Picture {
    remote: Rc<Remote>,
    lines: RefCell<Lines>,
    /// The thread state of the thread that is being looked at.
    owner: Cell<Address>,
    /// Whether what is being looked at changes at any moment.
    brief: Cell<bool>,
    /// The number of the last line found, and its slot.
    last: Cell<(u64, usize)>,
}

#[derive(Default)]
struct Lines {
    /// Slots by the line's number: its address divided by its size.
    by_number: HashMap<u64, usize, BuildHasherDefault<NumberHasher>>,
    slots: Vec<Slot>,
    /// What was left out.
    resting: Vec<Slot>,
    /// What lies in the slots, one behind the other.
    bytes: Vec<u8>,
    /// A second copy of the first slots, taken right behind the first one: of those that are brief, then of the others.
    twin: Vec<u8>,
    /// How many of the slots in `twin` are not brief. They come first in `bytes`.
    lasting: usize,
    /// Whether anything was missed since the last one.
    missed: bool,
}

#[derive(Clone, Copy)]
struct Slot {
    number: u64,
    /// The only thread for which it was looked at; null for several or none.
    owner: Address,
    /// In how many pictures nobody looked at it.
    idle: u32,
    /// How many pictures it was left out of.
    rested: u32,
    readable: bool,
    /// Whether what lies there changes at any moment, as threads call and return.
    brief: bool,
}

impl Picture {
    /// Of nothing yet.
    pub(super) fn new(remote: Rc<Remote>) -> Self {
        Picture {
            remote,
            lines: RefCell::default(),
            owner: Cell::new(Address::NULL),
            brief: Cell::new(false),
            last: Cell::new((u64::MAX, 0)),
        }
    }

    /// Says that what is looked at from now on is looked at for the thread with this thread state; null: for all.
    pub(super) fn set_owner(&self, owner: Address) {
        self.owner.set(owner);
        self.last.set((u64::MAX, 0));
    }

    /// Says that what is looked at from now on changes at any moment.
    pub(super) fn set_brief(&self, brief: bool) {
        self.brief.set(brief);
        self.last.set((u64::MAX, 0));
    }

    /// Takes a new picture, with what belongs to threads that are `wanted`; with `twin`, right behind it a second one of
    /// the same places.
    ///
    /// What is brief is copied last, and first the second time. So hardly any time lies between its two copies, and all
    /// the rest is copied both before and after it: what is the same in both pictures was so at one moment, and hardly
    /// anything that runs only shortly is missed for it.
    ///
    /// # Errors
    /// The process has ended.
    pub(super) fn retake(&self, wanted: impl Fn(Address) -> bool, twin: bool) -> Result<(), Errno> {
        let lines = &mut *self.lines.borrow_mut();
        self.set_owner(Address::NULL);
        lines.missed = false;
        lines.slots.iter_mut().for_each(|slot| slot.idle += 1);
        lines.resting.iter_mut().for_each(|slot| slot.rested += 1);
        lines.slots.append(&mut lines.resting);
        lines.slots.retain(|slot| slot.readable && slot.idle <= KEPT && slot.rested <= RESTED);
        lines.slots.sort_unstable_by_key(|slot| slot.number);
        lines.slots.dedup_by(|again, slot| {
            let same = again.number == slot.number;
            if same {
                slot.owner = if slot.owner == again.owner { slot.owner } else { Address::NULL };
                slot.idle = slot.idle.min(again.idle);
                slot.brief |= again.brief;
            }
            same
        });
        let resting = lines.slots.extract_if(.., |slot| !slot.owner.is_null() && !wanted(slot.owner));
        lines.resting = resting.collect();
        lines.slots.iter_mut().for_each(|slot| slot.rested = 0);
        lines.slots.sort_by_key(|slot| slot.brief);
        lines.lasting = lines.slots.partition_point(|slot| !slot.brief);
        let (lasting, brief) = lines.slots.split_at(lines.lasting);
        let (lasting, brief) = (pieces(lasting), pieces(brief));
        let size = lines.slots.len() * LINE;
        lines.bytes.resize(size, 0);
        lines.twin.resize(if twin { size } else { 0 }, 0);
        let there = [&lasting[..], &brief].concat();
        let back = if twin { [brief, lasting].concat() } else { Vec::new() };
        let mut unreadable = self.copy(&there, &mut lines.bytes)?;
        let of_twin = self.copy(&back, &mut lines.twin)?;
        unreadable.extend(of_twin.into_iter().map(|place| lines.slot_of_twin(place)));
        for slot in unreadable {
            if let Some(slot) = lines.slots.get_mut(slot) {
                slot.readable = false;
            }
        }
        let readable = lines.slots.iter().enumerate().filter(|(_, slot)| slot.readable);
        lines.by_number = readable.map(|(index, slot)| (slot.number, index)).collect();
        Ok(())
    }

    /// Whether everything that was asked for since the picture was taken was in it from the start.
    pub(super) fn is_whole(&self) -> bool {
        !self.lines.borrow().missed
    }

    /// The second picture.
    pub(super) fn twin(&self) -> Twin<'_> {
        Twin(self)
    }

    /// Fills `bytes` with all `pieces`; returns the slots that cannot be read.
    fn copy(&self, pieces: &[(Address, usize)], bytes: &mut [u8]) -> Result<Vec<usize>, Errno> {
        let mut unreadable = Vec::new();
        let mut done = self.remote.gather(pieces, bytes)?;
        while done < bytes.len() {
            // Behind the line that cannot be read it goes on.
            unreadable.push(done / LINE);
            done = (done / LINE + 1) * LINE;
            let mut start = 0;
            let rest = pieces.iter().filter_map(|&(at, size)| {
                let skipped = done.saturating_sub(start).min(size);
                start += size;
                (skipped < size).then(|| (at.add(skipped as u64), size - skipped))
            });
            let rest: Vec<_> = rest.collect();
            done += self.remote.gather(&rest, bytes.get_mut(done..).unwrap_or_default())?;
        }
        Ok(unreadable)
    }

    /// The slot of the line `number`, fetched with those up to `last` that are missing, too.
    fn slot(&self, number: u64, last: u64) -> Option<usize> {
        let (known, slot) = self.last.get();
        if known == number {
            return Some(slot);
        }
        let lines = &mut *self.lines.borrow_mut();
        let slot = match lines.by_number.get(&number) {
            Some(&slot) => slot,
            None => self.fetch(lines, number, last)?,
        };
        let touched = lines.slots.get_mut(slot)?;
        touched.idle = 0;
        touched.brief |= self.brief.get();
        if touched.owner != self.owner.get() {
            touched.owner = Address::NULL;
        }
        self.last.set((number, slot));
        Some(slot)
    }

    fn fetch(&self, lines: &mut Lines, number: u64, last: u64) -> Option<usize> {
        lines.missed = true;
        let last = last.min(number.saturating_add(MAX_FETCHED - 1));
        let wanted = (number..=last).take_while(|number| !lines.by_number.contains_key(number)).count();
        let first = lines.slots.len();
        let start = first * LINE;
        lines.bytes.resize(start + wanted * LINE, 0);
        let piece = (Address(number.wrapping_mul(LINE as u64)), wanted * LINE);
        let read = self.remote.gather(&[piece], lines.bytes.get_mut(start..)?).unwrap_or(0);
        let whole = read / LINE;
        lines.bytes.truncate(start + whole * LINE);
        for number in (number..).take(whole) {
            lines.push(number, self.owner.get());
        }
        (whole > 0).then_some(first)
    }

    /// Fetches what is missing of `places` by one system call, if all of it can be read.
    fn fetch_all(&self, places: &[(Address, usize)]) {
        let lines = &mut *self.lines.borrow_mut();
        let numbers = places.iter().flat_map(|&(at, size)| {
            let last = at.add((size as u64).saturating_sub(1)).0 / LINE as u64;
            (at.0 / LINE as u64..=last).take(MAX_FETCHED as usize)
        });
        let mut missing: Vec<u64> = numbers.filter(|number| !lines.by_number.contains_key(number)).collect();
        missing.dedup();
        // One alone is fetched when it is read.
        if missing.len() < 2 || missing.len() > MAX_FETCHED as usize {
            return;
        }
        let pieces: Vec<_> =
            missing.iter().map(|number| (Address(number.wrapping_mul(LINE as u64)), LINE)).collect();
        let start = lines.slots.len() * LINE;
        lines.bytes.resize(start + missing.len() * LINE, 0);
        let read = lines.bytes.get_mut(start..).map(|to| self.remote.gather(&pieces, to).unwrap_or(0));
        lines.missed = true;
        let whole = read.unwrap_or(0) / LINE;
        lines.bytes.truncate(start + whole * LINE);
        for &number in missing.iter().take(whole) {
            lines.push(number, self.owner.get());
        }
    }

    /// Reads through the lines, whose bytes `copy` gives.
    fn read_lines(
        &self,
        at: Address,
        buffer: &mut [u8],
        copy: impl Fn(&Lines, usize, usize, &mut [u8]) -> Option<()>,
    ) -> Result<(), Fault> {
        let mut done = 0;
        let fault = |at| Fault { at, cause: FaultCause::NotMapped };
        let last = at.add((buffer.len() as u64).saturating_sub(1));
        // Nothing of a program is mapped at the very end of the address space.
        if last < at {
            return Err(fault(at));
        }
        while done < buffer.len() {
            let here = at.add(done as u64);
            let (number, within) = (here.0 / LINE as u64, (here.0 % LINE as u64) as usize);
            let size = (LINE - within).min(buffer.len() - done);
            let slot = self.slot(number, last.0 / LINE as u64).ok_or_else(|| fault(here))?;
            let part = buffer.get_mut(done..done + size).unwrap_or_default();
            copy(&self.lines.borrow(), slot, within, part).ok_or_else(|| fault(here))?;
            done += size;
        }
        Ok(())
    }
}

impl Lines {
    fn push(&mut self, number: u64, owner: Address) {
        self.by_number.insert(number, self.slots.len());
        self.slots.push(Slot { number, owner, idle: 0, rested: 0, readable: true, brief: false });
    }

    /// The slot that is copied to a place in `twin`.
    fn slot_of_twin(&self, place: usize) -> usize {
        let brief = (self.twin.len() / LINE).saturating_sub(self.lasting);
        if place < brief { place + self.lasting } else { place - brief }
    }

    /// The place in `twin` that a slot is copied to; `None` for slots that came later.
    fn place_in_twin(&self, slot: usize) -> Option<usize> {
        let all = self.twin.len() / LINE;
        match slot {
            _ if slot < self.lasting => Some(slot + all.saturating_sub(self.lasting)),
            _ if slot < all => Some(slot - self.lasting),
            _ => None,
        }
    }
}

/// Lines side by side are one piece.
fn pieces(slots: &[Slot]) -> Vec<(Address, usize)> {
    let mut pieces: Vec<(Address, usize)> = Vec::new();
    for slot in slots {
        let at = Address(slot.number * LINE as u64);
        match pieces.last_mut() {
            Some((start, size)) if start.add(*size as u64) == at => *size += LINE,
            _ => pieces.push((at, LINE)),
        }
    }
    pieces
}

fn copy_from(bytes: &[u8], start: usize, to: &mut [u8]) -> Option<()> {
    to.copy_from_slice(bytes.get(start..start + to.len())?);
    Some(())
}

impl Memory for Picture {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        self.read_lines(at, buffer, |lines, slot, within, to| {
            copy_from(&lines.bytes, slot * LINE + within, to)
        })
    }

    fn expect(&self, places: &[(Address, usize)]) {
        self.fetch_all(places);
    }

    /// The lines at hand, as what they lie in is not asked for.
    fn ranges(&self) -> Vec<Range> {
        let range = |(start, size): (Address, usize)| Range {
            start,
            size: size as u64,
            writable: true,
            executable: false,
        };
        let mut slots = self.lines.borrow().slots.clone();
        slots.sort_unstable_by_key(|slot| slot.number);
        pieces(&slots).into_iter().map(range).collect()
    }
}

/// The second picture of a [`Picture`]: of what the first one had from the start, as it was right behind.
pub(super) struct Twin<'p>(&'p Picture);

impl Memory for Twin<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        self.0.read_lines(at, buffer, |lines, slot, within, to| {
            copy_from(&lines.twin, lines.place_in_twin(slot)? * LINE + within, to)
        })
    }

    fn ranges(&self) -> Vec<Range> {
        self.0.ranges()
    }
}

/// Spreads numbers that mostly differ in their low bits.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of this process itself.
    fn picture() -> Picture {
        Picture::new(Rc::new(Remote::new(std::process::id())))
    }

    fn address(bytes: &[u8]) -> Address {
        Address(bytes.as_ptr() as u64)
    }

    #[test]
    fn what_was_looked_at_is_in_the_next_picture() {
        let data: Vec<u8> = (0..3000u32).map(|number| number as u8).collect();
        let picture = picture();
        let memory: &dyn Memory = &picture;
        picture.retake(|_| true, false).unwrap();
        assert_eq!(memory.bytes(address(&data).add(100), 1500).unwrap(), data[100..1600]);
        assert!(!picture.is_whole());
        picture.retake(|_| true, true).unwrap();
        assert_eq!(memory.bytes(address(&data).add(300), 1000).unwrap(), data[300..1300]);
        let twin = picture.twin();
        let twin: &dyn Memory = &twin;
        assert_eq!(twin.bytes(address(&data).add(100), 1500).unwrap(), data[100..1600]);
        assert!(picture.is_whole());
        assert!(twin.u8(address(&data).add(2900)).is_err(), "it is not in the picture");
        assert!(!picture.is_whole());
        for _ in 0..=KEPT {
            picture.retake(|_| true, false).unwrap();
        }
        assert_eq!(picture.ranges(), [], "nobody looked");
    }

    #[test]
    fn what_is_brief_is_copied_last_and_then_first() {
        let data: Vec<u8> = (0..8 * LINE).map(|at| (at / LINE) as u8 + 1).collect();
        let picture = picture();
        let memory: &dyn Memory = &picture;
        let line = |number: usize| Address((address(&data).0 / LINE as u64 + number as u64) * LINE as u64);
        let at = |number: usize| line(number).max(address(&data));
        let look =
            |memory: &dyn Memory| (0..6).map(|number| memory.u8(at(number)).unwrap()).collect::<Vec<_>>();
        picture.retake(|_| true, false).unwrap();
        let expected = look(memory);
        picture.set_brief(true);
        assert_eq!((memory.u8(at(1)).unwrap(), memory.u8(at(4)).unwrap()), (expected[1], expected[4]));
        picture.set_brief(false);
        picture.retake(|_| true, true).unwrap();
        {
            let lines = picture.lines.borrow();
            let numbers = |slots: &[Slot]| slots.iter().map(|slot| slot.number).collect::<Vec<_>>();
            let (lasting, brief) = lines.slots.split_at(lines.lasting);
            let number = |at: usize| line(at).0 / LINE as u64;
            assert_eq!(numbers(lasting), [0, 2, 3, 5].map(number));
            assert_eq!(numbers(brief), [1, 4].map(number));
            let places: Vec<_> = (0..7).map(|slot| lines.place_in_twin(slot)).collect();
            assert_eq!(places, [Some(2), Some(3), Some(4), Some(5), Some(0), Some(1), None]);
            assert!((0..6).all(|slot| lines.slot_of_twin(places[slot].unwrap()) == slot));
        }
        assert_eq!((look(memory), look(&picture.twin())), (expected.clone(), expected));
        assert!(picture.is_whole());
    }

    #[test]
    fn what_belongs_to_threads_that_are_not_wanted_rests() {
        let data = vec![7u8; 8 * LINE];
        let picture = picture();
        let memory: &dyn Memory = &picture;
        let (one, other) = (Address(0x1000), Address(0x2000));
        let line = |number: usize| address(&data).add((number * LINE) as u64);
        let places = |numbers: &[usize]| numbers.iter().map(|&number| (line(number), 1)).collect::<Vec<_>>();
        picture.retake(|_| true, false).unwrap();
        picture.set_owner(one);
        memory.expect(&places(&[1, 2, 3]));
        assert_eq!(memory.u8(line(3)), Ok(7));
        picture.set_owner(other);
        assert_eq!((memory.u8(line(3)), memory.u8(line(5))), (Ok(7), Ok(7)));
        let lines = || picture.ranges().iter().map(|range| range.size as usize / LINE).sum::<usize>();
        picture.retake(|owner| owner == one, false).unwrap();
        assert_eq!(lines(), 3, "1, 2 and what both looked at");
        assert_eq!(memory.u8(line(5)), Ok(7));
        assert!(!picture.is_whole());
        picture.retake(|_| true, false).unwrap();
        assert_eq!(lines(), 4);
    }

    #[test]
    fn a_hole_costs_its_own_lines_only() {
        let data = vec![7u8; 3 * LINE];
        let picture = picture();
        let memory: &dyn Memory = &picture;
        assert!(memory.u64(Address(64)).is_err());
        assert!(memory.u64(Address(u64::MAX - 3)).is_err());
        {
            let mut lines = picture.lines.borrow_mut();
            for number in [0, 1, address(&data).0 / LINE as u64 + 1, u64::MAX / LINE as u64 / 3] {
                lines.push(number, Address::NULL);
            }
        }
        picture.retake(|_| true, true).unwrap();
        assert_eq!(memory.u8(address(&data).add(LINE as u64)), Ok(7));
        assert!(picture.is_whole());
        assert_eq!(picture.ranges().iter().map(|range| range.size).sum::<u64>(), 4 * LINE as u64);
        picture.retake(|_| true, false).unwrap();
        assert_eq!(picture.ranges().iter().map(|range| range.size).sum::<u64>(), LINE as u64);
    }
}
