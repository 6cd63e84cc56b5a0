//! Cores built by hand: whole, cut at every byte, damaged at random, and absurd.

mod aarch64;
mod files;
mod images;
mod minidump;
mod smaller;

use super::synthetic::{Core, EXECUTE, READ, WRITE};
use super::*;
use crate::memory::{Fault, FaultCause, Memory, RecordingMemory};
use crate::process::symbols::dynamic_symbol;
use crate::process::synthetic::{Library, PAGE, put64};
use std::fs;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

const PROGRAM: u64 = 0x40_0000;
const HEAP: u64 = 0x50_0000;
const LIBRARY: u64 = 0x7f00_0000_0000;
const STACK: u64 = 0x7ffc_0000_0000;
const STACK_SIZE: u64 = 0x3000;
const AT_RANDOM: u64 = STACK + 0x2800;

fn program() -> Library {
    Library { linked_at: PROGRAM, build_id: vec![1; 20], ..Library::default() }
}

fn library() -> Library {
    Library {
        build_id: vec![2; 20],
        symbols: vec![("_PyRuntime", PAGE + 0x10, 1, true)],
        data: vec![7; 100],
        ..Library::default()
    }
}

fn auxiliary() -> Vec<(u64, u64)> {
    vec![
        (33, STACK - 0x1000),
        (3, PROGRAM + 64),
        (9, PROGRAM + 0x100),
        (25, AT_RANDOM),
        (31, AT_RANDOM + 0x400),
    ]
}

/// The stack as the kernel leaves it, its arguments' strings at `AT_RANDOM + 16`.
fn stack(arguments: &[&str], environment: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0; STACK_SIZE as usize];
    let mut string_at = AT_RANDOM + 16;
    let mut words = vec![arguments.len() as u64];
    for list in [arguments, environment] {
        for string in list {
            words.push(string_at);
            put(&mut bytes, string_at - STACK, string.as_bytes());
            string_at += string.len() as u64 + 1;
        }
        words.push(0);
    }
    words.extend(auxiliary().iter().flat_map(|(key, value)| [*key, *value]).chain([0, 0]));
    put(&mut bytes, AT_RANDOM + 0x400 - STACK, b"/opt/bin/python");
    let start = AT_RANDOM - STACK - 8 * words.len() as u64;
    for (index, word) in words.iter().enumerate() {
        put64(&mut bytes, start + 8 * index as u64, *word);
    }
    bytes
}

fn put(bytes: &mut [u8], at: u64, what: &[u8]) {
    crate::process::synthetic::put(bytes, at, what);
}

const FILES: [(u64, u64, u64, &str); 4] = [
    (PROGRAM, PROGRAM + PAGE, 0, "/opt/bin/python"),
    (PROGRAM + PAGE, PROGRAM + 2 * PAGE, PAGE, "/opt/bin/python"),
    (LIBRARY, LIBRARY + PAGE, 0, "/opt/lib/libpython.so (deleted)"),
    (LIBRARY + PAGE, LIBRARY + 2 * PAGE, PAGE, "/opt/lib/libpython.so (deleted)"),
];

fn kernel_notes() -> Core {
    Core::new()
        .thread(101, 11, PROGRAM + 0x10, STACK + 0x100, 0x1111)
        .process(100, "python a.py")
        .siginfo(11, 1, 0x10)
        .auxiliary(&auxiliary())
        .files(&FILES)
        .note("LINUX", 0x202, &[0; 64])
        .thread(100, 11, PROGRAM + 0x20, STACK + 0x200, 0x2222)
}

/// A core as the kernel writes it: of read-only mappings of files the first page only.
fn kernel_core() -> Core {
    let heap = (0..64).collect::<Vec<u8>>();
    let library = library().build();
    kernel_notes()
        .load(PROGRAM, PAGE, READ | EXECUTE, &program().build()[..PAGE as usize])
        .load(PROGRAM + PAGE, PAGE, READ | WRITE, &[3; 16])
        .load(HEAP, 2 * PAGE, READ | WRITE, &heap)
        .load(LIBRARY, PAGE, READ | EXECUTE, &library[..PAGE as usize])
        .load(LIBRARY + PAGE, PAGE, READ | WRITE, &library[PAGE as usize..])
        .load(STACK, STACK_SIZE, READ | WRITE, &stack(&["python", "a.py", "two words"], &["HOME=/root"]))
}

fn open(bytes: &[u8], search: FileSearch) -> Result<Dump, OpenError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, bytes).unwrap();
    Dump::open(file.path(), search)
}

