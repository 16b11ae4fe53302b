//! A door that holds answers back until a test opens it.

use std::sync::Arc;
use tokio::sync::Semaphore;

/// Closed at first. All clones are the same door.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets all pass that wait, and all that come later.
    pub fn open(&self) {
        self.0.close();
    }

    /// Returns once the gate is open.
    pub(crate) async fn pass(&self) {
        // There never is a permit, so that only an open gate ends the wait, with an error.
        let _ = self.0.acquire().await;
    }
}

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Gate {}
