//! Where x86-64's registers lie in `NT_PRSTATUS`.
//!
//! `struct elf_prstatus` of Linux `include/linux/elfcore.h`, with `user_regs_struct` of
//! `arch/x86/include/asm/user_64.h` (sys/procfs.h and sys/user.h in glibc).

use super::notes::{StatusLayout, SystemCall};

/// `pr_reg`, behind `pr_info`, `pr_cursig`, two signal sets, four ids and four times.
const PR_REG: usize = 112;

/// The offset of the register that is number `index` in `user_regs_struct`.
const fn register(index: usize) -> usize {
    PR_REG + index * 8
}

/// `struct elf_prstatus` on x86-64.
pub(super) const STATUS: StatusLayout = StatusLayout {
    cursig: 12,
    pid: 32,
    instruction_pointer: register(16),
    stack_pointer: register(19),
    thread_pointer: Some(register(21)),
    system_call: SystemCall { number: register(15), first_argument: register(14), futex: 202 },
};