fn open_core(core: &Core) -> Dump {
    open(&core.build(), FileSearch::default()).unwrap()
}

fn read(dump: &Dump, at: u64, size: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; size];
    dump.memory().read(Address(at), &mut bytes).map(|()| bytes)
}

#[test]
fn a_kernel_core_tells_all() {
    let dump = open_core(&kernel_core());
    let process = dump.process();
    assert_eq!(process.warnings, Vec::<String>::new());
    assert_eq!((process.pid, process.crashed_tid), (Some(100), Some(101)));
    let signal = process.signal.as_ref().unwrap();
    assert_eq!((signal.code_name.as_deref(), signal.address), (Some("SEGV_MAPERR"), Some(Address(0x10))));
    assert_eq!(process.executable.as_deref(), Some("/opt/bin/python"));
    assert_eq!(process.command_line.as_ref().unwrap(), &["python", "a.py", "two words"]);
    assert_eq!(process.threads.iter().map(|thread| thread.tid).collect::<Vec<_>>(), [101, 100]);
    let thread = &process.threads[0];
    assert_eq!(thread.instruction_pointer, Some(Address(PROGRAM + 0x10)));
    assert_eq!(thread.stack_pointer, Some(Address(STACK + 0x100)));
    assert_eq!(thread.thread_pointer, Some(Address(0x1111)));
    let library = &process.modules[1];
    assert_eq!((library.path.as_str(), library.deleted), ("/opt/lib/libpython.so", true));
    assert_eq!((library.base, library.end), (Address(LIBRARY), Address(LIBRARY + 2 * PAGE)));
    assert_eq!(library.build_id_text().unwrap(), "02".repeat(20));
    assert_eq!(
        dynamic_symbol(&dump.memory(), library, "_PyRuntime"),
        Ok(Some(Address(LIBRARY + PAGE + 0x10)))
    );
    let source = dump.source();
    assert!(
        !source.truncated
            && source.arch == "x86_64"
            && source.size_bytes == kernel_core().build().len() as u64
    );
}

#[test]
fn what_was_not_dumped_is_not_zero() {
    let dump = open_core(&kernel_core());
    assert_eq!(read(&dump, HEAP + 10, 4), Ok(vec![10, 11, 12, 13]));
    let fault = |at, cause| Err(Fault { at: Address(at), cause });
    assert_eq!(read(&dump, HEAP + 60, 8), fault(HEAP + 64, FaultCause::NotDumped));
    assert_eq!(read(&dump, HEAP + 2 * PAGE, 1), fault(HEAP + 2 * PAGE, FaultCause::NotMapped));
    assert_eq!(read(&dump, PROGRAM + PAGE + 16, 1), fault(PROGRAM + PAGE + 16, FaultCause::NotDumped));
}

#[test]
fn a_debugger_that_stops_a_process_does_not_kill_it() {
    let by_gdb = |signal, cursig| {
        let core = Core::new().process(100, "python").thread(100, cursig, 1, 2, 3).siginfo(signal, 0x80, 0);
        open_core(&core.thread(101, cursig, 1, 2, 3).siginfo(signal, 0x80, 0).notes_last())
    };
    for (signal, cursig) in [(19, 0), (19, 19), (5, 5), (0, 0)] {
        let dump = by_gdb(signal, cursig);
        assert_eq!((&dump.process().signal, dump.process().crashed_tid), (&None, None));
    }
    let dump = by_gdb(11, 11);
    assert_eq!(dump.process().signal.as_ref().unwrap().name, "SIGSEGV");
    assert_eq!(dump.process().crashed_tid, Some(100));
}

#[test]
fn a_trap_kills_a_process_without_a_debugger() {
    let dump = open_core(&Core::new().thread(100, 5, 1, 2, 3).process(100, "python").siginfo(5, 0x80, 0));
    assert_eq!(dump.process().signal.as_ref().unwrap().name, "SIGTRAP");
}

#[test]
fn a_signal_without_siginfo_has_a_number() {
    let dump = open_core(&Core::new().thread(100, 6, 1, 2, 3).process(100, "python"));
    let signal = dump.process().signal.as_ref().unwrap();
    assert_eq!((signal.name.as_str(), signal.code), ("SIGABRT", None));
}

