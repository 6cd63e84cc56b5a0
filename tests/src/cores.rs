//! The cores that are at hand.

use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A core with the truth beside it.
#[derive(Clone, Debug)]
pub struct RecordedCore {
    /// `3.11.7/kernel/threads`.
    pub name: String,
    /// The interpreter's name, which begins with its version.
    pub python: String,
    /// The core.
    pub core: PathBuf,
    /// What the process knew of itself.
    pub truth: PathBuf,
    /// What `pycore analyze` must be told beside the core: where its files are.
    pub arguments: Vec<String>,
}

/// `meta.json`, as `scripts/record-fixtures` and `scripts/record-minidumps` write it.
#[derive(Deserialize)]
struct Meta {
    arguments: Vec<String>,
    /// Whether the dump has too little memory for all of the truth.
    #[serde(default)]
    part: bool,
}

/// What a recorded dump may be called.
const DUMPS: [&str; 3] = ["core", "core.dmp", "core.dmp.zst"];

/// `fixtures`.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("fixtures")
}

/// The cores that `scripts/record-fixtures` and its like made on this machine, and the minidumps of full memory of
/// `scripts/record-minidumps`, by interpreter, variant and program.
pub fn recorded() -> Vec<RecordedCore> {
    recorded_with(false)
}

/// The minidumps of `scripts/record-minidumps` that have only a small part of the memory.
pub fn recorded_in_part() -> Vec<RecordedCore> {
    recorded_with(true)
}

fn recorded_with(part: bool) -> Vec<RecordedCore> {
    let root = fixtures().join(".work/cores");
    let mut found = Vec::new();
    for python in entries(&root) {
        for variant in entries(&root.join(&python)) {
            for program in entries(&root.join(&python).join(&variant)) {
                let folder = root.join(&python).join(&variant).join(&program);
                // Written last: without it the core is not whole.
                let meta = std::fs::read(folder.join("meta.json")).ok();
                let core = DUMPS.iter().map(|name| folder.join(name)).find(|path| path.exists());
                let meta = meta.and_then(|text| serde_json::from_slice::<Meta>(&text).ok());
                if let (Some(core), Some(meta)) = (core, meta.filter(|meta| meta.part == part)) {
                    found.push(RecordedCore {
                        name: format!("{python}/{variant}/{program}"),
                        python: python.clone(),
                        core,
                        truth: folder.join("truth.json"),
                        arguments: meta.arguments,
                    });
                }
            }
        }
    }
    found
}

/// The compressed cores and minidumps that the repository holds: `fixtures/corpus/PYTHON-PROGRAM.core.zst` or `.dmp.zst`.
pub fn corpus() -> Vec<RecordedCore> {
    let root = fixtures().join("corpus");
    let names = entries(&root);
    let ends = [".core.zst", ".dmp.zst"];
    let stems =
        names.iter().filter_map(|name| Some((name, ends.iter().find_map(|end| name.strip_suffix(end))?)));
    stems
        .map(|(name, stem)| RecordedCore {
            name: stem.to_owned(),
            python: stem.rsplit_once('-').map_or(stem, |(python, _)| python).to_owned(),
            core: root.join(name),
            truth: root.join(format!("{stem}.truth.json")),
            arguments: vec!["--no-files".to_owned()],
        })
        .collect()
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

impl RecordedCore {
    /// A corpus core as a plain file, which is gone when the result is dropped.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn decompressed(&self) -> std::io::Result<tempfile::NamedTempFile> {
        let mut file = tempfile::Builder::new().prefix("pycore-").suffix(".core").tempfile()?;
        zstd::stream::copy_decode(std::fs::File::open(&self.core)?, file.as_file_mut())?;
        Ok(file)
    }
}
