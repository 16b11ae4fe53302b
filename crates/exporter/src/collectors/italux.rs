//! The figures of italux/sentry-prometheus-exporter, for a whole organization at once.

use super::events::{Read, of_organization, of_projects};
use crate::asked::Age;
use crate::endpoints::{BARE_RELEASE, CURRENT_RELEASE, PROJECT_ENVIRONMENTS, RECENT};
use crate::families::Families;
use crate::figures::ISSUES_TRUNCATED;
use crate::month;
use crate::old_figures::{
    ITALUX_BUCKET, ITALUX_COUNT, ITALUX_EVENTS, ITALUX_LIMIT, ITALUX_OPEN, ITALUX_SUM,
};
use crate::rows::{CurrentRelease, Environment, Key, RecentIssue};
use crate::visit::{SIDE_BY_SIDE, Search, Visit, lacks, one};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet};
use tap_sentry_api::endpoint::Endpoint;
use tap_sentry_api::error::ApiError;
use tap_sentry_api::request::Request;

/// What Python writes for nothing.
const NONE: &str = "None";

/// The counts of a project, and on servers before 21.4 what they are asked by.
const STATS: [&str; 3] = ["received", "rejected", "blacklisted"];
const OLD: [(&str, &str, &str); 3] = [
    ("received", "", "received"),
    ("rejected", "", "rejected"),
    ("blacklisted", "", "blacklisted"),
];

/// Events of the month.
pub async fn events(visit: &Visit<'_>) -> Result<Families, ApiError> {
    let month = month::beginning(visit.now);
    let read = match of_organization(visit, month).await {
        Err(error) if lacks(&error) => of_projects(visit, month, &OLD).await?,
        read => by_stat(read?),
    };
    let key = |id: u64, stat: &str| (id, String::new(), stat.to_owned(), String::new());
    let projects = read.projects.iter();
    let zeros = projects.flat_map(|id| STATS.map(|stat| (key(*id, stat), 0)));
    let mut families = Families::default();
    let mut counts = visit.counts.lock();
    let told = counts.read(month, zeros.chain(read.counts));
    for id in &read.projects {
        let Some(slug) = visit.slug(*id) else {
            continue;
        };
        for stat in STATS {
            if let Some(count) = told.get(&key(*id, stat)) {
                families.set(&ITALUX_EVENTS, &[slug, stat], *count);
            }
        }
    }
    Ok(families)
}

