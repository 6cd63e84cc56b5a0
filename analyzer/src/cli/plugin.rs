//! `pycore plugin`: where the debuggers' plug-ins lie.

use super::output::stdout;
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueHint};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  gdb -x \"$(pycore plugin gdb)\" -p PID
  echo \"source $(pycore plugin gdb)\" >> ~/.gdbinit
  echo \"command script import '$(pycore plugin lldb)'\" >> ~/.lldbinit

The plug-ins come with the Python package: they are looked for in PYCORE_PLUGINS, where that is set, then in the
site-packages and share/pycore of the prefix that pycore is installed in, then in the source tree that it lies in.";

const GDB_EXAMPLES: &str = "\
Examples:
  gdb -x \"$(pycore plugin gdb)\" -p PID                    for one session
  echo \"source $(pycore plugin gdb)\" >> ~/.gdbinit        for all
  pycore plugin gdb --auto-load /usr/bin/python3.11       where gdb opens this interpreter
  gdb -x \"$(pycore plugin gdb --no-python)\" -p PID        in a gdb that has no Python

In gdb, `help pycore` says what there is.";

const LLDB_EXAMPLES: &str = "\
Examples:
  lldb -o \"command script import '$(pycore plugin lldb)'\" -p PID            for one session
  echo \"command script import '$(pycore plugin lldb)'\" >> ~/.lldbinit       for all";

/// The folder of the plug-ins, where the user names it: the Python package.
const NAMED_BY: &str = "PYCORE_PLUGINS";

/// Print the path of the plug-in for gdb or lldb, which the debugger loads
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PluginArgs {
    #[command(subcommand)]
    debugger: Debugger,
}

#[derive(Debug, Subcommand)]
enum Debugger {
    Gdb(GdbArgs),
    Lldb(LldbArgs),
}

/// Print the path of the plug-in for gdb (12 and newer)
#[derive(Debug, Args)]
#[command(after_help = GDB_EXAMPLES)]
struct GdbArgs {
    /// The plug-in for a gdb that was built without Python: a few commands, which run pycore on the process or core
    #[arg(long)]
    no_python: bool,

    /// Let gdb load the plug-in by itself when it opens this program or library (a python, a libpython), by a script
    /// in its directory for auto-loading; prints that script's path
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    auto_load: Option<PathBuf>,

    /// gdb's directory for auto-loading, as its `show auto-load scripts-directory` has it
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        default_value = "/usr/share/gdb/auto-load",
        requires = "auto_load"
    )]
    auto_load_directory: PathBuf,
}

/// Print the path of the plug-in for lldb (14 and newer)
#[derive(Debug, Args)]
#[command(after_help = LLDB_EXAMPLES)]
struct LldbArgs {}

