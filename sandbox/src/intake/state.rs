//! The intake: what it has taken and refused, and what it makes of one more request.

use crate::draft::Draft;
use crate::intake::answer::{self, Form, Refusal};
use crate::intake::containers::{self, Spoiled};
use crate::intake::door::{Door, Signal};
use crate::intake::outcomes::{Accepted, Outcomes, Refused, Remark};
use crate::intake::parcel::{Load, Offer, Parcel};
use crate::intake::quotas::{Quotas, RATE_LIMITS};
use crate::intake::relay::Relay;
use crate::intake::spans::{self, Receipt, Sifted};
use crate::intake::{event, otlp, transaction};
use crate::world::{Outcome, ProjectStatus, World};
use axum::http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a running intake remembers.
#[derive(Debug)]
pub(crate) struct Intake {
    pub relay: Relay,
    pub quotas: Quotas,
    pub outcomes: Mutex<Outcomes>,
    /// Keys that were looked up. One that was not is answered 200, whatever it is.
    known: Mutex<BTreeSet<String>>,
}

impl Intake {
    pub fn new(relay: Relay) -> Self {
        Self {
            relay,
            quotas: Quotas::default(),
            outcomes: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// The answer to a request. What it brings is looked at behind that answer as far as servers do so: the client hears
    /// of broken envelopes, sizes and quotas, and of nothing else.
    pub fn take(&self, world: &mut World, offer: Offer) -> Draft {
        let form = match offer.form {
            form if self.relay.speaks_otlp() => form,
            _ => Form::Sentry,
        };
        let taken = self.taken(world, offer);
        taken.unwrap_or_else(|refusal| refusal.draft(form))
    }

    fn taken(&self, world: &mut World, offer: Offer) -> Result<Draft, Refusal> {
        let (door, form, project) = (offer.door, offer.form, offer.project);
        let mut parcel = Parcel::open(offer, self.relay)?;
        let mut desk = Desk::new(self, world, project, &parcel);
        if !self.admits(desk.world, project, &parcel.key)? {
            desk.refuse_all(
                &parcel.loads,
                "invalid",
                "project_id",
                "no such key, or of another project",
            );
            return Ok(self.success(door, form, &parcel));
        }
        parcel.loads.retain(|load| {
            if let Load::Unknown(item) = load {
                desk.refuse(
                    "unknown",
                    "default",
                    item.name(),
                    1,
                    "the server has no such item",
                );
            }
            !matches!(load, Load::Unknown(_))
        });
        let categories = parcel.loads.iter().flat_map(Load::categories);
        let verdict = self.quotas.judge(project, &categories.copied().collect());
        parcel.loads.retain(|load| {
            let mut stops = load
                .categories()
                .iter()
                .filter(|name| load.stopped_by(name));
            let Some(reason) = stops.find_map(|name| verdict.stops(name)) else {
                return true;
            };
            desk.refuse_all(
                std::slice::from_ref(load),
                "rate_limited",
                reason,
                "a quota",
            );
            false
        });
        if let Err(refusal) = parcel.check_sizes() {
            let reason = "too_large";
            desk.refuse_all(&parcel.loads, "invalid", reason, &refusal.message);
            return Err(refusal);
        }
        let answer = self.success(door, form, &parcel);
        for load in std::mem::take(&mut parcel.loads) {
            desk.process(load, &parcel);
        }
        if let Some(refusal) = verdict.refusal() {
            return Err(refusal);
        }
        let mut answer = answer;
        let limits = verdict
            .limits
            .and_then(|limits| HeaderValue::from_str(&limits).ok());
        answer
            .headers
            .extend(limits.map(|limits| (RATE_LIMITS, limits)));
        Ok(answer)
    }

    /// Whether the key is good; an error once it is known that it is not.
    fn admits(&self, world: &World, project: u64, key: &str) -> Result<bool, Refusal> {
        let active = |one: &crate::world::Project| one.status == ProjectStatus::Active;
        let good = world.project(project).is_some_and(active)
            && world
                .keys
                .iter()
                .any(|one| one.public == key && one.is_active && one.project == project);
        let first = self.known.lock().insert(key.to_owned());
        if good || first {
            return Ok(good);
        }
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "event submission rejected with_reason: ProjectId",
        ))
    }

    fn success(&self, door: Door, form: Form, parcel: &Parcel) -> Draft {
        match door {
            Door::Otlp(_) if self.relay.speaks_otlp() => answer::taken_otlp(form),
            Door::Otlp(_) if self.relay >= Relay::V26_5 => answer::bare(StatusCode::OK),
            Door::Otlp(_) => answer::bare(StatusCode::ACCEPTED),
            _ => answer::taken(parcel.envelope.event_id.as_deref()),
        }
    }
}

/// Where one request is worked on.
struct Desk<'a> {
    intake: &'a Intake,
    world: &'a mut World,
    project: u64,
    receipt: Receipt,
    event_id: Option<String>,
}

impl<'a> Desk<'a> {
    fn new(intake: &'a Intake, world: &'a mut World, project: u64, parcel: &Parcel) -> Self {
        let receipt = Receipt {
            now: world.clock(),
            retention: world.retention,
            sent_at: parcel.envelope.sent_at,
        };
        Self {
            intake,
            world,
            project,
            receipt,
            event_id: parcel.envelope.event_id.clone(),
        }
    }

