//! Cores of 64-bit Arm processes.

use super::*;
use crate::addr::Machine;
use crate::process::NativeThread;

const EM_AARCH64: u16 = 183;
const TLS: u64 = 0xffff_8000_0000;
const FUTEX: u64 = 98;

fn arm_core() -> Core {
    core_with_files(&[(LIBRARY, LIBRARY + 0x4000, 0, "/opt/lib/libpython.so")])
}

/// As a kernel with pages of 16 KiB writes it.
fn core_with_files(files: &[(u64, u64, u64, &str)]) -> Core {
    let (mut heap, library) = (vec![0; 64], library().build());
    heap[0] = 42;
    Core::new()
        .machine(EM_AARCH64)
        .arm_thread(101, 11, [0, 0, 0, STACK + 0x100, PROGRAM + 0x10])
        .process(100, "python a.py")
        .siginfo(11, 1, 0x10)
        .auxiliary(&auxiliary())
        .files_by_pages(0x4000, files)
        .arm_thread_pointer(TLS)
        .note("LINUX", 0x404, &[0xff; 4])
        .arm_thread(100, 11, [HEAP, 0x80, FUTEX, STACK + 0x200, PROGRAM + 0x20])
        .arm_thread_pointer(TLS + 0x1000)
        .load(HEAP, PAGE, READ | WRITE, &heap)
        .load(LIBRARY, 4 * PAGE, READ | EXECUTE, &library)
        .load(STACK, STACK_SIZE, READ | WRITE, &stack(&["python", "a.py"], &[]))
}

fn threads(core: &Core) -> Vec<NativeThread> {
    open_core(core).process().threads.clone()
}

#[test]
fn registers_and_thread_pointers_are_found() {
    let dump = open_core(&arm_core());
    let process = dump.process();
    assert_eq!(process.warnings, Vec::<String>::new());
    assert_eq!((process.machine, dump.source().arch.as_str()), (Machine::Aarch64, "aarch64"));
    assert_eq!((process.pid, process.crashed_tid), (Some(100), Some(101)));
    assert_eq!(process.signal.as_ref().unwrap().address, Some(Address(0x10)));
    let [crashed, main] = &*process.threads else { panic!("{:?}", process.threads) };
    assert_eq!((crashed.tid, crashed.thread_pointer), (101, Some(Address(TLS))));
    assert_eq!(crashed.instruction_pointer, Some(Address(PROGRAM + 0x10)));
    assert_eq!(crashed.stack_pointer, Some(Address(STACK + 0x100)));
    assert_eq!((main.tid, main.thread_pointer), (100, Some(Address(TLS + 0x1000))));
    assert_eq!((crashed.futex, main.futex), (None, Some(Address(HEAP))));
}

#[test]
fn a_thread_waits_for_a_futex_only_in_a_call_that_waits() {
    const RESTART: u64 = 128;
    let futex = |x1, x8| {
        threads(&Core::new().machine(EM_AARCH64).arm_thread(100, 6, [HEAP, x1, x8, 1, 2]))[0].futex.is_some()
    };
    for (command, waits) in [(0, true), (1, false), (6, true), (7, false), (9, true), (10, false), (11, true)]
    {
        assert_eq!((futex(command, FUTEX), futex(command | 128 | 256, FUTEX)), (waits, waits), "{command}");
    }
    assert!(futex(0xdead_0000_0000_0080, FUTEX), "the upper half of the register is not the call's");
    assert!(futex(0, RESTART) && !futex(0, 202));
}

#[test]
fn offsets_of_mapped_files_are_in_the_kernels_pages() {
    let mut file = library().build();
    file.resize(0x8000, 9);
    file[0x4000..0x8000].fill(7);
    let whole = tempfile::NamedTempFile::new().unwrap();
    fs::write(whole.path(), &file).unwrap();
    let path = whole.path().to_str().unwrap();
    let second = LIBRARY + 0x1_0000;
    let core =
        core_with_files(&[(LIBRARY, LIBRARY + 0x4000, 0, path), (second, second + 0x4000, 0x4000, path)]);
    let core = core.load(second, 0x4000, READ, &[]);
    let dump = open_core(&core);
    assert_eq!(read(&dump, second, 2), Ok(vec![7, 7]));
}

#[test]
fn a_core_of_qemus_has_no_thread_pointers() {
    let core = Core::new()
        .machine(EM_AARCH64)
        .arm_thread(100, 6, [0, 0, 0, 1, 2])
        .process(100, "python a.py")
        .arm_thread(101, 0, [0, 0, 0, 1, 2]);
    assert!(threads(&core).iter().all(|thread| thread.thread_pointer.is_none()));
}

#[test]
fn notes_of_other_machines_and_owners_are_passed_over() {
    let other = |core: Core| threads(&core)[0].thread_pointer;
    assert_eq!(other(Core::new().thread(100, 6, 1, 2, 3).arm_thread_pointer(TLS)), Some(Address(3)));
    let arm = || Core::new().machine(EM_AARCH64).arm_thread(100, 6, [0; 5]);
    assert_eq!(other(arm().note("CORE", 0x401, &TLS.to_le_bytes())), None);
    assert_eq!(other(arm().note("LINUX", 0x401, &[1, 2, 3])), None);
    let before = Core::new().machine(EM_AARCH64).arm_thread_pointer(TLS).arm_thread(100, 6, [0; 5]);
    assert_eq!(other(before), None);
}

#[test]
fn a_smaller_core_is_of_the_same_machine() {
    let dump = open_core(&arm_core());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.core");
    into_new_file(&path, |out| dump.write_smaller(out, &dump.memory(), &[Address(HEAP)], None)).unwrap();
    let smaller = Dump::open(&path, FileSearch::default()).unwrap();
    assert_eq!(smaller.process().machine, Machine::Aarch64);
    assert_eq!(format!("{:?}", smaller.process().threads), format!("{:?}", dump.process().threads));
    assert_eq!(read(&smaller, HEAP, 2), Ok(vec![42, 0]));
}
