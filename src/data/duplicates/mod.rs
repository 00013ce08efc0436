//! Texts that occur more than once: the same, or nearly the same.

pub(in crate::data) mod exact;
pub(in crate::data) mod near;
