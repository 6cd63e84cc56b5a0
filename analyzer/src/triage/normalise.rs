//! What of a frame's names stays the same over machines, runs and versions of Python.

use crate::report::{CrashFrame, file_name, is_windows_path};
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Stands for the part of a qualified name that is not known.
pub(super) const UNKNOWN: &str = "*";
/// Stands for a name that a program made up.
const MADE_UP: &str = "<generated>";
/// Code that has a frame of its own up to 3.11.
const COMPREHENSIONS: [&str; 3] = ["<listcomp>", "<setcomp>", "<dictcomp>"];
/// The longest name that goes into a fingerprint, in characters.
const LONGEST: usize = 300;

/// Whose code a frame runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// The program's own.
    App,
    /// That of a package which is installed for it.
    Package,
    /// Python's own library.
    Library,
    /// What starts modules and threads: it is in the way of all code and tells nothing.
    Bootstrap,
    /// What imports modules, which tells something only where nothing is above it.
    Import,
    /// A comprehension, which has no frame of its own from 3.12 on.
    Comprehension,
}

/// A frame as it goes into a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Normal {
    pub(super) module: String,
    pub(super) function: String,
    pub(super) origin: Origin,
}

impl Normal {
    /// `app.models.User.save`.
    pub(super) fn value(&self) -> String {
        format!("{}.{}", self.module, self.function)
    }
}

/// What stays of a frame.
pub(super) fn normal(frame: &CrashFrame) -> Normal {
    let module = module_of(frame);
    let function = function_of(frame);
    let origin = origin(&module, &function, frame.file.as_deref());
    Normal { module, function, origin }
}

/// The type of an exception as it goes into a fingerprint: what a script defines is called the same when it is imported,
/// and what moved or was renamed since is called as it is now.
pub(super) fn exception(type_name: &str) -> String {
    let name = type_name.strip_prefix("__main__.").or_else(|| type_name.strip_prefix("__mp_main__."));
    let name = fold_locals(name.unwrap_or(type_name));
    match name.as_str() {
        "socket.timeout" | "asyncio.exceptions.TimeoutError" | "concurrent.futures._base.TimeoutError" => {
            "TimeoutError".to_owned()
        }
        "asyncio.exceptions.CancelledError" | "concurrent.futures._base.CancelledError" => {
            "asyncio.CancelledError".to_owned()
        }
        "IOError" | "EnvironmentError" | "select.error" | "socket.error" => "OSError".to_owned(),
        "exceptions.ExceptionGroup" | "exceptiongroup.ExceptionGroup" => "ExceptionGroup".to_owned(),
        _ => name.split('.').map(stable).collect::<Vec<_>>().join("."),
    }
}

/// The name of a native module: its file name without the versions, the platform and the ending; `python` for what is the
/// interpreter itself, a program or a library.
pub(super) fn native(path: &str) -> String {
    let name = file_name(path);
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    let lower = name.to_ascii_lowercase();
    let is_library = lower.contains(".so") || lower.ends_with(".dll") || lower.ends_with(".pyd");
    let bare = lower.strip_prefix("lib").unwrap_or(&lower);
    if let Some(rest) = bare.strip_prefix("python") {
        let rest = rest.split(".so").next().unwrap_or(rest);
        let rest = rest.trim_end_matches(".exe").trim_end_matches(".dll").trim_end_matches(".dylib");
        if rest.chars().all(|c| c.is_ascii_digit() || ".-_tdmuw".contains(c)) {
            return "python".to_owned();
        }
    }
    let stem = match name.find(".so").filter(|_| is_library) {
        Some(end) => name.get(..end).unwrap_or(name),
        None => name.rsplit_once('.').map_or(name, |(stem, ending)| {
            if matches!(ending.to_ascii_lowercase().as_str(), "dll" | "pyd" | "exe" | "dylib") {
                stem
            } else {
                name
            }
        }),
    };
    // `multiarray.cpython-311-x86_64-linux-gnu`, `fast.cp311-win_amd64`, `fast.abi3`.
    let stem = stem
        .split_once(".cpython-")
        .or_else(|| stem.split_once(".cp3"))
        .or_else(|| stem.split_once(".abi3"))
        .map_or(stem, |(stem, _)| stem);
    // `libc-2.31`, `ld-linux-x86-64`, `libopenblas64_p-r0-0cf96a72.3.23.dev`: a version or a hash behind a dash.
    let mut parts = stem.split('-');
    let mut kept = parts.next().unwrap_or(stem).to_owned();
    for part in parts {
        if part.starts_with(|c: char| c.is_ascii_digit()) || is_made_up(part) {
            break;
        }
        kept.push('-');
        kept.push_str(part);
    }
    cut(&kept)
}

