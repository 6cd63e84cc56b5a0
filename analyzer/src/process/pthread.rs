//! Which native thread a `pthread_t` belongs to.
//!
//! On Windows, where there is none, Python uses the thread id in its stead (`PyThread_get_thread_ident`,
//! Python/thread_nt.h).
//!
//! Both glibc and musl give the address of the thread's `struct pthread` as `pthread_self()`. On x86-64 the thread
//! pointer is that address. On aarch64 (variant I of thread-local storage) the struct ends at the thread pointer, and
//! its size is the C library's own affair; but the kernel's id of the thread is in it, at a place that has not changed
//! for years (glibc 2.11 to 2.42: `nptl/descr.h`, behind 24 words and a list; musl 1.2: `src/internal/pthread_impl.h`).

use super::{NativeThread, OperatingSystem, ProcessInfo};
use crate::addr::{Address, Machine};
use crate::memory::{Memory, Range};
use std::cell::OnceCell;
use std::collections::HashMap;

/// How far below the thread pointer a `struct pthread` may begin, in bytes; glibc's has about 1800, musl's about 200.
const LARGEST: u64 = 4096;
/// What a `struct pthread` is aligned to at least, in bytes.
const ALIGNMENT: u64 = 8;

/// Where one C library keeps the thread id in `struct pthread`, as offsets in bytes.
struct Descriptor {
    /// 32 bits.
    tid: u64,
    /// A pointer to the struct itself, where it has one.
    own_address: Option<u64>,
    /// The links of the list of all threads, next and previous, where it has one.
    list: Option<u64>,
}

/// glibc's and musl's.
fn descriptors(machine: Machine) -> [Descriptor; 2] {
    match machine {
        Machine::X86_64 => [
            Descriptor { tid: 720, own_address: Some(16), list: Some(704) },
            Descriptor { tid: 48, own_address: Some(0), list: None },
        ],
        Machine::Aarch64 => [
            Descriptor { tid: 208, own_address: None, list: Some(192) },
            Descriptor { tid: 32, own_address: Some(0), list: None },
        ],
    }
}

/// The native threads of a process by what Python knows of them.
pub struct NativeThreads<'p> {
    memory: &'p dyn Memory,
    machine: Machine,
    os: OperatingSystem,
    by_tid: HashMap<u64, &'p NativeThread>,
    /// Those whose thread pointer is known, ascending by it.
    by_pointer: Vec<(Address, &'p NativeThread)>,
    /// What was mapped, once a stack was looked for.
    ranges: OnceCell<Vec<Range>>,
}

impl<'p> NativeThreads<'p> {
    /// The threads of `process`, whose address space is `memory`.
    pub fn new(memory: &'p dyn Memory, process: &'p ProcessInfo) -> Self {
        let threads = process.threads.iter();
        let mut by_pointer =
            Vec::from_iter(threads.clone().filter_map(|native| Some((native.thread_pointer?, native))));
        by_pointer.sort_by_key(|(pointer, _)| *pointer);
        NativeThreads {
            memory,
            machine: process.machine,
            os: process.os,
            by_tid: threads.map(|native| (u64::from(native.own_tid()), native)).collect(),
            by_pointer,
            ranges: OnceCell::new(),
        }
    }

