//! Showing a [`Report`](crate::report::Report): text for people, JSON and YAML for programs.
//!
//! Renderers read the model and nothing else. Whatever came out of the dump passes [`sanitize`] on its way out.

mod answers;
mod brief;
mod exception;
mod greenlets;
mod grouping;
mod info;
mod json;
mod printer;
mod profile;
#[cfg(test)]
mod samples;
pub mod sanitize;
mod shown;
mod stack;
mod table;
mod tasks;
mod text;
pub mod triage;
mod value;
mod yaml;

pub use answers::{
    backtrace, completions, exec_state, frame, gil, globals, interpreters, listing, locals, modules, printed,
    raised, suspended, thread_list, to_string,
};
pub use brief::brief_text;
pub use info::info_text;
pub use json::{compact_json, json};
pub use profile::{collapsed, flamegraph, profile_summary, speedscope};
pub use text::{TextOptions, text};
pub use yaml::yaml;
