//! Code objects that are kept from one look at a process to the next.

use super::code::{Code, read_code};
use crate::addr::Address;
use crate::memory::{Fault, Memory, Range};
use crate::object::{Inspector, Unreadable};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The most code objects that are kept; a program that makes more forgets all of them and begins again.
const MAX_KEPT: usize = 1 << 16;

/// Code objects by address, each with all bytes that it was read from.
///
/// What is read is a function of the bytes read. So a code object is given again only if all of them are the same as
/// before: one that was freed and whose memory has another one now is read anew, even if all pointers in it are the
/// same and only the letters of its name, far from it, are not. One of which a part was missing is read again.
#[derive(Debug, Default)]
pub(crate) struct KeptCodes {
    by_address: RefCell<HashMap<Address, Kept>>,
}

#[derive(Debug)]
struct Kept {
    code: Rc<Code>,
    read: Vec<(Address, Box<[u8]>)>,
    /// Where that lies, and how many bytes.
    places: Vec<(Address, usize)>,
}

impl KeptCodes {
    /// The code object at `address`, without its variables.
    ///
    /// # Errors
    /// Missing bytes, or no code object there.
    pub(super) fn code(&self, inspector: &Inspector<'_>, address: Address) -> Result<Rc<Code>, Unreadable> {
        if let Some(kept) = self.by_address.borrow().get(&address)
            && kept.is_unchanged(inspector.memory)
        {
            return Ok(Rc::clone(&kept.code));
        }
        // The first time for what the inspector learns of types: they are not a part of the code.
        read_code(inspector, address, false)?;
        let noting = Noting { memory: inspector.memory, read: RefCell::default() };
        let code = Rc::new(read_code(&inspector.over(&noting), address, false)?);
        // What could not be read is not among the bytes by which a change is known.
        if !code.is_whole() {
            return Ok(code);
        }
        let mut kept = self.by_address.borrow_mut();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        let read = noting.joined();
        let places = read.iter().map(|(at, bytes)| (*at, bytes.len())).collect();
        kept.insert(address, Kept { code: Rc::clone(&code), read, places });
        Ok(code)
    }

    /// Whether the code object at `address` is the same in `memory` as when it was given last. Of one that is not kept
    /// nobody knows.
    pub(crate) fn holds(&self, address: Address, memory: &dyn Memory) -> bool {
        self.by_address.borrow().get(&address).is_some_and(|kept| kept.is_unchanged(memory))
    }
}

impl Kept {
    fn is_unchanged(&self, memory: &dyn Memory) -> bool {
        memory.expect(&self.places);
        let mut now = Vec::new();
        self.read.iter().all(|(at, then)| {
            now.resize(then.len(), 0);
            memory.read(*at, &mut now).is_ok() && *now == **then
        })
    }
}

/// A memory that notes what was read, and what it gave.
struct Noting<'a> {
    memory: &'a dyn Memory,
    read: RefCell<Vec<(Address, Box<[u8]>)>>,
}

impl Noting<'_> {
    /// What was read, by address; what lies side by side as one.
    fn joined(self) -> Vec<(Address, Box<[u8]>)> {
        let mut read = self.read.into_inner();
        read.sort_by_key(|(at, bytes)| (*at, std::cmp::Reverse(bytes.len())));
        let mut joined: Vec<(Address, Vec<u8>)> = Vec::new();
        for (at, bytes) in read {
            match joined.last_mut() {
                Some((start, known)) if at.0 - start.0 <= known.len() as u64 => {
                    let overlap = known.len() - (at.0 - start.0) as usize;
                    known.extend(bytes.get(overlap..).unwrap_or_default());
                }
                _ => joined.push((at, bytes.into_vec())),
            }
        }
        joined.into_iter().map(|(at, bytes)| (at, bytes.into_boxed_slice())).collect()
    }
}

impl Memory for Noting<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        self.memory.read(at, buffer)?;
        self.read.borrow_mut().push((at, Box::from(&*buffer)));
        Ok(())
    }

    fn ranges(&self) -> Vec<Range> {
        self.memory.ranges()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_side_by_side_or_twice_is_joined() {
        let bytes: Vec<u8> = (0..64).collect();
        let memory = crate::memory::Regions::new(vec![crate::memory::Region {
            range: Range { start: Address(0x1000), size: 64, writable: true, executable: false },
            backing: crate::memory::Backing::Bytes(&bytes, crate::memory::FaultCause::NotDumped),
        }]);
        let noting = Noting { memory: &memory, read: RefCell::default() };
        for (at, size) in [(0x1010, 8), (0x1000, 4), (0x1004, 4), (0x1012, 2), (0x1014, 8), (0x1000, 4)] {
            noting.read(Address(at), &mut vec![0; size]).unwrap();
        }
        let joined = noting.joined();
        let ranges: Vec<_> = joined.iter().map(|(at, bytes)| (at.0, bytes.len())).collect();
        assert_eq!(ranges, [(0x1000, 8), (0x1010, 12)]);
        assert!(joined.iter().all(|(at, held)| **held == bytes[(at.0 - 0x1000) as usize..][..held.len()]));
    }
}
