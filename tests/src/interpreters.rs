//! The interpreters that programs of the fixtures were recorded with, to run them once more.

use crate::cores::fixtures;
use crate::live::{self, Meta};
use crate::truth::Truth;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// An interpreter of this machine, as `scripts/record-fixtures` ran it.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// `3.11.7`, `3.14.10-static`.
    pub name: String,
    /// The command that runs it, in a Debian tree where it is in one; a program's path goes behind.
    command: Vec<String>,
    /// The folder that the command is told to run in.
    folder: Option<usize>,
    /// Where its files are, where they were stripped.
    home: Option<PathBuf>,
    /// The folder of the programs.
    programs: PathBuf,
    /// The folder for what the tests make, at a path that the tree has, too.
    work: PathBuf,
}

/// The interpreters of this machine's own kind that cores were recorded with; stripped where there is such a copy.
pub fn interpreters() -> Vec<Interpreter> {
    let Ok(root) = fs::canonicalize(fixtures().join(".work/cores")) else { return Vec::new() };
    let mut found: Vec<Interpreter> = fs::read_dir(&root)
        .into_iter()
        .flatten()
        .filter_map(|entry| of_folder(&root, entry.ok()?.file_name().to_str()?))
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

fn of_folder(root: &Path, name: &str) -> Option<Interpreter> {
    if ["-windows", "-aarch64", "-stub"].iter().any(|end| name.ends_with(end)) {
        return None;
    }
    let variant =
        ["stripped", "kernel"].into_iter().find(|one| root.join(name).join(one).join("threads").is_dir())?;
    let folder = root.join(name).join(variant).join("threads");
    let meta: Meta = serde_json::from_slice(&fs::read(folder.join("meta.json")).ok()?).ok()?;
    let (program, command) = meta.command.split_last()?;
    let executable = command.last()?;
    let home = (variant == "stripped").then(|| Path::new(executable).parent()?.parent().map(Path::to_owned));
    Some(Interpreter {
        name: name.to_owned(),
        folder: command.iter().position(|part| Path::new(part) == folder),
        command: command.to_vec(),
        home: home.flatten(),
        programs: Path::new(program).parent()?.to_owned(),
        work: root.with_file_name("living"),
    })
}

impl Interpreter {
    /// Whether it runs in a tree of files of its own.
    pub fn is_in_tree(&self) -> bool {
        self.folder.is_some()
    }

    /// Whether its files have no symbols that the loader does not need.
    pub fn is_stripped(&self) -> bool {
        self.home.is_some() || self.is_in_tree() || self.name.ends_with("-static")
    }

    /// Starts a program of `fixtures/programs`, and waits until it has written down what is true of it.
    ///
    /// # Errors
    /// It cannot be started, or does not come to wait.
    pub fn start(&self, program: &str) -> Result<Parked, String> {
        let folder = self.work.join(format!("{}-{program}-{}", self.name, std::process::id()));
        let mut words = self.words(&folder);
        words.push(self.programs.join(format!("{program}.py")).display().to_string());
        let (process, _) = live::start(&words, &folder, self.home.as_deref())?;
        Ok(Parked { process, folder })
    }

    /// Runs code until it has printed its first line.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, code: &str) -> Result<live::Living, String> {
        let mut words = self.words(&self.work);
        words.extend(["-c".to_owned(), code.to_owned()]);
        fs::create_dir_all(&self.work).map_err(|error| error.to_string())?;
        let mut command = live::command(&words, &self.work, self.home.as_deref())?;
        let mut process = live::Living::start(command.stdout(Stdio::piped()));
        let output = process.stdout().ok_or("no output")?;
        BufReader::new(output).read_line(&mut String::new()).map_err(|error| error.to_string())?;
        Ok(process)
    }

    /// The command that runs it in `folder`.
    fn words(&self, folder: &Path) -> Vec<String> {
        let mut words = self.command.clone();
        if let Some(place) = self.folder {
            words[place] = folder.display().to_string();
        }
        words
    }
}

/// A process that waits, until this is dropped.
#[derive(Debug)]
pub struct Parked {
    process: live::Living,
    folder: PathBuf,
}

impl Parked {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it knows of itself.
    ///
    /// # Errors
    /// What it wrote cannot be read.
    pub fn truth(&self) -> Result<Truth, String> {
        Truth::read(&self.folder.join("truth.json"))
    }

    /// A folder for files about it, which goes with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.process.is_alive()
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
