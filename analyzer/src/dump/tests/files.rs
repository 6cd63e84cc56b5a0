//! Mapped files that stand in for what a core left out, and those that must not.

use super::*;

/// A core whose library was mapped, but has only its first `dumped` bytes in the dump, and a directory to find it in.
pub(super) struct Elided {
    pub(super) root: tempfile::TempDir,
    pub(super) core: Core,
}

const ELIDED: [(u64, u64, u64, &str); 3] = [
    (LIBRARY, LIBRARY + PAGE, 0, "/lib/a.so"),
    (LIBRARY + PAGE, LIBRARY + 2 * PAGE, PAGE, "/lib/a.so"),
    (LIBRARY + 3 * PAGE, LIBRARY + 6 * PAGE, 2 * PAGE, "/lib/a.so"),
];

pub(super) fn elided(dumped: usize) -> Elided {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("lib")).unwrap();
    let mut file = library().build();
    file.extend([9; 3000]);
    fs::write(root.path().join("lib/a.so"), &file).unwrap();
    let core = Core::new()
        .thread(100, 6, 1, 2, 3)
        .auxiliary(&auxiliary())
        .files(&ELIDED)
        .load(LIBRARY, PAGE, READ | EXECUTE, &file[..dumped])
        .load(LIBRARY + PAGE, PAGE, READ | WRITE, &[]);
    Elided { root, core }
}

impl Elided {
    fn open(&self, search: FileSearch) -> Dump {
        open(&self.core.build(), search).unwrap()
    }

    pub(super) fn in_sysroot(&self) -> FileSearch {
        FileSearch { sysroots: vec![self.root.path().to_owned()], ..FileSearch::default() }
    }
}

#[test]
fn a_file_stands_in_for_what_was_left_out() {
    let elided = elided(0x400);
    let dump = elided.open(elided.in_sysroot());
    let file = library().build();
    let fault = |at, cause| Err(Fault { at: Address(at), cause });
    assert!(dump.files[0].get().is_none());
    assert_eq!(read(&dump, LIBRARY, PAGE as usize), Ok(file[..PAGE as usize].to_vec()));
    assert!(matches!(dump.file_of(0), ModuleFile::Found(found) if found.verified));
    assert_eq!(read(&dump, LIBRARY + PAGE, 1), fault(LIBRARY + PAGE, FaultCause::NotDumped));
    assert_eq!(read(&dump, LIBRARY + 3 * PAGE + 2996, 8), Ok(vec![9, 9, 9, 9, 0, 0, 0, 0]));
    assert_eq!(read(&dump, LIBRARY + 4 * PAGE, 1), fault(LIBRARY + 4 * PAGE, FaultCause::NotMapped));
    assert_eq!(read(&dump, LIBRARY + 6 * PAGE, 1), fault(LIBRARY + 6 * PAGE, FaultCause::NotMapped));
    let symbol = dynamic_symbol(&dump.memory(), &dump.process().modules[0], "_PyRuntime");
    assert_eq!(symbol, Ok(Some(Address(LIBRARY + PAGE + 0x10))));
    let in_lib_path = FileSearch { lib_paths: vec![elided.root.path().join("lib")], ..FileSearch::default() };
    assert_eq!(read(&elided.open(in_lib_path), LIBRARY + 0x800, 4), Ok(file[0x800..0x804].to_vec()));
    let named = FileSearch { lib_paths: vec![elided.root.path().join("lib/a.so")], ..FileSearch::default() };
    assert_eq!(read(&elided.open(named), LIBRARY + 0x800, 4), Ok(file[0x800..0x804].to_vec()));
}

#[test]
fn pages_that_may_have_been_written_to_are_never_taken_from_a_file() {
    let mut elided = elided(0x400);
    elided.core = Core::new()
        .thread(100, 6, 1, 2, 3)
        .files(&ELIDED)
        .load(LIBRARY, PAGE, READ, &library().build()[..0x400])
        .load(LIBRARY + PAGE, PAGE, READ, &[]);
    let dump = elided.open(elided.in_sysroot());
    let fault = Fault { at: Address(LIBRARY + PAGE), cause: FaultCause::NotDumped };
    assert_eq!(read(&dump, LIBRARY + PAGE, 4), Err(fault), "the file itself says that it is writable");
}

#[test]
fn another_file_is_not_used() {
    let elided = elided(0x400);
    let fault = Err(Fault { at: Address(LIBRARY + 0x400), cause: FaultCause::FileMissing });
    let path = elided.root.path().join("lib/a.so");
    fs::write(&path, Library { build_id: vec![5; 20], ..library() }.build()).unwrap();
    let dump = elided.open(elided.in_sysroot());
    assert_eq!(read(&dump, LIBRARY + 0x400, 1), fault);
    let ModuleFile::NotFound { tried } = dump.file_of(0) else { panic!() };
    assert_eq!(tried[0].path, path);
    assert!(tried[0].reason.contains("its build id is 0505"));
    fs::write(&path, "not ELF").unwrap();
    assert_eq!(read(&elided.open(elided.in_sysroot()), LIBRARY + 0x400, 1), fault);
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(read(&elided.open(elided.in_sysroot()), LIBRARY + 0x400, 1), fault);
    assert_eq!(read(&elided.open(FileSearch::default()), LIBRARY + 0x400, 1), fault);
}

