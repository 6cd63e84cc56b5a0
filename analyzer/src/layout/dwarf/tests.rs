//! Extraction from debug information that gcc makes of small C files in the shape of CPython's.

use super::*;
use crate::layout::Bits;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Compiles each text to an object file of its own.
fn compile(directory: &TempDir, options: &[&str], texts: &[&str]) -> Vec<PathBuf> {
    compile_by("gcc", directory, options, texts)
}

fn compile_by(compiler: &str, directory: &TempDir, options: &[&str], texts: &[&str]) -> Vec<PathBuf> {
    let compile = |(index, text): (usize, &&str)| {
        let source = directory.path().join(format!("unit{index}.c"));
        let object = source.with_extension("o");
        std::fs::write(&source, text).unwrap();
        let status = Command::new(compiler)
            .args(["-c", "-fno-eliminate-unused-debug-types"])
            .args(options)
            .arg("-o")
            .args([&object, &source])
            .status()
            .unwrap_or_else(|error| panic!("these tests need {compiler}: {error}"));
        assert!(status.success());
        object
    };
    texts.iter().enumerate().map(compile).collect()
}

fn extract_from(options: &[&str], texts: &[&str]) -> Result<Structs, ExtractError> {
    let directory = TempDir::new().unwrap();
    structs(&compile(&directory, options, texts), "3.11.7", None).map(|(structs, _)| structs)
}

/// `[offset, size]` or with bits, as tables show it.
fn place(structs: &Structs, structure: &str, field: &str) -> String {
    structs.field(structure, field).unwrap().place.map_or("absent".to_owned(), |place| place.to_string())
}

const OBJECTS: &str = r#"
    #include <stddef.h>
    typedef struct _object { union { ptrdiff_t ob_refcnt; unsigned split[2]; }; const struct _typeobject *ob_type; } PyObject;
    typedef struct { PyObject ob_base; ptrdiff_t ob_size; } PyVarObject;
    /* An anonymous struct behind a typedef, with bit-fields behind a path. */
    typedef struct {
        PyObject ob_base;
        ptrdiff_t length;
        long hash;
        struct { unsigned interned : 2; unsigned kind : 3; unsigned compact : 1; unsigned ascii : 1; unsigned : 25; } state;
    } PyASCIIObject;
    /* A path through a union, and a member with qualifiers. */
    typedef union { struct { double real, imag; } parts; } complex_parts;
    typedef struct { PyObject ob_base; struct { volatile double real; double imag; } cval; } PyComplexObject;
    /* Nested anonymous members. */
    typedef struct { PyObject ob_base; union { struct { void *unused; union { PyObject *ob_ref; long number; }; }; int x; }; } PyCellObject;
    /* Arrays: of one element, flexible, of two dimensions. */
    typedef struct { PyVarObject ob_base; char ob_sval[1]; } PyBytesObject;
    typedef struct { PyVarObject ob_base; PyObject *ob_item[]; } PyTupleObject;
    typedef struct BLOCK { struct BLOCK *leftlink; PyObject *data[4][2]; struct BLOCK *rightlink; } block;
    /* Bit-fields that do not start in the first integer. */
    typedef struct { PyObject ob_base; char pad[3]; unsigned char hastzinfo : 1, fold : 2; } PyDateTime_Time;
    enum colour { red };
    typedef struct { PyObject ob_base; enum colour cm_callable; } classmethod;
"#;

