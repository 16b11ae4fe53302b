//! Where the messages of a run go.

use crate::record::lines::Batch;
use crate::singer::message::{ActivateVersionMessage, StateMessage, StreamHeader, line};
use serde_json::Value;
use std::io::{self, BufWriter, Write};

/// Takes the messages of a run, in their order.
pub trait Output {
    type Error;

    /// These streams follow.
    fn begin(&mut self, streams: &[StreamHeader]) -> Result<(), Self::Error>;

    /// The records of a batch from one row's end to another's.
    fn records(&mut self, batch: &Batch, from: usize, to: usize) -> Result<(), Self::Error>;

    /// All records of the stream have come. Returns whether that is a message.
    fn whole(&mut self, stream: &StreamHeader) -> Result<bool, Self::Error>;

    /// This covers all records before. Returns its size.
    fn state(&mut self, state: Value) -> Result<usize, Self::Error>;

    /// Nothing else comes for now.
    fn flush(&mut self) -> Result<(), Self::Error>;

    /// Nothing follows the last state.
    fn end(&mut self) -> Result<(), Self::Error>;
}

/// Prints each message as a line.
pub struct Pipe<W: Write>(BufWriter<W>);

impl<W: Write> Pipe<W> {
    pub fn new(out: W) -> Self {
        Self(BufWriter::with_capacity(128 << 10, out))
    }
}

impl<W: Write> Output for Pipe<W> {
    type Error = io::Error;

    fn begin(&mut self, streams: &[StreamHeader]) -> io::Result<()> {
        for StreamHeader { schema, .. } in streams {
            self.0.write_all(&line(schema))?;
        }
        self.0.flush()
    }

    fn records(&mut self, batch: &Batch, from: usize, to: usize) -> io::Result<()> {
        batch.write(from, to, &mut self.0)
    }

    /// Announces that what is not of this version is gone: after the records, which every target understands.
    fn whole(&mut self, StreamHeader { schema, version }: &StreamHeader) -> io::Result<bool> {
        let Some(version) = *version else {
            return Ok(false);
        };
        self.0.write_all(&line(&ActivateVersionMessage {
            stream: schema.stream.clone(),
            version,
        }))?;
        Ok(true)
    }

    fn state(&mut self, value: Value) -> io::Result<usize> {
        let line = line(&StateMessage { value });
        self.0.write_all(&line)?;
        self.0.flush()?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
