//! The README's table of versions: each cell that says so has a core in the repository, and each core its cell.

use pycore_tests::cores::{corpus, fixtures};
use pycore_tests::program;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The columns of the table, by what the names of cores and layout tables say of them.
const COLUMNS: [&str; 6] = ["", "t", "d", "aarch64", "windows", "windows-t"];

/// What the table says, by version and column.
fn table() -> BTreeMap<(String, &'static str), String> {
    let readme = std::fs::read_to_string(fixtures().with_file_name("README.md")).unwrap();
    let rows = readme.lines().skip_while(|line| !line.starts_with("| Python |")).skip(2);
    let mut cells = BTreeMap::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let mut words = row.trim_matches('|').split('|').map(|word| word.trim().to_owned());
        let version = words.next().unwrap();
        for column in COLUMNS {
            cells.insert((version.clone(), column), words.next().unwrap());
        }
    }
    cells
}

/// The version and column of a core in the corpus: `3.13.5t-orders`, `3.9.2-aarch64-orders`.
fn cell_of(core: &str) -> (String, &'static str) {
    let release = core.split('-').next().unwrap();
    let digits = release.trim_end_matches(char::is_alphabetic);
    let version = digits.rsplit_once('.').unwrap().0.to_owned();
    let flag = &release[digits.len()..];
    let column = match flag {
        _ if core.contains("-aarch64-") => "aarch64",
        "t" if core.contains("-windows-") => "windows-t",
        _ if core.contains("-windows-") => "windows",
        _ => flag,
    };
    (version, COLUMNS.into_iter().find(|known| *known == column).unwrap())
}

#[test]
fn what_the_readme_calls_tested_is_in_the_corpus() {
    let in_corpus: BTreeSet<_> = corpus().iter().map(|core| cell_of(&core.name)).collect();
    let said: BTreeSet<_> =
        table().into_iter().filter(|(_, word)| word == "yes").map(|(cell, _)| cell).collect();
    assert_eq!(said, in_corpus);
}

#[test]
fn every_version_of_the_readme_has_a_layout_table() {
    let listed = program::run(&["layout", "list"], Duration::from_secs(30)).unwrap().text();
    let names: BTreeSet<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let table = table();
    assert_eq!(table.len(), 11 * COLUMNS.len());
    for ((version, column), word) in table {
        let flag = if column.ends_with('t') { "t" } else { "" };
        let model = if column.starts_with("windows") { "llp64" } else { "lp64" };
        let name = format!("cpython-{version}{flag}-{model}");
        assert!(word == "-" || names.contains(name.as_str()), "{name} for {version} {column}: {word}");
        assert!(["-", "yes", "full", "layout"].contains(&word.as_str()), "{word}");
    }
    for name in names.iter().filter(|name| name.starts_with("cpython-") && !name.contains("aarch64")) {
        let version = name.split('-').nth(1).unwrap().trim_end_matches(char::is_alphabetic);
        assert!(
            std::fs::read_to_string(fixtures().with_file_name("README.md"))
                .unwrap()
                .contains(&format!("| {version} |")),
            "the README does not list {version}"
        );
    }
}
