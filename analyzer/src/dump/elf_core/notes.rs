//! The notes of a core: threads, the signal, the command, the mapped files, the auxiliary vector.
//!
//! Layouts: Linux `include/linux/elfcore.h`, `include/uapi/linux/elfcore.h`, `fs/binfmt_elf.c` (`fill_files_note`) on a
//! 64-bit machine. gdb's gcore and qemu write the same ones in orders of their own.

use super::headers::NoteSegment;
use super::machine::{self, Facts};
use crate::addr::Address;
use crate::process::{NativeThread, SystemCalls, signal};
use crate::report::Signal;
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64};
use object::read::elf::NoteIterator;

/// How many notes are read; there are about three for each thread.
const MAX_NOTES: usize = 1 << 20;
/// How many mapped files are read; the kernel allows a process 65,530 mappings unless told otherwise.
const MAX_FILES: u64 = 1 << 20;

/// A part of a file that was mapped, from `NT_FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileMapping {
    /// The first virtual address.
    pub(super) start: u64,
    /// The first virtual address behind it.
    pub(super) end: u64,
    /// Where the mapping begins in the file, in bytes.
    pub(super) file_offset: u64,
    /// The path, as the kernel had it.
    pub(super) path: Vec<u8>,
}

/// What the notes of a core say.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// All threads, in the order of the notes: the one that took the signal first.
    pub(super) threads: Vec<NativeThread>,
    /// The signal that the first thread took, if the process died of it.
    pub(super) signal: Option<Signal>,
    /// The process id, from `NT_PRPSINFO`.
    pub(super) pid: Option<u32>,
    /// The user id, from `NT_PRPSINFO`.
    pub(super) uid: Option<u32>,
    /// The arguments in one string, cut at 79 bytes by the kernel.
    pub(super) command: Option<Vec<u8>>,
    /// The auxiliary vector, by `AT_*`.
    pub(super) auxiliary: Vec<(u64, u64)>,
    /// All mapped files, ascending by address.
    pub(super) files: Vec<FileMapping>,
    /// Whether there was an `NT_FILE`.
    pub(super) has_files: bool,
    /// Whether `pycore shrink --redact` wrote the core.
    pub(super) redacted: bool,
    /// What was odd.
    pub(super) warnings: Vec<String>,
}

impl Notes {
    /// The value of one `AT_*` in the auxiliary vector.
    pub(super) fn auxiliary_value(&self, key: u64) -> Option<u64> {
        self.auxiliary.iter().find(|(found, _)| *found == key).map(|(_, value)| *value)
    }
}

/// The name of our own notes.
const OWN_NAME: &[u8] = b"pycore";
/// What a note of ours says of a core whose secrets were overwritten.
const REDACTED: &[u8] = b"redacted";
/// The note that says so, as it lies in a core: sizes of name and description, type 1, both padded.
pub(super) const REDACTED_NOTE: &[u8] = b"\x07\0\0\0\x08\0\0\0\x01\0\0\0pycore\0\0redacted";
/// What its parts are padded to, in bytes.
pub(super) const REDACTED_NOTE_ALIGNMENT: u64 = 4;

/// The bytes of notes with zeros for the registers that hold pieces of strings while those are copied or compared.
pub(super) fn without_vector_registers(segment: &NoteSegment, data: &[u8]) -> Vec<u8> {
    /// Linux `include/uapi/linux/elf.h`.
    const NT_ARM_SVE: u32 = 0x405;
    let bytes = segment.bytes(data);
    let mut cleared = bytes.to_vec();
    let notes = NoteIterator::<FileHeader64<LE>>::new(LE, segment.align, bytes).into_iter().flatten();
    for note in notes.take(MAX_NOTES).map_while(Result::ok) {
        let kind = note.n_type(LE);
        if [elf::NT_FPREGSET, elf::NT_PRXFPREG, elf::NT_X86_XSTATE].contains(&kind) || kind.0 == NT_ARM_SVE {
            let start = note.desc().as_ptr().addr() - bytes.as_ptr().addr();
            cleared.get_mut(start..start + note.desc().len()).unwrap_or_default().fill(0);
        }
    }
    cleared
}

