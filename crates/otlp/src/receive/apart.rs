//! Work on large bodies, which others do not wait for.

/// What is done with fewer bytes is done before others miss the thread.
const LARGE: usize = 1 << 20;

/// Does what takes long with so many bytes; the tasks of this thread go on on another. On a runtime of several threads only.
pub fn apart<T>(bytes: usize, act: impl FnOnce() -> T) -> T {
    if bytes < LARGE {
        return act();
    }
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
        });
        assert_eq!(worked.await.expect("no panic"), 7);
        assert_eq!(apart(1, || 8), 8);
    }
}
