//! Running the `pycore` program.

use std::ffi::OsStr;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What a run gave.
#[derive(Debug)]
pub struct Run {
    /// The exit code, or what ended it otherwise.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: String,
}

impl Run {
    /// Its standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// The program: `PYCORE_BIN`, else the one of the same target directory and profile, which cargo first brings up to date.
pub fn path() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let named = || std::env::var_os("PYCORE_BIN").map(PathBuf::from);
    PATH.get_or_init(|| {
        named().unwrap_or_else(|| build(&["--package", "pycore", "--bin", "pycore"]).join("pycore"))
    })
    .clone()
}

/// The library for debuggers, of the same target directory and profile: `PYCORE_LIBRARY`, else brought up to date.
pub fn library() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let named = || std::env::var_os("PYCORE_LIBRARY").map(PathBuf::from);
    PATH.get_or_init(|| {
        named().unwrap_or_else(|| {
            build(&["--package", "pycore-gdb-plugin", "--lib"]).join("libpycore_plugin.so")
        })
    })
    .clone()
}

/// Has cargo build something; gives the folder where it puts it.
fn build(what: &[&str]) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST").to_owned();
    let target = profile.parent().expect("target/PROFILE").to_owned();
    let name = profile.file_name().and_then(OsStr::to_str).expect("a profile's name");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .args(["build", "--quiet"])
        .args(what)
        .arg("--profile")
        .arg(if name == "debug" { "dev" } else { name })
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(done.is_ok_and(|status| status.success()), "pycore does not build");
    profile
}

/// Runs it to its end, without the environment's influence on its output.
///
/// # Errors
/// It cannot be started, or has not ended within the time limit (and was killed).
pub fn run<S: AsRef<OsStr>>(arguments: &[S], limit: Duration) -> Result<Run, String> {
    let mut command = Command::new(path());
    command.args(arguments);
    run_command(command, limit)
}

/// As [`run`], of a command that was prepared by the caller.
///
/// # Errors
/// It cannot be started, or has not ended within the time limit (and was killed).
pub fn run_command(mut command: Command, limit: Duration) -> Result<Run, String> {
    for name in ["RUST_LOG", "RUST_BACKTRACE", "CLICOLOR_FORCE", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let stdout = drain(child.stdout.take().expect("piped"));
    let stderr = drain(child.stderr.take().expect("piped"));
    let status = wait(&mut child, limit).map_err(|error| format!("{command:?}: {error}"))?;
    let stdout = stdout.join().expect("a reader that does not panic");
    let stderr = stderr.join().expect("a reader that does not panic");
    Ok(Run { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus, String> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if started.elapsed() < limit => std::thread::sleep(Duration::from_millis(2)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("still running after {limit:?}"));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}