#[test]
fn modules_are_told_apart() {
    let mapped = library().build();
    let plain = |start: u64, path| (start, start + PAGE, 0, path);
    let dump = open_core(
        &Core::new()
            .thread(100, 6, 1, 2, 3)
            .auxiliary(&[(9, 0x6000_0800)])
            .files(&[
                plain(0x1000_0000, "/locale-archive"),
                plain(0x2000_0000, "/lib/a.so"),
                (0x2000_1000, 0x2000_2000, PAGE, "/lib/a.so"),
                (0x2000_2000, 0x2000_3000, 0, "/lib/a.so"),
                plain(0x3000_0000, "/lib/a.so"),
                (0x3000_1000, 0x3000_2000, PAGE, "/lib/a.so"),
                plain(0x4000_0000, "/lib/not-dumped.so.1"),
                plain(0x4100_0000, "/data/not-dumped"),
                plain(0x4200_0000, "/bin/not-dumped"),
                plain(0x5000_0000, "/data/half.elf"),
                plain(0x6000_0000, "/bin/main"),
            ])
            .load(0x1000_0000, PAGE, READ, &[0xde; 64])
            .load(0x2000_0000, PAGE, READ, &mapped[..PAGE as usize])
            .load(0x3000_0000, PAGE, READ, &mapped[..PAGE as usize])
            .load(0x4200_0000, PAGE, READ | EXECUTE, &[])
            .load(0x5000_0000, PAGE, READ, b"\x7fELF")
            .load(0x6000_0000, PAGE, READ, &mapped[..PAGE as usize]),
    );
    let found = dump.process().modules.iter();
    let found = found.map(|module| (module.path.as_str(), module.base.0, module.end.0)).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            ("/bin/main", 0x6000_0000, 0x6000_1000),
            ("/lib/a.so", 0x2000_0000, 0x2000_3000),
            ("/lib/a.so", 0x3000_0000, 0x3000_2000),
            ("/lib/not-dumped.so.1", 0x4000_0000, 0x4000_1000),
            ("/bin/not-dumped", 0x4200_0000, 0x4200_1000),
        ]
    );
}

#[test]
fn without_a_list_of_files_the_loaders_is_used() {
    let debug = HEAP + 0x100;
    let (first, second, name) = (HEAP + 0x200, HEAP + 0x300, HEAP + 0x400);
    let mut heap = vec![0; PAGE as usize];
    put64(&mut heap, 0x108, first);
    put64(&mut heap, 0x208, HEAP + 0x500);
    put64(&mut heap, 0x210, PROGRAM + 0xd00);
    put64(&mut heap, 0x218, second);
    put64(&mut heap, 0x308, name);
    put64(&mut heap, 0x310, LIBRARY + 0xd00);
    put64(&mut heap, 0x318, first);
    put(&mut heap, 0x400, b"/opt/lib/libpython.so");
    let whole = |library: Library| library.build();
    let core = Core::new()
        .thread(100, 6, 1, 2, 3)
        .load(PROGRAM, 2 * PAGE, READ, &whole(Library { debug, ..program() }))
        .load(HEAP, PAGE, READ | WRITE, &heap)
        .load(LIBRARY, 2 * PAGE, READ, &whole(library()))
        .load(2 * LIBRARY, 2 * PAGE, READ, &whole(Library { so_name: "libother.so", ..library() }));
    let dump = open_core(&core);
    let found = dump.process().modules.iter();
    let found = found.map(|module| (module.path.as_str(), module.base.0, module.end.0)).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            ("", PROGRAM, PROGRAM + 2 * PAGE),
            ("/opt/lib/libpython.so", LIBRARY, LIBRARY + 2 * PAGE),
            ("libother.so", 2 * LIBRARY, 2 * LIBRARY + 2 * PAGE),
        ]
    );
    assert_eq!(dump.process().executable, None);
    assert!(dump.process().warnings[0].contains("NT_FILE"));
}

#[test]
fn a_title_written_over_the_arguments_is_one_argument() {
    let mut overwritten = stack(&["python", "a.py"], &["A=B"]);
    put(&mut overwritten, AT_RANDOM + 16 - STACK, b"worker: idle and long\0");
    let dump = open_core(&kernel_notes().load(STACK, STACK_SIZE, READ | WRITE, &overwritten));
    assert_eq!(dump.process().command_line.as_ref().unwrap(), &["worker: idle and long"]);
}

#[test]
fn without_a_stack_the_arguments_are_what_the_kernel_kept() {
    let dump = open_core(&kernel_notes());
    assert_eq!(dump.process().command_line.as_ref().unwrap(), &["python", "a.py"]);
    assert!(dump.process().warnings[0].contains("split at blanks"));
    let long = "x".repeat(79);
    let dump = open_core(&Core::new().thread(1, 6, 1, 2, 3).process(1, &long));
    assert!(dump.process().warnings.iter().any(|warning| warning.contains("cut at 79 bytes")));
}