fn assert_objects(structs: &Structs) {
    let place = |structure, field| place(structs, structure, field);
    assert_eq!(place("PyObject", "ob_refcnt"), "[0, 8]");
    assert_eq!(place("PyObject", "ob_type"), "[8, 8]");
    assert_eq!(place("PyVarObject", "ob_size"), "[16, 8]");
    assert_eq!(place("PyASCIIObject", "kind"), "[32, 4, 2, 3]");
    assert_eq!(place("PyASCIIObject", "compact"), "[32, 4, 5, 1]");
    assert_eq!(place("PyASCIIObject", "ascii"), "[32, 4, 6, 1]");
    assert_eq!(structs.PyASCIIObject.size_of, 40);
    assert_eq!(place("PyComplexObject", "imag"), "[24, 8]");
    assert_eq!(place("PyCellObject", "ob_ref"), "[24, 8]");
    assert_eq!(place("PyBytesObject", "ob_sval"), "[24, 1]");
    assert_eq!(place("PyTupleObject", "ob_item"), "[24, 0]");
    assert_eq!(place("DequeBlock", "data"), "[8, 64]");
    assert_eq!(place("DequeBlock", "rightlink"), "[72, 8]");
    assert_eq!(place("PyDateTimeTime", "hastzinfo"), "[19, 1, 0, 1]");
    assert_eq!(place("PyDateTimeTime", "fold"), "[19, 1, 1, 2]");
    assert_eq!(place("ClassMethod", "cm_callable"), "[16, 4]");
    assert_eq!(structs.PyFloatObject.size_of, 0);
}

#[test]
fn places_come_out_of_every_kind_of_debug_information() {
    for options in [
        &["-g", "-gdwarf-5"][..],
        &["-g", "-gdwarf-4"],
        &["-g", "-gdwarf-4", "-gstrict-dwarf"],
        &["-g", "-gdwarf-3", "-gstrict-dwarf"],
        &["-g", "-gz=zlib"],
        &["-g", "-O3", "-fPIC"],
        &["-g", "-shared", "-fPIC"],
    ] {
        let structs =
            extract_from(options, &[OBJECTS]).unwrap_or_else(|error| panic!("{options:?}: {error}"));
        assert_objects(&structs);
    }
}

#[test]
fn files_for_windows_have_a_long_of_four_bytes_and_bit_fields_as_msvc_has_them() {
    if Command::new("x86_64-w64-mingw32-gcc").arg("--version").output().is_err() {
        eprintln!("skipped: there is no x86_64-w64-mingw32-gcc");
        return;
    }
    let directory = TempDir::new().unwrap();
    let extra = "typedef struct { PyObject ob_base; unsigned char mark; unsigned flags : 3; } PatternObject;";
    for options in [&["-g"][..], &["-g", "-shared", "-nostdlib"]] {
        let files = compile_by("x86_64-w64-mingw32-gcc", &directory, options, &[&[OBJECTS, extra].concat()]);
        assert_eq!(abi(&files[0]).unwrap(), Abi::Llp64);
        assert_eq!(machine(&files[0]).unwrap(), Machine::X86_64);
        let (structs, _) = structs(&files, "3.11.9", None).unwrap();
        assert_eq!(place(&structs, "PyObject", "ob_type"), "[8, 8]");
        assert_eq!(place(&structs, "PyASCIIObject", "kind"), "[28, 4, 2, 3]");
        assert_eq!(structs.PyASCIIObject.size_of, 32);
        assert_eq!(place(&structs, "PatternObject", "flags"), "[20, 4, 0, 3]");
    }
    assert_eq!(abi(&compile(&directory, &["-g"], &[OBJECTS])[0]).unwrap(), Abi::Lp64);
}

#[test]
fn a_declaration_is_completed_by_another_unit() {
    let frame = "struct _frame { char head[24]; struct _frame *f_back; int f_lineno; };\nstruct _frame used;";
    let declared = "typedef struct _frame PyFrameObject; PyFrameObject *frame;";
    let structs = extract_from(&["-g"], &[declared, frame]).unwrap();
    assert_eq!(place(&structs, "PyFrameObject", "f_back"), "[24, 8]");
    assert_eq!(structs.PyFrameObject.size_of, 40);

    let gil = "struct _gil { long switch_number; int collecting; };";
    let interpreter =
        "struct _gil; struct _is { struct _is *next; struct { struct _gil *gil; } ceval; long id; };";
    let structs = extract_from(&["-g"], &[gil, interpreter]).unwrap();
    assert_eq!(place(&structs, "PyInterpreterState", "gil"), "[8, 8]");
}

