//! What is looked at, wherever its memory is.

use super::ProcessInfo;
use crate::addr::Address;
use crate::memory::Memory;
use crate::report::Source;

/// Why nothing can be told of a process any more: it ended, or who holds it was stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RefreshError(pub String);

/// A process to look into: in a dump, alive, or held by a debugger, which calls all of these inferiors.
pub trait Inferior {
    /// Where it is.
    fn source(&self) -> Source;

    /// What the operating system knew of it.
    fn process(&self) -> &ProcessInfo;

    /// Its address space.
    fn memory(&self) -> Box<dyn Memory + '_>;

    /// The bytes of the file of the module `index` of [`ProcessInfo::modules`], where a file is at hand that is certainly
    /// the same.
    fn module_file(&self, index: usize) -> Option<&[u8]>;

    /// Forgets what was learned of the process, which ran since, and learns it anew. Of what does not run, such as a dump,
    /// there is nothing new to learn.
    ///
    /// # Errors
    /// When nothing can be learned. What was known is then forgotten or out of date.
    fn refresh(&mut self) -> Result<(), RefreshError> {
        Ok(())
    }

    /// Whether what was read of it so far is of different moments, between which it went on.
    fn may_be_torn(&self) -> bool {
        false
    }

    /// What the user should know of the module files that were used so far, or that were named and could not be used.
    fn file_warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// The files that were not found and that `missing`, virtual addresses of bytes that were wanted, belong to, with
    /// the reason why not.
    fn missing_files(&self, _missing: &[Address]) -> Vec<String> {
        Vec::new()
    }
}
