//! What the Singer specification is about: catalogs, messages, states, and the one writer of stdout.

pub mod catalog;
pub mod message;
pub mod pace;
pub mod queue;
pub mod state;
pub mod writer;
