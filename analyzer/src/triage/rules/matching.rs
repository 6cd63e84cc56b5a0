//! Whether a condition is true of a group.

use super::file::{Condition, Frame, Local};
use crate::report::{Crash, CrashException, CrashFrame, CrashLocal, ExceptionRole, Group};

/// Whether all that `condition` says is true of `group`.
pub(super) fn condition(condition: &Condition, group: &Group) -> bool {
    let Condition { fingerprint, count, host, python, free_threaded, any, all, not, .. } = condition;
    let mut versions = group.versions.iter().map(|version| version.value.as_str());
    about_process(condition, &group.crash)
        && about_thread(condition, &group.crash)
        && wanted(fingerprint, |wanted| {
            wanted.matches(&group.id) || group.fingerprints.iter().any(|known| wanted.matches(&known.value))
        })
        && wanted(count, |wanted| wanted.matches(group.count))
        && wanted(host, |wanted| group.hosts.iter().any(|host| wanted.matches(&host.value)))
        && wanted(free_threaded, |&wanted| {
            group.crash.python.as_ref().is_some_and(|version| version.ends_with('t') == wanted)
        })
        && wanted(python, |wanted| versions.any(|version| wanted.matches(version)))
        && wanted(any, |any| any.iter().any(|one| self::condition(one, group)))
        && wanted(all, |all| all.iter().all(|one| self::condition(one, group)))
        && wanted(not, |not| !self::condition(not, group))
}

/// Whether nothing is wanted, or what is wanted holds.
fn wanted<T>(wanted: &Option<T>, holds: impl FnOnce(&T) -> bool) -> bool {
    wanted.as_ref().is_none_or(holds)
}

fn about_process(condition: &Condition, crash: &Crash) -> bool {
    let Condition { signal, category, summary, threads, library, executable, arch, os, .. } = condition;
    wanted(signal, |wanted| crash.signal.as_ref().is_some_and(|signal| wanted.matches(signal)))
        && wanted(category, |wanted| wanted.matches(&crash.category))
        && wanted(summary, |wanted| wanted.matches(&crash.summary))
        && wanted(threads, |wanted| wanted.matches(crash.thread_count))
        && wanted(library, |wanted| crash.libraries.iter().any(|library| wanted.matches(library)))
        && wanted(executable, |wanted| crash.executable.as_ref().is_some_and(|path| wanted.matches(path)))
        && wanted(arch, |wanted| wanted.matches(&crash.arch))
        && wanted(os, |wanted| crash.os.as_ref().is_some_and(|os| wanted.matches(os)))
}

fn about_thread(condition: &Condition, crash: &Crash) -> bool {
    let Condition { exception, caused_by, message, frame, module, local, depth, thread, .. } = condition;
    let Condition { holds_gil, collecting_garbage, native_module, .. } = condition;
    let follows =
        |exception: &&CrashException| matches!(exception.role, ExceptionRole::Cause | ExceptionRole::Context);
    let (chained, first): (Vec<_>, Vec<_>) = crash.exceptions.iter().partition(follows);
    let says = |exception: &CrashException| exception.message.clone().unwrap_or_default();
    wanted(exception, |wanted| first.iter().any(|exception| wanted.matches(&exception.type_name)))
        && wanted(caused_by, |wanted| chained.iter().any(|exception| wanted.matches(&exception.type_name)))
        && wanted(message, |wanted| crash.exceptions.iter().any(|exception| wanted.matches(&says(exception))))
        && wanted(frame, |wanted| {
            wanted.0.iter().any(|wanted| in_frames(crash, |at, frame| self::frame(wanted, frame, at)))
        })
        && wanted(module, |wanted| {
            in_frames(crash, |_, frame| frame.module.as_ref().is_some_and(|module| wanted.matches(module)))
        })
        && wanted(local, |wanted| {
            in_frames(crash, |_, frame| frame.locals.iter().any(|local| self::local(wanted, local)))
        })
        && wanted(depth, |wanted| wanted.matches(crash.frames.len()))
        && wanted(thread, |wanted| crash.thread.as_ref().is_some_and(|name| wanted.matches(name)))
        && (holds_gil.is_none() || *holds_gil == crash.holds_gil)
        && (collecting_garbage.is_none() || *collecting_garbage == crash.collecting_garbage)
        && wanted(native_module, |wanted| {
            crash.native_module.as_ref().is_some_and(|path| wanted.matches(path))
        })
}

/// Whether one of the thread's frames, or of the first exception's traceback, is it; with how far it is from the innermost.
fn in_frames(crash: &Crash, is_it: impl Fn(usize, &CrashFrame) -> bool) -> bool {
    let raised = crash.exceptions.first().map(|exception| exception.traceback.as_slice()).unwrap_or_default();
    [crash.frames.as_slice(), raised]
        .into_iter()
        .any(|frames| frames.iter().enumerate().any(|(at, frame)| is_it(at, frame)))
}

/// Whether `frame`, which is `at` frames from the innermost one, is the wanted one.
pub(super) fn frame(wanted_frame: &Frame, frame: &CrashFrame, at: usize) -> bool {
    let Frame { name, details } = wanted_frame;
    wanted(name, |wanted| {
        let module = frame.module.as_ref();
        wanted.matches(&frame.function)
            || module.is_some_and(|module| wanted.matches(&format!("{module}.{}", frame.function)))
    }) && wanted(&details.module, |wanted| frame.module.as_ref().is_some_and(|module| wanted.matches(module)))
        && wanted(&details.function, |wanted| wanted.matches(&frame.function))
        && wanted(&details.file, |wanted| frame.file.as_ref().is_some_and(|file| wanted.matches(file)))
        && wanted(&details.local, |wanted| frame.locals.iter().any(|local| self::local(wanted, local)))
        && details.within.is_none_or(|within| at < within)
}

fn local(wanted_local: &Local, local: &CrashLocal) -> bool {
    wanted(&wanted_local.name, |wanted| wanted.matches(&local.name))
        && wanted(&wanted_local.type_name, |wanted| wanted.matches(&local.type_name))
}
