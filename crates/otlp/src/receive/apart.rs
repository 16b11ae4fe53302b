//! Work on large bodies, which others do not wait for.

use tokio::sync::Semaphore;

/// What is done with fewer bytes is done before others miss the thread.
pub const LARGE: usize = 1 << 20;

/// So many large bodies are worked on at a time: a record of one may take a hundred MiB meanwhile.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Does what takes long with so many bytes; the tasks of this thread go on on another. On a runtime of several threads only.
pub async fn apart<T>(bytes: usize, act: impl FnOnce() -> T) -> T {
    if bytes < LARGE {
        return act();
    }
    // Never closed.
    let _turn = TURNS.acquire().await;
    tokio::task::block_in_place(act)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_meanwhile() {
        let worked = tokio::spawn(async {
            apart(LARGE, || {
                let (sender, receiver) = channel();
                tokio::spawn(async move { sender.send(7).expect("somebody waits") });
                receiver.recv().expect("it is sent")
            })
            .await
        });
        assert_eq!(worked.await.expect("no panic"), 7);
        assert_eq!(apart(1, || 8).await, 8);
    }
}
