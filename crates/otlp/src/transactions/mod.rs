//! Spans as Sentry's transactions.
//!
//! ```text
//! span -> record, kept by trace -> due: trees -> parts that fit -> transactions
//! ```

pub mod fit;
pub mod group;
pub mod keys;
pub mod links;
pub mod origin;
pub mod payload;
pub mod rate;
pub mod read;
pub mod record;
pub mod sent;
pub mod span;
pub mod split;
pub mod trace;
pub mod transaction;
