//! The arguments of the process, from the initial stack of its main thread.
//!
//! The kernel (`fs/binfmt_elf.c`, `create_elf_tables`) puts there, upwards: `argc`, the `argv` pointers, a null, the
//! `envp` pointers, a null, the auxiliary vector, the 16 bytes of `AT_RANDOM`, the strings of `argv`, then of `envp`.

use crate::addr::Address;
use crate::memory::Memory;

/// How far below `AT_RANDOM` the auxiliary vector may begin, in bytes: it has about twenty pairs.
const SEARCH: u64 = 8192;
/// How many `argv` or `envp` pointers are followed; the kernel allows arguments and environment 6 MiB together.
const MAX_POINTERS: u64 = 1 << 18;
/// The longest argument, in bytes: the kernel's `MAX_ARG_STRLEN`.
const MAX_ARGUMENT: usize = 128 << 10;
/// How many bytes of arguments are kept.
const MAX_TOTAL: usize = 6 << 20;

/// Reads the arguments, given the auxiliary vector and the address of `AT_RANDOM`. `None` where the stack is not in the
/// dump or does not look as the kernel left it.
pub(super) fn read(
    memory: &dyn Memory,
    auxiliary: &[(u64, u64)],
    at_random: Address,
) -> Option<Vec<Vec<u8>>> {
    let vector = find_vector(memory, auxiliary, at_random)?;
    let environment = pointers_below(memory, vector, |word, _| word == 0)?;
    let arguments = pointers_below(memory, environment.start, |word, count| word == count)?;
    let strings = read_strings(memory, &arguments.pointers)?;
    let in_place = arguments.pointers.iter().all(|pointer| *pointer > at_random);
    Some(if in_place { as_started(&arguments.pointers, strings) } else { strings })
}

/// Where the process's own copy of the auxiliary vector begins.
fn find_vector(memory: &dyn Memory, auxiliary: &[(u64, u64)], at_random: Address) -> Option<Address> {
    let &(key, value) = auxiliary.first()?;
    let mut at = Address(at_random.0 & !15);
    let lowest = at.0.checked_sub(SEARCH)?;
    while at.0 > lowest {
        at = at.sub(8);
        if memory.u64(at).ok()? == key && memory.u64(at.add(8)).ok()? == value {
            return Some(at);
        }
    }
    None
}

/// An array of pointers that ends with a null.
struct PointerArray {
    start: Address,
    /// In ascending order of where they lie.
    pointers: Vec<Address>,
}

/// The array whose null lies right below `end`. It begins above a word that `is_before` accepts, given also how many
/// pointers the array then has, or above a null.
fn pointers_below(
    memory: &dyn Memory,
    end: Address,
    is_before: impl Fn(u64, u64) -> bool,
) -> Option<PointerArray> {
    let null = end.sub(8);
    if memory.u64(null).ok()? != 0 {
        return None;
    }
    let mut pointers = Vec::new();
    let mut at = null;
    for count in 0..MAX_POINTERS {
        let word = memory.u64(at.sub(8)).ok()?;
        if is_before(word, count) {
            pointers.reverse();
            return Some(PointerArray { start: at, pointers });
        }
        at = at.sub(8);
        pointers.push(Address(word));
    }
    None
}

fn read_strings(memory: &dyn Memory, pointers: &[Address]) -> Option<Vec<Vec<u8>>> {
    let mut left = MAX_TOTAL;
    let mut strings = Vec::new();
    for pointer in pointers {
        let string = memory.c_string(*pointer, MAX_ARGUMENT.min(left)).ok()?;
        left -= string.len();
        strings.push(string);
    }
    Some(strings)
}

/// The arguments as the process was started. Programs that set their own title write over the strings, which lie one
/// behind the other: what then stands at the first is the title, the rest are pieces of it.
fn as_started(pointers: &[Address], strings: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut arguments = pointers.iter().copied().zip(strings).collect::<Vec<_>>();
    arguments.sort_by_key(|(pointer, _)| *pointer);
    let adjacent = arguments.windows(2).all(|pair| match pair {
        [(first, string), (second, _)] => first.add(string.len() as u64 + 1) == *second,
        _ => true,
    });
    if !adjacent {
        arguments.truncate(1);
    }
    arguments.into_iter().map(|(_, string)| string).collect()
}
