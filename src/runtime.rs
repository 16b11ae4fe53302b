//! The one thread that does all the work but the writing, and the one that writes.

use crate::error::Error;
use crate::singer::queue::EventSender;
use std::thread::{Builder, JoinHandle};

/// One thread, since a page costs less to process than to hand between threads.
pub fn runtime(sender: &EventSender) -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(sender.idle())
        .build()
        .map_err(|e| Error::Setup(format!("cannot start the runtime: {e}")))
}

/// The thread that writes.
///
/// # Errors
/// When the system gives none, as limits of processes make it do.
pub fn writer_thread<T: Send + 'static>(
    write: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Error> {
    let thread = Builder::new().name("writer".to_owned()).spawn(write);
    thread.map_err(|e| {
        Error::Setup(format!(
            "the system gives no thread ({e}); raise the limit of processes (`ulimit -u`, or that of the container)"
        ))
    })
}
