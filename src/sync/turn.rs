//! The order in which projects read what is below their rows, so that the first are finished early.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Passed from one project to the next once all that is below its rows is being asked for. So connections never wait for
/// work, and of the projects that are read at once all but the last few are finished: a run that is killed keeps them.
#[derive(Debug)]
pub struct Turn(Semaphore);

/// It is passed on when this is dropped.
pub type Taken<'a> = SemaphorePermit<'a>;

impl Default for Turn {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

impl Turn {
    /// Waits for the turn, in the order of the calls.
    pub async fn take(&self) -> Taken<'_> {
        self.0.acquire().await.expect("it is never closed")
    }
}
