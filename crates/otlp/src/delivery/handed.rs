//! What an exporter has made of a request, before it goes on.

use crate::conventions::left_out::LeftOut;
use crate::delivery::budget::{Slot, Used};
use crate::delivery::payload::{Kind, Payload};
use crate::delivery::project::Project;
use crate::delivery::reporting::Reported;
use crate::delivery::shared::Shared;
use crate::rejection::{Reason, What};
use crate::spool::receipt::Receipt;
use crate::transactions::group::Arrived;
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::Instant;

/// What of it is for one project.
#[derive(Default)]
pub struct Parts {
    /// As OTLP, and how many.
    pub records: Option<(Bytes, u64)>,
    /// Spans that go out as parts of transactions.
    pub spans: Vec<Arrived>,
    /// What spans recorded.
    pub recorded: Vec<Reported>,
}

impl Parts {
    fn is_empty(&self) -> bool {
        self.records.is_none() && self.spans.is_empty() && self.recorded.is_empty()
    }
}

/// Parts by project, and what is counted when they go on. Dropped instead, it leaves no trace.
pub struct Handed {
    pub kind: Kind,
    /// When the request came.
    pub since: Instant,
    parts: Vec<(Arc<Project>, Parts)>,
    /// Spans of traces that are not kept, and that recorded exceptions.
    pub sampled: u64,
    pub left_out: Vec<LeftOut>,
    /// Exceptions of which no error can be made.
    pub broken: u64,
    /// Exceptions beyond those of a span that become errors.
    pub too_many: u64,
}

impl Handed {
    /// Nothing yet.
    pub fn new(kind: Kind, since: Instant) -> Self {
        Self {
            kind,
            since,
            parts: Vec::new(),
            sampled: 0,
            left_out: Vec::new(),
            broken: 0,
            too_many: 0,
        }
    }

    /// Adds what has been made for a project.
    pub fn add(&mut self, project: Arc<Project>, parts: Parts) {
        if !parts.is_empty() {
            self.parts.push((project, parts));
        }
    }

    /// Hands everything over to the projects. `slot` is the request's place in memory, `receipt` that on the disk.
    pub fn over(self, shared: &Shared, slot: Option<Arc<Slot>>, receipt: Option<Arc<Receipt>>) {
        for left_out in self.left_out {
            shared.left_out(left_out);
        }
        let figures = &shared.figures;
        figures.rejected(What::Span, Reason::Sampled, self.sampled);
        figures.rejected(What::Error, Reason::Malformed, self.broken);
        figures.rejected(What::Error, Reason::TooLarge, self.too_many);
        let mut room = slot.as_ref().map_or(0, |slot| slot.bytes());
        let slots: Vec<_> = slot.into_iter().collect();
        let receipts: Vec<_> = receipt.into_iter().collect();
        for (project, parts) in self.parts {
            if let Some((body, spans)) = parts.records {
                let bytes = body.len() as u64;
                // What it has grown by was not reserved.
                let grown = Used {
                    bytes: bytes.saturating_sub(room),
                    ..Used::default()
                };
                room = room.saturating_sub(bytes);
                let mut slots = slots.clone();
                if grown != Used::default() {
                    slots.push(Arc::new(shared.budget.hold(grown)));
                }
                project.push(Payload {
                    kind: self.kind,
                    event_id: String::new(),
                    body,
                    spans,
                    since: self.since,
                    alone: false,
                    sampled: None,
                    slots,
                    receipts: receipts.clone(),
                });
            }
            project.group(parts.spans, &receipts);
            project.report(parts.recorded, &receipts);
        }
    }
}
