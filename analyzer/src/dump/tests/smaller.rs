//! Smaller cores: they say the same as the one that they were made from.

use super::files::elided;
use super::*;

/// Writes a smaller core to `path`, packed as its name says.
fn write(dump: &Dump, path: &Path, pages: &[Address]) -> Written {
    let pages = [pages, &dump.always_kept().0].concat();
    let body = |out: &mut dyn Write| dump.write_smaller(out, &dump.memory(), &pages, None);
    into_new_file(path, |out| pack(Packer::by_name(path), None, out, body)).unwrap()
}

/// What a dump says, without where it lies.
fn summary(dump: &Dump) -> String {
    format!("{:?}", dump.process())
}

#[test]
fn a_smaller_core_says_the_same_and_needs_no_other_file() {
    let elided = elided(0x400);
    let core = elided.core.clone().auxiliary(&auxiliary());
    let core = core
        .load(HEAP, 4 * PAGE, READ | WRITE, &[6; 4 * PAGE as usize])
        .process(100, "python a.py")
        .load(STACK, STACK_SIZE, READ | WRITE, &stack(&["python", "a.py"], &["A=B"]));
    let dump = open(&core.build(), elided.in_sysroot()).unwrap();
    let memory = dump.memory();
    let recording = RecordingMemory::new(&memory);
    let module = &dump.process().modules[0];
    let symbol = dynamic_symbol(&recording, module, "_PyRuntime").unwrap();
    recording.read(Address(HEAP + PAGE + 8), &mut [0; 8]).unwrap();
    recording.read(Address(LIBRARY + 3 * PAGE + 2996), &mut [0; 8]).unwrap();
    let unreadable = Address(0x1000);
    let mut pages = recording.touched().pages();
    pages.push(unreadable);

    let names = ["small.core", "small.core.zst", "small.lz4", "small.xz", "small.gz"];
    for name in names {
        let path = elided.root.path().join(name);
        let written = write(&dump, &path, &pages);
        let with_all_of_the_stack = 6;
        assert_eq!((written.pages, written.unreadable), (with_all_of_the_stack, 1));
        let small = Dump::open(&path, FileSearch::default()).unwrap();
        assert_eq!(summary(&small), summary(&dump));
        assert!(!small.source().truncated);
        assert_eq!(dynamic_symbol(&small.memory(), &small.process().modules[0], "_PyRuntime"), Ok(symbol));
        assert_eq!(read(&small, HEAP + PAGE, PAGE as usize), Ok(vec![6; PAGE as usize]));
        let fault = |at, cause| Err(Fault { at: Address(at), cause });
        assert_eq!(read(&small, HEAP, 1), fault(HEAP, FaultCause::NotDumped));
        assert_eq!(read(&small, HEAP + 2 * PAGE - 1, 2), fault(HEAP + 2 * PAGE, FaultCause::NotDumped));
        assert_eq!(read(&small, LIBRARY + 3 * PAGE + 2996, 8), Ok(vec![9, 9, 9, 9, 0, 0, 0, 0]));
        assert!(into_new_file(&path, |_| Ok(())).is_err(), "a file that exists is not replaced");
    }
}

#[test]
fn a_smaller_core_of_all_pages_is_whole() {
    let dump = open_core(&kernel_core());
    let memory = dump.memory();
    let ranges = memory.ranges();
    let pages =
        ranges.iter().flat_map(|range| (range.start.0..range.end().0).step_by(PAGE as usize)).map(Address);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("all");
    let written = write(&dump, &path, &pages.collect::<Vec<_>>());
    assert_eq!(written.unreadable, 1, "the heap's second page was not dumped");
    let again = Dump::open(&path, FileSearch::default()).unwrap();
    assert_eq!(summary(&again), summary(&dump));
    let copy = again.memory();
    for at in ranges.iter().flat_map(|range| range.start.0..range.end().0) {
        let (mut one, mut other) = ([0], [0]);
        let (first, second) = (memory.read(Address(at), &mut one), copy.read(Address(at), &mut other));
        assert_eq!((first, one), (second, other), "{at:#x}");
    }
}

#[test]
fn very_many_ranges_are_numbered_in_a_section() {
    let count = 70_000u64;
    let start = |index| HEAP + 2 * index * PAGE;
    let mut core = Core::new().thread(1, 6, 1, 2, 3).numbered_in_section();
    for index in 0..count - 1 {
        core = core.load(start(index), PAGE, READ, &[]);
    }
    let dump = open_core(&core.load(start(count - 1), PAGE, READ | WRITE, &[1; PAGE as usize]));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("many");
    let last = Address(start(count - 1));
    assert_eq!(write(&dump, &path, &[last]).pages, 1);
    let again = Dump::open(&path, FileSearch::default()).unwrap();
    assert_eq!(summary(&again), summary(&dump));
    assert_eq!(again.memory().ranges(), dump.memory().ranges());
    assert_eq!(read(&again, last.0, 1), Ok(vec![1]));
}

#[test]
fn a_smaller_core_of_one_without_its_notes_opens() {
    let whole = kernel_core().notes_last().build();
    let only_first_program_header = whole.len().min(64 + 56 * 2);
    for cut in [64, only_first_program_header, whole.len() - 100] {
        let dump = open(&whole[..cut], FileSearch::default()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("small");
        write(&dump, &path, &[Address(HEAP)]);
        assert!(Dump::open(&path, FileSearch::default()).is_ok());
    }
}
