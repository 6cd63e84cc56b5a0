//! What Windows keeps in a process about itself: the environment blocks of its threads (TEB) and its own (PEB).
//!
//! Places: `ntddk.h` and `winternl.h` of the Windows SDK, and the public symbols of ntdll for the fields that these
//! leave out. They have been the same in all 64-bit Windows, on x64 and on Arm.

mod command_line;

use super::NativeThread;
use crate::addr::Address;
use crate::memory::Memory;
use command_line::split;

/// `TEB.NtTib.Self`: its own address.
const TEB_SELF: u64 = 0x30;
/// `TEB.ClientId.UniqueThread`.
const TEB_THREAD: u64 = 0x48;
/// `TEB.ProcessEnvironmentBlock`.
const TEB_PEB: u64 = 0x60;
/// `TEB.TlsSlots`: what `TlsGetValue` gives for the first 64 indices.
const TEB_TLS_SLOTS: u64 = 0x1480;
const TLS_SLOTS: u64 = 64;
/// `TEB.TlsExpansionSlots`: a pointer to those of the next 1024.
const TEB_TLS_EXPANSION_SLOTS: u64 = 0x1780;
const TLS_EXPANSION_SLOTS: u64 = 1024;
/// `PEB.ProcessParameters`.
const PEB_PARAMETERS: u64 = 0x20;
/// `RTL_USER_PROCESS_PARAMETERS.Flags`, and the flag that says that its strings are given by their addresses.
const FLAGS: u64 = 0x08;
const NORMALIZED: u32 = 1;
const CURRENT_DIRECTORY: u64 = 0x38;
const IMAGE_PATH: u64 = 0x60;
const COMMAND_LINE: u64 = 0x70;
const ENVIRONMENT: u64 = 0x80;
/// How many threads are asked for their process.
const MAX_ASKED: usize = 64;
/// The largest environment that is read, in bytes.
const MAX_ENVIRONMENT: usize = 1 << 20;

/// What a process was started with, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// The path of the main program.
    pub(crate) image_path: Option<String>,
    /// The arguments, the program's name first.
    pub(crate) command_line: Option<Vec<String>>,
    /// The directory that it is in.
    pub(crate) current_directory: Option<String>,
    /// The variables of its environment, each `NAME=value`.
    pub(crate) environment: Option<Vec<String>>,
}

/// What the process was started with, where its own memory tells.
pub(crate) fn parameters(memory: &dyn Memory, threads: &[NativeThread]) -> Option<Parameters> {
    let mut blocks = threads.iter().take(MAX_ASKED).filter_map(|thread| teb(memory, thread));
    let peb = blocks.find_map(|teb| memory.pointer(teb.add(TEB_PEB)).ok().filter(|peb| !peb.is_null()))?;
    let parameters = memory.pointer(peb.add(PEB_PARAMETERS)).ok().filter(|at| !at.is_null())?;
    if memory.u32(parameters.add(FLAGS)).ok()? & NORMALIZED == 0 {
        return None;
    }
    let string = |at| string(memory, parameters.add(at)).filter(|string| !string.is_empty());
    Some(Parameters {
        image_path: string(IMAGE_PATH),
        command_line: string(COMMAND_LINE).map(|line| split(&line)),
        current_directory: string(CURRENT_DIRECTORY),
        environment: environment(memory, parameters),
    })
}

/// What threads keep in slots of their own (`TlsSetValue`), where it may be an address.
pub(crate) fn tls_values(memory: &dyn Memory, thread: &NativeThread) -> Vec<Address> {
    let Some(teb) = teb(memory, thread) else { return Vec::new() };
    let expansion = memory.pointer(teb.add(TEB_TLS_EXPANSION_SLOTS)).unwrap_or_default();
    let slots = (0..TLS_SLOTS).map(|slot| teb.add(TEB_TLS_SLOTS).element(slot, 8));
    let expanded = (0..TLS_EXPANSION_SLOTS).map(|slot| expansion.element(slot, 8));
    let expanded = expanded.filter(|_| !expansion.is_null());
    let values = slots.chain(expanded).filter_map(|slot| memory.pointer(slot).ok());
    values.filter(|value| !value.is_null() && value.0.is_multiple_of(8)).collect()
}

/// The environment block of a thread, if it is in the dump and is that of this thread.
fn teb(memory: &dyn Memory, thread: &NativeThread) -> Option<Address> {
    let teb = thread.thread_pointer?;
    let is_its_own =
        memory.pointer(teb.add(TEB_SELF)) == Ok(teb) && memory.u32(teb.add(TEB_THREAD)) == Ok(thread.tid);
    is_its_own.then_some(teb)
}

/// A `UNICODE_STRING`.
fn string(memory: &dyn Memory, at: Address) -> Option<String> {
    let size = memory.u16(at).ok()?;
    let text = memory.pointer(at.add(8)).ok()?;
    Some(utf16(&memory.bytes(text, size.into()).ok()?))
}