/// Reads all notes of a core, `data`; what a truncated file does not hold is missing.
pub(super) fn read(segments: &[NoteSegment], data: &[u8], facts: &Facts) -> Notes {
    let mut reader = Reader::default();
    let mut left = MAX_NOTES;
    for segment in segments {
        let bytes = segment.bytes(data);
        if (bytes.len() as u64) < segment.size {
            reader.warn("the dump ends within its notes: threads or files may be missing");
        }
        let Ok(notes) = NoteIterator::<FileHeader64<LE>>::new(LE, segment.align, bytes) else {
            reader.warn("notes of an unknown alignment were passed over");
            continue;
        };
        for note in notes {
            let Some(next) = left.checked_sub(1) else {
                reader.warn(&format!("only the first {MAX_NOTES} notes were read"));
                return reader.finish();
            };
            left = next;
            match note {
                Ok(note) => reader.add(facts, note.name(), elf::NoteType(note.n_type(LE).0), note.desc()),
                Err(_) => reader.warn("a note is damaged or cut off: threads or files may be missing"),
            }
        }
    }
    reader.finish()
}

/// The notes so far.
#[derive(Default)]
struct Reader {
    notes: Notes,
    /// `pr_cursig` of the first thread.
    current_signal: Option<i32>,
    /// The first `NT_SIGINFO`: the kernel writes one, gdb one for each thread, behind the thread's `NT_PRSTATUS`.
    siginfo: Option<Signal>,
    /// Written by gdb, which begins with `NT_PRPSINFO`; the kernel begins with the thread that took the signal.
    by_debugger: bool,
}

impl Reader {
    fn warn(&mut self, warning: &str) {
        if !self.notes.warnings.iter().any(|known| known == warning) {
            self.notes.warnings.push(warning.to_owned());
        }
    }

    fn add(&mut self, facts: &Facts, name: &[u8], kind: elf::NoteType, description: &[u8]) {
        self.notes.redacted |= name == OWN_NAME && description == REDACTED;
        let known = match kind {
            _ if name == machine::NT_OWNER && facts.thread_pointer_note == Some(kind) => {
                self.add_thread_pointer(description)
            }
            _ if name != elf::ELF_NOTE_CORE => return,
            elf::NT_PRSTATUS => self.add_status(facts, description),
            elf::NT_PRPSINFO => self.add_process(description),
            elf::NT_SIGINFO => self.add_siginfo(description),
            elf::NT_AUXV => self.add_auxiliary(description),
            elf::NT_FILE => self.add_files(description),
            _ => Some(()),
        };
        if known.is_none() {
            self.warn("a note is shorter than its kind has to be: threads or files may be missing");
        }
    }

    fn add_status(&mut self, facts: &Facts, status: &[u8]) -> Option<()> {
        let layout = &facts.status;
        let address = |offset| u64_at(status, offset).map(Address);
        let thread = NativeThread {
            tid: u32_at(status, layout.pid)?,
            thread_pointer: layout.thread_pointer.and_then(address).filter(|pointer| !pointer.is_null()),
            instruction_pointer: address(layout.instruction_pointer),
            stack_pointer: address(layout.stack_pointer),
            futex: futex(facts, status),
            ..NativeThread::default()
        };
        let current_signal = i16::from_le_bytes(*status.get(layout.cursig..)?.first_chunk()?);
        self.current_signal.get_or_insert(current_signal.into());
        self.notes.threads.push(thread);
        Some(())
    }

    fn add_thread_pointer(&mut self, registers: &[u8]) -> Option<()> {
        let pointer = Address(u64_at(registers, 0)?);
        if let Some(thread) = self.notes.threads.last_mut() {
            thread.thread_pointer = Some(pointer).filter(|pointer| !pointer.is_null());
        }
        Some(())
    }

