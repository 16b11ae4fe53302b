//! Log records: what makes them ones that Sentry keeps, and Sentry's own form of them.

pub mod complete;
pub mod item;
pub mod items;
pub mod level;
pub mod sound;
pub mod value;
