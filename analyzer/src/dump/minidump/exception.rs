//! What ended the process.

use super::directory::Streams;
use super::system::System;
use super::threads::registers;
use crate::addr::Address;
use crate::process::{self, Module, NativeThread, OperatingSystem, signal};
use crate::report::{NativeException, Signal};
use minidump::format::{MINIDUMP_EXCEPTION, MINIDUMP_EXCEPTION_STREAM, MINIDUMP_STREAM_TYPE};
use minidump::{CrashReason, MinidumpException, MinidumpStream as _};
use scroll::{LE, Pread};

const ACCESS_VIOLATION: u32 = 0xc000_0005;
const IN_PAGE_ERROR: u32 = 0xc000_0006;
/// `STATUS_STACK_BUFFER_OVERRUN`: since Windows 8 that of `__fastfail`.
const FAIL_FAST: u32 = 0xc000_0409;
/// What crashpad puts there when the program asks for a dump and goes on.
const SIMULATED: u32 = 0x0517_a7ed;
/// What breakpad, crashpad and minidump-writer put there when a dump was asked for, on Linux and macOS.
const REQUESTED: u32 = 0xffff_ffff;

/// What codes mean, where their name does not say it to everyone. From `ntstatus.h` and `winbase.h` of the Windows SDK
/// 10.0.26100, and from who raises them.
const MEANINGS: [(u32, &str); 37] = [
    (0x8000_0001, "guard page touched"),
    (0x8000_0002, "misaligned data"),
    (0x8000_0003, "breakpoint"),
    (0x8000_0004, "single step"),
    (0xc000_0008, "invalid handle"),
    (0xc000_0017, "out of memory"),
    (0xc000_001d, "illegal instruction"),
    (0xc000_0025, "execution went on after an exception that does not allow it"),
    (0xc000_0026, "an exception handler gave an invalid answer"),
    (0xc000_008c, "array bounds exceeded"),
    (0xc000_008d, "floating-point operand is denormal"),
    (0xc000_008e, "floating-point division by zero"),
    (0xc000_008f, "floating-point result is inexact"),
    (0xc000_0090, "invalid floating-point operation"),
    (0xc000_0091, "floating-point overflow"),
    (0xc000_0092, "floating-point stack overflow or underflow"),
    (0xc000_0093, "floating-point underflow"),
    (0xc000_0094, "integer division by zero"),
    (0xc000_0095, "integer overflow"),
    (0xc000_0096, "privileged instruction"),
    (0xc000_00fd, "stack overflow"),
    (0xc000_0135, "a DLL was not found"),
    (0xc000_0138, "an ordinal was not found in a DLL"),
    (0xc000_0139, "an entry point was not found in a DLL"),
    (0xc000_013a, "ended by Ctrl+C"),
    (0xc000_0142, "a DLL failed to initialise"),
    (0xc000_0194, "possible deadlock"),
    (0xc000_0374, "heap corruption"),
    (0xc000_0417, "invalid parameter given to a function of the C library"),
    (0xc000_041d, "an exception went through a callback of the kernel"),
    (0xc000_0420, "assertion failure"),
    (0xc000_0602, "fail fast"),
    (0xcfff_ffff, "the application hung, and Windows ended it"),
    (0xe000_0008, "out of memory (Chromium's allocator)"),
    (0xe043_4352, "unhandled .NET exception"),
    (0xe06d_7363, "unhandled C++ exception"),
    (0xe06d_7364, "unhandled C++ exception of a delay-loaded DLL"),
];

/// What the subcodes of fail-fast mean that programs of C meet.
const FAST_FAILS: [(u64, &str); 8] = [
    (0, "a stack buffer was overrun (/GS)"),
    (2, "a stack buffer was overrun (/GS)"),
    (3, "a linked list is corrupt"),
    (5, "invalid parameter given to a function of the C library"),
    (7, "the program ended itself: abort() or std::terminate()"),
    (10, "a call led to an invalid target (control flow guard)"),
    (35, "unexpected heap exception"),
    (50, "heap metadata corruption"),
];

/// What ended the process, and in which thread.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) signal: Option<Signal>,
    pub(super) exception: Option<NativeException>,
    pub(super) tid: Option<u32>,
}

