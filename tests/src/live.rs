//! Programs of the fixtures that live and wait to be looked at.

use crate::cores::RecordedCore;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to come to where it waits.
const TIME: Duration = Duration::from_secs(60);

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub struct Living(Child);

impl Living {
    /// Starts it.
    pub fn start(command: &mut Command) -> Living {
        Living(command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has not ended.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Its standard output, if it was piped and not taken before.
    pub fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.0.stdout.take()
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `meta.json` beside a recorded core says of how the program was run.
#[derive(Deserialize)]
pub(crate) struct Meta {
    pub(crate) command: Vec<String>,
}

/// Runs the program of a recorded core once more, with the same interpreter, and leaves it waiting. Returns it and where
/// it wrote down the truth.
///
/// # Errors
/// It does not come to where it waits.
pub fn start_again(core: &RecordedCore) -> Result<(Living, PathBuf), String> {
    let recorded = core.core.parent().ok_or("a core in no folder")?;
    let text = fs::read(recorded.join("meta.json")).map_err(|error| error.to_string())?;
    let meta: Meta = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let moved = |folder: &str| folder.replace("/.work/cores/", "/.work/live/");
    // Within a tree, the folder is an argument.
    let is_folder = |word: &&String| word.ends_with(&core.name);
    let folder = meta.command.iter().find(is_folder).cloned();
    let folder = PathBuf::from(moved(&folder.unwrap_or_else(|| recorded.to_string_lossy().into_owned())));
    let words = meta.command.iter().map(|word| if is_folder(&word) { moved(word) } else { word.clone() });
    let words = words.collect::<Vec<_>>();
    let tree = words.first().and_then(|program| Path::new(program).ancestors().nth(2));
    start(&words, &folder, tree.filter(|_| core.name.contains("/stripped/")))
}

/// Runs a program of the fixtures by the command `words`, in `folder`, until it waits. `home` is where the files of its
/// interpreter are, where that does not know. Returns it and where it wrote down the truth.
///
/// # Errors
/// It does not come to where it waits.
pub fn start(words: &[String], folder: &Path, home: Option<&Path>) -> Result<(Living, PathBuf), String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let truth = folder.join("truth.json");
    let _ = fs::remove_file(&truth);
    let script = words.iter().rfind(|word| word.ends_with(".py")).ok_or("no script")?;
    let mut command = command(words, folder, home)?;
    command.env("PYTHONPATH", Path::new(script).parent().unwrap_or(Path::new(".")));
    let output = fs::File::create(folder.join("output.txt")).map_err(|error| error.to_string())?;
    command.stdout(output.try_clone().map_err(|error| error.to_string())?).stderr(output);
    let mut process = Living::start(&mut command);
    wait_until_parked(&mut process, &truth).map_err(|why| {
        format!("{why}\n{}", fs::read_to_string(folder.join("output.txt")).unwrap_or_default())
    })?;
    Ok((process, truth))
}

/// A command in `folder`, with nothing of this environment that programs show.
///
/// # Errors
/// It is empty.
pub(crate) fn command(words: &[String], folder: &Path, home: Option<&Path>) -> Result<Command, String> {
    let (program, rest) = words.split_first().ok_or("no command")?;
    let mut command = Command::new(program);
    command.args(rest).current_dir(folder).env_clear();
    for name in ["HOME", "PATH", "TMPDIR"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.envs([
        ("LANG", "C.UTF-8"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONHASHSEED", "0"),
        ("PYTHONWARNINGS", "ignore"),
        ("PYCORE_TRUTH", "truth.json"),
        ("PYCORE_FIXTURE_DEATH", "wait"),
    ]);
    if let Some(home) = home {
        command.env("PYTHONHOME", home).env("LD_LIBRARY_PATH", home.join("lib"));
    }
    Ok(command)
}

/// Until the truth is written and all threads sleep.
fn wait_until_parked(process: &mut Living, truth: &Path) -> Result<(), String> {
    let began = Instant::now();
    let (mut before, mut alike) = (BTreeMap::new(), 0);
    while alike < 5 {
        if !process.is_alive() || began.elapsed() > TIME {
            return Err("it did not come to wait".to_owned());
        }
        let now = threads(process.pid());
        let asleep = now.values().all(|status| status.starts_with('S'));
        alike = if truth.exists() && asleep && now == before { alike + 1 } else { 0 };
        before = now;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The threads of a process: the letter of their state, and how often they have run.
pub fn threads(pid: u32) -> BTreeMap<u32, String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let status = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let text = format!("{} {}", value("State:")?, value("voluntary_ctxt_switches:")?);
        Some((task.file_name().to_str()?.parse().ok()?, text))
    };
    tasks.filter_map(status).collect()
}

/// The processor time that a process has used, in ticks.
pub fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// Until `done`, at most for a minute; whether it was.
pub fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !done() {
        if began.elapsed() > TIME {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
