//! Words that tests are written in.

mod exposition;
mod truth;
mod watch;

pub use exposition::{Exposition, labels};
pub use truth::Truth;
pub use watch::{Watch, now, of, sentry};