/// Outcomes of errors as the counts of old servers.
fn by_stat(read: Read) -> Read {
    let mut sums: BTreeMap<(u64, &str), u64> = BTreeMap::new();
    for ((id, category, outcome, _), count) in read.counts {
        if category != "error" {
            continue;
        }
        let stats: &[&str] = match outcome.as_str() {
            "accepted" => &["received"],
            "filtered" => &["received", "blacklisted"],
            "rate_limited" => &["received", "rejected"],
            _ => &[],
        };
        for stat in stats {
            let sum = sums.entry((id, stat)).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    let counts = sums.into_iter().map(|((id, stat), count)| {
        let key = (id, String::new(), stat.to_owned(), String::new());
        (key, count)
    });
    Read {
        projects: read.projects,
        counts: counts.collect(),
    }
}

/// Rate limits of first keys.
pub async fn limits(visit: &Visit<'_>) -> Result<Families, ApiError> {
    let mut first: BTreeMap<u64, Key> = BTreeMap::new();
    for key in super::client_keys::keys(visit).await? {
        first.entry(key.project_id).or_insert(key);
    }
    let mut families = Families::default();
    for (id, key) in first {
        let Some(slug) = visit.slug(id) else {
            continue;
        };
        let limit = key.rate_limit.filter(|limit| limit.window > 0);
        let per_second = limit.map_or(0.0, |limit| {
            #[expect(clippy::cast_precision_loss, reason = "six decimals are told")]
            let exact = limit.count as f64 / limit.window as f64;
            (exact * 1e6).round() / 1e6
        });
        families.set(&ITALUX_LIMIT, &[slug], per_second);
    }
    Ok(families)
}

/// Issues by age, and those of the last hour one by one.
pub async fn issues(visit: &Visit<'_>) -> Result<Families, ApiError> {
    let mut families = Families::default();
    let ages = &visit.asked.ages;
    let Some(oldest) = ages.last() else {
        return Ok(families);
    };
    let Environments { named, without } = environments(visit).await?;
    let searches = named.iter().map(|(environment, projects)| {
        let search = Search {
            endpoints: &RECENT,
            more: vec![
                ("query", oldest.query().to_owned()),
                ("environment", environment.clone()),
            ],
        };
        async move {
            let found = visit.search::<RecentIssue>(&search, projects).await?;
            Ok::<_, ApiError>((environment.as_str(), projects, found))
        }
    });
    let mut young = Vec::new();
    let mut truncated = false;
    for (environment, projects, found) in try_join_all(searches).await? {
        truncated |= found.truncated;
        let projects = projects.difference(&found.left_out).copied();
        count(visit, environment, projects, &found.issues, &mut families);
        let own = found.issues.into_iter();
        young.extend(own.map(|issue| (Some(environment), issue)));
    }
    if ages.contains(&Age::Hour) {
        let search = Search {
            endpoints: &RECENT,
            more: vec![("query", Age::Hour.query().to_owned())],
        };
        let found = visit.search::<RecentIssue>(&search, &without).await?;
        truncated |= found.truncated;
        young.extend(found.issues.into_iter().map(|issue| (None, issue)));
        young.retain(|(_, issue)| is_within(visit, issue, Age::Hour));
        show(visit, young, &mut families).await?;
    }
    families.set(&ISSUES_TRUNCATED, &[visit.organization], truncated);
    Ok(families)
}

fn is_within(visit: &Visit<'_>, issue: &RecentIssue, age: Age) -> bool {
    issue.first_seen >= visit.now - age.length()
}

/// The environments by name, with the projects that have them, and the projects that have none.
struct Environments {
    named: BTreeMap<String, BTreeSet<u64>>,
    without: BTreeSet<u64>,
}

async fn environments(visit: &Visit<'_>) -> Result<Environments, ApiError> {
    let told: Option<Vec<(u64, Vec<String>)>> = visit
        .readable()
        .map(|(id, project)| Some((id, project.environments.clone()?)))
        .collect();
    let of_projects = if let Some(told) = told {
        told
    } else {
        let lists = visit.of_each(|place| async move {
            let request = Request::new(&PROJECT_ENVIRONMENTS, place);
            let rows: Vec<Environment> = one(visit.client, request).await?;
            Ok(rows.into_iter().map(|row| row.name).collect())
        });
        lists.await?
    };
    let mut found = Environments {
        named: BTreeMap::new(),
        without: BTreeSet::new(),
    };
    for (id, mut names) in of_projects {
        names.retain(|name| !name.is_empty());
        if names.is_empty() {
            found.without.insert(id);
        }
        for name in names {
            found.named.entry(name).or_default().insert(id);
        }
    }
    Ok(found)
}

/// Events by the age of their issues, of every project that has the environment.
fn count(
    visit: &Visit<'_>,
    environment: &str,
    projects: impl Iterator<Item = u64>,
    issues: &[RecentIssue],
    families: &mut Families,
) {
    let mut sums: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let ages = &visit.asked.ages;
    for id in projects {
        sums.insert(id, vec![0; ages.len()]);
    }
    for issue in issues {
        let Some(sums) = sums.get_mut(&issue.project.id) else {
            continue;
        };
        for (sum, age) in sums.iter_mut().zip(ages) {
            if is_within(visit, issue, *age) {
                *sum = sum.saturating_add(issue.count);
            }
        }
    }
    for (id, sums) in sums {
        let Some(slug) = visit.slug(id) else {
            continue;
        };
        for (sum, age) in sums.iter().zip(ages) {
            families.set(&ITALUX_BUCKET, &[slug, environment, age.label()], *sum);
        }
        let place = [slug, environment];
        families.set(&ITALUX_COUNT, &place, sums.last().copied().unwrap_or(0));
        families.set(&ITALUX_SUM, &place, sums.iter().sum::<u64>());
    }
}

/// Young issues in an environment.
type Young<'a> = Vec<(Option<&'a str>, RecentIssue)>;

async fn show(
    visit: &Visit<'_>,
    young: Young<'_>,
    families: &mut Families,
) -> Result<(), ApiError> {
    let releases = releases(visit, &young).await?;
    for ((environment, issue), release) in young.iter().zip(releases) {
        let Some(slug) = visit.slug(issue.project.id) else {
            continue;
        };
        let unhandled = match issue.is_unhandled {
            Some(true) => "True",
            Some(false) => "False",
            None => NONE,
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| NONE.to_owned());
        let day = "%Y-%m-%d";
        let labels = [
            &issue.id.to_string(),
            &text(&issue.logger),
            &text(&issue.level),
            &issue.status,
            &text(&issue.platform),
            slug,
            environment.unwrap_or(NONE),
            &text(&release),
            unhandled,
            &issue.first_seen.format(day).to_string(),
            &issue.last_seen.format(day).to_string(),
        ];
        families.set(&ITALUX_OPEN, &labels, issue.count);
    }
    Ok(())
}

/// How many issues may be gone before a server is taken for one that cannot tell releases.
const ATTEMPTS: usize = 3;

/// The newest release of each, in their order.
async fn releases(visit: &Visit<'_>, young: &Young<'_>) -> Result<Vec<Option<String>>, ApiError> {
    let mut releases: Vec<Option<String>> = Vec::new();
    let mut way = None;
    // Servers differ in where they tell it: the first answer says where to ask for the others.
    for (environment, issue) in young.iter().take(ATTEMPTS) {
        let mut found = None;
        for endpoint in [&CURRENT_RELEASE, &BARE_RELEASE] {
            if let Some(release) = release(visit, endpoint, *environment, issue).await? {
                (way, found) = (Some(endpoint), release);
                break;
            }
        }
        releases.push(found);
        if way.is_some() {
            break;
        }
    }
    let rest = &young[releases.len()..];
    let Some(endpoint) = way else {
        releases.extend(rest.iter().map(|_| None));
        return Ok(releases);
    };
    let asked = rest.iter().map(|(environment, issue)| async move {
        let told = release(visit, endpoint, *environment, issue).await?;
        Ok::<_, ApiError>(told.flatten())
    });
    let asked: Vec<_> = asked.collect();
    let others: Vec<Option<String>> = stream::iter(asked)
        .buffered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    releases.extend(others);
    Ok(releases)
}

/// The newest release of an issue, if it has one; nothing, if the server does not tell.
async fn release(
    visit: &Visit<'_>,
    endpoint: &'static Endpoint,
    environment: Option<&str>,
    issue: &RecentIssue,
) -> Result<Option<Option<String>>, ApiError> {
    let place = visit.place().with(&[("issue_id", issue.id.to_string())]);
    let environment = environment.map(|name| ("environment", name.to_owned()));
    let request = Request::new(endpoint, place).with(environment);
    match one::<CurrentRelease>(visit.client, request).await {
        Ok(told) => Ok(Some(
            told.current_release.map(|current| current.release.version),
        )),
        Err(error) if matches!(error.status(), Some(403 | 404 | 410)) => Ok(None),
        Err(error) => Err(error),
    }
}