#[test]
fn program_headers_may_be_numbered_in_a_section() {
    let dump = open_core(&kernel_core().numbered_in_section());
    assert_eq!(dump.process().modules.len(), 2);
    assert_eq!(dump.process().warnings, Vec::<String>::new());
}

#[test]
fn overlapping_segments_are_clipped_and_told() {
    let core = Core::new()
        .thread(1, 6, 1, 2, 3)
        .load(0x1000, 0x2000, READ, &[1; 0x2000])
        .load(0x2000, 0x2000, READ, &[2; 0x2000])
        .load(0x2800, 0x100, READ, &[3; 0x100])
        .load(u64::MAX - 8, 0x100, READ, &[4; 0x100]);
    let dump = open_core(&core);
    assert_eq!(read(&dump, 0x2ffe, 4), Ok(vec![1, 1, 2, 2]));
    assert_eq!(read(&dump, 0x3fff, 1), Ok(vec![2]));
    assert_eq!(read(&dump, u64::MAX - 8, 8), Ok(vec![4; 8]));
    assert!(dump.process().warnings.iter().any(|warning| warning.contains("2 segments overlap")));
}

/// Uses all that can be used of a dump.
fn use_all(dump: &Dump) {
    let memory = dump.memory();
    for range in memory.ranges() {
        let mut bytes = [0; 64];
        let _ = memory.read(range.start, &mut bytes);
        let _ = memory.read(range.end().sub(64), &mut bytes);
    }
    for (index, module) in dump.process().modules.iter().enumerate() {
        let _ = dynamic_symbol(&memory, module, "_PyRuntime");
        let _ = dump.file_of(index);
    }
    let _ = (dump.source(), dump.file_warnings());
}

#[test]
fn a_core_cut_anywhere_gives_what_it_has() {
    for core in [kernel_core(), kernel_core().notes_last(), kernel_core().numbered_in_section()] {
        let whole = core.build();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, &whole).unwrap();
        for cut in (1..whole.len()).rev().filter(|cut| *cut < 3000 || cut % 97 == 0 || cut + 5 > whole.len())
        {
            file.as_file().set_len(cut as u64).unwrap();
            match Dump::open(file.path(), FileSearch::default()) {
                Ok(dump) => {
                    assert!(dump.source().truncated, "cut at {cut}");
                    assert!(!dump.process().warnings.is_empty(), "cut at {cut}");
                    use_all(&dump);
                }
                Err(error) => assert!(cut < 64, "cut at {cut}: {error}"),
            }
        }
    }
}

#[test]
fn a_cut_segment_faults_as_truncated() {
    let whole = kernel_core().build();
    let dump = open(&whole[..whole.len() - 0x1000], FileSearch::default()).unwrap();
    let fault = Fault { at: Address(STACK + STACK_SIZE - 0x1000), cause: FaultCause::Truncated };
    assert_eq!(read(&dump, STACK + STACK_SIZE - 0x1010, 0x20), Err(fault));
    assert!(dump.process().warnings.iter().any(|warning| warning.contains("the dump is truncated")));
}

#[test]
fn damage_anywhere_is_survived() {
    let whole = kernel_core().build();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, &whole).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..3000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + random() % 4 {
            let headers_and_notes = 3000;
            let limit = if random() % 4 == 0 { whole.len() } else { headers_and_notes };
            let at = random() as usize % (limit - 8);
            let value = [0, 1, 0xff, u64::MAX, u64::MAX >> 1, 1 << 40, random()][random() as usize % 7];
            let size = [1, 2, 4, 8][random() as usize % 4];
            bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        }
        file.as_file().write_all_at(&bytes, 0).unwrap();
        if let Ok(dump) = Dump::open(file.path(), FileSearch::default()) {
            use_all(&dump);
        }
    }
}

