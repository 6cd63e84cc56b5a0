//! What C sees: sessions, questions, answers.
#![allow(unsafe_code, reason = "this is where pointers of C become values")]

use crate::callbacks::{Callbacks, PycoreCallbacks};
use crate::debugged::Debugged;
use crate::options::{DumpOptions, LiveOptions, Options};
use pycore::dump::Dump;
use pycore::process::Inferior;
use pycore::session::{Session, SessionOptions};
use serde::de::DeserializeOwned;
use std::any::Any;
use std::cell::Cell;
use std::ffi::{CStr, CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

/// The version of this interface. It changes when a caller that was built for another one would go wrong.
pub const PYCORE_ABI_VERSION: u32 = 1;

/// What a function returns.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All went well.
    Ok = 0,
    /// It could not be done; the message says why.
    Failed = 1,
    /// A callback said that the user interrupted.
    Interrupted = 2,
    /// The caller was built for another version of this interface; the message names both.
    AbiMismatch = 3,
    /// A bug in pycore; the message says what happened. The session can be used on.
    Bug = 4,
}

/// A process that answers questions.
pub struct PycoreSession {
    // What is in it is not `Send`, as parts of it share others. None of them is ever outside of it or belongs to a thread,
    // so that it does not matter which thread has the lock.
    asked: Mutex<Asked>,
    /// The thread whose question is being answered.
    asking: Mutex<Option<ThreadId>>,
}

/// What answers questions.
trait Answers {
    /// Answers one, with JSON.
    fn ask(&mut self, request: &str) -> Result<String, String>;
    /// As the process ran since.
    fn refresh(&mut self);
    /// As reading was interrupted, and what was learned may be wrong.
    fn forget(&mut self);
}

impl Answers for Session {
    fn ask(&mut self, request: &str) -> Result<String, String> {
        Session::ask(self, request).map(|answer| answer.json()).map_err(|error| error.to_string())
    }

    fn refresh(&mut self) {
        Session::refresh(self);
    }

    fn forget(&mut self) {
        Session::forget(self);
    }
}

struct Asked {
    answers: Box<dyn Answers>,
    /// Set where a callback says that the user interrupted.
    interrupted: Rc<Cell<bool>>,
}

/// A failure: its status and its message.
type Failure = (Status, String);

impl PycoreSession {
    fn new(answers: Box<dyn Answers>, interrupted: Rc<Cell<bool>>) -> Self {
        PycoreSession { asked: Mutex::new(Asked { answers, interrupted }), asking: Mutex::new(None) }
    }

    /// Has `use_it` use the session, alone. A thread that asks meanwhile waits; not one whose callback asks, as it would
    /// wait for itself.
    fn alone<T>(&self, use_it: impl FnOnce(&mut Asked) -> Result<T, Failure>) -> Result<T, Failure> {
        let asking = || self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let own = thread::current().id();
        if *asking() == Some(own) {
            return Err((Status::Failed, "a callback must not use the session that calls it".to_owned()));
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        *asking() = Some(own);
        asked.interrupted.set(false);
        let result = unpanicking(|| use_it(&mut asked));
        let interrupted = asked.interrupted.take();
        if interrupted || matches!(result, Err((Status::Bug, _))) {
            asked.answers.forget();
        }
        *asking() = None;
        if interrupted { Err((Status::Interrupted, "interrupted".to_owned())) } else { result }
    }
}

/// Runs `body`; a panic in it becomes a failure.
fn unpanicking<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        Err((Status::Bug, format!("a bug in pycore: {}; please report it", said(panic.as_ref()))))
    })
}

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}

/// A string for C, to be freed by `pycore_free`. It ends at the first NUL, which neither JSON nor messages have.
fn into_c(text: String) -> *mut c_char {
    let mut bytes = text.into_bytes();
    if let Some(nul) = bytes.iter().position(|&byte| byte == 0) {
        bytes.truncate(nul);
    }
    CString::new(bytes).unwrap_or_default().into_raw()
}

/// Gives `value` to C, if it wants it.
///
/// # Safety
/// `place` is NULL or can be written to.
unsafe fn give<T>(place: *mut *mut T, value: *mut T) {
    if !place.is_null() {
        // SAFETY: by this function's own contract, it can be written to.
        unsafe { place.write(value) };
    }
}

/// Text that C passes.
///
/// # Safety
/// `text` is NULL or a string that is not changed as long as what is returned is used.
unsafe fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err((Status::Failed, format!("{what} is NULL")));
    }
    // SAFETY: it is not null, so by this function's own contract a string.
    let bytes = unsafe { CStr::from_ptr(text) };
    bytes.to_str().map_err(|error| (Status::Failed, format!("{what} is not UTF-8: {error}")))
}

