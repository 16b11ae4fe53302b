//! From rows to RECORD lines.

mod convert;
mod cut;
mod cut_columns;
pub(crate) mod flatten;
pub(crate) mod frame;
mod instant;
pub mod lines;
pub(crate) mod mask;
pub(crate) mod notes;
pub mod projection;
mod schema;
pub mod style;
mod value;

#[cfg(test)]
pub(crate) mod fuzz;
#[cfg(test)]
mod testing;
