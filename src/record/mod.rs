//! From rows to RECORD lines.

pub mod convert;
pub mod flatten;
pub mod frame;
pub mod instant;
pub mod lines;
pub mod mask;
pub mod notes;
pub mod projection;
pub mod schema;
pub mod style;
pub mod value;

#[cfg(test)]
mod testing;