#[test]
fn of_two_definitions_the_one_with_more_wanted_fields_counts() {
    let expat = "typedef struct block { struct block *next; int size; char s[1]; } BLOCK; BLOCK b;";
    let deque = "typedef struct BLOCK { struct BLOCK *leftlink; void *data[64]; struct BLOCK *rightlink; } block; block b;";
    let structs = extract_from(&["-g"], &[expat, deque]).unwrap();
    assert_eq!(structs.DequeBlock.size_of, 528);
}

#[test]
fn definitions_that_contradict_each_other_are_an_error_that_names_both() {
    let one = "typedef struct { long a; long locked; } lockobject; lockobject l;";
    let other = "typedef struct { long locked; long a; } lockobject; lockobject l;";
    let message = extract_from(&["-g"], &[one, other]).unwrap_err().to_string();
    assert!(message.contains("LockObject"), "{message}");
    assert!(message.contains("unit0.c") && message.contains("unit1.c"), "{message}");
    assert!(extract_from(&["-g"], &[one, one]).is_ok(), "the same definition twice");
}

#[test]
fn provenance_tells_build_id_and_compiler() {
    let directory = TempDir::new().unwrap();
    let text =
        "typedef struct { double ob_fval; } PyFloatObject; PyFloatObject f; int main(void) { return 0; }";
    let object = compile(&directory, &["-g"], &[text]).remove(0);
    let program = directory.path().join("program");
    let link = |id: &str| {
        let id = format!("-Wl,--build-id={id}");
        assert!(Command::new("gcc").arg(id).arg("-o").args([&program, &object]).status().unwrap().success());
        let (_, provenance) = structs(std::slice::from_ref(&program), "3.11.7", None).unwrap();
        provenance.into_iter().next().unwrap()
    };
    let provenance = link("0xc0ffee");
    assert_eq!(provenance.file, "program");
    assert_eq!(provenance.python, "3.11.7");
    assert_eq!(provenance.build_id, "c0ffee");
    assert!(provenance.producer.starts_with("GNU C"), "{}", provenance.producer);
    assert_eq!(link("none").build_id, "");
}

#[test]
fn files_without_what_is_needed_are_refused() {
    let refused = |path: &Path| structs(&[path.to_owned()], "", None).unwrap_err();
    let directory = TempDir::new().unwrap();
    assert!(matches!(refused(Path::new("/nonexistent")), ExtractError::Read { .. }));
    assert!(matches!(refused(directory.path()), ExtractError::Object { .. } | ExtractError::Read { .. }));
    let text = directory.path().join("text");
    std::fs::write(&text, "no object file").unwrap();
    assert!(matches!(refused(&text), ExtractError::Object { .. }));
    let plain = compile(&directory, &[], &["int x;"]).remove(0);
    assert!(matches!(refused(&plain), ExtractError::NoDebugInfo { .. }));
    let other = compile(&directory, &["-g"], &["struct mine { int x; } m;"]).remove(0);
    assert!(matches!(refused(&other), ExtractError::NoStructs));
}

#[test]
fn damaged_debug_information_ends_in_an_error_or_a_table() {
    let directory = TempDir::new().unwrap();
    let object = compile(&directory, &["-g"], &[OBJECTS]).remove(0);
    let bytes = std::fs::read(&object).unwrap();
    let damaged = directory.path().join("damaged.o");
    for position in (0..bytes.len()).step_by(11) {
        let mut bytes = bytes.clone();
        bytes[position] ^= [0x01, 0x55, 0xff][position % 3];
        std::fs::write(&damaged, &bytes).unwrap();
        let _ = structs(std::slice::from_ref(&damaged), "", None);
    }
    for size in (0..bytes.len()).step_by(61) {
        std::fs::write(&damaged, &bytes[..size]).unwrap();
        let _ = structs(std::slice::from_ref(&damaged), "", None);
    }
}

#[test]
fn bits_are_counted_from_the_least_significant() {
    let text = "typedef struct { unsigned long long a : 33, kind : 7; } state; typedef struct { state state; } PyASCIIObject; PyASCIIObject s;";
    for version in ["-gdwarf-5", "-gdwarf-3"] {
        let structs = extract_from(&["-g", "-gstrict-dwarf", version], &[text]).unwrap();
        let bits = Some(Bits { shift: 33, width: 7 });
        assert_eq!(structs.PyASCIIObject.kind.place, Some(Place { offset: 0, size: 8, bits }), "{version}");
    }
}

