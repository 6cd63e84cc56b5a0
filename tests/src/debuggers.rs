//! Running gdb and lldb in batch, with pycore's plug-in.

use crate::program::{library, run_command};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
/// What is printed before the output of each command.
pub const MARK: &str = "=====pycore-test=====";

/// A debugger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Debugger {
    /// gdb, by the name of the program.
    Gdb(String),
    /// lldb, by the name of the program.
    Lldb(String),
}

/// What a debugger looks at.
#[derive(Clone, Copy, Debug)]
pub enum Target<'t> {
    /// A live process, which is let go at the end.
    Process(u32),
    /// A core, and the program that it is of, where its own path does not lead to it.
    Core(&'t Path, Option<&'t Path>),
    /// Nothing.
    Nothing,
}

/// The debuggers of this machine that embed Python: gdb, and one of each version of lldb.
pub fn debuggers() -> Vec<Debugger> {
    let gdb = ["gdb"].map(|name| Debugger::Gdb(name.to_owned()));
    let lldb = ["lldb-14", "lldb-16", "lldb-19", "lldb"].map(|name| Debugger::Lldb(name.to_owned()));
    let mut found: Vec<Debugger> = gdb.into_iter().chain(lldb).filter(Debugger::has_python).collect();
    let versions = found.iter().filter(|one| matches!(one, Debugger::Lldb(name) if name != "lldb")).count();
    found.retain(|one| versions == 0 || *one != Debugger::Lldb("lldb".to_owned()));
    found
}

/// `gdb-plugin/python/pycore`.
pub fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("gdb-plugin").join("python/pycore")
}

impl Debugger {
    /// The name of its program.
    pub fn name(&self) -> &str {
        match self {
            Debugger::Gdb(name) | Debugger::Lldb(name) => name,
        }
    }

    /// Whether it is there and embeds Python.
    pub fn has_python(&self) -> bool {
        let mut command = Command::new(self.name());
        match self {
            Debugger::Gdb(_) => command.args(["-nx", "-batch", "-ex", "python print(6 * 7)"]),
            Debugger::Lldb(_) => command.args(["--no-lldbinit", "-b", "-o", "script print(6 * 7)"]),
        };
        self.environment(&mut command);
        run_command(command, LIMIT).is_ok_and(|run| run.text().lines().any(|line| line == "42"))
    }

    fn environment(&self, command: &mut Command) {
        // Those of the debugger's own Python; lldb 14 of Debian does not find its package by itself.
        command.env_remove("PYTHONHOME").env_remove("PYTHONPATH").env("PYTHONDONTWRITEBYTECODE", "1");
        if self.name() == "lldb-14" {
            command.env("PYTHONPATH", "/usr/lib/llvm-14/lib/python3.11/dist-packages");
        }
    }

    /// The debugger with the plug-in on `target`, and with `script`, a file for the commands.
    ///
    /// # Errors
    /// The script cannot be written.
    pub fn command(&self, target: Target<'_>, commands: &[&str], script: &Path) -> Result<Command, String> {
        let plugin = package();
        let mut lines = Vec::new();
        let mut command = Command::new(self.name());
        self.environment(&mut command);
        command.env("PYCORE_LIBRARY", library());
        match self {
            Debugger::Gdb(_) => {
                lines.push(format!("source {}", plugin.join("gdb_plugin.py").display()));
                lines.push("set width 0".to_owned());
                for one in commands {
                    // A script ends at its first error otherwise.
                    lines.push(format!("echo {MARK}\\n"));
                    lines.push(format!("python\ntry: gdb.execute({one:?})\nexcept gdb.error as e: gdb.write('%s\\n' % e)\nend"));
                }
                command.args(["-nx", "-q", "-batch"]);
                match target {
                    Target::Process(pid) => drop(command.args(["-p", &pid.to_string()])),
                    Target::Core(core, program) => drop(command.args(program).arg("-c").arg(core)),
                    Target::Nothing => {}
                }
                command.arg("-x").arg(script);
            }
            Debugger::Lldb(_) => {
                lines.push(format!("command script import {}", plugin.join("lldb_plugin.py").display()));
                lines.push(match target {
                    Target::Process(pid) => format!("process attach --pid {pid}"),
                    Target::Core(core, None) => format!("target create --core {}", core.display()),
                    Target::Core(core, Some(program)) => {
                        format!("target create --core {} {}", core.display(), program.display())
                    }
                    Target::Nothing => "version".to_owned(),
                });
                // Attaching, lldb selects the thread that happened to take the signal.
                if matches!(target, Target::Process(_)) {
                    lines.push("thread select 1".to_owned());
                }
                for one in commands {
                    lines.push(format!("script print({MARK:?})"));
                    lines.push((*one).to_owned());
                }
                if matches!(target, Target::Process(_)) {
                    lines.push("detach".to_owned());
                }
                command.args(["--no-lldbinit", "-b", "-s"]).arg(script);
                command.args(["-O", "settings set interpreter.stop-command-source-on-error false"]);
            }
        }
        std::fs::write(script, lines.join("\n") + "\n").map_err(|error| error.to_string())?;
        Ok(command)
    }

    /// lldb, for commands that are written to its standard input: an interrupt ends a script as a whole.
    pub fn interactive(&self) -> Command {
        let mut command = Command::new(self.name());
        self.environment(&mut command);
        command.env("PYCORE_LIBRARY", library()).arg("--no-lldbinit");
        command
    }

    /// Runs commands on `target`, and gives what each printed.
    ///
    /// # Errors
    /// The debugger cannot be run, hangs, is killed, or does not come to the end of the commands.
    pub fn run(&self, target: Target<'_>, commands: &[&str]) -> Result<Vec<String>, String> {
        let script = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        let plain = self.command(target, commands, script.path())?;
        // What is said of errors belongs to what was printed before.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(plain.get_program()).args(plain.get_args());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => drop(command.env(name, value)),
                None => drop(command.env_remove(name)),
            }
        }
        let run = run_command(command, LIMIT)?;
        self.parts(&run.text(), &run.stderr, commands.len())
    }

    /// What each of so many commands printed.
    ///
    /// # Errors
    /// The debugger did not come to the end of the commands.
    pub fn parts(&self, text: &str, errors: &str, count: usize) -> Result<Vec<String>, String> {
        let marked = |line: &str| line == MARK;
        let mut parts: Vec<String> = Vec::new();
        for line in text.lines() {
            // lldb repeats each command.
            if marked(line) {
                parts.push(String::new());
            } else if let Some(part) = parts.last_mut().filter(|_| !line.starts_with("(lldb) ")) {
                part.push_str(line);
                part.push('\n');
            }
        }
        if parts.len() != count {
            return Err(format!(
                "{} came to {} of {count} commands:\n{text}\n{errors}",
                self.name(),
                parts.len()
            ));
        }
        Ok(parts)
    }
}