#[test]
fn without_a_build_id_a_file_must_be_named() {
    let mut elided = elided(0);
    elided.core = elided.core.clone().auxiliary(&[(9, LIBRARY + 0x100)]);
    let fault = Err(Fault { at: Address(LIBRARY), cause: FaultCause::FileMissing });
    assert_eq!(read(&elided.open(elided.in_sysroot()), LIBRARY, 1), fault);
    let path = elided.root.path().join("lib/a.so");
    for search in [
        FileSearch { exe: Some(path.clone()), ..FileSearch::default() },
        FileSearch { lib_paths: vec![path.clone()], ..FileSearch::default() },
    ] {
        let dump = elided.open(search);
        assert_eq!(read(&dump, LIBRARY, 4), Ok(b"\x7fELF".to_vec()));
        assert!(dump.file_warnings()[0].contains("used because it was named"));
    }
}

#[test]
fn an_executable_that_does_not_fit_is_told() {
    let elided = elided(0x400);
    let core = elided.core.clone().auxiliary(&[(9, LIBRARY + 0x100)]);
    let other = elided.root.path().join("other");
    fs::write(&other, program().build()).unwrap();
    let search = FileSearch { exe: Some(other), ..elided.in_sysroot() };
    let dump = open(&core.build(), search).unwrap();
    assert!(dump.file_warnings()[0].contains("/other: not used"));
}

#[test]
fn paths_that_lead_elsewhere_are_not_followed() {
    for path in ["lib/a.so", "/lib/../lib/a.so", "../a.so"] {
        let elided = elided(0x400);
        let core = Core::new().thread(1, 6, 1, 2, 3).files(&[(LIBRARY, LIBRARY + PAGE, 0, path)]).load(
            LIBRARY,
            PAGE,
            READ | EXECUTE,
            &library().build()[..0x400],
        );
        let dump = open(&core.build(), elided.in_sysroot()).unwrap();
        assert!(matches!(dump.file_of(0), ModuleFile::NotFound { tried } if tried.is_empty()), "{path}");
    }
}

#[test]
fn a_page_of_the_file_may_be_mapped_twice_read_only_and_writable() {
    let elided = elided(0x400);
    let mut file = library().build();
    let second_program_header = 64 + 56;
    put64(&mut file, second_program_header + 8, 0x800);
    put64(&mut file, second_program_header + 16, PAGE + 0x800);
    put64(&mut file, second_program_header + 32, 0x800);
    put64(&mut file, second_program_header + 40, 0x800);
    fs::write(elided.root.path().join("lib/a.so"), &file).unwrap();
    let core = Core::new()
        .thread(100, 6, 1, 2, 3)
        .files(&[
            (LIBRARY, LIBRARY + PAGE, 0, "/lib/a.so"),
            (LIBRARY + PAGE, LIBRARY + 2 * PAGE, 0, "/lib/a.so"),
        ])
        .load(LIBRARY, PAGE, READ | EXECUTE, &file[..0x400]);
    let dump = open(&core.build(), elided.in_sysroot()).unwrap();
    assert_eq!(dump.process().modules.len(), 1);
    assert_eq!(read(&dump, LIBRARY + 0x700, 0x200), Ok(file[0x700..0x900].to_vec()));
    let fault = Fault { at: Address(LIBRARY + PAGE + 0x800), cause: FaultCause::NotDumped };
    assert_eq!(read(&dump, LIBRARY + PAGE + 0x800, 1), Err(fault));
}

#[test]
fn links_of_a_sysroot_lead_within_it() {
    let elided = elided(0x400);
    let lib = elided.root.path().join("lib");
    fs::rename(&lib, elided.root.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("/elsewhere", &lib).unwrap();
    let file = library().build();
    assert_eq!(read(&elided.open(elided.in_sysroot()), LIBRARY + 0x800, 4), Ok(file[0x800..0x804].to_vec()));
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("a.so"), &file).unwrap();
    fs::remove_file(&lib).unwrap();
    std::os::unix::fs::symlink(outside.path(), &lib).unwrap();
    assert!(read(&elided.open(elided.in_sysroot()), LIBRARY + 0x800, 4).is_err());
}

#[test]
fn a_path_in_a_layer_of_an_overlay_is_looked_for_in_the_container() {
    let elided = elided(0x400);
    let mapped = "/var/lib/docker/overlay2/0123/diff/lib/a.so";
    let core = Core::new().thread(1, 6, 1, 2, 3).files(&[(LIBRARY, LIBRARY + PAGE, 0, mapped)]).load(
        LIBRARY,
        PAGE,
        READ | EXECUTE,
        &library().build()[..0x400],
    );
    let dump = open(&core.build(), elided.in_sysroot()).unwrap();
    assert_eq!(read(&dump, LIBRARY + 0x800, 4), Ok(library().build()[0x800..0x804].to_vec()));
}
