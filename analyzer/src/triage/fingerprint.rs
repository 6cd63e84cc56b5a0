//! Fingerprints: what two dumps that died of the same have in common, and nothing else.

use super::normalise::{self, Normal, Origin, UNKNOWN};
use crate::report::{Crash, CrashFrame, Fingerprint, FingerprintPart, PartKind};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The version of the rules that fingerprints are made by: a change that gives other fingerprints is a new version.
pub const VERSION: &str = "v1";
/// The most frames of one stack that go in.
const MAX_FRAMES: usize = 32;
/// From how many frames on a recursion is one that may end in any of its functions.
pub(super) const DEEP: usize = 64;
/// Native modules that are in the way of all: that a process was in one of them tells little of what it died of.
const GENERIC: [&str; 3] = ["libc", "python", "unknown"];

/// What rules say of frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameRules {
    /// Prefixes of modules, by whole names, and of files: what is the program's own. Where there are any, all else is
    /// treated as Python's own library is.
    pub in_app: Vec<String>,
    /// Prefixes of modules, of modules and functions, and of files, whose frames are left out.
    pub skip: Vec<String>,
}

impl FrameRules {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.in_app.is_empty() && self.skip.is_empty()
    }

    /// Whether a frame is of the program's own code, or of what is installed for it where nothing is said.
    pub fn is_own(&self, frame: &CrashFrame) -> bool {
        ruled(frame, normalise::normal(frame), self)
            .is_some_and(|normal| matches!(normal.origin, Origin::App | Origin::Package))
    }
}

/// What a crash has in common with others that died of the same.
pub fn fingerprint(crash: &Crash, rules: &FrameRules) -> Fingerprint {
    Shape::of(crash, rules).fingerprint()
}

/// What goes into a fingerprint, before it is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The signal, or the category.
    pub(super) signal: String,
    pub(super) exception: Option<(String, Option<String>)>,
    /// Where the thread was.
    pub(super) stack: Stack,
    /// Where the exception came from, as far as that is not on the stack.
    pub(super) raised: Stack,
    /// Where there is no Python: the native module and the program.
    native: Vec<FingerprintPart>,
    /// Whether frames are missing.
    pub(super) cut: bool,
}

/// A stack without what tells nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stack {
    /// Frames of Python's library above the first of the program's own, innermost first.
    pub(super) library: Frames,
    /// The frames of the program and of packages, innermost first; those of Python's library between them are left out.
    pub(super) app: Frames,
}

/// Frames, each but once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frames {
    pub(super) parts: Vec<FingerprintPart>,
    /// Whether any were there more than once.
    pub(super) recursive: bool,
    /// Where a recursion of [`DEEP`] frames or more begins.
    pub(super) deep_at: Option<usize>,
    /// Which of them are of packages rather than the program's own; none where all are.
    pub(super) of_packages: BTreeSet<String>,
}

impl Shape {
    pub(super) fn of(crash: &Crash, rules: &FrameRules) -> Self {
        let stack = Stack::of(&crash.frames, rules);
        let exception = crash.exceptions.first();
        let raised = exception
            .map(|exception| Stack::of(apart(&exception.traceback, &crash.frames), rules))
            .unwrap_or_default();
        let mut native = Vec::new();
        if stack.is_empty() && raised.is_empty() {
            native = native_parts(crash);
        }
        Shape {
            signal: crash.signal.clone().unwrap_or_else(|| crash.category.clone()),
            exception: exception.map(|exception| {
                let value = normalise::exception(&exception.type_name);
                let from = (value != exception.type_name).then(|| exception.type_name.clone());
                (value, from)
            }),
            stack,
            raised,
            native,
            cut: crash.cut,
        }
    }

    /// The parts in the order in which they are shown and hashed.
    pub(super) fn parts(&self) -> Vec<FingerprintPart> {
        let signal = FingerprintPart { kind: PartKind::Signal, value: self.signal.clone(), from: None };
        let exception = self.exception.iter().map(|(value, from)| FingerprintPart {
            kind: PartKind::Exception,
            value: value.clone(),
            from: from.clone(),
        });
        std::iter::once(signal)
            .chain(self.stack.parts().cloned())
            .chain(exception)
            .chain(self.raised.parts().cloned())
            .chain(self.native.iter().cloned())
            .collect()
    }

    fn fingerprint(&self) -> Fingerprint {
        let parts = self.parts();
        Fingerprint { id: id_of(&parts), parts }
    }

    /// Native modules and programs, where there is no Python.
    pub(super) fn native(&self) -> &[FingerprintPart] {
        &self.native
    }
}

