//! Tasks that go on after a panic: a mistake of the program's must not keep all that is still to come for a project.

use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::sleep;

/// What panics again and again does so no more often.
const BETWEEN: Duration = Duration::from_secs(1);

/// Runs a task to its end, and once more after each panic, which the log has told.
pub async fn again<F: Future<Output = ()>>(project: &str, make: impl Fn() -> F) {
    while AssertUnwindSafe(make()).catch_unwind().await.is_err() {
        log::error!(project; "a task panicked and is started again; what it was sending is lost, which is counted at the end: please report it");
        sleep(BETWEEN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_not_the_end() {
        let tries = AtomicU32::new(0);
        again("api", || async {
            let before = tries.fetch_add(1, Ordering::Relaxed);
            assert!(before >= 2, "not yet");
        })
        .await;
        assert_eq!(tries.into_inner(), 3);
    }
}
