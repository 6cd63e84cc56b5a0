//! Holds the rooms to ARCHITECTURE.md: who may use whom, and which room may use which crate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms and files at the top of the crate, and what each may use of the others.
const ROOMS: &[(&str, &[&str])] = &[
    ("addr", &[]),
    ("report", &["addr"]),
    ("memory", &["addr"]),
    ("process", &["addr", "memory", "report"]),
    ("dump", &["addr", "memory", "process", "report"]),
    ("live", &["addr", "memory", "process", "report"]),
    ("layout", &["addr", "memory"]),
    ("runtime", &["addr", "layout", "memory", "object", "process", "report", "stack"]),
    ("object", &["addr", "layout", "memory", "report"]),
    ("stack", &["addr", "layout", "memory", "object", "process", "report"]),
    (
        "sample",
        &["addr", "diagnosis", "layout", "live", "memory", "object", "process", "report", "runtime", "stack"],
    ),
    ("redact", &["addr", "memory", "report"]),
    ("render", &["addr", "report"]),
    ("source", &["report"]),
    ("diagnosis", &["addr", "report", "runtime"]),
    (
        "analysis",
        &[
            "addr",
            "diagnosis",
            "dump",
            "layout",
            "live",
            "memory",
            "object",
            "process",
            "redact",
            "report",
            "runtime",
            "source",
            "stack",
        ],
    ),
    (
        "session",
        &[
            "addr",
            "analysis",
            "diagnosis",
            "dump",
            "layout",
            "live",
            "memory",
            "object",
            "process",
            "render",
            "report",
            "runtime",
            "source",
            "stack",
        ],
    ),
    ("triage", &["report"]),
    ("batch", &["analysis", "dump", "object", "render", "report", "triage"]),
    ("store", &["report", "triage"]),
    (
        "cli",
        &[
            "addr", "analysis", "batch", "dump", "layout", "object", "process", "render", "report",
            "runtime", "sample", "stack", "store", "triage",
        ],
    ),
];

/// The rooms that may use a crate. Crates that are not listed are free to all.
const CRATES: &[(&str, &[&str])] = &[
    ("aho_corasick", &["redact"]),
    ("anstream", &["cli"]),
    ("anstyle", &["cli", "render"]),
    ("anyhow", &["cli"]),
    ("askama", &["render"]),
    ("bzip2", &["dump"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("env_logger", &["cli"]),
    ("flate2", &["dump"]),
    ("gimli", &["layout"]),
    ("glob", &["batch"]),
    ("globset", &["triage"]),
    ("indicatif", &["cli"]),
    ("inferno", &["render"]),
    ("lz4_flex", &["dump"]),
    ("lzma_rust2", &["dump"]),
    ("memmap2", &["dump"]),
    ("minidump", &["dump"]),
    ("nix", &["live", "sample"]),
    ("num_bigint", &["object"]),
    ("object", &["dump", "layout", "process"]),
    ("postgres", &["store"]),
    ("procfs", &["live"]),
    ("quick_xml", &["render"]),
    ("rayon", &["batch"]),
    ("regex", &["redact", "triage"]),
    ("regex_syntax", &["object"]),
    ("rusqlite", &["store"]),
    ("rustix", &["batch", "dump"]),
    ("schemars", &["addr", "cli", "report", "triage"]),
    ("scroll", &["dump"]),
    ("serde_json", &["batch", "layout", "render", "session", "store", "triage"]),
    ("serde_yaml", &["layout", "render", "triage"]),
    ("sha2", &["store", "triage"]),
    ("signal_hook", &["cli", "dump"]),
    ("syscalls", &["live"]),
    ("tempfile", &["dump"]),
    ("walkdir", &["batch"]),
    ("zstd", &["dump"]),
];

/// Rooms that ask for capabilities, never for a version of Python.
const WITHOUT_VERSIONS: &[&str] =
    &["addr", "dump", "live", "memory", "object", "process", "render", "session", "stack"];

struct Source {
    room: String,
    path: PathBuf,
    /// Without comments, literals and test modules.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if name != "tests" {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && !matches!(name, "tests.rs" | "samples.rs") {
                let inside = path.strip_prefix(&root).unwrap();
                let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
                let code = code(&fs::read_to_string(&path).unwrap());
                found.push(Source { room, path, code });
            }
        }
    }
    found
}