/// What a process ran: the script without folder and ending, or the module; `None` for code that is given as text.
pub(super) fn program(command_line: &[String]) -> Option<String> {
    let (interpreter, arguments) = command_line.split_first()?;
    if native(interpreter) != "python" && !file_name(interpreter).to_ascii_lowercase().starts_with("python") {
        return None;
    }
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-m" => return arguments.next().map(cut),
            "-c" | "-" => return None,
            "-X" | "-W" | "--check-hash-based-pycs" => {
                arguments.next();
            }
            option if option.starts_with("-m") && option.len() > 2 => {
                return option.get(2..).map(cut);
            }
            option if option.starts_with('-') => {}
            script => return Some(stem(script)),
        }
    }
    None
}

/// The program's file name without its ending.
pub(super) fn executable(path: &str) -> String {
    native(path)
}

fn module_of(frame: &CrashFrame) -> String {
    let file = frame.file.as_deref().unwrap_or_default();
    match frame.module.as_deref() {
        Some("__main__" | "__mp_main__") => match main_of(file) {
            Some(name) => name,
            None => "__main__".to_owned(),
        },
        Some(name) if !name.is_empty() => {
            let name = name.strip_suffix(".__main__").unwrap_or(name);
            cut(name.split('.').map(stable).collect::<Vec<_>>().join("."))
        }
        _ => module_of_file(file),
    }
}

/// What a script is called: its file's stem, that of its folder where it is `__main__.py`; `None` where it has no file.
fn main_of(file: &str) -> Option<String> {
    if is_text(file) { None } else { Some(stem(file)) }
}

/// `<string>`, `<stdin>`, `<ipython-input-1-2>`, and the cells that ipykernel names like files.
fn is_text(file: &str) -> bool {
    file.is_empty() || file.starts_with('<') || split(file).any(|part| part.starts_with("ipykernel_"))
}

fn split(path: &str) -> impl DoubleEndedIterator<Item = &str> + Clone {
    let separators: &[char] = if is_windows_path(path) { &['/', '\\'] } else { &['/'] };
    path.split(separators)
}

/// A file's name without its ending; that of its folder for `__main__.py` and `__init__.py`.
fn stem(path: &str) -> String {
    let mut parts = split(path).rev().filter(|part| !part.is_empty());
    let last = parts.next().unwrap_or(path);
    let stem = without_ending(last);
    let stem = match stem {
        "__main__" | "__init__" => parts.next().map_or(stem, without_ending),
        _ => stem,
    };
    stable(stem)
}

fn without_ending(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, "py" | "pyc" | "pyw" | "pyx" | "pyz" | "exe")) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// The module that a file below a folder of packages is; else its stem, before which there may be packages.
fn module_of_file(file: &str) -> String {
    if let Some(frozen) = file.strip_prefix("<frozen ").and_then(|rest| rest.strip_suffix('>')) {
        return cut(frozen);
    }
    if is_text(file) {
        return "?".to_owned();
    }
    let parts: Vec<&str> = split(file).collect();
    let Some(below) = packages(&parts).or_else(|| library(&parts, is_windows_path(file))) else {
        return format!("{UNKNOWN}.{}", stem(file));
    };
    let inside = parts.get(below..).unwrap_or_default();
    let mut names: Vec<String> = inside.iter().map(|part| stable(without_ending(part))).collect();
    if names.len() > 1 && names.last().is_some_and(|last| last == "__init__" || last == "__main__") {
        names.pop();
    }
    if names.len() == 1 { stem(file) } else { cut(names.join(".")) }
}

/// Where in a path the name of an installed package is.
fn packages(parts: &[&str]) -> Option<usize> {
    let folder = |part: &&str| matches!(*part, "site-packages" | "dist-packages");
    parts.iter().rposition(folder).map(|at| at + 1).filter(|&at| at < parts.len())
}

