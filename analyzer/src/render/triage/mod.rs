//! Showing a [`Triage`](crate::report::Triage): text for people, JSON for programs, and what CI servers read.

mod github;
mod history;
mod html;
mod json;
mod junit;
mod markdown;
mod names;
#[cfg(test)]
mod samples;
mod sarif;
mod text;

pub use github::github;
pub use history::history;
pub use html::html;
pub use json::{json, ndjson};
pub use junit::junit;
pub use markdown::markdown;
pub use sarif::sarif;
pub use text::text;

/// How a triage is shown. What a format has no use for, it leaves aside.
#[derive(Clone, Debug, Default)]
pub struct TriageOptions {
    /// Whether to write colours as ANSI escape sequences, in text.
    pub colour: bool,
    /// Whether to show what went into the fingerprints, in text.
    pub explain: bool,
    /// Where the sources lay when the processes ran, or lie now: what is below one of these folders is named relative to
    /// it, which is how a code host finds the file.
    pub source_roots: Vec<String>,
}
