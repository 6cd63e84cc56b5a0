//! 64-bit Arm: `struct elf_prstatus` of Linux `include/linux/elfcore.h`, with `user_pt_regs` of
//! `arch/arm64/include/uapi/asm/ptrace.h`: `x0` to `x30`, `sp`, `pc`, `pstate`.

use super::{Facts, StatusLayout, SystemCall};
use crate::addr::Machine;
use object::elf;

/// `pr_reg`, behind `pr_info`, `pr_cursig`, two signal sets, four ids and four times.
const PR_REG: usize = 112;

/// The offset of the register that is number `index` in `user_pt_regs`.
const fn register(index: usize) -> usize {
    PR_REG + index * 8
}

pub(super) const FACTS: Facts = Facts {
    machine: Machine::Aarch64,
    elf_machine: elf::EM_AARCH64,
    status: StatusLayout {
        cursig: 12,
        pid: 32,
        instruction_pointer: register(32),
        stack_pointer: register(31),
        thread_pointer: None,
        // `x8`; `x0`, `x1`. `x8` keeps its number after the call, but `x0` then has the result. While a signal ends the
        // process, the kernel has already put the first argument back into `x0` to start the call again
        // (`do_signal` of `arch/arm64/kernel/signal.c`), and `NT_ARM_SYSTEM_CALL` tells of none.
        system_call: SystemCall { number: register(8), arguments: [register(0), register(1)] },
    },
    thread_pointer_note: Some(elf::NT_ARM_TLS),
};
