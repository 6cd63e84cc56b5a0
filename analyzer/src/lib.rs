//! The Python inside a dead or stuck process: threads, frames, locals and exceptions, without debug symbols.
//!
//! Data goes one way: `dump` opens a container and gives a [`memory`] and a [`process`]; `runtime` finds the
//! interpreter in it; `layout` says where each field lies; `object` and `stack` read; [`report`] holds the result;
//! `render` shows it.

pub mod addr;
pub mod analysis;
pub mod batch;
pub mod cli;
mod diagnosis;
pub mod dump;
pub mod layout;
pub mod live;
pub mod memory;
pub mod object;
pub mod process;
mod redact;
pub mod render;
pub mod report;
pub mod runtime;
pub mod sample;
pub mod session;
mod source;
pub mod stack;
pub mod store;
pub mod triage;
