//! Threads and their frames.

use super::reading::Reading;
use super::request::Request;
use super::{Answer, AskError, View};
use crate::render::{self, TextOptions};
use crate::report::{Backtrace, ListedThread, Thread, ThreadList};
use crate::source::SourceFiles;
use crate::stack;

/// The frames of one thread, or of all that have a thread state.
pub(super) fn backtrace(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let readings = Reading::all(view);
    let mut found = Backtrace::default();
    for reading in &readings {
        let mut stacks = reading.stacks(request.locals.then(|| request.limits()));
        stacks.exceptions = false;
        let are_wanted = |tid| request.thread.is_none_or(|wanted| tid == Some(wanted));
        found.threads.append(&mut reading.threads(&stacks, are_wanted));
        found.gaps.append(&mut reading.gaps());
    }
    match request.thread {
        Some(tid) if found.threads.is_empty() => return Err(without_python(view, tid)),
        Some(_) => {}
        None => {
            let all = stack::with_native_threads(std::mem::take(&mut found.threads), view.inferior.process());
            let (python, native) = all.into_iter().partition(|thread| thread.python);
            found.threads = python;
            found.without_python = Vec::<Thread>::len(&native);
        }
    }
    request.number(&mut found.threads);
    let mut sources = SourceFiles::new(view.source_root(request));
    found.threads.iter_mut().for_each(|thread| sources.fill_frames(&mut thread.frames));
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::backtrace(&found, out, options)), &found))
}

/// Why there is nothing to ask of a thread.
pub(super) fn without_python(view: &View<'_>, tid: u32) -> AskError {
    let is_known = view.inferior.process().threads.iter().any(|native| native.tid == tid);
    AskError::NotThere(if is_known {
        format!("thread {tid} has no Python thread state: it never ran Python, or does not any more")
    } else {
        format!("no thread {tid}")
    })
}

/// All threads, with what each does and where it is.
pub(super) fn threads(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let mut threads = Vec::new();
    let mut gaps = Vec::new();
    for reading in Reading::all(view) {
        let mut stacks = reading.stacks(None);
        stacks.exceptions = false;
        threads.append(&mut reading.threads(&stacks, |_| true));
        gaps.append(&mut reading.gaps());
    }
    let mut threads = stack::with_native_threads(threads, view.inferior.process());
    request.number(&mut threads);
    let threads = threads.into_iter().map(|mut thread| {
        let frame_count = thread.frames.len();
        thread.frames.truncate(1);
        ListedThread { selected: thread.tid.is_some() && thread.tid == request.thread, frame_count, thread }
    });
    let found = ThreadList { threads: threads.collect(), gaps };
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::thread_list(&found, out, options)), &found))
}
