//! What the registers of a stopped thread tell.

use crate::addr::Address;
use nix::libc::user_regs_struct;

/// The registers that are needed.
pub(super) struct Registers {
    /// The thread pointer, where the registers have it.
    pub(super) thread_pointer: Option<Address>,
    /// Where the processor was.
    pub(super) instruction_pointer: Address,
    /// The top of the native stack.
    pub(super) stack_pointer: Address,
    /// The system call that the thread is in.
    pub(super) call: Option<Call>,
}

/// A system call that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Its number.
    pub(super) number: u64,
    /// Its first two arguments.
    pub(super) arguments: [u64; 2],
    /// Whether the thread waited in it.
    pub(super) waits: bool,
}

/// Takes what is needed; `slept`: whether the thread slept before it was stopped.
#[cfg(target_arch = "x86_64")]
pub(super) fn read(registers: &user_regs_struct, _slept: bool) -> Registers {
    /// What a call that waited is left with when the thread is stopped: `EINTR`, and the `ERESTART*` of Linux
    /// `include/linux/errno.h`, which only tracers see.
    const BROKEN_INTO: [i64; 5] = [-4, -512, -513, -514, -516];
    // `orig_rax` is -1 outside of a call.
    let in_call = registers.orig_rax.cast_signed() >= 0;
    Registers {
        thread_pointer: Some(Address(registers.fs_base)).filter(|pointer| !pointer.is_null()),
        instruction_pointer: Address(registers.rip),
        stack_pointer: Address(registers.rsp),
        call: in_call.then_some(Call {
            number: registers.orig_rax,
            arguments: [registers.rdi, registers.rsi],
            waits: BROKEN_INTO.contains(&registers.rax.cast_signed()),
        }),
    }
}

/// Takes what is needed; `slept`: whether the thread slept before it was stopped. `x8` keeps the number of the last call
/// when it is over, so only a thread that slept is known to be in one; the kernel has by then put back its first
/// argument (`do_signal` of `arch/arm64/kernel/signal.c`).
#[cfg(target_arch = "aarch64")]
pub(super) fn read(registers: &user_regs_struct, slept: bool) -> Registers {
    let [first, second, ..] = registers.regs;
    Registers {
        thread_pointer: None,
        instruction_pointer: Address(registers.pc),
        stack_pointer: Address(registers.sp),
        call: slept.then_some(()).and(registers.regs.get(8)).map(|&number| Call {
            number,
            arguments: [first, second],
            waits: true,
        }),
    }
}

/// The name of a system call, as section 2 of the manual has it.
pub(super) fn name(number: u64) -> Option<&'static str> {
    syscalls::Sysno::new(usize::try_from(number).ok()?).map(|call| call.name())
}