/// Reads the stream `Exception`. The thread that it names gets the registers from the moment of the exception.
pub(super) fn read(
    streams: &Streams<'_>,
    system: &System,
    modules: &[Module],
    threads: &mut [NativeThread],
) -> Ended {
    let Some(stream) = streams.get(MINIDUMP_STREAM_TYPE::ExceptionStream) else {
        return Ended::default();
    };
    let Ok(raw) = stream.pread_with::<MINIDUMP_EXCEPTION_STREAM>(0, LE) else {
        streams.warn("the dump's exception is cut off: what ended the process is not known");
        return Ended::default();
    };
    if let Some(thread) = threads.iter_mut().find(|thread| thread.tid == raw.thread_id) {
        let (instruction_pointer, stack_pointer) = registers(streams, system, &raw.thread_context);
        thread.instruction_pointer = instruction_pointer.or(thread.instruction_pointer);
        thread.stack_pointer = stack_pointer.or(thread.stack_pointer);
    }
    let record = &raw.exception_record;
    if matches!(record.exception_code, SIMULATED | REQUESTED | 0) {
        return Ended::default();
    }
    let tid = Some(raw.thread_id);
    if system.os == OperatingSystem::Linux {
        return Ended { signal: Some(linux_signal(record)), exception: None, tid };
    }
    let (name, description) = match system.os {
        OperatingSystem::Windows => (name_of(record.exception_code), description(record)),
        _ => {
            let reason = mac_reason(streams, stream, system);
            (reason.split(' ').next().map(str::to_owned), reason)
        }
    };
    let address = Some(Address(record.exception_address)).filter(|address| !address.is_null());
    let exception = NativeException {
        code: format!("{:#010x}", record.exception_code),
        name,
        description,
        address,
        location: address.map(|address| process::location(address, modules)),
        parameters: parameters(record).iter().map(|value| format!("{value:#x}")).collect(),
    };
    // The report's contract has the exception's code where other systems have a signal.
    let signal = Signal {
        number: record.exception_code.into(),
        name: exception.name.clone().unwrap_or_else(|| exception.code.clone()),
        code: None,
        code_name: None,
        address: accessed(record),
        sender_pid: None,
    };
    Ended { signal: Some(signal), exception: Some(exception), tid }
}

/// The virtual address whose access failed.
fn accessed(record: &MINIDUMP_EXCEPTION) -> Option<Address> {
    let is_access = matches!(record.exception_code, ACCESS_VIOLATION | IN_PAGE_ERROR);
    parameters(record).get(1).filter(|_| is_access).map(|&address| Address(address))
}

fn parameters(record: &MINIDUMP_EXCEPTION) -> &[u64] {
    let count = (record.number_parameters as usize).min(record.exception_information.len());
    record.exception_information.get(..count).unwrap_or_default()
}

/// The name of a code of Windows.
fn name_of(code: u32) -> Option<String> {
    match CrashReason::from_windows_code(code) {
        CrashReason::WindowsGeneral(name) => Some(format!("{name:?}")),
        CrashReason::WindowsNtStatus(name) => Some(format!("{name:?}")),
        CrashReason::WindowsWinError(name) => Some(format!("{name:?}")),
        _ => None,
    }
}

/// What an exception of Windows says, in words.
fn description(record: &MINIDUMP_EXCEPTION) -> String {
    let code = record.exception_code;
    match (code, parameters(record)) {
        (ACCESS_VIOLATION, [access, address, ..]) => {
            format!("access violation {} {address:#x}", accessing(*access))
        }
        (IN_PAGE_ERROR, [access, address, status, ..]) => {
            let status = u32::try_from(*status & 0xffff_ffff).unwrap_or_default();
            let status = name_of(status).unwrap_or_else(|| format!("{status:#010x}"));
            format!("a page of a file could not be read in, {} {address:#x}: {status}", accessing(*access))
        }
        (ACCESS_VIOLATION, _) => "access violation".to_owned(),
        (FAIL_FAST, [subcode, ..]) => {
            let name = CrashReason::WindowsStackBufferOverrun(*subcode).to_string();
            let name = name.rsplit(' ').next().unwrap_or_default();
            let meaning = FAST_FAILS.iter().find(|(known, _)| known == subcode);
            let meaning = meaning.map(|(_, meaning)| format!(": {meaning}")).unwrap_or_default();
            format!("fail fast {subcode} ({name}){meaning}")
        }
        (FAIL_FAST, _) => "fail fast".to_owned(),
        _ => match MEANINGS.iter().find(|(known, _)| *known == code) {
            Some((_, meaning)) => (*meaning).to_owned(),
            None => name_of(code).unwrap_or_else(|| format!("exception {code:#010x}")),
        },
    }
}

