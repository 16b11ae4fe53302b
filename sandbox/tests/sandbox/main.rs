//! The sandbox keeps its word: each test is one thing that Sentry does.

mod access;
mod bulk;
mod client;
mod equipment;
mod events;
mod faults;
mod issues;
mod limits;
mod lists;
mod program;
mod search;
mod statistics;
mod versions;
mod wide;
