//! Many dumps: finding them, analyzing each in a process of its own, keeping what came of them.
//!
//! A dump costs no other one: what is hostile, endless or too large for the memory ends a worker process, becomes an
//! entry that says so, and the next dump gets a new worker.

mod analyze;
mod find;
mod journal;
mod pool;
mod worker;

pub use analyze::entry_of;
pub use find::{Found, FoundDump, FoundDumps, find};
pub use journal::{Journal, JournalError, read_entries};
pub use pool::{Event, run};
pub use worker::{WorkerSettings, serve};