/// Options that C passes; those by default for NULL.
///
/// # Safety
/// `options` is NULL or a string.
unsafe fn optional_options<T: Default + DeserializeOwned>(options: *const c_char) -> Result<T, Failure> {
    if options.is_null() {
        return Ok(T::default());
    }
    // SAFETY: by this function's own contract, it is a string.
    let options = unsafe { text(options, "options") }?;
    serde_json::from_str(options).map_err(|error| (Status::Failed, format!("options: {error}")))
}

fn is_same_abi(theirs: u32) -> Result<(), Failure> {
    if theirs == PYCORE_ABI_VERSION {
        return Ok(());
    }
    let message = format!(
        "this is pycore {} with version {PYCORE_ABI_VERSION} of its interface, and its caller was made for version \
         {theirs}: install both from the same release",
        env!("CARGO_PKG_VERSION")
    );
    Err((Status::AbiMismatch, message))
}

/// Opens a session over what `inferior` makes, and gives it or the message to C.
///
/// # Safety
/// `session` and `error` are NULL or can be written to.
unsafe fn open(
    abi_version: u32,
    (session, error): (*mut *mut PycoreSession, *mut *mut c_char),
    make: impl FnOnce(Rc<Cell<bool>>) -> Result<Session, Failure>,
) -> i32 {
    // SAFETY: by this function's own contract, both can be written to where they are not null.
    unsafe {
        give(session, std::ptr::null_mut());
        give(error, std::ptr::null_mut());
    }
    let opened = unpanicking(|| {
        is_same_abi(abi_version)?;
        if session.is_null() {
            return Err((Status::Failed, "session is NULL".to_owned()));
        }
        let interrupted = Rc::new(Cell::new(false));
        let opened = make(Rc::clone(&interrupted))?;
        Ok(Box::into_raw(Box::new(PycoreSession::new(Box::new(opened), interrupted))))
    });
    match opened {
        Ok(opened) => {
            // SAFETY: as above.
            unsafe { give(session, opened) };
            Status::Ok as i32
        }
        Err((status, message)) => {
            // SAFETY: as above.
            unsafe { give(error, into_c(message)) };
            status as i32
        }
    }
}

fn session_over(inferior: Box<dyn Inferior>, options: SessionOptions) -> Result<Session, Failure> {
    Session::new(inferior, options).map_err(|error| (Status::Failed, error.to_string()))
}

/// The version of the interface that this library has: compare it with `PYCORE_ABI_VERSION`.
#[unsafe(no_mangle)]
pub extern "C" fn pycore_abi_version() -> u32 {
    PYCORE_ABI_VERSION
}

/// The version of pycore, such as `0.1.0`. Not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn pycore_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}

/// Opens a session with a process that the caller holds, and serves by callbacks. They are first called by the first
/// question.
///
/// `options` is JSON: `machine` (`x86_64`, `aarch64`), and where it is known `os` (`linux`, `windows`), `pid`, `format`
/// (`live`, `elf-core`, `minidump`), `path` of the core or the program, `executable`, `command_line`, `uid`,
/// `crashed_tid`, `signal` (`number`, `code`, `address`, `sender_pid`), `layout` (path of a layout table), `source_root`
/// (paths), and where files of modules are: `sysroot` (paths of folders), `lib_path` (paths of folders or files),
/// `no_files` (look at none).
///
/// Gives the session, to be closed by `pycore_close`, or a message, to be freed by `pycore_free`; the other one is NULL.
///
/// # Safety
/// `callbacks` is NULL or points to callbacks whose functions do as they are described; the struct is copied, what its
/// `context` points to has to live until the session is closed. `options` is NULL or a string. `session` and `error` are
/// NULL or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pycore_open(
    abi_version: u32,
    callbacks: *const PycoreCallbacks,
    options: *const c_char,
    session: *mut *mut PycoreSession,
    error: *mut *mut c_char,
) -> i32 {
    let make = |interrupted| {
        let failed = |message: &str| (Status::Failed, message.to_owned());
        // SAFETY: the caller promises that it is null or points to callbacks.
        let callbacks = unsafe { callbacks.as_ref() }.ok_or_else(|| failed("callbacks is NULL"))?;
        // SAFETY: the caller promises that the functions do as they should until the session is closed.
        let callbacks = unsafe { Callbacks::new(*callbacks) }
            .ok_or_else(|| failed("read_memory, list_modules and list_threads are needed"))?;
        // SAFETY: the caller promises that it is null or a string.
        let options = unsafe { text(options, "options") }?;
        let options: Options =
            serde_json::from_str(options).map_err(|error| failed(&format!("options: {error}")))?;
        let session = options.session();
        session_over(Box::new(Debugged::new(callbacks, &options, interrupted)), session)
    };
    // SAFETY: the caller promises that both can be written to where they are not null.
    unsafe { open(abi_version, (session, error), make) }
}

