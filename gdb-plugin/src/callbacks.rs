//! What a debugger gives: functions that read memory and list modules, threads and ranges.
#![allow(unsafe_code, reason = "this is where pointers of C become values")]

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The most entries of one list that are taken.
const MAX_LISTED: usize = 1 << 20;
/// The longest build id that is believed, in bytes.
const MAX_BUILD_ID: usize = 64;

/// A file that is mapped into the process.
#[repr(C)]
pub struct PycoreModule {
    /// The address of its first byte.
    pub base: u64,
    /// The first address behind its last mapping; 0: not known, its headers tell.
    pub end: u64,
    /// Its path as the process has it, UTF-8; NULL: not known.
    pub path: *const c_char,
    /// Its GNU build id; NULL: read from memory.
    pub build_id: *const u8,
    /// The length of the build id, in bytes.
    pub build_id_size: usize,
}

/// A native thread.
#[repr(C)]
pub struct PycoreThread {
    /// Its id, as the operating system gives it.
    pub tid: u32,
    /// `fs_base` on x86-64, `tpidr_el0` on aarch64, the thread environment block on Windows; 0: not known.
    pub thread_pointer: u64,
    /// Where the processor is; 0: not known.
    pub instruction_pointer: u64,
    /// The top of its stack; 0: not known.
    pub stack_pointer: u64,
    /// The operating system's name for it, UTF-8; NULL: not known.
    pub name: *const c_char,
    /// The address of the futex that it waits for (Linux: the first argument of the system call that it is in, if that is
    /// futex); 0: none, or not known. It tells who waits for the GIL.
    pub futex: u64,
}

/// A range of addresses that the process has mapped.
#[repr(C)]
pub struct PycoreRange {
    /// The first address.
    pub start: u64,
    /// The length, in bytes.
    pub size: u64,
    /// 1: readable, 2: writable, 4: executable; their sum.
    pub flags: u32,
}

/// What a debugger serves. The functions return 0: done; 1: not readable, not known; 2: the user interrupted. After a 2,
/// nothing more is read for the same question, which gives 2 as well.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PycoreCallbacks {
    /// Given to each function.
    pub context: *mut c_void,
    /// Fills `buffer` with the `size` bytes at `address`: all of them, or it fails.
    pub read_memory:
        Option<unsafe extern "C" fn(context: *mut c_void, address: u64, buffer: *mut u8, size: usize) -> i32>,
    /// Gives all modules to `pycore_add_module`, the main program first.
    pub list_modules: Option<unsafe extern "C" fn(context: *mut c_void, sink: *mut PycoreSink) -> i32>,
    /// Gives all native threads to `pycore_add_thread`.
    pub list_threads: Option<unsafe extern "C" fn(context: *mut c_void, sink: *mut PycoreSink) -> i32>,
    /// Gives all ranges to `pycore_add_range`. NULL, or 1 as result: derived from the modules; then an interpreter that no
    /// symbol and no section names cannot be searched for.
    pub list_ranges: Option<unsafe extern "C" fn(context: *mut c_void, sink: *mut PycoreSink) -> i32>,
}

/// What lists are given to. Only valid during the call that it was passed to.
#[derive(Default)]
pub struct PycoreSink {
    pub(crate) modules: Vec<ListedModule>,
    pub(crate) threads: Vec<ListedThread>,
    pub(crate) ranges: Vec<ListedRange>,
}

/// A [`PycoreModule`], taken over.
#[derive(Clone, Debug)]
pub(crate) struct ListedModule {
    pub(crate) base: u64,
    pub(crate) end: u64,
    pub(crate) path: String,
    pub(crate) build_id: Option<Vec<u8>>,
}

/// A [`PycoreThread`], taken over; 0 is what is not known.
#[derive(Clone, Debug)]
pub(crate) struct ListedThread {
    pub(crate) tid: u32,
    pub(crate) thread_pointer: u64,
    pub(crate) instruction_pointer: u64,
    pub(crate) stack_pointer: u64,
    pub(crate) name: Option<String>,
    pub(crate) futex: u64,
}

/// A [`PycoreRange`], taken over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListedRange {
    pub(crate) start: u64,
    pub(crate) size: u64,
    pub(crate) writable: bool,
    pub(crate) executable: bool,
}

/// A string of C; `None` for NULL. Bytes that are no UTF-8 are replaced.
///
/// # Safety
/// `text` is NULL or points to a string that ends with NUL.
unsafe fn string(text: *const c_char) -> Option<String> {
    // SAFETY: by this function's own contract, it is a string of C where it is not null.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Adds to a list, unless it is full.
fn add<T>(list: &mut Vec<T>, entry: T) {
    if list.len() < MAX_LISTED {
        list.push(entry);
    }
}

/// Runs what adds to a list. Nothing in it is known to panic; if it does, the entry is missing.
fn guarded(body: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(body));
}

