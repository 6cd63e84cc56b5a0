//! The threads of a live process, as `/proc` lists them.

use super::place::Place;
use super::registers::{self, Call, Registers};
use crate::addr::Machine;
use crate::process::{NativeThread, SystemCalls};
use crate::report::ThreadState;
use procfs::process::Task;
use std::io;

/// How many threads are listed; the kernel allows a process at most 4,194,304 (`PID_MAX_LIMIT`).
const MAX_THREADS: usize = 1 << 22;

/// The ids of the threads that have not been waited for, ascending.
pub(super) fn ids(place: Place) -> io::Result<Vec<u32>> {
    let mut ids = Vec::new();
    for entry in std::fs::read_dir(place.tasks())?.take(MAX_THREADS) {
        ids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    ids.sort_unstable();
    Ok(ids)
}

/// What `/proc` says of the thread `tid`: its name, its state, in a pid namespace the id that itself sees. Its bare id
/// where it has ended meanwhile. `inner`: whether the process is in a pid namespace of its own.
pub(super) fn describe(place: Place, tid: u32, inner: bool) -> NativeThread {
    let mut thread = NativeThread { tid, ..NativeThread::default() };
    let Some(task) = task(place, tid) else { return thread };
    if let Ok(stat) = task.stat() {
        thread.state = state(stat.state);
        thread.name = Some(stat.comm);
    }
    if inner && let Ok(status) = task.status() {
        thread.inner_tid = status.nspid.and_then(|ids| u32::try_from(*ids.last()?).ok());
    }
    thread
}

/// All threads that have not ended.
pub(super) fn list(place: Place, inner: bool) -> io::Result<Vec<NativeThread>> {
    let threads = ids(place)?.into_iter().map(|tid| describe(place, tid, inner));
    Ok(threads.filter(|thread| thread.name.is_some() && thread.state != Some(ThreadState::Ended)).collect())
}

/// The state of the thread `tid` now; `None` where it has ended.
pub(super) fn state_of(place: Place, tid: u32) -> Option<ThreadState> {
    state(task(place, tid)?.stat().ok()?.state)
}

fn task(place: Place, tid: u32) -> Option<Task> {
    let process = procfs::process::Process::new(place.pid.cast_signed()).ok()?;
    process.task_from_tid(tid.cast_signed()).ok()
}

/// By the letter in `/proc/PID/stat` (proc_pid_stat(5)).
fn state(letter: char) -> Option<ThreadState> {
    match letter {
        'R' | 'W' => Some(ThreadState::Running),
        'S' | 'I' | 'P' | 'K' => Some(ThreadState::Sleeping),
        'D' => Some(ThreadState::Uninterruptible),
        'T' => Some(ThreadState::Stopped),
        't' => Some(ThreadState::Traced),
        'Z' | 'X' | 'x' => Some(ThreadState::Ended),
        _ => None,
    }
}

/// Adds what the registers tell of `thread` since it was stopped.
pub(super) fn add_registers(thread: &mut NativeThread, registers: &Registers, machine: Machine) {
    thread.thread_pointer = registers.thread_pointer;
    thread.instruction_pointer = Some(registers.instruction_pointer);
    thread.stack_pointer = Some(registers.stack_pointer);
    if thread.state != Some(ThreadState::Stopped) {
        let waits = registers.call.is_some_and(|call| call.waits);
        thread.state = Some(if waits { ThreadState::Sleeping } else { ThreadState::Running });
    }
    if let Some(call) = registers.call {
        add_call(thread, call, machine);
    }
}

fn add_call(thread: &mut NativeThread, call: Call, machine: Machine) {
    thread.system_call =
        Some(registers::name(call.number).map_or_else(|| call.number.to_string(), str::to_owned));
    thread.futex = SystemCalls::of(machine).awaited_futex(call.number, call.arguments);
}

/// Adds what `/proc` tells of the system call that each thread is in, without stopping them.
pub(super) fn add_calls(place: Place, threads: &mut [NativeThread], machine: Machine) {
    use procfs::process::Syscall;
    for thread in threads {
        let Some(Ok(found)) = task(place, thread.tid).map(|task| task.syscall()) else { continue };
        match found {
            Syscall::Running => thread.state = Some(ThreadState::Running),
            Syscall::Blocked { syscall_number, argument_registers, stack_pointer, program_counter } => {
                thread.instruction_pointer = Some(crate::addr::Address(program_counter));
                thread.stack_pointer = Some(crate::addr::Address(stack_pointer));
                // -1: it waits outside of a call, as for a page.
                if let (Ok(number), [first, second, ..]) = (u64::try_from(syscall_number), argument_registers)
                {
                    add_call(thread, Call { number, arguments: [first, second], waits: true }, machine);
                }
            }
            _ => {}
        }
    }
}
