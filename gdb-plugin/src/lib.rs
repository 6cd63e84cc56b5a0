//! pycore as a C library: a session with a process that a debugger holds, that lies in a dump or that is alive, and
//! questions to it.
//!
//! `abi` is what C sees, `callbacks` what C gives; only these two have unsafe code. `debugged` is the process as its
//! debugger serves it, `cache` keeps the bytes that were asked for. `include/pycore.h` is generated from `abi` and
//! `callbacks`.

mod abi;
mod cache;
mod callbacks;
mod debugged;
mod options;

pub use abi::{
    PYCORE_ABI_VERSION, PycoreSession, Status, pycore_abi_version, pycore_ask, pycore_close, pycore_free,
    pycore_open, pycore_open_dump, pycore_open_pid, pycore_refresh, pycore_version,
};
pub use callbacks::{
    PycoreCallbacks, PycoreModule, PycoreRange, PycoreSink, PycoreThread, pycore_add_module,
    pycore_add_range, pycore_add_thread,
};