/// Strings in UTF-16 that end with a NUL each, and all of them with one more.
fn environment(memory: &dyn Memory, parameters: Address) -> Option<Vec<String>> {
    const CHUNK: usize = 512;
    let start = memory.pointer(parameters.add(ENVIRONMENT)).ok().filter(|start| !start.is_null())?;
    let mut bytes = Vec::new();
    let mut units = Vec::new();
    while bytes.len() < MAX_ENVIRONMENT {
        let mut chunk = [0; CHUNK];
        let at = start.add(bytes.len() as u64);
        let mut size = CHUNK;
        if let Err(fault) = memory.read(at, &mut chunk) {
            size = fault.at.0.wrapping_sub(at.0).min(CHUNK as u64) as usize & !1;
            memory.read(at, chunk.get_mut(..size)?).ok()?;
        }
        bytes.extend(chunk.get(..size)?);
        units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        if size < CHUNK || units.windows(2).any(|pair| pair == [0, 0]) {
            break;
        }
    }
    let strings = units.split(|&unit| unit == 0).take_while(|string| !string.is_empty());
    (!units.is_empty()).then(|| strings.map(String::from_utf16_lossy).collect())
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Backing, FaultCause, Range, Region, Regions};
    use crate::process::synthetic::{put, put16, put32, put64};

    const START: u64 = 0x7fff_0000_0000;
    const PEB: u64 = 0x4000;
    const PARAMETERS: u64 = 0x5000;

    fn bytes() -> Vec<u8> {
        let mut bytes = vec![0; 0x8000];
        put64(&mut bytes, 0x30, START);
        put64(&mut bytes, 0x40, 4711);
        put64(&mut bytes, 0x48, 7);
        put64(&mut bytes, 0x60, START + PEB);
        put64(&mut bytes, 0x1480 + 8 * 63, START + 0x7000);
        put64(&mut bytes, 0x1480, START + 0x7001);
        put64(&mut bytes, 0x1780, START + 0x2000);
        put64(&mut bytes, 0x2000 + 8 * 100, START + 0x7100);
        put64(&mut bytes, PEB + 0x20, START + PARAMETERS);
        put32(&mut bytes, PARAMETERS + 8, 1);
        let mut string = |at: u64, place: u64, text: &str| {
            let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            put16(&mut bytes, PARAMETERS + at, text.len() as u16);
            put64(&mut bytes, PARAMETERS + at + 8, START + place);
            put(&mut bytes, place, &text);
        };
        string(0x38, 0x6000, r"C:\work\");
        string(0x60, 0x6100, r"C:\Python\python.exe");
        string(0x70, 0x6200, r#""C:\Python\python.exe" "a b" ü"#);
        let environment = "=C:=C:\\\0A=1\0PATH=C:\\\0\0X=".encode_utf16().flat_map(u16::to_le_bytes);
        put(&mut bytes, 0x7f80, &environment.collect::<Vec<u8>>());
        put64(&mut bytes, PARAMETERS + 0x80, START + 0x7f80);
        bytes
    }

    fn thread() -> NativeThread {
        NativeThread { tid: 7, thread_pointer: Some(Address(START)), ..NativeThread::default() }
    }

    fn memory(bytes: &[u8]) -> Regions<'_> {
        let range = Range { start: Address(START), size: 0x8000, writable: true, executable: false };
        Regions::new(vec![Region { range, backing: Backing::Bytes(bytes, FaultCause::NotDumped) }])
    }

    #[test]
    fn a_process_knows_what_it_was_started_with() {
        let found = parameters(&memory(&bytes()), &[NativeThread::default(), thread()]).unwrap();
        let expected = Parameters {
            image_path: Some(r"C:\Python\python.exe".to_owned()),
            command_line: Some([r"C:\Python\python.exe", "a b", "ü"].map(str::to_owned).to_vec()),
            current_directory: Some(r"C:\work\".to_owned()),
            environment: Some([r"=C:=C:\", "A=1", r"PATH=C:\"].map(str::to_owned).to_vec()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_missing_is_absent() {
        let bytes = bytes();
        assert_eq!(parameters(&memory(&bytes[..0x5000]), &[thread()]), None);
        let partly = parameters(&memory(&bytes[..0x6100]), &[thread()]).unwrap();
        assert_eq!((partly.image_path, partly.environment), (None, None));
        assert_eq!(partly.current_directory.as_deref(), Some(r"C:\work\"));
        let other = NativeThread { tid: 8, ..thread() };
        assert_eq!(parameters(&memory(&bytes), &[other]), None, "the block of another thread");
        assert_eq!(parameters(&memory(&bytes), &[]), None);
    }

    #[test]
    fn threads_have_slots() {
        let expected = [Address(START + 0x7000), Address(START + 0x7100)];
        assert_eq!(tls_values(&memory(&bytes()), &thread()), expected);
    }

    #[test]
    fn any_damage_is_survived() {
        let whole = bytes();
        for at in (0x30..0x70).chain(PEB + 0x20..PEB + 0x28).chain(PARAMETERS..PARAMETERS + 0x88) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at as usize] = value;
                let _ = parameters(&memory(&bytes), &[thread()]);
            }
        }
    }
}