/// Where in a path the name of a module of Python's own library is: below `lib/python3.11`, `python311.zip`, `Lib`.
fn library(parts: &[&str], windows: bool) -> Option<usize> {
    let mut before = "";
    for (at, part) in parts.iter().enumerate() {
        let next = parts.get(at + 1)?;
        let version = part.strip_prefix("python").or_else(|| part.strip_prefix("pypy"));
        let is_version = version.is_some_and(|version| {
            let version = version.strip_suffix(".zip").unwrap_or(version);
            version.starts_with(|c: char| c.is_ascii_digit())
                && version.chars().all(|c| c.is_ascii_digit() || ".tdm".contains(c))
        });
        let zip = part.ends_with(".zip");
        if is_version && (before.eq_ignore_ascii_case("lib") || before == "lib64" || zip) {
            return Some(at + 1);
        }
        let is_folder = if windows { part.eq_ignore_ascii_case("lib") } else { *part == "Lib" };
        if is_folder && is_of_library(without_ending(next)) {
            return Some(at + 1);
        }
        before = part;
    }
    None
}

fn origin(module: &str, function: &str, file: Option<&str>) -> Origin {
    let name = function.rsplit('.').next().unwrap_or(function);
    if COMPREHENSIONS.contains(&name) {
        return Origin::Comprehension;
    }
    let top = module.split('.').next().unwrap_or(module);
    let file = file.unwrap_or_default();
    let parts: Vec<&str> = split(file).collect();
    let is_frozen = file.starts_with("<frozen ");
    if packages(&parts).is_some() {
        return Origin::Package;
    }
    let below_library = library(&parts, is_windows_path(file)).is_some();
    // What is frozen into a program that brings its own Python has no folder before it.
    let is_relative = !file.starts_with('/') && !is_windows_path(file);
    if !(below_library || (is_of_library(top) && (is_frozen || is_relative || is_text(file)))) {
        return Origin::App;
    }
    match (top, name) {
        ("importlib" | "_frozen_importlib" | "_frozen_importlib_external" | "zipimport", _) => Origin::Import,
        ("runpy", _)
        | ("threading", "_bootstrap" | "_bootstrap_inner" | "__bootstrap" | "__bootstrap_inner") => {
            Origin::Bootstrap
        }
        _ => Origin::Library,
    }
}

fn function_of(frame: &CrashFrame) -> String {
    let folded = fold_locals(&frame.function);
    let names = folded.split('.').map(|name| {
        // IPython and doctest make names of code that has none.
        if name.starts_with("<cell line") { "<module>".to_owned() } else { stable(name) }
    });
    let name = names.collect::<Vec<_>>().join(".");
    let is_whole = !frame.unqualified || name.starts_with('<');
    cut(&if is_whole { name } else { format!("{UNKNOWN}.{name}") })
}

/// What is defined in a function is called without that function: `a.<locals>.b` is `b`. So is what has no name, wherever
/// it is defined, and what is defined in a comprehension, which is no function from 3.12 on.
fn fold_locals(name: &str) -> String {
    let inner = name.rsplit("<locals>.").next().unwrap_or(name);
    let inner = COMPREHENSIONS.iter().fold(inner, |inner, comprehension| {
        inner.rsplit_once(comprehension).and_then(|(_, rest)| rest.strip_prefix('.')).unwrap_or(inner)
    });
    match inner.rsplit('.').next() {
        Some(last @ ("<lambda>" | "<genexpr>")) => last.to_owned(),
        _ => inner.to_owned(),
    }
}

/// A name, or what stands for all that a program makes up likewise: numbers, addresses and hashes in it are left out.
fn stable(name: &str) -> String {
    if let Some(random) = name.strip_prefix("tmp")
        && random.len() == 8
        && random.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    {
        return "tmp*".to_owned();
    }
    if name.starts_with("<ipython-input-") {
        return "<ipython>".to_owned();
    }
    if !name.chars().any(|c| c.is_ascii_digit()) {
        return cut(name);
    }
    let words: Vec<&str> = name
        .split(|c: char| !c.is_alphanumeric())
        .map(|word| word.strip_prefix("0x").unwrap_or(word))
        .collect();
    if !words.iter().any(|word| is_made_up(word)) {
        return cut(name);
    }
    let kept: Vec<&str> = words.into_iter().filter(|word| !word.is_empty() && !is_made_up(word)).collect();
    if kept.is_empty() { MADE_UP.to_owned() } else { cut(format!("{}_*", kept.join("_"))) }
}

