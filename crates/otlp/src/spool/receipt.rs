//! That a request is on the disk: kept by everything that came of it.

use crate::spool::ledger::Ledger;
use crate::spool::message::Message;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// When the last of it is dropped, the request has come to an end, and leaves the disk; unless the spool was closed before.
#[derive(Debug)]
pub struct Receipt {
    id: u64,
    bytes: u64,
    ledger: Arc<Ledger>,
    sender: Sender<Message>,
}

/// Those of the requests that something came in; each once in a row.
pub type Receipts = Vec<Arc<Receipt>>;

/// Adds one, unless it is there already.
pub fn add(receipts: &mut Receipts, of: &[Arc<Receipt>]) {
    for receipt in of {
        // Parts of a request come one after the other.
        let last = receipts.last();
        if !last.is_some_and(|last| Arc::ptr_eq(last, receipt)) {
            receipts.push(Arc::clone(receipt));
        }
    }
}

impl Receipt {
    pub fn new(id: u64, bytes: u64, ledger: &Arc<Ledger>, sender: &Sender<Message>) -> Self {
        Self {
            id,
            bytes,
            ledger: Arc::clone(ledger),
            sender: sender.clone(),
        }
    }

    /// The number of the request.
    pub const fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        // What is dropped by a panic has not come to an end.
        if !self.ledger.is_closed() && !std::thread::panicking() {
            // Without the thread the spool is closed.
            let _ = self.sender.send(Message::Ended {
                id: self.id,
                bytes: self.bytes,
            });
        }
    }
}
