//! Linux's signals and the reasons they carry, by name.
//!
//! Numbers and names: `signal(7)`, `sigaction(2)`, and `asm-generic/siginfo.h` of Linux 6.12; they are the same on
//! x86-64, aarch64 and all other architectures with the generic signal numbers.

use crate::addr::Address;
use crate::report::Signal;

/// The signals with a fixed number, `SIGHUP` (1) first.
const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

const SIGILL: i32 = 4;
/// A breakpoint or a trace trap.
pub(crate) const SIGTRAP: i32 = 5;
const SIGBUS: i32 = 7;
const SIGFPE: i32 = 8;
const SIGSEGV: i32 = 11;
const SIGSYS: i32 = 31;
/// The first real-time signal that glibc leaves to programs; 32 and 33 are its own.
const GLIBC_SIGRTMIN: i32 = 34;
const SIGRTMAX: i32 = 64;

/// The signals whose default is to stop, to go on or to do nothing: no process dies of them.
const HARMLESS: [&str; 8] =
    ["SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH"];

/// `si_code` values that any signal may carry.
const SENDERS: [(i32, &str); 10] = [
    (0, "SI_USER"),
    (SI_KERNEL, "SI_KERNEL"),
    (-1, "SI_QUEUE"),
    (-2, "SI_TIMER"),
    (-3, "SI_MESGQ"),
    (-4, "SI_ASYNCIO"),
    (-5, "SI_SIGIO"),
    (-6, "SI_TKILL"),
    (-7, "SI_DETHREAD"),
    (-60, "SI_ASYNCNL"),
];

/// Sent by the kernel, without a more precise reason.
const SI_KERNEL: i32 = 0x80;

/// The senders that leave their process id: `kill`, `sigqueue`, `mq_notify`, `tgkill`.
const SENDERS_WITH_PID: [i32; 4] = [0, -1, -3, -6];

/// `si_code` values that only these signals carry.
const REASONS: [(i32, &[(i32, &str)]); 6] = [
    (
        SIGILL,
        &[
            (1, "ILL_ILLOPC"),
            (2, "ILL_ILLOPN"),
            (3, "ILL_ILLADR"),
            (4, "ILL_ILLTRP"),
            (5, "ILL_PRVOPC"),
            (6, "ILL_PRVREG"),
            (7, "ILL_COPROC"),
            (8, "ILL_BADSTK"),
            (9, "ILL_BADIADDR"),
        ],
    ),
    (
        SIGTRAP,
        &[
            (1, "TRAP_BRKPT"),
            (2, "TRAP_TRACE"),
            (3, "TRAP_BRANCH"),
            (4, "TRAP_HWBKPT"),
            (5, "TRAP_UNK"),
            (6, "TRAP_PERF"),
        ],
    ),
    (
        SIGBUS,
        &[
            (1, "BUS_ADRALN"),
            (2, "BUS_ADRERR"),
            (3, "BUS_OBJERR"),
            (4, "BUS_MCEERR_AR"),
            (5, "BUS_MCEERR_AO"),
        ],
    ),
    (
        SIGFPE,
        &[
            (1, "FPE_INTDIV"),
            (2, "FPE_INTOVF"),
            (3, "FPE_FLTDIV"),
            (4, "FPE_FLTOVF"),
            (5, "FPE_FLTUND"),
            (6, "FPE_FLTRES"),
            (7, "FPE_FLTINV"),
            (8, "FPE_FLTSUB"),
            (14, "FPE_FLTUNK"),
            (15, "FPE_CONDTRAP"),
        ],
    ),
    (
        SIGSEGV,
        &[
            (1, "SEGV_MAPERR"),
            (2, "SEGV_ACCERR"),
            (3, "SEGV_BNDERR"),
            (4, "SEGV_PKUERR"),
            (5, "SEGV_ACCADI"),
            (6, "SEGV_ADIDERR"),
            (7, "SEGV_ADIPERR"),
            (8, "SEGV_MTEAERR"),
            (9, "SEGV_MTESERR"),
            (10, "SEGV_CPERR"),
        ],
    ),
    (SIGSYS, &[(1, "SYS_SECCOMP"), (2, "SYS_USER_DISPATCH")]),
];

/// The signals for which `si_addr` says where the fault was, unless they were sent.
const WITH_ADDRESS: [i32; 5] = [SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV];

/// The name of signal `number`, `SIG<number>` where it has none.
pub fn name(number: i32) -> String {
    let fixed = usize::try_from(number.wrapping_sub(1)).ok().and_then(|index| NAMES.get(index));
    match fixed {
        Some(name) => (*name).to_owned(),
        None if number == GLIBC_SIGRTMIN => "SIGRTMIN".to_owned(),
        None if number > GLIBC_SIGRTMIN && number <= SIGRTMAX => {
            format!("SIGRTMIN+{}", number - GLIBC_SIGRTMIN)
        }
        None => format!("SIG{number}"),
    }
}

