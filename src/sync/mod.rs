//! What a run asks for, and in which order.

pub mod counts;
pub mod failure;
pub mod pager;
pub mod plan;
pub mod row;
pub mod session;
pub mod walk;