/// Adds a module to a list. The module is copied. NULL adds nothing.
///
/// # Safety
/// `sink` is NULL or what a callback was passed, during its call. `module` is NULL or points to a module whose `path` is
/// NULL or a string and whose `build_id` is NULL or `build_id_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pycore_add_module(sink: *mut PycoreSink, module: *const PycoreModule) {
    // SAFETY: the caller promises that both are null or valid, and that nothing else uses the sink meanwhile.
    let Some((sink, module)) = (unsafe { sink.as_mut().zip(module.as_ref()) }) else { return };
    guarded(|| {
        let id_size = module.build_id_size;
        let build_id = (!module.build_id.is_null() && (1..=MAX_BUILD_ID).contains(&id_size)).then(|| {
            // SAFETY: it is not null, and the caller promises that so many bytes are there.
            unsafe { std::slice::from_raw_parts(module.build_id, id_size) }.to_vec()
        });
        // SAFETY: the caller promises that it is null or a string.
        let path = unsafe { string(module.path) }.unwrap_or_default();
        add(&mut sink.modules, ListedModule { base: module.base, end: module.end, path, build_id });
    });
}

/// Adds a thread to a list. The thread is copied. NULL adds nothing.
///
/// # Safety
/// `sink` is NULL or what a callback was passed, during its call. `thread` is NULL or points to a thread whose `name` is
/// NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pycore_add_thread(sink: *mut PycoreSink, thread: *const PycoreThread) {
    // SAFETY: the caller promises that both are null or valid, and that nothing else uses the sink meanwhile.
    let Some((sink, thread)) = (unsafe { sink.as_mut().zip(thread.as_ref()) }) else { return };
    guarded(|| {
        // SAFETY: the caller promises that it is null or a string.
        let name = unsafe { string(thread.name) };
        add(
            &mut sink.threads,
            ListedThread {
                tid: thread.tid,
                thread_pointer: thread.thread_pointer,
                instruction_pointer: thread.instruction_pointer,
                stack_pointer: thread.stack_pointer,
                name,
                futex: thread.futex,
            },
        );
    });
}

/// Adds a range of addresses to a list. The range is copied. NULL adds nothing.
///
/// # Safety
/// `sink` is NULL or what a callback was passed, during its call. `range` is NULL or points to a range.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pycore_add_range(sink: *mut PycoreSink, range: *const PycoreRange) {
    // SAFETY: the caller promises that both are null or valid, and that nothing else uses the sink meanwhile.
    let Some((sink, range)) = (unsafe { sink.as_mut().zip(range.as_ref()) }) else { return };
    guarded(|| {
        if range.flags & 1 != 0 {
            let listed = ListedRange {
                start: range.start,
                size: range.size,
                writable: range.flags & 2 != 0,
                executable: range.flags & 4 != 0,
            };
            add(&mut sink.ranges, listed);
        }
    });
}

/// Why a callback gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It failed.
    Failed,
    /// The user interrupted.
    Interrupted,
}

/// The callbacks as functions of Rust.
pub(crate) struct Callbacks(PycoreCallbacks);

impl Callbacks {
    /// Takes callbacks over; `None` where one is missing that is needed.
    ///
    /// # Safety
    /// Until this value is dropped, its functions may be called with its context, and fulfil what [`PycoreCallbacks`] says
    /// of them.
    pub(crate) unsafe fn new(callbacks: PycoreCallbacks) -> Option<Self> {
        let needed = callbacks.read_memory.is_some()
            && callbacks.list_modules.is_some()
            && callbacks.list_threads.is_some();
        needed.then_some(Callbacks(callbacks))
    }

    fn result(status: i32) -> Result<(), Refusal> {
        match status {
            0 => Ok(()),
            2 => Err(Refusal::Interrupted),
            _ => Err(Refusal::Failed),
        }
    }

    /// Fills `buffer` with the bytes at `address`.
    pub(crate) fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Refusal> {
        let read = self.0.read_memory.ok_or(Refusal::Failed)?;
        // SAFETY: `new`'s caller promised that the function may be called with this context; the buffer has as many
        // writable bytes as it is told.
        Self::result(unsafe { read(self.0.context, address, buffer.as_mut_ptr(), buffer.len()) })
    }

    /// Has a list made.
    fn list(
        &self,
        list: Option<unsafe extern "C" fn(*mut c_void, *mut PycoreSink) -> i32>,
    ) -> Result<PycoreSink, Refusal> {
        let list = list.ok_or(Refusal::Failed)?;
        let mut sink = PycoreSink::default();
        // SAFETY: `new`'s caller promised that the function may be called with this context; the sink lives and is not
        // used by anybody else during the call.
        Self::result(unsafe { list(self.0.context, &raw mut sink) })?;
        Ok(sink)
    }

    /// All modules.
    pub(crate) fn modules(&self) -> Result<Vec<ListedModule>, Refusal> {
        self.list(self.0.list_modules).map(|sink| sink.modules)
    }

    /// All native threads.
    pub(crate) fn threads(&self) -> Result<Vec<ListedThread>, Refusal> {
        self.list(self.0.list_threads).map(|sink| sink.threads)
    }

    /// All ranges of addresses.
    pub(crate) fn ranges(&self) -> Result<Vec<ListedRange>, Refusal> {
        self.list(self.0.list_ranges).map(|sink| sink.ranges)
    }
}
