//! numpy's arrays and scalars: dtype, shape, first values. Their repr is code of a library.

use super::types::MethodSource;
use super::values::{Decoded, Walk};
use super::{TypeInfo, Unreadable};
use crate::addr::Address;

impl Walk<'_, '_> {
    pub(super) fn numpy_array(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        self.opaque(object, class, &MethodSource::Native("numpy.ndarray".to_owned()))
    }

    pub(super) fn numpy_scalar(
        &mut self,
        object: Address,
        class: &TypeInfo,
        owner: &str,
    ) -> Result<Decoded, Unreadable> {
        self.opaque(object, class, &MethodSource::Native(owner.to_owned()))
    }
}
