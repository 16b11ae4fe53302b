//! What the Singer specification is about: catalogs, messages, states, and the one writer of stdout.

pub mod catalog;
pub(crate) mod message;
pub(crate) mod pace;
pub(crate) mod queue;
pub(crate) mod state;
pub(crate) mod writer;
