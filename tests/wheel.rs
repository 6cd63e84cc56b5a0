//! The wheel, installed with the oldest and the newest Python at hand, into environments that have nothing else.

use pycore_tests::cores::{corpus, fixtures};
use pycore_tests::program;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    output
}

/// What builds wheels and checks types, if `scripts/setup-tests` could get it.
fn tools() -> Option<PathBuf> {
    let bin = fixtures().join(".work/venv/wheel/bin");
    if !bin.join("maturin").exists() {
        eprintln!("skipped: scripts/make-wheel --get-tools gets what is missing");
        return None;
    }
    Some(bin)
}

/// The wheel, of the program and the library that the other tests use.
fn wheel() -> &'static Path {
    static WHEEL: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, wheel) = WHEEL.get_or_init(|| {
        let program = program::path();
        let target = program.ancestors().nth(2).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let made = run(Command::new(root().join("scripts/make-wheel"))
            .arg("-o")
            .arg(folder.path())
            .env("CARGO_TARGET_DIR", target));
        let path = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim_end());
        (folder, path)
    });
    wheel
}

/// The interpreters of this machine from 3.8 on, by version.
fn pythons() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let pyenv = std::env::var_os("PYENV_ROOT").map_or_else(|| Path::new(&home).join(".pyenv"), PathBuf::from);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(pyenv.join("versions")).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let version: Vec<u32> = name.split('.').map_while(|part| part.parse().ok()).collect();
        let program = entry.path().join("bin/python3");
        if version >= vec![3, 8] && program.exists() {
            found.push((version, program));
        }
    }
    found.sort();
    if found.is_empty() {
        found.push((Vec::new(), PathBuf::from("python3")));
    }
    found.into_iter().map(|(_, program)| program).collect()
}

/// A new environment with the wheel in it; its `bin`.
fn environment(python: &Path, folder: &Path) -> PathBuf {
    run(Command::new(python).args(["-m", "venv"]).arg(folder));
    let bin = folder.join("bin");
    run(Command::new(bin.join("pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"])
        .arg(wheel())
        .env_remove("PYTHONPATH"));
    bin
}

/// A plain core of `orders`.
fn core() -> tempfile::NamedTempFile {
    let core = corpus().into_iter().find(|core| core.core.to_string_lossy().contains("3.12.1-orders"));
    core.expect("fixtures/corpus/3.12.1-orders.core.zst").decompressed().unwrap()
}

fn works_with(python: &Path) -> Option<(tempfile::TempDir, PathBuf)> {
    tools()?;
    let folder = tempfile::tempdir().unwrap();
    let bin = environment(python, folder.path());
    let core = core();
    run(Command::new(bin.join("python"))
        .arg("test_package.py")
        .current_dir(root().join("gdb-plugin/python/tests"))
        .env("PYCORE_TEST_CORE", core.path())
        .env_remove("PYTHONPATH")
        .env_remove("PYCORE_LIBRARY"));
    Some((folder, bin))
}

#[test]
fn it_works_with_the_oldest_python() {
    works_with(&pythons()[0]);
}

/// gdb with the plug-in that an installed `pycore` names.
fn works_in_gdb(bin: &Path) {
    if Command::new("gdb").arg("--version").output().is_err() {
        return eprintln!("skipped: there is no gdb");
    }
    let plugin = run(Command::new(bin.join("pycore")).args(["plugin", "gdb"])).stdout;
    let core = core();
    let shown = run(Command::new("gdb")
        .args(["-nx", "-batch", "-x", String::from_utf8(plugin).unwrap().trim_end(), "-c"])
        .arg(core.path())
        .args(["-ex", "py-bt-all", "-ex", "python import pycore; print(pycore._library.find())"])
        .env_remove("PYCORE_LIBRARY"));
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let library = bin.parent().unwrap().canonicalize().unwrap().join("lib");
    for part in ["in render", "worker-1", "in watch", library.to_str().unwrap()] {
        assert!(text.contains(part), "{part}: {text}\n{}", String::from_utf8_lossy(&shown.stderr));
    }
}

#[test]
fn it_works_with_the_newest_python_and_its_types_are_right() {
    let Some((_folder, bin)) = works_with(pythons().last().unwrap()) else { return };
    works_in_gdb(&bin);
    let Some(tools) = tools() else { return };
    let mypy = |arguments: &[&OsStr]| {
        run(Command::new(tools.join("mypy"))
            .arg("--strict")
            .args(arguments)
            .current_dir(root().join("gdb-plugin/python"))
            .env_remove("MYPYPATH"))
    };
    let python = bin.join("python");
    mypy(&["--python-executable".as_ref(), python.as_os_str(), "tests/sample.py".as_ref()]);
    mypy(&["pycore".as_ref()]);
}

#[test]
fn the_model_is_that_of_the_schema() {
    run(Command::new(root().join("scripts/make-python-model")).arg("--check"));
}
