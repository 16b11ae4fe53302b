//! The one thread that does all the work but the writing.

use crate::error::Error;
use crate::singer::queue::EventSender;

/// One thread, since a page costs less to process than to hand between threads.
pub fn runtime(sender: &EventSender) -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(sender.idle())
        .build()
        .map_err(|e| Error::Setup(format!("cannot start the runtime: {e}")))
}
