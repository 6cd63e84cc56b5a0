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
/// The longest environment that is read, in units of UTF-16.
const MAX_ENVIRONMENT: usize = 1 << 20;

/// `RTL_USER_PROCESS_PARAMETERS`: what a process was started with. What is not in the dump is absent.
pub(crate) struct Parameters<'m> {
    memory: &'m dyn Memory,
    at: Address,
}

impl<'m> Parameters<'m> {
    /// Finds them by way of a thread.
    pub(crate) fn find(memory: &'m dyn Memory, threads: &[NativeThread]) -> Option<Self> {
        let blocks = threads.iter().take(MAX_ASKED).filter_map(|thread| teb(memory, thread));
        let mut blocks = blocks.filter_map(|teb| memory.pointer(teb.add(TEB_PEB)).ok());
        let peb = blocks.find(|peb| !peb.is_null())?;
        let at = memory.pointer(peb.add(PEB_PARAMETERS)).ok().filter(|at| !at.is_null())?;
        let has_addresses = memory.u32(at.add(FLAGS)).ok()? & NORMALIZED != 0;
        has_addresses.then_some(Parameters { memory, at })
    }

    /// The path of the main program.
    pub(crate) fn image_path(&self) -> Option<String> {
        self.string(IMAGE_PATH)
    }

    /// The arguments, the program's name first.
    pub(crate) fn command_line(&self) -> Option<Vec<String>> {
        self.string(COMMAND_LINE).map(|line| split(&line))
    }

    /// The directory that the process is in.
    pub(crate) fn current_directory(&self) -> Option<String> {
        self.string(CURRENT_DIRECTORY)
    }

    /// The variables of the environment, each `NAME=value`.
    pub(crate) fn environment(&self) -> Option<Vec<String>> {
        const CHUNK: usize = 512;
        let start = self.memory.pointer(self.at.add(ENVIRONMENT)).ok().filter(|start| !start.is_null())?;
        let mut units: Vec<u16> = Vec::new();
        let mut ended = false;
        while !ended && units.len() < MAX_ENVIRONMENT {
            let mut chunk = [0; CHUNK];
            let at = start.element(units.len() as u64, 2);
            let mut size = CHUNK;
            if let Err(fault) = self.memory.read(at, &mut chunk) {
                size = fault.at.0.wrapping_sub(at.0).min(CHUNK as u64) as usize & !1;
                self.memory.read(at, chunk.get_mut(..size)?).ok()?;
            }
            let from = units.len().saturating_sub(1);
            let read = chunk.get(..size)?.as_chunks::<2>().0;
            units.extend(read.iter().map(|unit| u16::from_le_bytes(*unit)));
            ended = size < CHUNK || units.get(from..)?.windows(2).any(|pair| pair == [0, 0]);
        }
        let strings = units.split(|&unit| unit == 0).take_while(|string| !string.is_empty());
        (!units.is_empty()).then(|| strings.map(String::from_utf16_lossy).collect())
    }

    /// The `UNICODE_STRING` at this offset, unless it is empty.
    fn string(&self, offset: u64) -> Option<String> {
        let at = self.at.add(offset);
        let size = self.memory.u16(at).ok()?;
        let bytes = self.memory.bytes(self.memory.pointer(at.add(8)).ok()?, size.into()).ok()?;
        let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        (!units.is_empty()).then(|| String::from_utf16_lossy(&units))
    }
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

    fn found(bytes: &[u8], threads: &[NativeThread]) -> Option<[Option<String>; 4]> {
        let memory = memory(bytes);
        let found = Parameters::find(&memory, threads)?;
        let joined = |list: Option<Vec<String>>| list.map(|list| list.join("|"));
        Some([
            found.image_path(),
            joined(found.command_line()),
            found.current_directory(),
            joined(found.environment()),
        ])
    }

    #[test]
    fn a_process_knows_what_it_was_started_with() {
        let expected =
            [r"C:\Python\python.exe", r"C:\Python\python.exe|a b|ü", r"C:\work\", r"=C:=C:\|A=1|PATH=C:\"];
        let found = found(&bytes(), &[NativeThread::default(), thread()]);
        assert_eq!(found, Some(expected.map(|text| Some(text.to_owned()))));
    }

    #[test]
    fn what_is_missing_is_absent() {
        let bytes = bytes();
        assert_eq!(found(&bytes[..0x5000], &[thread()]), None);
        let partly = found(&bytes[..0x6100], &[thread()]);
        assert_eq!(partly, Some([None, None, Some(r"C:\work\".to_owned()), None]));
        let other = NativeThread { tid: 8, ..thread() };
        assert_eq!(found(&bytes, &[other]), None, "the block of another thread");
        assert_eq!(found(&bytes, &[]), None);
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
                let _ = found(&bytes, &[thread()]);
            }
        }
    }
}
