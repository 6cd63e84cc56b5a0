//! The system calls of Linux in which threads wait for each other.

use crate::addr::{Address, Machine};

/// The numbers of one machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemCalls {
    futex: u64,
    /// `restart_syscall`, which goes on with a call that a debugger broke into; the arguments stay.
    restart: u64,
}

impl SystemCalls {
    /// Those of `machine`.
    pub(crate) fn of(machine: Machine) -> Self {
        match machine {
            Machine::X86_64 => SystemCalls { futex: 202, restart: 219 },
            Machine::Aarch64 => SystemCalls { futex: 98, restart: 128 },
        }
    }

    /// The futex that a thread waits for, by the number and the first two arguments of the call that it is in.
    pub(crate) fn awaited_futex(&self, number: u64, [futex, operation]: [u64; 2]) -> Option<Address> {
        /// `FUTEX_WAIT`, `FUTEX_LOCK_PI`, `FUTEX_WAIT_BITSET`, `FUTEX_WAIT_REQUEUE_PI`, `FUTEX_LOCK_PI2` of Linux
        /// `include/uapi/linux/futex.h`.
        const WAITING: [u64; 5] = [0, 6, 9, 11, 13];
        /// `FUTEX_PRIVATE_FLAG` and `FUTEX_CLOCK_REALTIME`; the argument is an `int`.
        const COMMAND: u64 = 0xffff_ffff & !(128 | 256);
        let waits = WAITING.contains(&(operation & COMMAND));
        (waits && (number == self.futex || number == self.restart)).then_some(Address(futex))
    }
}