fn accessing(access: u64) -> &'static str {
    match access {
        0 => "reading",
        1 => "writing",
        8 => "executing",
        _ => "at",
    }
}

/// `EXC_BAD_ACCESS / KERN_INVALID_ADDRESS`, and the like.
fn mac_reason(streams: &Streams<'_>, stream: &[u8], system: &System) -> String {
    let info = system.info.as_ref();
    let exception = MinidumpException::read(stream, streams.data, LE, info).ok();
    let reason = info.zip(exception).map(|(info, exception)| exception.get_crash_reason(info.os, info.cpu));
    reason.map(|reason| reason.to_string()).unwrap_or_default()
}

/// The signal as `siginfo_t` had it: number, code and address, which are there for faults.
fn linux_signal(record: &MINIDUMP_EXCEPTION) -> Signal {
    const CODE: usize = 8;
    const ADDRESS: usize = 16;
    let mut siginfo = [0; 128];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = siginfo.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, &record.exception_code.to_le_bytes());
    put(CODE, &record.exception_flags.to_le_bytes());
    put(ADDRESS, &record.exception_address.to_le_bytes());
    let from_kernel = record.exception_flags.cast_signed() > 0;
    let number = record.exception_code.cast_signed();
    signal::from_siginfo(&siginfo).filter(|_| from_kernel).unwrap_or_else(|| signal::from_number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(code: u32, parameters: &[u64]) -> MINIDUMP_EXCEPTION {
        let mut record = MINIDUMP_EXCEPTION { exception_code: code, ..Default::default() };
        record.number_parameters = parameters.len() as u32;
        record.exception_information[..parameters.len()].copy_from_slice(parameters);
        record
    }

    #[test]
    fn exceptions_are_told_in_words() {
        let told = |code, parameters: &[u64]| description(&record(code, parameters));
        assert_eq!(told(0xc0000005, &[0, 0x10]), "access violation reading 0x10");
        assert_eq!(told(0xc0000005, &[1, 0]), "access violation writing 0x0");
        assert_eq!(told(0xc0000005, &[8, 7]), "access violation executing 0x7");
        assert_eq!(told(0xc0000005, &[]), "access violation");
        assert_eq!(
            told(0xc0000006, &[0, 0x1000, 0xc000_009c]),
            "a page of a file could not be read in, reading 0x1000: STATUS_DEVICE_DATA_ERROR"
        );
        assert_eq!(told(0xc00000fd, &[1, 5]), "stack overflow");
        assert_eq!(told(0xc0000374, &[5]), "heap corruption");
        assert_eq!(
            told(0xc0000409, &[7]),
            "fail fast 7 (FAST_FAIL_FATAL_APP_EXIT): the program ended itself: abort() or std::terminate()"
        );
        assert_eq!(told(0xc0000409, &[4]), "fail fast 4 (FAST_FAIL_INCORRECT_STACK)");
        assert_eq!(told(0xe06d7363, &[0x19930520, 1, 2, 3]), "unhandled C++ exception");
        assert_eq!(told(0xc0000022, &[]), "STATUS_ACCESS_DENIED");
        assert_eq!(told(0x12345678, &[]), "exception 0x12345678");
        assert_eq!(name_of(0xe06d7363).unwrap(), "UNHANDLED_CPP_EXCEPTION");
        assert_eq!(name_of(0xc0000374).unwrap(), "STATUS_HEAP_CORRUPTION");
    }

    #[test]
    fn absurd_numbers_of_parameters_are_cut() {
        let mut record = record(1, &[]);
        record.number_parameters = u32::MAX;
        assert_eq!(parameters(&record).len(), 15);
    }
}
