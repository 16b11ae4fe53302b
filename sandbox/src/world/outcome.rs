//! What became of what clients sent: the counts behind the statistics.

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
