//! The records that are made of the rows of one answer: those of its own stream, and of what is cut out of them.

use crate::record::frame::Frame;
use crate::record::lines::{Batch, Row};
use crate::record::projection::{Projection, RowError};
use crate::singer::catalog::Selected;
use crate::sync::plan::Node;
use chrono::{SecondsFormat, Utc};
use tap_sentry_api::params::Params;
use tap_sentry_json::{self as json, Document};
use tokio::time::Instant;

/// The records of one answer.
pub struct Records<'a> {
    bytes: usize,
    extracted: String,
    own: Option<Stream<'a>>,
    cuts: Vec<Stream<'a>>,
    /// Of what is cut, one record of each stream is enough.
    first_only: bool,
}

/// Those of one stream.
struct Stream<'a> {
    selected: &'a Selected,
    batch: Batch,
    /// By the place of the rows.
    frames: Vec<(&'a Params, Frame)>,
}

impl<'a> Records<'a> {
    /// Of an answer of so many bytes that was asked for then. `own`: the rows themselves are written.
    pub fn new(
        node: &'a Node,
        own: bool,
        first_only: bool,
        (sent, bytes): (Instant, usize),
    ) -> Self {
        let stream = |node: &'a Node| {
            let selected = node.emit.as_ref()?;
            Some(Stream {
                selected,
                batch: selected.projection.batch(sent, bytes),
                frames: Vec::new(),
            })
        };
        Self {
            bytes,
            extracted: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
            own: stream(node).filter(|_| own),
            cuts: node.cuts.iter().filter_map(stream).collect(),
            first_only,
        }
    }

    /// The rows themselves, if they are written.
    pub fn own(&mut self) -> Option<&mut Batch> {
        self.own.as_mut().map(|own| &mut own.batch)
    }

    /// Makes the records of a row. Returns that of the row itself, if it is written.
    ///
    /// # Errors
    /// When it is no object or has no key.
    pub fn add(
        &mut self,
        doc: &Document<'_>,
        row: json::Value,
        place: &'a Params,
    ) -> Result<Option<&mut Row>, RowError> {
        let extracted = &self.extracted;
        if let Some(own) = &mut self.own {
            let projection = own.projection();
            let (frame, batch) = own.frame(place, extracted);
            projection.write(doc, row, frame, batch)?;
        }
        for cut in &mut self.cuts {
            let most = match self.first_only {
                true if !cut.batch.rows.is_empty() => continue,
                true => 1,
                false => u32::MAX,
            };
            let projection = cut.projection();
            let (frame, batch) = cut.frame(place, extracted);
            projection.cut(doc, row, frame, most, batch)?;
        }
        let own = self.own.as_mut();
        Ok(own.and_then(|own| own.batch.rows.last_mut()))
    }

    /// Those of each stream, parents before what is cut out of them.
    pub fn into_batches(self) -> Vec<Batch> {
        let streams = self.own.into_iter().chain(self.cuts);
        let batches = streams.map(|mut stream| {
            let projection = stream.projection();
            projection.complete(&mut stream.batch, self.bytes);
            stream.batch
        });
        batches.collect()
    }
}

impl<'a> Stream<'a> {
    fn projection(&self) -> &'a Projection {
        &self.selected.projection
    }

    fn frame(&mut self, place: &'a Params, extracted: &str) -> (&Frame, &mut Batch) {
        let mut known = self.frames.iter();
        let known = known.position(|(of, _)| std::ptr::eq(*of, place));
        let known = known.unwrap_or_else(|| {
            let projection = &self.selected.projection;
            let frame = projection.frame(|name| place.get(name), extracted);
            self.frames.push((place, frame));
            self.frames.len() - 1
        });
        (&self.frames[known].1, &mut self.batch)
    }
}
