//! Words that tests are written in.

mod exposition;
mod program;
pub mod pushgateway;
mod truth;
mod watch;

pub use exposition::{Exposition, Labels, labels};
pub use program::{Answer, Ended, Program, ask, command, ended, run, settings};
pub use truth::Truth;
pub use watch::{Watch, now, of, sentry};
