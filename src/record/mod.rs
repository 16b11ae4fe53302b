//! From rows to RECORD lines.

mod convert;
mod cut;
mod cut_columns;
pub(crate) mod flatten;
pub mod frame;
mod instant;
pub mod lines;
pub mod mask;
pub mod notes;
pub mod projection;
mod schema;
pub mod style;
mod value;

#[cfg(test)]
pub(crate) mod fuzz;
#[cfg(test)]
mod testing;