/// Whether a word is a long number, a hash or an address rather than a name that somebody gave.
fn is_made_up(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let is_number = digits == word.len() && digits >= 6;
    let is_hex = word.len() >= 8 && digits >= 2 && word.chars().all(|c| c.is_ascii_hexdigit());
    is_number || is_hex
}

fn cut(name: impl AsRef<str>) -> String {
    name.as_ref().chars().take(LONGEST).collect()
}

/// Whether a module is one of Python's own library, of any version.
fn is_of_library(top: &str) -> bool {
    static LIBRARY: LazyLock<Result<Library, serde_yaml::Error>> =
        LazyLock::new(|| serde_yaml::from_str(include_str!("../../rules/library.yaml")));
    LIBRARY.as_ref().is_ok_and(|library| library.modules.contains(top))
}

/// `analyzer/rules/library.yaml`.
#[derive(Deserialize)]
struct Library {
    modules: HashSet<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(module: Option<&str>, function: &str, file: &str) -> CrashFrame {
        CrashFrame {
            module: module.map(str::to_owned),
            function: function.into(),
            unqualified: false,
            file: Some(file.into()),
            line: None,
            locals: Vec::new(),
        }
    }

    fn value(module: Option<&str>, function: &str, file: &str) -> String {
        normal(&frame(module, function, file)).value()
    }

    #[test]
    fn scripts_are_called_as_when_they_are_imported() {
        let main = Some("__main__");
        assert_eq!(value(main, "Worker.run", "/srv/worker.py"), "worker.Worker.run");
        assert_eq!(value(Some("__mp_main__"), "run", "/home/a/worker.py"), "worker.run");
        assert_eq!(value(main, "run", r"C:\work\worker.py"), "worker.run");
        assert_eq!(value(main, "<module>", "/srv/shop/__main__.py"), "shop.<module>");
        assert_eq!(value(Some("shop.__main__"), "<module>", "/srv/shop/__main__.py"), "shop.<module>");
        assert_eq!(value(main, "<module>", "<string>"), "__main__.<module>");
        assert_eq!(value(main, "<module>", "/tmp/tmpx8a_k2qz/job.py"), "job.<module>");
        assert_eq!(value(main, "<module>", "/tmp/tmpx8a_k2qz.py"), "tmp*.<module>");
        assert_eq!(value(main, "f", "<ipython-input-3-1d2e>"), "__main__.f");
        assert_eq!(value(main, "f", "/tmp/ipykernel_4711/99.py"), "__main__.f");
    }

    #[test]
    fn modules_without_a_name_get_it_from_their_path() {
        let file = "/opt/venv/lib/python3.9/site-packages/flask/app.py";
        assert_eq!(value(None, "Flask.run", file), "flask.app.Flask.run");
        let file = "/usr/lib/python3.11/asyncio/__init__.py";
        assert_eq!(value(None, "f", file), "asyncio.f");
        assert_eq!(value(None, "f", r"C:\Python38\lib\json\decoder.py"), "json.decoder.f");
        assert_eq!(value(None, "f", "/srv/app.py"), "*.app.f");
        assert_eq!(value(None, "f", "<frozen importlib._bootstrap>"), "importlib._bootstrap.f");
        assert_eq!(value(None, "f", ""), "?.f");
    }

    #[test]
    fn what_is_inside_of_functions_is_called_without_them() {
        let folded = |name: &str| normal(&frame(Some("m"), name, "/m.py")).function;
        assert_eq!(folded("a.<locals>.b"), "b");
        assert_eq!(folded("a.<locals>.C.m"), "C.m");
        assert_eq!(folded("a.<locals>.<lambda>"), "<lambda>");
        assert_eq!(folded("C.<lambda>"), "<lambda>");
        assert_eq!(folded("a.<locals>.<listcomp>.<lambda>"), "<lambda>");
        assert_eq!(folded("a.<locals>.<genexpr>"), "<genexpr>");
        assert_eq!(folded("__create_fn__.<locals>.__init__"), "__init__");
    }

    #[test]
    fn names_that_are_made_up_are_all_the_same() {
        assert_eq!(stable("wrapper_0x7f3a12bc9d10"), "wrapper_*");
        assert_eq!(stable("job_1763789012"), "job_*");
        assert_eq!(stable("f_5d41402abc4b2a76b9719d911017c592"), "f_*");
        assert_eq!(stable("123456789"), MADE_UP);
        for kept in
            ["step_1", "step_2", "sha256", "utf_16_le", "decade", "facade", "log2", "v20", "test_2024"]
        {
            assert_eq!(stable(kept), kept);
        }
    }