    fn process(&mut self, load: Load, parcel: &Parcel) {
        let receipt = self.receipt;
        match load {
            Load::Event(payload) => self.event("event", "error", &payload),
            Load::Transaction(payload) => self.event("transaction", "transaction", &payload),
            Load::Spans(item) => match containers::spans(&item, &parcel.envelope) {
                Ok(spans) => self.keep("span", "span", spans::sift(spans, receipt)),
                Err(spoiled) => self.spoiled("span", spoiled),
            },
            Load::Logs(item) => match containers::items(&item) {
                Ok(logs) => self.keep("log", "log_item", each(logs, receipt)),
                Err(spoiled) => self.spoiled("log_item", spoiled),
            },
            Load::Otlp(Signal::Traces, form, body) => match otlp::spans(form, &body) {
                Ok(spans) => self.keep("span", "span", spans::sift(spans, receipt)),
                Err((reason, detail)) => self.spoiled("span", (reason, 1, detail)),
            },
            Load::Otlp(Signal::Logs, form, body) => match otlp::logs(form, &body, receipt.now) {
                Ok(logs) => self.keep("log", "log_item", each(logs, receipt)),
                Err((reason, detail)) => self.spoiled("log_item", (reason, 1, detail)),
            },
            Load::Other(item) => {
                let payload = serde_json::from_slice(&item.payload).unwrap_or(Value::Null);
                self.accept(item.name(), None, payload, Vec::new());
            }
            Load::Unknown(_) => {}
        }
    }

    fn event(&mut self, kind: &str, category: &'static str, payload: &[u8]) {
        let mut event: Value = match serde_json::from_slice(payload) {
            Ok(event @ Value::Object(_)) => event,
            Ok(_) => return self.refuse("invalid", category, "invalid_json", 1, "no object"),
            Err(error) => {
                let detail = error.to_string();
                return self.refuse("invalid", category, "invalid_json", 1, &detail);
            }
        };
        let is_transaction = kind == "transaction";
        let mut remarks = event::normalise(&mut event, is_transaction, self.receipt);
        if is_transaction {
            let spans = transaction::spans(&event);
            if let Err(detail) = transaction::check(&mut event, self.receipt.now) {
                let reason = "invalid_transaction";
                self.refuse("invalid", category, reason, 1, detail);
                return self.refuse("invalid", "span", reason, spans, detail);
            }
            let lost = event::cut_spans(&mut event, &mut remarks);
            if lost > 0 {
                let detail = "cut at the end of the list";
                self.refuse("invalid", "span", "too_large:span", lost, detail);
            }
        }
        let id = self.event_id.clone();
        event["event_id"] = id.clone().into();
        self.accept(kind, id, event, remarks);
    }

    fn keep(&mut self, kind: &str, category: &'static str, sifted: Vec<Sifted>) {
        for one in sifted {
            match one {
                Ok((payload, remarks)) => self.accept(kind, None, payload, remarks),
                Err((reason, detail)) => self.refuse("invalid", category, reason, 1, &detail),
            }
        }
    }

    fn spoiled(&mut self, category: &'static str, (reason, count, detail): Spoiled) {
        self.refuse("invalid", category, reason, count, &detail);
    }

    fn accept(
        &mut self,
        kind: &str,
        event_id: Option<String>,
        payload: Value,
        remarks: Vec<Remark>,
    ) {
        let mut outcomes = self.intake.outcomes.lock();
        if event_id.is_some()
            && let Some(before) = outcomes.accepted.iter_mut().find(|one| {
                one.project == self.project && one.kind == kind && one.event_id == event_id
            })
        {
            before.copies += 1;
            return;
        }
        outcomes.accepted.push(Accepted {
            project: self.project,
            kind: kind.to_owned(),
            event_id,
            payload,
            remarks,
            copies: 1,
        });
        drop(outcomes);
        let category = match kind {
            "event" => "error",
            "log" => "log_item",
            other => other,
        };
        self.count("accepted", category, None, 1);
    }

    fn refuse(&mut self, outcome: &str, category: &str, reason: &str, quantity: u64, detail: &str) {
        self.intake.outcomes.lock().refused.push(Refused {
            project: self.project,
            outcome: outcome.to_owned(),
            category: category.to_owned(),
            reason: reason.to_owned(),
            quantity,
            detail: detail.to_owned(),
        });
        if outcome != "unknown" {
            self.count(outcome, category, Some(reason), quantity);
        }
    }

    fn refuse_all(&mut self, loads: &[Load], outcome: &str, reason: &str, detail: &str) {
        for (category, quantity) in loads.iter().flat_map(Load::quantities) {
            self.refuse(outcome, category, reason, quantity, detail);
        }
    }

    /// For the statistics of the web API.
    fn count(&mut self, outcome: &str, category: &str, reason: Option<&str>, quantity: u64) {
        self.world.outcomes.push(Outcome {
            project: self.project,
            second: self.receipt.now.timestamp(),
            category: category.to_owned(),
            outcome: outcome.to_owned(),
            reason: reason.map(str::to_owned),
            quantity,
            times_seen: quantity,
        });
    }
}

fn each(logs: Vec<Value>, receipt: Receipt) -> Vec<Sifted> {
    logs.into_iter()
        .map(|log| spans::log(log, receipt))
        .collect()
}
