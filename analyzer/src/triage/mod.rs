//! What dumps died of, and which died of the same: fingerprints, and groups of them.

pub mod baseline;
pub mod codeowners;
mod crash;
mod differences;
mod fingerprint;
mod groups;
mod normalise;
pub mod rules;
mod similar;
mod titles;

pub use crash::{crash, outcome};
pub use fingerprint::{FrameRules, VERSION, fingerprint};
pub use groups::{GroupOptions, group, settle};

#[cfg(test)]
pub(crate) mod samples;
