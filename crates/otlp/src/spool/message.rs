//! What the thread that writes is asked for.

use crate::spool::error::Unkept;
use crate::spool::ledger::Entry;
use crate::spool::store::Kept;
use bytes::Bytes;
use tokio::sync::oneshot;

/// In the order in which it is asked.
#[derive(Debug)]
pub enum Message {
    Append(Append),
    /// A request has come to an end.
    Ended {
        id: u64,
        /// Of its body.
        bytes: u64,
    },
    End,
}

/// A request that is to be written.
#[derive(Debug)]
pub struct Append {
    pub entry: Entry,
    pub kept: Kept,
    pub body: Bytes,
    pub reply: oneshot::Sender<Result<(), Unkept>>,
}
