//! A builder of small cores for tests. It writes ELF and notes from the numbers in Linux's headers alone, so that a
//! wrong idea of the reader's cannot hide in it.

use crate::process::synthetic::{put, put16, put32, put64};

pub(crate) const NT_PRSTATUS: u32 = 1;
pub(crate) const NT_PRPSINFO: u32 = 3;
pub(crate) const NT_AUXV: u32 = 6;
pub(crate) const NT_ARM_TLS: u32 = 0x401;
pub(crate) const NT_FILE: u32 = 0x4649_4c45;
pub(crate) const NT_SIGINFO: u32 = 0x5349_4749;

pub(crate) const READ: u32 = 4;
pub(crate) const WRITE: u32 = 2;
pub(crate) const EXECUTE: u32 = 1;

/// One `PT_LOAD`.
#[derive(Clone)]
struct Load {
    start: u64,
    memory_size: u64,
    flags: u32,
    bytes: Vec<u8>,
}

/// A core to be.
#[derive(Clone, Default)]
pub(crate) struct Core {
    notes: Vec<u8>,
    loads: Vec<Load>,
    machine: Option<u16>,
    notes_last: bool,
    numbered_in_section: bool,
}

impl Core {
    pub(crate) fn new() -> Self {
        Core::default()
    }

    /// gdb puts the notes behind the memory, the kernel before it.
    pub(crate) fn notes_last(mut self) -> Self {
        self.notes_last = true;
        self
    }

    /// Of another machine than x86-64, by its number.
    pub(crate) fn machine(mut self, number: u16) -> Self {
        self.machine = Some(number);
        self
    }

    /// Write `PN_XNUM` and the number of program headers in section header 0.
    pub(crate) fn numbered_in_section(mut self) -> Self {
        self.numbered_in_section = true;
        self
    }

    pub(crate) fn note(mut self, owner: &str, kind: u32, description: &[u8]) -> Self {
        let owner = format!("{owner}\0");
        for word in [owner.len() as u32, description.len() as u32, kind] {
            self.notes.extend(word.to_le_bytes());
        }
        for part in [owner.as_bytes(), description] {
            self.notes.extend(part);
            self.notes.resize(self.notes.len().next_multiple_of(4), 0);
        }
        self
    }

    /// `NT_PRSTATUS`.
    pub(crate) fn thread(self, tid: u32, cursig: u16, rip: u64, rsp: u64, fs_base: u64) -> Self {
        let mut status = vec![0; 336];
        put16(&mut status, 12, cursig);
        put32(&mut status, 32, tid);
        put64(&mut status, 112 + 16 * 8, rip);
        put64(&mut status, 112 + 19 * 8, rsp);
        put64(&mut status, 112 + 21 * 8, fs_base);
        self.note("CORE", NT_PRSTATUS, &status)
    }

    /// `NT_PRSTATUS` of aarch64, with the registers `x0`, `x1`, `x8`, `sp`, `pc`.
    pub(crate) fn arm_thread(self, tid: u32, cursig: u16, registers: [u64; 5]) -> Self {
        let mut status = vec![0; 392];
        put16(&mut status, 12, cursig);
        put32(&mut status, 32, tid);
        for (index, value) in [0, 1, 8, 31, 32].into_iter().zip(registers) {
            put64(&mut status, 112 + index * 8, value);
        }
        self.note("CORE", NT_PRSTATUS, &status)
    }

    /// `NT_ARM_TLS`: `tpidr_el0` and `tpidr2_el0`.
    pub(crate) fn arm_thread_pointer(self, pointer: u64) -> Self {
        self.note("LINUX", NT_ARM_TLS, &[pointer.to_le_bytes(), [0; 8]].concat())
    }

    /// `NT_PRPSINFO`.
    pub(crate) fn process(self, pid: u32, arguments: &str) -> Self {
        let mut info = vec![0; 136];
        put32(&mut info, 24, pid);
        put(&mut info, 40, b"python");
        put(&mut info, 56, arguments.as_bytes());
        self.note("CORE", NT_PRPSINFO, &info)
    }