fn id_of(parts: &[FingerprintPart]) -> String {
    let mut hash = Sha256::new();
    hash.update(VERSION);
    for part in parts {
        let kind = match part.kind {
            PartKind::Signal => b's',
            PartKind::Exception => b'e',
            PartKind::Frame => b'f',
            PartKind::Native => b'n',
            PartKind::Program => b'p',
        };
        hash.update([kind]);
        hash.update((part.value.len() as u64).to_le_bytes());
        hash.update(&part.value);
    }
    let digits: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{VERSION}:{digits}")
}

fn native_parts(crash: &Crash) -> Vec<FingerprintPart> {
    let module = crash.native_module.as_deref();
    let value = match module.map(normalise::native) {
        None => "unknown".to_owned(),
        Some(name) if is_c_library(&name) => "libc".to_owned(),
        Some(name) => name,
    };
    let generic = GENERIC.contains(&value.as_str());
    let from = module.filter(|module| *module != value).map(str::to_owned);
    let mut parts = vec![FingerprintPart { kind: PartKind::Native, value, from }];
    if generic && let Some(program) = &crash.program {
        parts.push(FingerprintPart { kind: PartKind::Program, value: program.clone(), from: None });
    }
    parts
}

/// What `abort`, `memcpy` and system calls are in; some versions have them in several files.
fn is_c_library(name: &str) -> bool {
    matches!(
        name,
        "libc" | "libpthread" | "[vdso]" | "linux-vdso" | "linux-gate" | "ntdll" | "KERNELBASE" | "ucrtbase"
    ) || name.starts_with("ld-")
        || name.starts_with("libc.musl")
}

/// The frames of a traceback that are not on the stack: without the outermost one, which handles the exception.
fn apart<'c>(traceback: &'c [CrashFrame], stack: &[CrashFrame]) -> &'c [CrashFrame] {
    match traceback.split_last() {
        Some((outermost, rest)) if stack.iter().any(|frame| is_same_code(frame, outermost)) => rest,
        _ => traceback,
    }
}

fn is_same_code(one: &CrashFrame, other: &CrashFrame) -> bool {
    one.function == other.function && one.module == other.module && one.file == other.file
}

