//! Settings of programs that ask Sentry: read from files, `.env` and the environment, with all mistakes told at once.
//!
//! A program describes its settings as types: [`connection::ConnectionKeys`] for what all have in common, and a struct of
//! its own. Their JSON Schema ([`schema`]) is the one source of names, bounds, defaults and documentation ([`docs`]).
//! [`sources`] brings values together, [`schema::Checked`] finds what is wrong with them.

pub mod connection;
pub mod docs;
pub mod dotenv;
pub mod file;
pub mod generated;
mod names;
pub mod problem;
pub mod program;
pub mod schema;
pub mod sources;