    fn add_process(&mut self, info: &[u8]) -> Option<()> {
        const PR_UID: usize = 16;
        const PR_PID: usize = 24;
        const PR_PSARGS: usize = 56;
        const PSARGS_SIZE: usize = 80;
        self.by_debugger |= self.notes.threads.is_empty();
        self.notes.uid = Some(u32_at(info, PR_UID)?);
        self.notes.pid = Some(u32_at(info, PR_PID)?);
        let arguments = info.get(PR_PSARGS..PR_PSARGS + PSARGS_SIZE)?;
        let arguments = arguments.split(|&byte| byte == 0).next()?.trim_ascii_end();
        self.notes.command = (!arguments.is_empty()).then(|| arguments.to_vec());
        Some(())
    }

    fn add_siginfo(&mut self, siginfo: &[u8]) -> Option<()> {
        if self.siginfo.is_none() && self.notes.threads.len() <= 1 {
            self.siginfo = Some(signal::from_siginfo(siginfo)?);
        }
        Some(())
    }

    fn add_auxiliary(&mut self, vector: &[u8]) -> Option<()> {
        const AT_NULL: u64 = 0;
        let words =
            vector.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect::<Vec<_>>();
        let pairs = words.as_chunks::<2>().0.iter().map(|&[key, value]| (key, value));
        self.notes.auxiliary = pairs.take_while(|(key, _)| *key != AT_NULL).collect();
        Some(())
    }

    /// `NT_FILE`: the count, the page size, then start, end and offset in pages of each, then all paths.
    fn add_files(&mut self, description: &[u8]) -> Option<()> {
        const HEADER: usize = 16;
        const ENTRY: usize = 24;
        self.notes.has_files = true;
        let count = u64_at(description, 0)?;
        let page_size = u64_at(description, 8)?;
        if count > MAX_FILES {
            self.warn(&format!("only the first {MAX_FILES} mapped files were read"));
        }
        let entries_end = usize::try_from(count).ok()?.checked_mul(ENTRY)?.checked_add(HEADER)?;
        let entries = description.get(HEADER..entries_end)?.as_chunks::<ENTRY>().0;
        let mut paths = description.get(entries_end..)?.split(|&byte| byte == 0);
        for entry in entries.iter().take(MAX_FILES as usize) {
            let path = paths.next().filter(|path| !path.is_empty())?;
            let (start, end) = (u64_at(entry, 0)?, u64_at(entry, 8)?);
            let file_offset = u64_at(entry, 16)?.checked_mul(page_size);
            match file_offset {
                Some(file_offset) if start < end => {
                    self.notes.files.push(FileMapping { start, end, file_offset, path: path.to_vec() });
                }
                _ => self.warn("a mapped file with impossible addresses was passed over"),
            }
        }
        Some(())
    }

    fn finish(mut self) -> Notes {
        self.notes.files.sort_by_key(|file| file.start);
        self.notes.signal = self.current_signal.filter(|&number| self.is_death(number)).map(|number| {
            self.siginfo
                .take()
                .filter(|siginfo| siginfo.number == i64::from(number))
                .unwrap_or(signal::from_number(number))
        });
        self.notes
    }

    /// Whether the signal that the first thread took ended the process. A debugger stops what it attaches to with
    /// SIGSTOP and its breakpoints with SIGTRAP.
    fn is_death(&self, number: i32) -> bool {
        signal::is_fatal(number) && !(self.by_debugger && number == signal::SIGTRAP)
    }
}

/// The futex that a thread waits for, by its `NT_PRSTATUS`.
fn futex(facts: &Facts, status: &[u8]) -> Option<Address> {
    let call = &facts.status.system_call;
    let [first, second] = call.arguments.map(|at| u64_at(status, at));
    SystemCalls::of(facts.machine).awaited_futex(u64_at(status, call.number)?, [first?, second?])
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}
