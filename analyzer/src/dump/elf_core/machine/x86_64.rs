//! 64-bit x86: `struct elf_prstatus` of Linux `include/linux/elfcore.h`, with `user_regs_struct` of
//! `arch/x86/include/asm/user_64.h` (sys/procfs.h and sys/user.h in glibc).

use super::{Facts, StatusLayout, SystemCall};
use crate::addr::Machine;
use object::elf;

/// `pr_reg`, behind `pr_info`, `pr_cursig`, two signal sets, four ids and four times.
const PR_REG: usize = 112;

/// The offset of the register that is number `index` in `user_regs_struct`.
const fn register(index: usize) -> usize {
    PR_REG + index * 8
}

pub(super) const FACTS: Facts = Facts {
    machine: Machine::X86_64,
    elf_machine: elf::EM_X86_64,
    status: StatusLayout {
        cursig: 12,
        pid: 32,
        instruction_pointer: register(16),
        stack_pointer: register(19),
        thread_pointer: Some(register(21)),
        // `orig_rax`, -1 outside of a call; `rdi`, `rsi`.
        system_call: SystemCall { number: register(15), arguments: [register(14), register(13)] },
    },
    thread_pointer_note: None,
};