/// Opens a session with a dump: the core or minidump at `path`, as `pycore analyze` reads it, packed or not.
///
/// `options` is NULL or JSON: `exe`, `sysroot`, `lib_path` (paths), `no_files`, `unpack_limit`, `layout`, `source_root`
/// (paths), as on the command line.
///
/// Gives the session, to be closed by `pycore_close`, or a message, to be freed by `pycore_free`; the other one is NULL.
///
/// # Safety
/// `path` and `options` are NULL or strings. `session` and `error` are NULL or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pycore_open_dump(
    abi_version: u32,
    path: *const c_char,
    options: *const c_char,
    session: *mut *mut PycoreSession,
    error: *mut *mut c_char,
) -> i32 {
    let make = |_| {
        if path.is_null() {
            return Err((Status::Failed, "path is NULL".to_owned()));
        }
        // SAFETY: it is not null, so the caller promises that it is a string.
        let path = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()));
        // SAFETY: the caller promises that it is null or a string.
        let options: DumpOptions = unsafe { optional_options(options) }?;
        let dump = Dump::open(path, options.files()).map_err(|error| (Status::Failed, error.to_string()))?;
        session_over(Box::new(dump), options.session())
    };
    // SAFETY: the caller promises that both can be written to where they are not null.
    unsafe { open(abi_version, (session, error), make) }
}

/// Opens a session with a live process of this machine, without a debugger. It goes on between questions; for each, it is
/// stopped as long as it takes to copy what is read of it.
///
/// `options` is NULL or JSON: `nonblocking` (never stop it; what is read may be torn), `layout`, `source_root` (paths).
///
/// Gives the session, to be closed by `pycore_close`, or a message, to be freed by `pycore_free`; the other one is NULL.
///
/// # Safety
/// `options` is NULL or a string. `session` and `error` are NULL or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pycore_open_pid(
    abi_version: u32,
    pid: u32,
    options: *const c_char,
    session: *mut *mut PycoreSession,
    error: *mut *mut c_char,
) -> i32 {
    let make = |_| {
        // SAFETY: the caller promises that it is null or a string.
        let options: LiveOptions = unsafe { optional_options(options) }?;
        Session::with_pid(pid, options.nonblocking, options.session())
            .map_err(|error| (Status::Failed, error.to_string()))
    };
    // SAFETY: the caller promises that both can be written to where they are not null.
    unsafe { open(abi_version, (session, error), make) }
}

/// Answers a question, which is a JSON object such as `{"do": "backtrace", "thread": 4711}`; gdb-plugin/QUESTIONS.md has
/// them all. Questions to one session are answered one at a time: a second thread waits. A callback must not ask.
///
/// Gives as `response` JSON, `{"text": ..., "data": ...}`, or a message where the status is not 0; both are UTF-8 and to
/// be freed by `pycore_free`. `text` is for a terminal, `data` has the names of the report.
///
/// # Safety
/// `session` is NULL or a session that is open, and not closed before this returns. `request` is NULL or a string.
/// `response` is NULL or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pycore_ask(
    session: *mut PycoreSession,
    request: *const c_char,
    response: *mut *mut c_char,
) -> i32 {
    let answered = unpanicking(|| {
        // SAFETY: the caller promises that it is null or an open session.
        let session = unsafe { session.as_ref() }.ok_or((Status::Failed, "session is NULL".to_owned()))?;
        // SAFETY: the caller promises that it is null or a string.
        let request = unsafe { text(request, "request") }?;
        session.alone(|asked| asked.answers.ask(request).map_err(|message| (Status::Failed, message)))
    });
    let (status, text) = match answered {
        Ok(answer) => (Status::Ok, answer),
        Err(failure) => failure,
    };
    // SAFETY: the caller promises that it can be written to where it is not null; else the text is freed again.
    unsafe { if response.is_null() { drop(text) } else { give(response, into_c(text)) } };
    status as i32
}