#[test]
fn absurd_counts_cost_nothing() {
    let started = Instant::now();
    let mut bytes = kernel_core().build();
    bytes[56..58].copy_from_slice(&0xfffeu16.to_le_bytes());
    assert!(open(&bytes, FileSearch::default()).unwrap().source().truncated);
    let mut files = vec![0xff; 16];
    files.extend([0; 64]);
    let core = Core::new().thread(1, 6, 1, 2, 3).note("CORE", super::synthetic::NT_FILE, &files);
    assert!(!open_core(&core).process().warnings.is_empty());
    let huge = Core::new().thread(1, 6, 1, 2, 3).load(0, u64::MAX, READ, &[1; 8]);
    assert_eq!(read(&open_core(&huge), 0, 8), Ok(vec![1; 8]));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn every_refusal_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let problem = |path: &Path| Dump::open(path, FileSearch::default()).unwrap_err().problem;
    assert!(matches!(problem(&directory.path().join("none")), OpenProblem::Missing));
    assert!(matches!(problem(directory.path()), OpenProblem::Directory));
    assert!(matches!(problem(Path::new("/dev/null")), OpenProblem::NotRegular));
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(problem(&fifo), OpenProblem::NotRegular));
    let refused = |bytes: &[u8]| open(bytes, FileSearch::default()).unwrap_err().problem;
    assert!(matches!(refused(b""), OpenProblem::Empty));
    assert!(matches!(refused(b"hello"), OpenProblem::NotElf));
    assert!(matches!(refused(b"MDMP"), OpenProblem::HeaderCutOff));
    assert!(matches!(refused(b"\x1f\x8b\x08"), OpenProblem::Unpack { .. }));
    assert!(matches!(refused(b"PK\x03\x04"), OpenProblem::Packed { kind: "a zip archive", .. }));
    assert!(matches!(refused(b"\x7fELF\x02"), OpenProblem::HeaderCutOff));
    assert!(matches!(refused(&library().build()), OpenProblem::NotCore { .. }));
    let patched = |at: usize, value| {
        let mut bytes = kernel_core().build();
        bytes[at] = value;
        refused(&bytes)
    };
    assert!(matches!(patched(16, 9), OpenProblem::Damaged(_)));
    let mut without_notes = kernel_core().build();
    without_notes[64..68].copy_from_slice(&[0; 4]);
    assert!(matches!(refused(&without_notes), OpenProblem::NoNotes));
}

#[test]
fn a_machine_that_is_not_supported_is_named_with_what_is_missing() {
    const CLASS_32: u8 = 1;
    const CLASS_64: u8 = 2;
    const LITTLE: u8 = 1;
    const BIG: u8 = 2;
    let refused = |class, order, machine: u16| {
        let mut bytes = kernel_core().build();
        (bytes[4], bytes[5]) = (class, order);
        for (at, number) in [(16, 4), (18, machine)] {
            let number = if order == BIG { number.to_be_bytes() } else { number.to_le_bytes() };
            bytes[at..at + 2].copy_from_slice(&number);
        }
        open(&bytes, FileSearch::default()).unwrap_err().problem.to_string()
    };
    for (class, order, machine, name, missing) in [
        (CLASS_32, LITTLE, 3, "i386", "it is 32-bit"),
        (CLASS_32, LITTLE, 40, "arm", "it is 32-bit"),
        (CLASS_32, LITTLE, 62, "x32", "it is 32-bit"),
        (CLASS_32, BIG, 8, "mips", "it is 32-bit and big-endian"),
        (CLASS_64, BIG, 22, "s390x", "it is big-endian"),
        (CLASS_64, BIG, 21, "ppc64", "it is big-endian"),
        (CLASS_64, BIG, 183, "aarch64_be", "it is big-endian"),
        (CLASS_64, LITTLE, 243, "riscv64", "where its registers and thread pointers lie"),
        (CLASS_64, LITTLE, 21, "ppc64le", "tables of CPython for it"),
        (CLASS_64, LITTLE, 258, "loongarch64", "where its registers and thread pointers lie"),
        (CLASS_64, LITTLE, 4711, "machine 4711", "where its registers and thread pointers lie"),
    ] {
        let message = refused(class, order, machine);
        let told = format!("is a core of a {name}");
        assert!(message.starts_with(&told) && message.contains(missing), "{message}");
    }
}

#[test]
fn a_packed_core_is_unpacked() {
    let whole = kernel_core().build();
    let packed = zstd::encode_all(&*whole, 3).unwrap();
    let dump = open(&packed, FileSearch::default()).unwrap();
    assert_eq!(dump.source().size_bytes, packed.len() as u64);
    assert_eq!(read(&dump, HEAP, 4), Ok(vec![0, 1, 2, 3]));
    assert!(!dump.source().truncated);
    let limited = FileSearch { unpack_limit: Some(100), ..FileSearch::default() };
    assert!(matches!(
        open(&packed, limited).unwrap_err().problem,
        OpenProblem::UnpacksTooLarge { limit: 100 }
    ));
}
