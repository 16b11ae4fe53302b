//! Requests to Sentry, as figures of the exporter's own.

use crate::families::Families;
use crate::figures::{API_REQUESTS, RATE_LIMIT_REMAINING};
use tap_sentry_api::traffic::Answers;

/// What was asked, by what was answered; `none`: nothing was. Added to what is there.
pub fn requests(organization: &str, answers: &Answers, own: &mut Families) {
    for (status, count) in &answers.statuses {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        own.add(&API_REQUESTS, &[organization, &status], *count);
    }
}

/// What rate limits left.
pub fn left(organization: &str, answers: &Answers, own: &mut Families) {
    for (class, left) in &answers.remaining {
        let class = class.name().replace(' ', "_");
        own.set(
            &RATE_LIMIT_REMAINING,
            &[organization, &class],
            u64::from(*left),
        );
    }
}
