//! Values and texts as people read them. It knows nothing of what they are about.

pub mod numbers;