    #[test]
    fn names_that_are_not_whole_say_so() {
        let unqualified = |function: &str| {
            normal(&CrashFrame { unqualified: true, ..frame(Some("m"), function, "/m.py") }).function
        };
        assert_eq!(unqualified("run"), "*.run");
        assert_eq!(unqualified("<module>"), "<module>");
        assert_eq!(unqualified("<lambda>"), "<lambda>");
    }

    #[test]
    fn frames_are_told_apart_by_whose_code_they_run() {
        let origin =
            |module: &str, function: &str, file: &str| normal(&frame(Some(module), function, file)).origin;
        assert_eq!(origin("json.decoder", "f", "/opt/x/lib/python3.13t/json/decoder.py"), Origin::Library);
        assert_eq!(origin("json.decoder", "f", "/x/python311.zip/json/decoder.pyc"), Origin::Library);
        assert_eq!(origin("json.decoder", "f", "<frozen json.decoder>"), Origin::Library);
        assert_eq!(origin("json.decoder", "f", "json/decoder.py"), Origin::Library);
        assert_eq!(origin("threading", "f", r"C:\Python38\lib\threading.py"), Origin::Library);
        assert_eq!(
            origin("threading", "Thread._bootstrap", "/usr/lib/python3.9/threading.py"),
            Origin::Bootstrap
        );
        assert_eq!(origin("importlib._bootstrap", "f", "<frozen importlib._bootstrap>"), Origin::Import);
        assert_eq!(origin("queue", "f", "/srv/queue.py"), Origin::App);
        assert_eq!(origin("lib.queue", "f", "/srv/lib/queue.py"), Origin::App);
        assert_eq!(origin("flask.app", "f", "/v/lib/python3.9/site-packages/flask/app.py"), Origin::Package);
        assert_eq!(origin("m", "f.<locals>.<listcomp>", "/m.py"), Origin::Comprehension);
    }

    #[test]
    fn native_modules_have_no_version() {
        for (path, name) in [
            ("/usr/lib/x86_64-linux-gnu/libc.so.6", "libc"),
            ("/lib/libc-2.31.so", "libc"),
            ("/root/.pyenv/versions/3.11.7/lib/libpython3.11.so.1.0", "python"),
            ("/usr/bin/python3.11", "python"),
            (r"C:\Python312\python312.dll", "python"),
            (r"C:\Python312\python.exe", "python"),
            ("/v/numpy/_multiarray_umath.cpython-311-x86_64-linux-gnu.so", "_multiarray_umath"),
            (r"C:\v\fast.cp311-win_amd64.pyd", "fast"),
            ("/v/x.abi3.so", "x"),
            ("/v/numpy.libs/libopenblas64_p-r0-0cf96a72.3.23.dev.so", "libopenblas64_p-r0"),
            ("/tmp/ext.so (deleted)", "ext"),
            ("/usr/bin/uwsgi", "uwsgi"),
            ("libpythonic.so", "libpythonic"),
        ] {
            assert_eq!(native(path), name, "{path}");
        }
    }

    #[test]
    fn a_program_is_its_script_or_module() {
        let program = |line: &str| program(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(program("/usr/bin/python3 -u -X dev /srv/app.py --port 1").unwrap(), "app");
        assert_eq!(program("python3.11 -m shop serve").unwrap(), "shop");
        assert_eq!(program("python -mshop").unwrap(), "shop");
        assert_eq!(program("python /srv/shop/__main__.py").unwrap(), "shop");
        assert_eq!(program("python -c pass"), None);
        assert_eq!(program("uwsgi app.ini"), None);
    }

    #[test]
    fn exceptions_are_called_as_they_are_now() {
        assert_eq!(exception("__main__.Failed"), "Failed");
        assert_eq!(exception("app.f.<locals>.Failed"), "Failed");
        assert_eq!(exception("socket.timeout"), "TimeoutError");
        assert_eq!(exception("app.errors.Failed"), "app.errors.Failed");
    }

    #[test]
    fn the_library_is_that_of_all_versions() {
        assert!(["asyncio", "ConfigParser", "tomllib", "zoneinfo"].into_iter().all(is_of_library));
        assert!(!["numpy", "app", ""].into_iter().any(is_of_library));
    }
}
