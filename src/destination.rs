//! Where the messages of a run go, as the program sees it.

use crate::error::Error;
use crate::singer::output::Output;
use std::time::Duration;

/// Where the messages of a run go.
pub struct Destination<O: Output> {
    pub output: O,
    /// The least time between two states.
    pub state_interval: Duration,
    /// What a failure of the output is to the program.
    pub failed: fn(O::Error) -> Error,
}
