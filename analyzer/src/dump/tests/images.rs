//! PE files of modules that stand in for what a minidump left out, and those that must not.

use super::*;
use crate::process::pe::synthetic::{BASE, Dll, PDB, SIZE};
use minidump_synth::{DumpString, Module, SynthMinidump, SystemInfo};
use test_assembler::{Endian, Section};

const LE: Endian = Endian::Little;
const TIMESTAMP: u32 = 0x6677_8899;
/// How old the PDB is that the file on the disk names.
const AGE: u32 = 7;

fn dll() -> Dll {
    Dll { exports: vec![("_PyRuntime".to_owned(), 0x2100)], pdb: true, ..Dll::default() }
}

/// A minidump without memory whose module has this path, timestamp and, where it is given, age of its PDB.
fn minidump(path: &str, timestamp: u32, age: Option<u32>) -> Vec<u8> {
    let path = DumpString::new(path, LE);
    let mut module = Module::new(LE, BASE, SIZE as u32, &path, timestamp, 0, None);
    let record =
        age.map(|age| Section::with_endian(LE).append_bytes(b"RSDS").append_bytes(&PDB).D32(age).D8(0));
    if let Some(record) = &record {
        module = module.cv_record(record);
    }
    let mut dump = SynthMinidump::with_endian(LE)
        .add_module(module)
        .add_system_info(SystemInfo::new(LE).set_processor_architecture(9).set_platform_id(2))
        .add(path);
    if let Some(record) = record {
        dump = dump.add(record);
    }
    dump.finish().unwrap()
}

/// A folder that has the file under this name.
fn folder(name: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, dll().file()).unwrap();
    root
}

fn in_lib_path(root: &tempfile::TempDir) -> FileSearch {
    FileSearch { lib_paths: vec![root.path().to_owned()], ..FileSearch::default() }
}

#[test]
fn a_file_stands_in_as_it_was_loaded() {
    let root = folder("PYTHON313.dll");
    let minidump = minidump(r"C:\Python\python313.dll", TIMESTAMP, Some(AGE));
    let dump = open(&minidump, in_lib_path(&root)).unwrap();
    assert!(dump.files[0].get().is_none(), "it is looked for when it is needed");
    let symbol = dynamic_symbol(&dump.memory(), &dump.process().modules[0], "_PyRuntime");
    assert_eq!(symbol, Ok(Some(Address(BASE + 0x2100))));
    assert!(matches!(dump.file_of(0), ModuleFile::Found(found) if found.verified));
    assert_eq!(read(&dump, BASE + 0x1f00, 8), Ok((BASE + 0x2100).to_le_bytes().to_vec()));
    let missing = Err(Fault { at: Address(BASE + 0x2100), cause: FaultCause::NotDumped });
    assert_eq!(read(&dump, BASE + 0x2100, 8), missing, "the process could write there");
    let name = root.path().join("PYTHON313.dll");
    let named = FileSearch { lib_paths: vec![name], ..FileSearch::default() };
    assert!(open(&minidump, named).unwrap().file_of(0).bytes().is_some());
}

#[test]
fn a_file_below_a_sysroot_is_found_without_its_drive() {
    let root = folder("Python/python313.dll");
    let search = FileSearch { sysroots: vec![root.path().to_owned()], ..FileSearch::default() };
    let dump = open(&minidump(r"C:\Python\python313.dll", TIMESTAMP, None), search).unwrap();
    assert!(dump.file_of(0).bytes().is_some(), "without the id of a PDB, timestamp and size tell");
}

#[test]
fn another_file_of_the_same_name_is_not_used() {
    let root = folder("python313.dll");
    for (timestamp, age, why) in [
        (TIMESTAMP + 1, Some(AGE), "its timestamp and size are 667788995000, not 6677889A5000"),
        (TIMESTAMP, Some(AGE + 1), "the id of its PDB is"),
    ] {
        let minidump = minidump(r"C:\Python\python313.dll", timestamp, age);
        let dump = open(&minidump, in_lib_path(&root)).unwrap();
        let ModuleFile::NotFound { tried } = dump.file_of(0) else { panic!("it is another file") };
        assert!(tried[0].reason.contains(why), "{tried:?}");
        let missing = Err(Fault { at: Address(BASE), cause: FaultCause::FileMissing });
        assert_eq!(read(&dump, BASE, 4), missing);
    }
}

#[test]
fn a_path_of_windows_is_none_of_this_machine() {
    let dump = open(&minidump(r"C:\Python\python313.dll", TIMESTAMP, None), FileSearch::default()).unwrap();
    let ModuleFile::NotFound { tried } = dump.file_of(0) else { panic!("there is none") };
    assert!(tried[0].reason.contains("--lib-path"), "{tried:?}");
}
