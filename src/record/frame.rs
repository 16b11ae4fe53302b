//! The parts of a line that are the same for all records of an answer.

/// The parts of a line that are the same for all records of an answer.
#[derive(Debug)]
pub struct Frame {
    /// The record's opening bracket and the columns of the context.
    pub(super) head: String,
    /// What follows the record's last column.
    pub(super) tail: String,
    /// What all keys begin with: the stream, and the parts of the key that are columns of the context.
    pub(super) key_seed: Vec<u8>,
}