    /// `NT_SIGINFO`.
    pub(crate) fn siginfo(self, number: u32, code: i32, fields: u64) -> Self {
        let mut siginfo = vec![0; 128];
        put32(&mut siginfo, 0, number);
        put(&mut siginfo, 8, &code.to_le_bytes());
        put64(&mut siginfo, 16, fields);
        self.note("CORE", NT_SIGINFO, &siginfo)
    }

    /// `NT_AUXV`.
    pub(crate) fn auxiliary(self, pairs: &[(u64, u64)]) -> Self {
        let vector = pairs.iter().flat_map(|(key, value)| [key.to_le_bytes(), value.to_le_bytes()]);
        self.note("CORE", NT_AUXV, &vector.flatten().chain([0; 16]).collect::<Vec<_>>())
    }

    /// `NT_FILE`: start, end, offset in bytes, path.
    pub(crate) fn files(self, files: &[(u64, u64, u64, &str)]) -> Self {
        self.files_by_pages(0x1000, files)
    }

    /// `NT_FILE` of a kernel whose pages have `page` bytes.
    pub(crate) fn files_by_pages(self, page: u64, files: &[(u64, u64, u64, &str)]) -> Self {
        let mut words = vec![files.len() as u64, page];
        let mut paths = Vec::new();
        for (start, end, offset, path) in files {
            words.extend([*start, *end, *offset / page]);
            paths.extend(format!("{path}\0").bytes());
        }
        let description = words.iter().flat_map(|word| word.to_le_bytes()).chain(paths).collect::<Vec<_>>();
        self.note("CORE", NT_FILE, &description)
    }

    /// `memory_size` bytes of memory, of which only `bytes` were dumped.
    pub(crate) fn load(mut self, start: u64, memory_size: u64, flags: u32, bytes: &[u8]) -> Self {
        self.loads.push(Load { start, memory_size, flags, bytes: bytes.to_vec() });
        self
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let count = self.loads.len() + 1;
        let section_size = if self.numbered_in_section { 64 } else { 0 };
        let mut file = vec![0; 64 + 56 * count + section_size];
        put(&mut file, 0, b"\x7fELF\x02\x01\x01");
        put16(&mut file, 16, 4);
        put16(&mut file, 18, self.machine.unwrap_or(62));
        put32(&mut file, 20, 1);
        put64(&mut file, 32, 64);
        put16(&mut file, 52, 64);
        put16(&mut file, 54, 56);
        put16(&mut file, 56, count as u16);
        if self.numbered_in_section {
            let section = (64 + 56 * count) as u64;
            put16(&mut file, 56, 0xffff);
            put64(&mut file, 40, section);
            put16(&mut file, 58, 64);
            put16(&mut file, 60, 1);
            put32(&mut file, section + 44, count as u32);
        }
        if !self.notes_last {
            self.put_notes(&mut file);
        }
        for (index, load) in self.loads.iter().enumerate() {
            let header = 64 + 56 * (index as u64 + 1);
            put32(&mut file, header, 1);
            put32(&mut file, header + 4, load.flags);
            let at = file.len() as u64;
            put64(&mut file, header + 8, at);
            put64(&mut file, header + 16, load.start);
            put64(&mut file, header + 32, load.bytes.len() as u64);
            put64(&mut file, header + 40, load.memory_size);
            file.extend(&load.bytes);
        }
        if self.notes_last {
            self.put_notes(&mut file);
        }
        file
    }

    fn put_notes(&self, file: &mut Vec<u8>) {
        let at = file.len() as u64;
        put32(file, 64, 4);
        put64(file, 64 + 8, at);
        put64(file, 64 + 32, self.notes.len() as u64);
        put64(file, 64 + 48, 4);
        file.extend(&self.notes);
    }
}