/// Says that the process ran: what was read of its memory, its threads and its modules is forgotten. Interpreters are
/// only looked for again where they are not any more.
///
/// # Safety
/// `session` is NULL or a session that is open, and not closed before this returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pycore_refresh(session: *mut PycoreSession) -> i32 {
    let refreshed = unpanicking(|| {
        // SAFETY: the caller promises that it is null or an open session.
        let session = unsafe { session.as_ref() }.ok_or((Status::Failed, String::new()))?;
        session.alone(|asked| {
            asked.answers.refresh();
            Ok(())
        })
    });
    refreshed.err().map_or(Status::Ok, |(status, _)| status) as i32
}

/// Closes a session. NULL is no session, and closes nothing.
///
/// # Safety
/// `session` is NULL or a session that is open and of which nobody uses any more; not from a callback of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pycore_close(session: *mut PycoreSession) {
    if !session.is_null() {
        // SAFETY: the caller promises that `pycore_open` gave it and that it is not used any more.
        let session = unsafe { Box::from_raw(session) };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(session)));
    }
}

/// Frees a message or a response. NULL is neither, and frees nothing.
///
/// # Safety
/// `text` is NULL or was given by this library and not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pycore_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: the caller promises that `into_c` gave it.
        drop(unsafe { CString::from_raw(text) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Answers by panicking, by asking itself, or after a while.
    struct Odd {
        at_once: AtomicUsize,
        own: Rc<Cell<*mut PycoreSession>>,
        forgotten: Rc<Cell<usize>>,
    }

    impl Answers for Odd {
        fn ask(&mut self, request: &str) -> Result<String, String> {
            assert_eq!(self.at_once.fetch_add(1, Ordering::SeqCst), 0, "one question at a time");
            std::thread::sleep(std::time::Duration::from_millis(5));
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            match request {
                "panic" => panic!("out of {}", "order"),
                "nul" => Ok("a\0b".to_owned()),
                "self" => Err(ask(self.own.get(), c"x").1),
                _ => Ok("fine".to_owned()),
            }
        }

        fn refresh(&mut self) {
            panic!("no");
        }

        fn forget(&mut self) {
            self.forgotten.set(self.forgotten.get() + 1);
        }
    }

    fn ask(session: *mut PycoreSession, question: &CStr) -> (i32, String) {
        let mut response = null_mut();
        // SAFETY: the tests pass sessions that are open.
        unsafe {
            let status = pycore_ask(session, question.as_ptr(), &raw mut response);
            let text = CStr::from_ptr(response).to_str().unwrap().to_owned();
            pycore_free(response);
            (status, text)
        }
    }

    fn odd() -> (*mut PycoreSession, Rc<Cell<usize>>) {
        let (own, forgotten) = (Rc::new(Cell::new(null_mut())), Rc::new(Cell::new(0)));
        let odd =
            Odd { at_once: AtomicUsize::new(0), own: Rc::clone(&own), forgotten: Rc::clone(&forgotten) };
        let session = PycoreSession::new(Box::new(odd), Rc::default());
        own.set(Box::into_raw(Box::new(session)));
        (own.get(), forgotten)
    }

    #[test]
    fn a_panic_is_a_status_and_the_session_goes_on() {
        let (session, forgotten) = odd();
        let bug = "a bug in pycore: out of order; please report it".to_owned();
        assert_eq!(ask(session, c"panic"), (4, bug));
        assert_eq!(forgotten.get(), 1);
        assert_eq!(ask(session, c"x"), (0, "fine".to_owned()));
        assert_eq!(ask(session, c"nul"), (0, "a".to_owned()));
        // SAFETY: the session is open, and not used any more then.
        unsafe {
            assert_eq!(pycore_refresh(session), 4);
            pycore_close(session);
        }
    }

    #[test]
    fn a_callback_that_asks_is_refused_and_does_not_wait_for_itself() {
        let (session, _) = odd();
        let refusal = "a callback must not use the session that calls it".to_owned();
        assert_eq!(ask(session, c"self"), (1, refusal));
        // SAFETY: the session is open, and not used any more.
        unsafe { pycore_close(session) };
    }

    #[test]
    fn threads_ask_one_after_the_other() {
        struct Shared(*mut PycoreSession);
        // SAFETY: what the library promises of sessions is what is tested here.
        unsafe impl Sync for Shared {}
        let shared = Shared(odd().0);
        let shared = &shared;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || {
                    let shared = &shared;
                    for _ in 0..3 {
                        assert_eq!(ask(shared.0, c"x"), (0, "fine".to_owned()));
                    }
                });
            }
        });
        // SAFETY: the session is open, and no thread uses it any more.
        unsafe { pycore_close(shared.0) };
    }
}