impl Stack {
    fn of(frames: &[CrashFrame], rules: &FrameRules) -> Self {
        let mut library = Vec::new();
        let mut app = Vec::new();
        let mut skipped = None;
        for frame in frames {
            let normal = ruled(frame, normalise::normal(frame), rules);
            let Some(normal) = normal else { continue };
            match normal.origin {
                Origin::App | Origin::Package => app.push((frame, normal)),
                Origin::Library if app.is_empty() => library.push((frame, normal)),
                Origin::Import if app.is_empty() && library.is_empty() => {
                    let import = Normal {
                        module: "importlib".to_owned(),
                        function: "import".to_owned(),
                        origin: Origin::Import,
                    };
                    library.push((frame, import));
                }
                Origin::Comprehension | Origin::Bootstrap => skipped = skipped.or(Some((frame, normal))),
                Origin::Import | Origin::Library => {}
            }
        }
        if library.is_empty() && app.is_empty() {
            library.extend(skipped);
        }
        Stack { library: Frames::of(&library), app: Frames::of(&app) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.library.parts.is_empty() && self.app.parts.is_empty()
    }

    fn parts(&self) -> impl Iterator<Item = &FingerprintPart> {
        self.library.parts.iter().chain(&self.app.parts)
    }
}

/// A frame as rules want it; `None` where they leave it out.
fn ruled(frame: &CrashFrame, mut normal: Normal, rules: &FrameRules) -> Option<Normal> {
    if rules.is_empty() {
        return Some(normal);
    }
    let value = normal.value();
    let file = frame.file.as_deref().unwrap_or_default();
    let begins = |prefix: &String| {
        let below = value
            .strip_prefix(prefix.trim_end_matches('.'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        below || (prefix.contains('/') && file.starts_with(prefix.as_str()))
    };
    if rules.skip.iter().any(begins) {
        return None;
    }
    if !rules.in_app.is_empty() && matches!(normal.origin, Origin::App | Origin::Package | Origin::Library) {
        let own = rules.in_app.iter().any(begins);
        normal.origin = if own { Origin::App } else { Origin::Library };
    }
    Some(normal)
}

impl Frames {
    /// Makes one of what recurs: from where a frame is met first to where it is met last, with all that does so and
    /// overlaps, all functions count once.
    fn of(frames: &[(&CrashFrame, Normal)]) -> Self {
        let values: Vec<String> = frames.iter().map(|(_, normal)| normal.value()).collect();
        let mut last: HashMap<&str, usize> = HashMap::new();
        let mut times: HashMap<&str, usize> = HashMap::new();
        for (at, value) in values.iter().enumerate() {
            last.insert(value, at);
            *times.entry(value).or_default() += 1;
        }
        let part = |at: usize| {
            let (frame, _) = frames.get(at)?;
            let value = values.get(at)?;
            let count = times.get(value.as_str()).copied().unwrap_or(1);
            Some(FingerprintPart {
                kind: PartKind::Frame,
                value: value.clone(),
                from: origin_of(frame, value, count),
            })
        };
        let end_of =
            |at: usize| values.get(at).and_then(|value| last.get(value.as_str())).copied().unwrap_or(at);
        let is_of_package = |(_, normal): &&(&CrashFrame, Normal)| normal.origin == Origin::Package;
        let mut made = Frames::default();
        if !frames.iter().all(|frame| is_of_package(&frame)) {
            made.of_packages =
                frames.iter().filter(is_of_package).map(|(_, normal)| normal.value()).collect();
        }
        let mut start = 0;
        while start < values.len() && made.parts.len() < MAX_FRAMES {
            let mut end = end_of(start);
            let mut at = start;
            let mut distinct: Vec<FingerprintPart> = Vec::new();
            let mut seen = HashSet::new();
            while at <= end {
                end = end.max(end_of(at));
                if values.get(at).is_some_and(|value| seen.insert(value.as_str())) {
                    distinct.extend(part(at));
                }
                at += 1;
            }
            let length = at - start;
            made.recursive |= length > distinct.len();
            if length >= DEEP && length > distinct.len() {
                made.deep_at = made.deep_at.or(Some(made.parts.len()));
                distinct.sort_by(|one, other| one.value.cmp(&other.value));
            }
            made.parts.append(&mut distinct);
            start = at;
        }
        made.parts.truncate(MAX_FRAMES);
        made
    }

    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.parts.iter().map(|part| part.value.as_str())
    }
}

/// What a frame is called in the dump, where its value is not just that, and how often it was there.
fn origin_of(frame: &CrashFrame, value: &str, count: usize) -> Option<String> {
    let module = frame.module.as_deref().or(frame.file.as_deref()).unwrap_or("?");
    let name =
        if value.contains(UNKNOWN) || frame.module.is_none() || frame.module.as_deref() == Some("__main__") {
            format!("{} in {}", frame.function, frame.file.as_deref().unwrap_or(module))
        } else {
            format!("{module}.{}", frame.function)
        };
    match (name == value, count) {
        (true, 1) => None,
        (true, count) => Some(format!("{count} times")),
        (false, 1) => Some(name),
        (false, count) => Some(format!("{name}, {count} times")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{app, crash, frame};
    use super::*;
    use crate::report::{CrashException, ExceptionRole};

    fn values(crash: &Crash) -> Vec<String> {
        crash.fingerprint.parts.iter().map(|part| part.value.clone()).collect()
    }

    fn library(module: &str, function: &str) -> CrashFrame {
        frame(module, function, &format!("/usr/lib/python3.11/{}.py", module.replace('.', "/")))
    }

    #[test]
    fn lines_places_and_versions_do_not_go_in() {
        let one = crash(Some("SIGSEGV"), app(&["leaf", "main", "<module>"]));
        let mut two = one.clone();
        for frame in &mut two.frames {
            frame.line = frame.line.map(|line| line + 10);
            frame.file = Some("/home/user/app.py".into());
        }
        two.python = Some("3.11.9".into());
        two.executable = Some("/opt/python".into());
        assert_eq!(fingerprint(&two, &FrameRules::default()).id, one.fingerprint.id);
        assert_eq!(one.fingerprint.id, "v1:667bb389d54a076b");
    }

    #[test]
    fn names_signals_and_exceptions_do() {
        let one = crash(Some("SIGSEGV"), app(&["leaf", "main"]));
        let others = [
            crash(Some("SIGSEGV"), app(&["leave", "main"])),
            crash(Some("SIGSEGV"), app(&["leaf", "start"])),
            crash(Some("SIGSEGV"), app(&["leaf"])),
            crash(Some("SIGBUS"), app(&["leaf", "main"])),
            crash(None, app(&["leaf", "main"])),
        ];
        let ids: HashSet<String> =
            others.iter().chain([&one]).map(|crash| crash.fingerprint.id.clone()).collect();
        assert_eq!(ids.len(), 6);
    }

    #[test]
    fn plumbing_is_left_out_but_not_what_the_program_called() {
        let mut frames = vec![library("json.decoder", "raw_decode"), library("json", "loads")];
        frames.extend(app(&["load"]));
        frames.push(library("asyncio.events", "Handle._run"));
        frames.push(library("asyncio.base_events", "BaseEventLoop.run_forever"));
        frames.extend(app(&["<module>"]));
        let found = values(&crash(Some("SIGSEGV"), frames));
        assert_eq!(found, ["SIGSEGV", "json.decoder.raw_decode", "json.loads", "app.load", "app.<module>"]);
    }

    #[test]
    fn imports_count_where_nothing_is_above_them() {
        let import =
            || frame("importlib._bootstrap", "_call_with_frames_removed", "<frozen importlib._bootstrap>");
        let frames = [vec![import(), import()], app(&["load"]), vec![import()], app(&["<module>"])].concat();
        assert_eq!(
            values(&crash(Some("SIGSEGV"), frames)),
            ["SIGSEGV", "importlib.import", "app.load", "app.<module>"]
        );
    }

    #[test]
    fn recursion_counts_once_however_deep_it_is_and_wherever_it_ends() {
        let deep = |depth: usize, names: &[&str]| {
            let functions: Vec<&str> =
                names.iter().copied().cycle().take(depth).chain(["main", "<module>"]).collect();
            crash(Some("SIGSEGV"), app(&functions))
        };
        let one = deep(100, &["even", "odd"]);
        assert_eq!(values(&one), ["SIGSEGV", "app.even", "app.odd", "app.main", "app.<module>"]);
        assert_eq!(one.fingerprint.parts[1].from.as_deref(), Some("50 times"));
        assert_eq!(deep(175, &["odd", "even"]).fingerprint.id, one.fingerprint.id);
        assert_eq!(values(&deep(3, &["f"])), values(&deep(90, &["f"])));
        assert_ne!(deep(100, &["even", "od"]).fingerprint.id, one.fingerprint.id);
    }

    #[test]
    fn where_an_exception_was_raised_goes_in_without_what_is_on_the_stack() {
        let mut one = crash(Some("SIGABRT"), app(&["give_up", "transfer", "<module>"]));
        one.exceptions.push(CrashException {
            type_name: "__main__.Overdrawn".into(),
            message: Some("by 5".into()),
            role: ExceptionRole::Handling,
            traceback: app(&["withdraw", "transfer"]),
        });
        one.fingerprint = fingerprint(&one, &FrameRules::default());
        assert_eq!(
            values(&one),
            ["SIGABRT", "app.give_up", "app.transfer", "app.<module>", "Overdrawn", "app.withdraw"]
        );
    }

    #[test]
    fn without_python_it_is_the_native_module_and_where_that_tells_nothing_the_program() {
        let found = |module: Option<&str>| {
            let crash =
                Crash { native_module: module.map(str::to_owned), ..crash(Some("SIGSEGV"), Vec::new()) };
            let made = fingerprint(&crash, &FrameRules::default());
            made.parts.into_iter().map(|part| part.value).collect::<Vec<_>>()
        };
        assert_eq!(found(Some("/v/fast.cpython-311-x86_64-linux-gnu.so")), ["SIGSEGV", "fast"]);
        assert_eq!(found(Some("/lib/libpthread-2.31.so")), ["SIGSEGV", "libc", "app"]);
        assert_eq!(found(None), ["SIGSEGV", "unknown", "app"]);
    }

    #[test]
    fn rules_choose_and_leave_out_frames() {
        let mut frames = app(&["log_and_die", "pay"]);
        frames.push(frame("framework.run", "dispatch", "/srv/framework/run.py"));
        let one = crash(Some("SIGABRT"), frames);
        let by = |rules: FrameRules| {
            fingerprint(&one, &rules).parts.into_iter().map(|part| part.value).collect::<Vec<_>>()
        };
        let skip = FrameRules { skip: vec!["app.log_and_die".into()], ..FrameRules::default() };
        assert_eq!(by(skip), ["SIGABRT", "app.pay", "framework.run.dispatch"]);
        let in_app = FrameRules { in_app: vec!["app".into()], ..FrameRules::default() };
        assert_eq!(by(in_app), ["SIGABRT", "app.log_and_die", "app.pay"]);
        let other = FrameRules { in_app: vec!["ap".into()], ..FrameRules::default() };
        assert_eq!(by(other)[1..], ["app.log_and_die", "app.pay", "framework.run.dispatch"]);
    }

    #[test]
    fn hostile_stacks_are_bounded() {
        let names: Vec<String> = (0..5000).map(|number| format!("f{number}x").repeat(1000)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let parts = crash(Some("SIGSEGV"), app(&names)).fingerprint.parts;
        assert_eq!(parts.len(), 1 + MAX_FRAMES);
        assert!(parts.iter().all(|part| part.value.len() < 1000));
    }
}
