//! What the end-to-end tests share: running `pycore`, the truth that programs wrote of themselves before they died,
//! and the comparison of the two.

pub mod analysis;
pub mod compare;
pub mod cores;
pub mod debuggers;
pub mod exceptions;
pub mod interpreters;
pub mod live;
pub mod program;
pub mod random;
pub(crate) mod suspended;
pub mod synthetic;
pub mod tally;
pub mod truth;
pub mod values;