/// The text up to a test module at its end, without comments and with empty string literals.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    let mut code = String::new();
    for line in text.lines().map(str::trim_start).filter(|line| !line.starts_with("//")) {
        let mut in_literal = false;
        let mut before = ' ';
        for c in line.chars() {
            if c == '"' && before != '\\' && before != '\'' {
                in_literal = !in_literal;
            }
            if !in_literal {
                code.push(c);
            }
            before = if before == '\\' { ' ' } else { c };
        }
        code.push('\n');
    }
    code
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names that stand right behind each `crate::` in `code`; `{a, b::c}` names `a` and `b`.
fn rooms_used(code: &str) -> BTreeSet<&str> {
    let mut used = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            used.extend(rest.split(|c| !is_word(c)).next());
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                _ if start && is_word(c) => {
                    used.extend(group[at..].split(|c| !is_word(c)).next());
                    start = false;
                }
                _ => {}
            }
        }
    }
    used
}

/// Whether `code` names the crate in a path that starts with it.
fn uses_crate(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        before.is_none_or(|c| !is_word(c) && c != ':')
    }) && (name != "object" || code.contains("use object::"))
}

#[test]
fn rooms_use_only_what_they_may() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| !matches!(source.room.as_str(), "lib" | "main")) {
        let rules = ROOMS.iter().find(|(room, _)| *room == source.room);
        let Some((_, allowed)) = rules else {
            broken.push(format!("{} is in no room that ARCHITECTURE.md knows", source.path.display()));
            continue;
        };
        for used in rooms_used(&source.code) {
            let is_room = ROOMS.iter().any(|(room, _)| *room == used);
            if is_room && used != source.room && !allowed.contains(&used) {
                broken.push(format!("{} uses crate::{used}", source.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "against ARCHITECTURE.md, `Who may touch what`:\n{}", broken.join("\n"));
}

#[test]
fn crates_are_used_only_where_they_may() {
    let mut broken = Vec::new();
    for source in sources() {
        for (name, rooms) in CRATES {
            if uses_crate(&source.code, name) && !rooms.contains(&source.room.as_str()) {
                broken.push(format!("{} uses {name}", source.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "against ARCHITECTURE.md, `Who may touch what`:\n{}", broken.join("\n"));
}

#[test]
fn only_runtime_and_layout_compare_versions_of_python() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| WITHOUT_VERSIONS.contains(&source.room.as_str())) {
        for (at, _) in source.code.match_indices("(3, ") {
            let digits = source.code[at + 4..].chars().take_while(char::is_ascii_digit).count();
            if digits > 0 && source.code[at + 4 + digits..].starts_with(')') {
                broken.push(format!("{} names a version", source.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "ask the layout for a capability instead:\n{}", broken.join("\n"));
}

#[test]
fn the_reading_of_sources_works() {
    let text = "use crate::{addr::Address, memory::{self, Memory}, report};\n// crate::cli\n\
                let x = crate::stack::y(\"crate::dump\");\n#[cfg(test)]\nmod tests {\nuse crate::render;";
    let code = code(text);
    assert_eq!(rooms_used(&code), BTreeSet::from(["addr", "memory", "report", "stack"]));
    assert!(uses_crate("use object::read;", "object"));
    assert!(!uses_crate("use crate::object::Limits;\nobject::x()", "object"));
    assert!(uses_crate("fn x(e: gimli::Error)", "gimli") && !uses_crate("my_gimli::x", "gimli"));
}