/// Whether a process that takes this signal, and does not handle it, dies.
pub(crate) fn is_fatal(number: i32) -> bool {
    (1..=SIGRTMAX).contains(&number) && !HARMLESS.contains(&name(number).as_str())
}

/// A signal of which no more than the number is known.
pub(crate) fn from_number(number: i32) -> Signal {
    Signal {
        number: number.into(),
        name: name(number),
        code: None,
        code_name: None,
        address: None,
        sender_pid: None,
    }
}

/// Reads a `siginfo_t` of a 64-bit Linux, as `NT_SIGINFO` holds it; `None` where it is cut short.
pub(crate) fn from_siginfo(siginfo: &[u8]) -> Option<Signal> {
    const SI_SIGNO: usize = 0;
    const SI_CODE: usize = 8;
    const SI_PID: usize = 16;
    const SI_ADDR: usize = 16;
    let number = i32::from_le_bytes(*siginfo.get(SI_SIGNO..)?.first_chunk()?);
    let code = i32::from_le_bytes(*siginfo.get(SI_CODE..)?.first_chunk()?);
    let address = siginfo.get(SI_ADDR..)?.first_chunk().map(|bytes| Address(u64::from_le_bytes(*bytes)));
    let sender_pid = siginfo.get(SI_PID..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    Some(from_parts(number, Some(code), address, sender_pid))
}

/// A signal by the parts of its `siginfo_t`. Which of `address` and `sender_pid` it has at all, number and code tell.
pub fn from_parts(
    number: i32,
    code: Option<i32>,
    address: Option<Address>,
    sender_pid: Option<u32>,
) -> Signal {
    let Some(code) = code else { return from_number(number) };
    let sent = code <= 0;
    let reasons =
        REASONS.iter().find(|(signal, _)| *signal == number).map_or(&[][..], |(_, reasons)| reasons);
    let code_name =
        SENDERS.iter().chain(reasons).find(|(value, _)| *value == code).map(|(_, name)| (*name).to_owned());
    Signal {
        code: Some(code),
        code_name,
        address: address.filter(|_| WITH_ADDRESS.contains(&number) && !sent && code != SI_KERNEL),
        sender_pid: sender_pid.filter(|_| SENDERS_WITH_PID.contains(&code)),
        ..from_number(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn siginfo(number: i32, code: i32, union: u64) -> Vec<u8> {
        let mut bytes = vec![0; 128];
        bytes[0..4].copy_from_slice(&number.to_le_bytes());
        bytes[8..12].copy_from_slice(&code.to_le_bytes());
        bytes[16..24].copy_from_slice(&union.to_le_bytes());
        bytes
    }

    #[test]
    fn a_fault_has_an_address_and_no_sender() {
        let signal = from_siginfo(&siginfo(11, 1, 0x10)).unwrap();
        assert_eq!((signal.name.as_str(), signal.code_name.as_deref()), ("SIGSEGV", Some("SEGV_MAPERR")));
        assert_eq!((signal.address, signal.sender_pid), (Some(Address(0x10)), None));
    }

    #[test]
    fn a_sent_signal_has_a_sender_and_no_address() {
        let signal = from_siginfo(&siginfo(11, 0, 4242)).unwrap();
        assert_eq!(signal.code_name.as_deref(), Some("SI_USER"));
        assert_eq!((signal.address, signal.sender_pid), (None, Some(4242)));
        let signal = from_siginfo(&siginfo(6, -6, 77)).unwrap();
        assert_eq!(signal.code_name.as_deref(), Some("SI_TKILL"));
        assert_eq!(signal.sender_pid, Some(77));
    }

    #[test]
    fn a_general_protection_fault_has_no_address() {
        let signal = from_siginfo(&siginfo(11, SI_KERNEL, 0)).unwrap();
        assert_eq!((signal.code_name.as_deref(), signal.address), (Some("SI_KERNEL"), None));
    }

    #[test]
    fn odd_signals_still_have_a_name() {
        assert_eq!(name(31), "SIGSYS");
        assert_eq!(name(33), "SIG33");
        assert_eq!(name(34), "SIGRTMIN");
        assert_eq!(name(64), "SIGRTMIN+30");
        assert_eq!(name(0), "SIG0");
        assert_eq!(name(i32::MIN), format!("SIG{}", i32::MIN));
        assert!(from_siginfo(&siginfo(11, 1, 0)[..11]).is_none());
        assert!(from_siginfo(&siginfo(99, 99, 0)).unwrap().code_name.is_none());
    }

    #[test]
    fn a_stop_is_not_fatal() {
        assert!(!is_fatal(19) && !is_fatal(0) && !is_fatal(-1) && !is_fatal(65));
        assert!(is_fatal(6) && is_fatal(11) && is_fatal(64) && is_fatal(SIGTRAP));
    }
}
