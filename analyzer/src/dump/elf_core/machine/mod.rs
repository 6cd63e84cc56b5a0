//! What differs between the machines whose cores are read: one file for each.

mod aarch64;
mod x86_64;

use crate::addr::Machine;
use crate::dump::error::OpenProblem;
use object::elf;

/// Notes of this kind have the owner `LINUX` and follow the `NT_PRSTATUS` of their thread.
pub(in crate::dump) const NT_OWNER: &[u8] = b"LINUX";

/// A machine as cores of its processes have it.
#[derive(Debug)]
pub(in crate::dump) struct Facts {
    /// The machine.
    pub(in crate::dump) machine: Machine,
    /// `e_machine`.
    pub(in crate::dump) elf_machine: elf::Machine,
    /// Where `NT_PRSTATUS` has its fields.
    pub(in crate::dump) status: StatusLayout,
    /// The kind of the note of [`NT_OWNER`] that begins with the thread pointer, on machines where `NT_PRSTATUS` does
    /// not have it.
    pub(in crate::dump) thread_pointer_note: Option<elf::NoteType>,
}

/// Where one machine's `struct elf_prstatus` has its fields, as offsets in bytes.
#[derive(Debug)]
pub(in crate::dump) struct StatusLayout {
    /// `pr_cursig`, 16 bits.
    pub(in crate::dump) cursig: usize,
    /// `pr_pid`, 32 bits: the native thread id.
    pub(in crate::dump) pid: usize,
    /// The instruction pointer in `pr_reg`.
    pub(in crate::dump) instruction_pointer: usize,
    /// The stack pointer in `pr_reg`.
    pub(in crate::dump) stack_pointer: usize,
    /// The thread pointer in `pr_reg`, on machines that have it there.
    pub(in crate::dump) thread_pointer: Option<usize>,
    /// The system call that the thread was in.
    pub(in crate::dump) system_call: SystemCall,
}

/// Where registers tell which system call a thread was in.
#[derive(Debug)]
pub(in crate::dump) struct SystemCall {
    /// The register with the call's number.
    pub(in crate::dump) number: usize,
    /// The registers with its first two arguments.
    pub(in crate::dump) arguments: [usize; 2],
}

const KNOWN: [&Facts; 2] = [&x86_64::FACTS, &aarch64::FACTS];

/// The machine of a 64-bit little-endian core.
pub(in crate::dump) fn of(machine: elf::Machine) -> Result<&'static Facts, OpenProblem> {
    KNOWN.into_iter().find(|facts| facts.elf_machine == machine).ok_or_else(|| OpenProblem::Unsupported {
        machine: name(machine, true, false),
        missing: "where its registers and thread pointers lie in a core, and tables of CPython for it",
    })
}

/// The name of a machine as `uname -m` says it there.
pub(in crate::dump) fn name(machine: elf::Machine, is_64_bit: bool, big_endian: bool) -> String {
    let name = match (machine, is_64_bit, big_endian) {
        (elf::EM_X86_64, true, _) => "x86_64",
        (elf::EM_X86_64, false, _) => "x32 (x86_64 with 32-bit pointers)",
        (elf::EM_386, ..) => "i386",
        (elf::EM_AARCH64, false, _) => "aarch64 with 32-bit pointers",
        (elf::EM_AARCH64, _, false) => "aarch64",
        (elf::EM_AARCH64, _, true) => "aarch64_be",
        (elf::EM_ARM, _, false) => "arm",
        (elf::EM_ARM, _, true) => "armeb",
        (elf::EM_RISCV, true, _) => "riscv64",
        (elf::EM_RISCV, false, _) => "riscv32",
        (elf::EM_PPC, ..) => "ppc",
        (elf::EM_PPC64, _, false) => "ppc64le",
        (elf::EM_PPC64, _, true) => "ppc64",
        (elf::EM_S390, true, _) => "s390x",
        (elf::EM_S390, false, _) => "s390",
        (elf::EM_LOONGARCH, true, _) => "loongarch64",
        (elf::EM_LOONGARCH, false, _) => "loongarch32",
        (elf::EM_MIPS, true, _) => "mips64",
        (elf::EM_MIPS, false, _) => "mips",
        (elf::EM_SPARCV9, ..) => "sparc64",
        (elf::EM_PARISC, ..) => "parisc",
        (elf::EM_ALPHA, ..) => "alpha",
        (elf::EM_IA_64, ..) => "ia64",
        (elf::EM_68K, ..) => "m68k",
        (elf::EM_SH, ..) => "sh",
        (other, ..) => return format!("machine {}", other.0),
    };
    name.to_owned()
}
