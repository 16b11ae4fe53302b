//! What a run asks for, and in which order.

pub(crate) mod apart;
mod attachments;
mod by_project;
pub(crate) mod children;
pub(crate) mod counts;
pub(crate) mod failure;
pub(crate) mod intervals;
pub(crate) mod limit;
pub(crate) mod list;
pub(crate) mod listing;
pub(crate) mod organization;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod records;
pub(crate) mod row;
pub(crate) mod session;
pub(crate) mod sums;
pub(crate) mod turn;
pub(crate) mod wide;
pub(crate) mod windows;

#[cfg(test)]
mod fuzz;
