//! What has been printed whole, so that it is not printed again.

use crate::addr::Address;
use std::collections::{HashMap, HashSet};

/// The exceptions and objects that were printed so far, by their addresses.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    exceptions: HashSet<Address>,
    objects: HashMap<Address, usize>,
}

impl Shown {
    /// Whether the exception was printed with its traceback.
    pub(crate) fn has_exception(&self, address: Address) -> bool {
        self.exceptions.contains(&address)
    }

    /// Notes exceptions that are printed with their tracebacks.
    pub(crate) fn add_exceptions(&mut self, addresses: impl IntoIterator<Item = Address>) {
        self.exceptions.extend(addresses);
    }

    /// Whether the parts of an object should be printed, `levels` of them: they were not so far, or fewer levels.
    /// Notes that they are.
    pub(crate) fn is_new_object(&mut self, address: Option<Address>, levels: usize) -> bool {
        let Some(address) = address else {
            return true;
        };
        let before = self.objects.entry(address).or_default();
        let is_new = levels > *before;
        *before = levels.max(*before);
        is_new
    }
}
