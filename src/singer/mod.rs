//! What the Singer specification is about: catalogs, messages, states, and the one writer of what goes out.

pub mod catalog;
pub mod files;
pub mod message;
pub mod output;
pub mod pace;
pub mod queue;
pub mod state;
pub mod writer;
