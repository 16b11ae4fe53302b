//! The book of what became of everything.

use crate::intake::outcomes::{Accepted, Outcomes, Refused};
use std::collections::HashMap;

/// Outcomes, and where the events and transactions among them stand.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    outcomes: Outcomes,
    /// Project, kind and id of an event -> its place.
    places: HashMap<(u64, String, String), usize>,
}

impl Ledger {
    pub fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    /// Whether it is new: what has an id counts once, however often it comes.
    pub fn accept(&mut self, accepted: Accepted) -> bool {
        if let Some(id) = &accepted.event_id {
            let key = (accepted.project, accepted.kind.clone(), id.clone());
            let next = self.outcomes.accepted.len();
            let place = *self.places.entry(key).or_insert(next);
            if place < next {
                self.outcomes.accepted[place].copies += 1;
                return false;
            }
        }
        self.outcomes.accepted.push(accepted);
        true
    }

    pub fn refuse(&mut self, refused: Refused) {
        self.outcomes.refused.push(refused);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
