//! What became of the events of the month.

use crate::endpoints::{OUTCOMES, PROJECT_STATS};
use crate::families::Families;
use crate::figures::EVENTS;
use crate::month::{self, CountKey};
use crate::rows::Outcomes;
use crate::visit::{NAMED, Visit, lacks, one, one_that};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::request::Request;
use tap_sentry_api::window::Window;

/// What every project has a series of, though Sentry does not tell what is zero.
const ALWAYS: [&str; 3] = ["accepted", "filtered", "rate_limited"];

/// Outcomes of old servers: the name of the count there, and what it is here. All but `generated` count what is no error
/// too.
const OLD: [(&str, &str, &str); 3] = [
    ("generated", "error", "accepted"),
    ("blacklisted", "any", "filtered"),
    ("rejected", "any", "rate_limited"),
];

/// What was counted, and of which projects.
pub struct Read {
    pub projects: BTreeSet<u64>,
    pub counts: Vec<(CountKey, u64)>,
}

pub async fn collect(visit: &Visit<'_>) -> Result<Families, ApiError> {
    let month = month::beginning(visit.now);
    let (read, zeros) = match of_organization(visit, month).await {
        Ok(read) => (read, ALWAYS.map(|outcome| ("error", outcome))),
        Err(error) if lacks(&error) => {
            let read = of_projects(visit, month, &OLD).await?;
            (read, OLD.map(|(_, category, outcome)| (category, outcome)))
        }
        Err(error) => return Err(error),
    };
    let zeros = read
        .projects
        .iter()
        .flat_map(|id| zeros.map(|(category, outcome)| (key(*id, category, outcome, ""), 0)));
    let mut counts = visit.counts.lock();
    let told = counts.read(month, zeros.chain(read.counts));
    let mut families = Families::default();
    for ((id, category, outcome, reason), count) in told {
        if let Some(slug) = visit.slug(*id).filter(|_| read.projects.contains(id)) {
            let labels = [visit.organization, slug, category, outcome, reason];
            families.set(&EVENTS, &labels, *count);
        }
    }
    Ok(families)
}

fn key(project: u64, category: &str, outcome: &str, reason: &str) -> CountKey {
    (
        project,
        category.to_owned(),
        outcome.to_owned(),
        reason.to_owned(),
    )
}

/// All projects in one answer; in several, if it is full, each of which names no more than an address can hold.
///
/// # Errors
/// When they cannot be read.
pub async fn of_organization(visit: &Visit<'_>, month: DateTime<Utc>) -> Result<Read, ApiError> {
    let projects: BTreeSet<u64> = visit.readable().map(|(id, _)| id).collect();
    let mut counts = Vec::new();
    // A server refuses to count nothing.
    let mut parts = Vec::from_iter((!projects.is_empty()).then_some(Part::All));
    while let Some(part) = parts.pop() {
        let groups = outcomes(visit, month, &part).await?.groups;
        if groups.len() >= ROWS {
            parts.extend(part.parts(&projects));
            continue;
        }
        counts.extend(groups.into_iter().map(|group| {
            let by = group.by;
            let reason = by.reason.filter(|reason| reason != "none");
            let key = (
                by.project,
                by.category,
                by.outcome,
                reason.unwrap_or_default(),
            );
            (key, group.totals.quantity)
        }));
    }
    Ok(Read { projects, counts })
}

/// Sentry gives no more groups than these, and does not say so.
const ROWS: usize = 10_000;

/// Which projects one request is about.
enum Part {
    All,
    Some(Vec<u64>),
}

impl Part {
    /// What to ask for instead of a part whose answer is full.
    fn parts(&self, all: &BTreeSet<u64>) -> Vec<Self> {
        let ids: Vec<u64> = match self {
            Self::All => all.iter().copied().collect(),
            Self::Some(ids) => ids.clone(),
        };
        let parts = ids.chunks(ids.len().div_ceil(2).clamp(1, NAMED));
        parts.map(|ids| Self::Some(ids.to_vec())).collect()
    }

    fn is_one_project(&self) -> bool {
        matches!(self, Self::Some(ids) if ids.len() < 2)
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::All => vec![("project", "-1".to_owned())],
            Self::Some(ids) => ids.iter().map(|id| ("project", id.to_string())).collect(),
        }
    }
}

async fn outcomes(
    visit: &Visit<'_>,
    month: DateTime<Utc>,
    part: &Part,
) -> Result<Outcomes, ApiError> {
    let window = Window {
        start: month,
        // In the first second of a month nothing would be between both.
        end: visit.now.max(month + TimeDelta::seconds(1)),
    };
    let request = Request::new(&OUTCOMES, visit.place());
    let request = request.with(part.query()).with(window.query());
    one_that(visit.client, request, |outcomes: &Outcomes| {
        if part.is_one_project() && outcomes.groups.len() >= ROWS {
            return Err(Kind::Full(format!(
                "{ROWS} counts of one project, the most that are told: there may be more"
            )));
        }
        Ok(())
    })
    .await
}

/// One count of one project after another, on servers before 21.4: each with the category and the outcome that it stands
/// for.
///
/// # Errors
/// When they cannot be read.
pub async fn of_projects(
    visit: &Visit<'_>,
    month: DateTime<Utc>,
    stats: &[(&str, &'static str, &'static str)],
) -> Result<Read, ApiError> {
    let counts = visit
        .of_each(|place| async move {
            let mut sums = Vec::new();
            for &(stat, category, outcome) in stats {
                let range = [
                    ("stat", stat.to_owned()),
                    // Midnight, since points go back in whole days from their end.
                    ("since", month.timestamp().to_string()),
                    ("until", visit.now.timestamp().to_string()),
                ];
                let request = Request::new(&PROJECT_STATS, place.clone()).with(range);
                let points: Vec<(i64, u64)> = one(visit.client, request).await?;
                let sum = points
                    .iter()
                    .fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
                sums.push((category, outcome, sum));
            }
            Ok(sums)
        })
        .await?;
    let projects = counts.iter().map(|(id, _)| *id).collect();
    let counts = counts.into_iter().flat_map(|(id, sums)| {
        sums.into_iter()
            .map(move |(category, outcome, sum)| (key(id, category, outcome, ""), sum))
    });
    let counts = counts.collect();
    Ok(Read { projects, counts })
}
