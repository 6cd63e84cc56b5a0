//! The header of the C library that is checked in is the one of the code. `PYCORE_WRITE_HEADER=1` writes it anew.

use cbindgen::{Builder, Config, DocumentationStyle, EnumConfig, ExportConfig, Language, RenameRule, Style};
use std::path::{Path, PathBuf};

const INTRODUCTION: &str = "\
/* pycore as a C library: the Python inside a process that a debugger holds, that lies in a dump or that is alive.
 *
 * Generated from gdb-plugin/src by cbindgen; docs in gdb-plugin/QUESTIONS.md. Functions return a PycoreStatus.
 */";

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../gdb-plugin")
}

fn generated() -> String {
    let root = library();
    let config = Config {
        language: Language::C,
        header: Some(INTRODUCTION.to_owned()),
        usize_is_size_t: true,
        include_guard: Some("PYCORE_H".to_owned()),
        cpp_compat: true,
        no_includes: true,
        sys_includes: vec!["stddef.h".to_owned(), "stdint.h".to_owned()],
        style: Style::Both,
        documentation_style: DocumentationStyle::C99,
        line_length: 120,
        enumeration: EnumConfig {
            rename_variants: RenameRule::QualifiedScreamingSnakeCase,
            ..EnumConfig::default()
        },
        export: ExportConfig {
            include: vec!["Status".to_owned()],
            rename: [("Status".to_owned(), "PycoreStatus".to_owned())].into(),
            ..ExportConfig::default()
        },
        ..Config::default()
    };
    let mut header = Vec::new();
    Builder::new()
        .with_config(config)
        .with_src(root.join("src/abi.rs"))
        .with_src(root.join("src/callbacks.rs"))
        .generate()
        .unwrap()
        .write(&mut header);
    String::from_utf8(header).unwrap()
}

#[test]
fn the_header_checked_in_is_up_to_date() {
    let path = library().join("include/pycore.h");
    let generated = generated();
    if std::env::var_os("PYCORE_WRITE_HEADER").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == generated,
        "the interface has changed; run `PYCORE_WRITE_HEADER=1 cargo test -p pycore-tests --test header`"
    );
}
