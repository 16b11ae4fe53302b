//! What became of what clients sent: the counts behind the statistics.

use crate::seconds::Seconds;
use crate::world::data::World;
use std::collections::BTreeSet;

/// Events of one second that ended alike. What an issue has accepted is counted from its events and stands in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub project: u64,
    /// Since the epoch.
    pub second: i64,
    /// Sentry's name of the kind of data, such as `error`, `default`, `transaction` or `attachment`.
    pub category: String,
    /// `accepted`, `filtered`, `rate_limited`, `invalid`, `abuse`, `client_discard` or `cardinality_limited`.
    pub outcome: String,
    pub reason: Option<String>,
    /// Events; bytes of attachments.
    pub quantity: u64,
    pub times_seen: u64,
}

/// The kinds that `category=error` stands for.
const ERRORS: [&str; 3] = ["error", "default", "security"];

impl Outcome {
    pub fn is_error(&self) -> bool {
        ERRORS.contains(&self.category.as_str())
    }

    /// As statistics group it.
    pub fn category(&self) -> &str {
        if self.is_error() {
            "error"
        } else {
            &self.category
        }
    }
}

impl World {
    /// The outcomes of a window of some projects: those of an issue's events as one, at the window's begin.
    pub fn outcomes_in<'a>(
        &'a self,
        window: Seconds,
        projects: &'a BTreeSet<u64>,
    ) -> impl Iterator<Item = Outcome> + 'a {
        let issues = self.issues.values();
        let issues = issues.filter(|issue| projects.contains(&issue.project));
        let of_issues = issues.filter_map(move |issue| {
            let quantity = issue
                .kind
                .is_error()
                .then(|| issue.count_in(window))
                .filter(|count| *count > 0)?;
            Some(Outcome {
                project: issue.project,
                second: window.from,
                category: "error".to_owned(),
                outcome: "accepted".to_owned(),
                reason: None,
                quantity,
                times_seen: quantity,
            })
        });
        let others = self.outcomes.iter();
        let others = others
            .filter(move |one| projects.contains(&one.project) && window.holds(one.second))
            .cloned();
        of_issues.chain(others)
    }
}
