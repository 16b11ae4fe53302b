//! From rows to RECORD lines.

pub mod lines;
pub mod notes;
pub mod projection;
pub mod transform;