/// Prints the path of a debugger's plug-in.
///
/// # Errors
/// When it is not there, a script for auto-loading cannot be written, or standard output cannot be written to.
pub(super) fn run(args: &PluginArgs) -> Result<ExitCode> {
    let path = match &args.debugger {
        Debugger::Lldb(_) => find("lldb_plugin.py")?,
        Debugger::Gdb(gdb) => {
            let plugin = find(if gdb.no_python { "pycore.gdb" } else { "gdb_plugin.py" })?;
            match &gdb.auto_load {
                Some(file) => auto_load(file, &gdb.auto_load_directory, &plugin)?,
                None => plugin,
            }
        }
    };
    stdout(|out, _| writeln!(out, "{}", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The path of a file of the plug-ins.
fn find(name: &str) -> Result<PathBuf> {
    let folders = match std::env::var_os(NAMED_BY) {
        Some(folder) => vec![PathBuf::from(folder)],
        None => {
            let program = std::env::current_exe().context("cannot tell where this program lies")?;
            folders(&program.canonicalize().unwrap_or(program))
        }
    };
    match folders.iter().find(|folder| folder.join(name).is_file()) {
        Some(folder) => Ok(folder.join(name)),
        None => {
            let looked: Vec<_> = folders.iter().map(|folder| format!("\n  {}", folder.display())).collect();
            bail!(
                "no {name} was found; {NAMED_BY} may name the folder that holds it. Looked in:{}",
                looked.concat()
            )
        }
    }
}

/// Where the Python package may be, for a program at a path.
fn folders(program: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(bin) = program.parent() {
        // `pip install --target` puts programs into a folder of the packages.
        folders.extend(bin.parent().map(|target| target.join("pycore")));
    }
    if let Some(prefix) = program.ancestors().nth(2) {
        for lib in ["lib", "lib64"] {
            folders.extend(site_packages(&prefix.join(lib)));
        }
        folders.push(prefix.join("share/pycore"));
    }
    folders.extend(program.ancestors().skip(1).map(|folder| folder.join("gdb-plugin/python/pycore")));
    // A target directory may lie anywhere. What is given away does not look for the tree that it was built in.
    #[cfg(debug_assertions)]
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("gdb-plugin").join("python/pycore"));
    folders
}

/// The package in the folders that the Pythons of a prefix have for packages, the newest first.
fn site_packages(lib: &Path) -> Vec<PathBuf> {
    let pythons = fs::read_dir(lib).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut pythons: Vec<(u32, PathBuf)> = pythons
        .filter_map(|name| {
            let minor = name.to_str()?.strip_prefix("python3")?.strip_prefix('.').unwrap_or("0");
            Some((minor.trim_end_matches('t').parse().ok()?, lib.join(&name)))
        })
        .collect();
    pythons.sort();
    let folders = ["site-packages/pycore", "dist-packages/pycore"];
    pythons.iter().rev().flat_map(|(_, python)| folders.map(|folder| python.join(folder))).collect()
}

/// Writes the script that gdb runs when it opens `file`, as its manual has it: DIRECTORY/FILE-gdb.gdb.
fn auto_load(file: &Path, directory: &Path, plugin: &Path) -> Result<PathBuf> {
    const MARK: &str = "# Written by `pycore plugin gdb --auto-load`.";
    let file = file.canonicalize().with_context(|| format!("--auto-load {}", file.display()))?;
    if !file.is_file() {
        bail!("--auto-load {} is no file; give a program or a library", file.display());
    }
    let Some(plugin) = plugin.to_str().filter(|path| !path.contains('\n')) else {
        bail!("gdb cannot be told the path of the plug-in: {}", plugin.display());
    };
    let mut name = directory.join(file.strip_prefix("/").unwrap_or(&file)).into_os_string();
    name.push("-gdb.gdb");
    let script = PathBuf::from(name);
    if script.exists() && !fs::read_to_string(&script).is_ok_and(|text| text.starts_with(MARK)) {
        bail!("{} is there and not pycore's; it is left as it is", script.display());
    }
    let text = format!("{MARK}\nsource {plugin}\n");
    let write = || {
        script.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&script, text)
    };
    write().with_context(|| format!("cannot write {}", script.display()))?;
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_looked_for_beside_the_program() {
        let prefix = tempfile::tempdir().unwrap();
        let packages = |python: &str| prefix.path().join(format!("lib/{python}/site-packages/pycore"));
        for python in ["python3.9", "python3.13t", "python3.12", "python2.7", "other"] {
            fs::create_dir_all(packages(python)).unwrap();
        }
        let folders = folders(&prefix.path().join("bin/pycore"));
        let place = |folder: &Path| folders.iter().position(|each| each == folder);
        let order: Vec<_> = ["python3.13t", "python3.12", "python3.9"]
            .iter()
            .map(|python| place(&packages(python)))
            .collect();
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{folders:?}");
        assert_eq!(place(&packages("python2.7")), None);
        assert!(place(&prefix.path().join("share/pycore")).is_some());
        assert!(place(&prefix.path().join("pycore")).is_some());
    }

    #[test]
    fn scripts_of_others_are_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("python");
        fs::write(&file, "").unwrap();
        let directory = folder.path().join("auto-load");
        let script = auto_load(&file, &directory, Path::new("/a b/gdb_plugin.py")).unwrap();
        let inside = file.canonicalize().unwrap();
        assert_eq!(script.to_str().unwrap(), format!("{}{}-gdb.gdb", directory.display(), inside.display()));
        let text = fs::read_to_string(&script).unwrap();
        assert!(text.ends_with("\nsource /a b/gdb_plugin.py\n"), "{text}");
        auto_load(&file, &directory, Path::new("/new/gdb_plugin.py")).unwrap();
        assert!(fs::read_to_string(&script).unwrap().contains("/new/"));
        fs::write(&script, "echo").unwrap();
        let error = auto_load(&file, &directory, Path::new("/new/gdb_plugin.py")).unwrap_err();
        assert!(error.to_string().contains("is left as it is"), "{error}");
        assert_eq!(fs::read_to_string(&script).unwrap(), "echo");
    }
}