/// Extracts from debug information of DWARF 4 written by hand: units of entries, each an assembler text.
fn extract_from_units(units: &[&str]) -> Result<Structs, ExtractError> {
    let mut text = String::from(
        ".section .debug_abbrev
        .uleb128 1, 0x11; .byte 1, 0, 0                                     # a unit
        .uleb128 2, 0x16; .byte 0, 0x03, 0x08, 0x49, 0x13, 0, 0             # typedef: name, type in the unit
        .uleb128 3, 0x16; .byte 0, 0x03, 0x08, 0x49, 0x10, 0, 0             # typedef: name, type anywhere
        .uleb128 4, 0x13; .byte 1, 0x03, 0x08, 0x0b, 0x0b, 0, 0             # struct: name, size
        .uleb128 5, 0x0d; .byte 0, 0x03, 0x08, 0x49, 0x13, 0x38, 0x0b, 0, 0 # member: name, type, offset
        .uleb128 6, 0x0d; .byte 0, 0x49, 0x13, 0x38, 0x0b, 0, 0             # member: type, offset
        .uleb128 7, 0x24; .byte 0, 0x0b, 0x0b, 0, 0                         # base type: size
        .uleb128 8, 0x01; .byte 0, 0x49, 0x13, 0, 0                         # array: type
        .byte 0
        .section .debug_info\nstart:\n",
    );
    for (index, unit) in units.iter().enumerate() {
        text += &format!(
            "u{index}: .long e{index} - b{index}\nb{index}: .short 4; .long 0; .byte 8; .uleb128 1\n
             {}\n.byte 0\ne{index}:\n",
            unit.replace("U", &format!("u{index}"))
        );
    }
    let directory = TempDir::new().unwrap();
    let source = directory.path().join("units.s");
    let object = source.with_extension("o");
    std::fs::write(&source, text).unwrap();
    assert!(Command::new("gcc").args(["-c", "-o"]).args([&object, &source]).status().unwrap().success());
    structs(&[object], "", None).map(|(structs, _)| structs)
}

#[test]
fn a_type_may_lie_in_another_unit() {
    let typedef = ".uleb128 3; .asciz \"PyFloatObject\"; .long float - start";
    let float = "number: .uleb128 7; .byte 8
        float: .uleb128 4; .asciz \"\"; .byte 24
            .uleb128 5; .asciz \"ob_fval\"; .long number - U; .byte 16; .byte 0";
    let structs = extract_from_units(&[typedef, float]).unwrap();
    assert_eq!(place(&structs, "PyFloatObject", "ob_fval"), "[16, 8]");
    assert_eq!(structs.PyFloatObject.size_of, 24);

    let nowhere = ".uleb128 3; .asciz \"PyFloatObject\"; .long 0x7fffffff";
    assert!(extract_from_units(&[nowhere, float]).is_err());
}

#[test]
fn types_that_contain_themselves_are_an_error() {
    let typedefs = "one: .uleb128 2; .asciz \"PyFloatObject\"; .long two - U
        two: .uleb128 2; .asciz \"two\"; .long one - U";
    let message = extract_from_units(&[typedefs]).unwrap_err().to_string();
    assert!(message.contains("nested too deeply"), "{message}");

    let structs = "frame: .uleb128 4; .asciz \"_frame\"; .byte 24
        .uleb128 6; .long frame - U; .byte 0; .uleb128 6; .long frame - U; .byte 8; .byte 0";
    let message = extract_from_units(&[structs]).unwrap_err().to_string();
    assert!(message.contains("nested too deeply"), "{message}");

    let arrays = "array: .uleb128 8; .long array - U
        .uleb128 4; .asciz \"_frame\"; .byte 24; .uleb128 5; .asciz \"f_back\"; .long array - U; .byte 0; .byte 0";
    let message = extract_from_units(&[arrays]).unwrap_err().to_string();
    assert!(message.contains("nested too deeply"), "{message}");
}
