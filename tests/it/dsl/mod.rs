//! `Tap::against(&sentry).select(&["issues"]).run()`, and what one can say about such a run.

mod catalog;
mod dice;
mod folder;
mod keys;
mod parts;
mod run;
mod running;
mod sentry;
mod stub;
mod tap;
mod time;

pub use catalog::{all_streams, catalog, entry, metadata};
pub use dice::{Dice, setting};
pub use folder::Folder;
pub use keys::{bookmark, union};
pub use parts::{PARTS, parts};
pub use run::Run;
pub use running::Running;
pub use sentry::Sentry;
pub use stub::Stub;
pub use tap::Tap;
pub use time::{instant, text};
