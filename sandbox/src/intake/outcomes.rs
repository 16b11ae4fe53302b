//! What became of what was handed in.

use serde_json::{Value, json};

/// Something that a server changes, or leaves out, while it takes the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Where in the payload, with dots: `tags.region`, `spans.3.status`.
    pub path: String,
    /// In Relay's words where it leaves one in `_meta`.
    pub reason: String,
}

impl Remark {
    pub(crate) fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// Something that was taken, as it would be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// The project's id.
    pub project: u64,
    /// `event`, `transaction`, `span`, `log`, or the type of another item.
    pub kind: String,
    /// Events and transactions only: 32 hexadecimal digits.
    pub event_id: Option<String>,
    /// What was sent, after what the server does to it. Spans and logs have the shape of their containers' items,
    /// those of OTLP too. `null` for items that are no JSON.
    pub payload: Value,
    /// Empty when everything arrives as it was sent.
    pub remarks: Vec<Remark>,
    /// How often it came; events and transactions are told apart by their id, all else is new each time.
    pub copies: usize,
}

/// Something that was not taken, whatever the client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The project's id.
    pub project: u64,
    /// `invalid` or `rate_limited`; `unknown` for items that a server drops without any outcome.
    pub outcome: String,
    /// `error`, `transaction`, `span`, `log_item`, `attachment`, …
    pub category: String,
    /// Relay's name of the reason, such as `no_data` or `too_large:span`.
    pub reason: String,
    /// As the server counts it, which may be less than was lost.
    pub quantity: u64,
    /// What exactly is wrong; not in Relay's words.
    pub detail: String,
}

/// Everything that came of what was handed in, in order of arrival.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    pub accepted: Vec<Accepted>,
    pub refused: Vec<Refused>,
}

impl Outcomes {
    /// What was taken of a kind, such as `transaction`.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Accepted> {
        self.accepted.iter().filter(move |one| one.kind == kind)
    }

    /// How much of a category was not taken for this reason.
    pub fn lost(&self, category: &str, reason: &str) -> u64 {
        let refused = self.refused.iter();
        refused
            .filter(|one| one.category == category && one.reason == reason)
            .map(|one| one.quantity)
            .sum()
    }

    /// What was changed in what was taken.
    pub fn remarks(&self) -> impl Iterator<Item = &Remark> {
        self.accepted.iter().flat_map(|one| &one.remarks)
    }

    pub(crate) fn json(&self) -> Value {
        let remark = |one: &Remark| json!({"path": one.path, "reason": one.reason});
        let accepted = self.accepted.iter().map(|one| {
            json!({
                "project": one.project,
                "kind": one.kind,
                "event_id": one.event_id,
                "payload": one.payload,
                "remarks": one.remarks.iter().map(remark).collect::<Vec<_>>(),
                "copies": one.copies,
            })
        });
        let refused = self.refused.iter().map(|one| {
            json!({
                "project": one.project,
                "outcome": one.outcome,
                "category": one.category,
                "reason": one.reason,
                "quantity": one.quantity,
                "detail": one.detail,
            })
        });
        json!({
            "accepted": accepted.collect::<Vec<_>>(),
            "refused": refused.collect::<Vec<_>>(),
        })
    }
}