    /// The thread with that native id, as the process itself sees it.
    pub fn by_tid(&self, tid: u64) -> Option<&'p NativeThread> {
        self.by_tid.get(&tid).copied()
    }

    /// The thread that has `at` in the used part of its stack.
    pub fn by_stack(&self, at: Address) -> Option<&'p NativeThread> {
        let ranges = self.ranges.get_or_init(|| self.memory.ranges());
        let index = ranges.partition_point(|range| range.start <= at).checked_sub(1)?;
        let stack = ranges.get(index).filter(|range| range.contains(at))?;
        let pointers = self.by_tid.values().filter_map(|&native| Some((native.stack_pointer?, native)));
        let below = pointers.filter(|(pointer, _)| stack.contains(*pointer) && *pointer <= at);
        below.max_by_key(|(pointer, _)| *pointer).map(|(_, native)| native)
    }

    /// The thread in which `pthread_self()` gives `handle`. By the thread pointer; where the dump does not tell thread
    /// pointers, by the thread id at `handle`.
    pub fn by_pthread(&self, handle: Address) -> Option<&'p NativeThread> {
        if self.os == OperatingSystem::Windows {
            return self.by_tid(handle.0);
        }
        if self.by_pointer.is_empty() {
            return descriptors(self.machine)
                .iter()
                .find_map(|descriptor| self.described(descriptor, handle));
        }
        match self.machine {
            Machine::X86_64 => {
                let index = self.by_pointer.binary_search_by_key(&handle, |(pointer, _)| *pointer).ok()?;
                self.by_pointer.get(index).map(|(_, native)| *native)
            }
            Machine::Aarch64 => {
                let next = self.by_pointer.partition_point(|(pointer, _)| *pointer <= handle);
                let &(pointer, native) = self.by_pointer.get(next)?;
                (pointer.0 - handle.0 <= LARGEST && self.may_describe(handle, native)).then_some(native)
            }
        }
    }

    /// The values that `pthread_self()` may have in a thread, for a search of memory: one on x86-64; on aarch64 all
    /// addresses below the thread pointer where a `struct pthread` of that thread may begin, by its thread id. None
    /// where the thread pointer, or the memory below it, is not in the dump.
    pub fn pthreads(&self, native: &NativeThread) -> Vec<Address> {
        if self.os == OperatingSystem::Windows {
            return vec![Address(native.tid.into())];
        }
        let Some(pointer) = native.thread_pointer else { return Vec::new() };
        match self.machine {
            Machine::X86_64 => vec![pointer],
            Machine::Aarch64 => (ALIGNMENT..=LARGEST)
                .step_by(ALIGNMENT as usize)
                .map(|distance| pointer.sub(distance))
                .filter(|&handle| {
                    let found = descriptors(self.machine);
                    found.iter().any(|descriptor| self.tid_at(descriptor, handle) == Some(native.own_tid()))
                })
                .collect(),
        }
    }

    /// How far behind `pthread_self()` the threads of this process have their native id, in bytes, by the thread whose
    /// handle it is.
    pub(crate) fn offset_of_tid(&self, handle: Address) -> Option<u64> {
        let all = descriptors(self.machine);
        all.iter().find(|descriptor| self.described(descriptor, handle).is_some()).map(|found| found.tid)
    }

    /// The `pthread_self()` of the thread whose id lies at `place`, if that is within a `struct pthread`: for a search of
    /// memory where the dump does not tell thread pointers.
    pub fn pthread_around(&self, place: Address) -> Option<Address> {
        descriptors(self.machine).iter().find_map(|descriptor| {
            let handle = place.sub(descriptor.tid);
            let found = self.described(descriptor, handle).is_some();
            (found && self.is_in_list(descriptor, handle)).then_some(handle)
        })
    }

    /// Whether the neighbours in the list of threads lead back, where there is such a list.
    fn is_in_list(&self, descriptor: &Descriptor, handle: Address) -> bool {
        const NEXT: u64 = 0;
        const PREVIOUS: u64 = 8;
        let Some(offset) = descriptor.list else { return true };
        let own = handle.add(offset);
        let leads_back = |there, back| {
            let neighbour = self.memory.pointer(own.add(there));
            neighbour.and_then(|neighbour| self.memory.pointer(neighbour.add(back))) == Ok(own)
        };
        leads_back(NEXT, PREVIOUS) && leads_back(PREVIOUS, NEXT)
    }

    /// Whether a `struct pthread` at `handle` is that of `native`, as far as the dump has it.
    fn may_describe(&self, handle: Address, native: &NativeThread) -> bool {
        descriptors(self.machine).iter().any(|descriptor| {
            self.memory.u32(handle.add(descriptor.tid)).map_or(true, |tid| tid == native.own_tid())
        })
    }

    fn described(&self, descriptor: &Descriptor, handle: Address) -> Option<&'p NativeThread> {
        self.by_tid(self.tid_at(descriptor, handle)?.into())
    }

    /// The thread id in the `struct pthread` at `handle`, if that looks like one.
    fn tid_at(&self, descriptor: &Descriptor, handle: Address) -> Option<u32> {
        if let Some(offset) = descriptor.own_address
            && self.memory.pointer(handle.add(offset)).ok()? != handle
        {
            return None;
        }
        self.memory.u32(handle.add(descriptor.tid)).ok().filter(|&tid| tid != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Backing, FaultCause, Range, Region, Regions};

    const TLS: u64 = 0x7f00_0000_0000;
    const STRIDE: u64 = 0x10_0000;

    /// Threads 100, 101, ... each with a page of memory at `TLS + index * STRIDE`.
    fn process(machine: Machine, pointers: &[Option<u64>]) -> ProcessInfo {
        let threads = pointers.iter().zip(100..).map(|(pointer, tid)| NativeThread {
            tid,
            thread_pointer: pointer.map(Address),
            ..NativeThread::default()
        });
        ProcessInfo { pid: Some(100), threads: threads.collect(), ..ProcessInfo::unknown(machine) }
    }

    fn page(words: &[(usize, u64)]) -> Vec<u8> {
        let mut bytes = vec![0; 0x2000];
        for (at, word) in words {
            bytes[*at..*at + 8].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn memory(pages: &[Vec<u8>]) -> Regions<'_> {
        let regions = (0..).zip(pages).map(|(index, bytes)| {
            let start = Address(TLS + index * STRIDE);
            let range = Range { start, size: bytes.len() as u64, writable: true, executable: false };
            Region { range, backing: Backing::Bytes(bytes, FaultCause::NotDumped) }
        });
        Regions::new(regions.collect())
    }

    fn found(natives: &NativeThreads<'_>, handle: u64) -> Option<u32> {
        natives.by_pthread(Address(handle)).map(|native| native.tid)
    }

    #[test]
    fn on_x86_64_the_thread_pointer_is_the_handle() {
        let process = process(Machine::X86_64, &[Some(TLS), Some(TLS + STRIDE)]);
        let memory = memory(&[]);
        let natives = NativeThreads::new(&memory, &process);
        assert_eq!(found(&natives, TLS + STRIDE), Some(101));
        assert_eq!(found(&natives, TLS + 8), None);
        assert_eq!(natives.pthreads(&process.threads[1]), [Address(TLS + STRIDE)]);
    }

    #[test]
    fn on_windows_the_thread_id_is_the_handle() {
        let process = ProcessInfo {
            os: OperatingSystem::Windows,
            ..process(Machine::X86_64, &[Some(TLS), Some(TLS + STRIDE)])
        };
        let memory = memory(&[]);
        let natives = NativeThreads::new(&memory, &process);
        assert_eq!(found(&natives, 101), Some(101));
        assert_eq!(found(&natives, TLS), None);
        assert_eq!(natives.pthreads(&process.threads[1]), [Address(101)]);
    }

    #[test]
    fn on_aarch64_the_struct_below_the_thread_pointer_tells() {
        // glibc: the thread id behind 24 words and a list.
        let glibc = |tid| page(&[(0x1000 - 0x6c0 + 208, tid)]);
        let pages = [glibc(100), glibc(101)];
        let process = process(
            Machine::Aarch64,
            &[Some(TLS + 0x1000), Some(TLS + STRIDE + 0x1000), Some(TLS + 2 * STRIDE)],
        );
        let memory = memory(&pages);
        let natives = NativeThreads::new(&memory, &process);
        let handle = TLS + 0x1000 - 0x6c0;
        assert_eq!(found(&natives, handle), Some(100));
        assert_eq!(found(&natives, handle + STRIDE), Some(101));
        assert_eq!(found(&natives, handle + 16), None, "another thread id there");
        assert_eq!(found(&natives, TLS + 2 * STRIDE - 0x6c0), Some(102), "its memory is missing");
        assert_eq!(found(&natives, TLS + 2 * STRIDE), None, "the struct lies below the pointer");
        assert_eq!(natives.pthreads(&process.threads[1]), [Address(handle + STRIDE)]);
        assert_eq!(natives.pthreads(&process.threads[2]), []);
    }

    #[test]
    fn musls_struct_points_to_itself() {
        let start = 0x1000 - 200;
        let pages = [page(&[(start, TLS + start as u64), (start + 32, 100)])];
        let process = process(Machine::Aarch64, &[Some(TLS + 0x1000)]);
        let memory = memory(&pages);
        let natives = NativeThreads::new(&memory, &process);
        assert_eq!(found(&natives, TLS + start as u64), Some(100));
        assert!(natives.pthreads(&process.threads[0]).contains(&Address(TLS + start as u64)));
    }

    #[test]
    fn a_thread_id_within_a_list_of_threads_is_found() {
        let (list, other) = (TLS + 0x100 + 192, TLS + 0x1000);
        let pages = [page(&[
            (0x100 + 192, other),
            (0x100 + 200, other),
            (0x100 + 208, 100),
            (0x1000, list),
            (0x1008, list),
        ])];
        let process = process(Machine::Aarch64, &[None]);
        let memory = memory(&pages);
        let natives = NativeThreads::new(&memory, &process);
        assert_eq!(natives.pthread_around(Address(TLS + 0x100 + 208)), Some(Address(TLS + 0x100)));
        assert_eq!(natives.pthread_around(Address(TLS + 0x1000)), None);
    }

    #[test]
    fn without_thread_pointers_the_thread_id_in_the_struct_tells() {
        for machine in [Machine::X86_64, Machine::Aarch64] {
            let tid_at = if machine == Machine::X86_64 { 720 } else { 208 };
            let pages = [page(&[(16, TLS), (tid_at, 100)]), page(&[(16, TLS + STRIDE), (tid_at, 7)])];
            let process = process(machine, &[None, None]);
            let memory = memory(&pages);
            let natives = NativeThreads::new(&memory, &process);
            assert_eq!(found(&natives, TLS), Some(100));
            assert_eq!(found(&natives, TLS + STRIDE), None, "no thread 7");
            assert_eq!(found(&natives, TLS + 9 * STRIDE), None);
            assert_eq!(natives.by_tid(101).map(|native| native.tid), Some(101));
            assert_eq!(natives.pthread_around(Address(TLS + tid_at as u64)), None, "it is in no list");
        }
    }
}
