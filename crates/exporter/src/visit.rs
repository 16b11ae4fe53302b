//! One organization as one refresh sees it: what its collectors share.

use crate::asked::Asked;
use crate::endpoints::{PROJECTS, Searched, UNRESOLVED_SEARCH};
use crate::month::Counts;
use crate::rows::{Issue, IssueRow, Project};
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use tap_sentry_api::client::Client;
use tap_sentry_api::endpoint::Endpoint;
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::pages::Pages;
use tap_sentry_api::params::{PROJECT_ID, PROJECT_SLUG, Params};
use tap_sentry_api::request::Request;
use tap_sentry_settings::connection::ProjectFilter;
use tokio::sync::OnceCell;

/// How many projects are asked about side by side; how many requests really go is the client's affair.
pub const SIDE_BY_SIDE: usize = 16;

/// More ids than this make an address too long for some servers.
pub const NAMED: usize = 100;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Pages of unresolved issues, of 100 each.
    pub issue_pages: usize,
    /// Series of single issues.
    pub issue_series: usize,
    /// Releases whose health is shown.
    pub releases: usize,
}

/// Issues that a search has found, the latest first.
#[derive(Debug, Clone)]
pub struct Found<T> {
    pub issues: Vec<T>,
    /// There are more.
    pub truncated: bool,
    /// Projects in which it could not search: that nothing was found there says nothing.
    pub left_out: BTreeSet<u64>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self {
            issues: Vec::new(),
            truncated: false,
            left_out: BTreeSet::new(),
        }
    }
}

/// A search for issues.
pub struct Search {
    pub endpoints: &'static Searched,
    /// Parameters beside those of the endpoint.
    pub more: Vec<(&'static str, String)>,
}

/// One organization as one refresh sees it.
pub struct Visit<'a> {
    pub client: &'a Client,
    pub organization: &'a str,
    pub bounds: Bounds,
    pub asked: &'a Asked,
    pub now: DateTime<Utc>,
    /// Those that are chosen, by their ids.
    pub projects: BTreeMap<u64, Project>,
    /// Every project is chosen.
    everything: bool,
    pub counts: &'a Mutex<Counts>,
    /// Projects that could not be read, by their slugs, and why.
    pub left_out: Mutex<BTreeMap<String, String>>,
    unresolved: OnceCell<Result<Arc<Found<Issue>>, ApiError>>,
}

impl<'a> Visit<'a> {
    /// Begins with the projects, which all collectors need.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn begin(
        client: &'a Client,
        organization: &'a str,
        filter: &ProjectFilter,
        bounds: Bounds,
        asked: &'a Asked,
        now: DateTime<Utc>,
        counts: &'a Mutex<Counts>,
    ) -> Result<Self, ApiError> {
        let place = Params::organization(organization);
        let rows: Vec<Project> = all(client, &PROJECTS, place, Vec::new()).await?;
        let chosen = rows.into_iter().filter(|row| filter.admits(&row.slug));
        let projects = chosen.map(|row| (row.id, row));
        Ok(Self {
            client,
            organization,
            bounds,
            asked,
            now,
            projects: projects.collect(),
            everything: filter.is_everything(),
            counts,
            left_out: Mutex::default(),
            unresolved: OnceCell::new(),
        })
    }

    pub fn place(&self) -> Params {
        Params::organization(self.organization)
    }

    /// The slug of a project, if it is chosen. By id: it stays when a project is renamed.
    pub fn slug(&self, id: u64) -> Option<&str> {
        self.projects.get(&id).map(|project| project.slug.as_str())
    }

    /// Those that the token may read.
    pub fn readable(&self) -> impl Iterator<Item = (u64, &Project)> {
        let projects = self.projects.iter().map(|(id, project)| (*id, project));
        projects.filter(|(_, project)| project.has_access)
    }

    /// Asks for something of each project. A project that is gone, or must not be read, costs itself alone.
    ///
    /// # Errors
    /// The first that is of no single project, or of all.
    pub async fn of_each<T, F: Future<Output = Result<T, ApiError>>>(
        &self,
        ask: impl Fn(Params) -> F,
    ) -> Result<Vec<(u64, T)>, ApiError> {
        self.of_these(|_| true, ask).await
    }

    /// The same of some of them.
    async fn of_these<T, F: Future<Output = Result<T, ApiError>>>(
        &self,
        these: impl Fn(u64) -> bool,
        ask: impl Fn(Params) -> F,
    ) -> Result<Vec<(u64, T)>, ApiError> {
        let these = self.readable().filter(|(id, _)| these(*id));
        let asked = these.map(|(id, project)| {
            let place = self.place().with(&[
                (PROJECT_ID, id.to_string()),
                (PROJECT_SLUG, project.slug.clone()),
            ]);
            let answer = ask(place);
            async move {
                match answer.await {
                    Ok(answer) => Ok(Ok((id, answer))),
                    Err(error) if is_of_one_project(&error) => {
                        log::warn!("the project {} is left out: {error}", project.slug);
                        let slug = project.slug.clone();
                        self.left_out.lock().insert(slug, error.to_string());
                        Ok(Err(error))
                    }
                    Err(error) => Err(error),
                }
            }
        });
        let asked: Vec<_> = asked.collect();
        let answers = stream::iter(asked).buffer_unordered(SIDE_BY_SIDE);
        let answers: Vec<_> = answers.try_collect().await?;
        let mut read = Vec::new();
        let mut refused = None;
        for answer in answers {
            match answer {
                Ok(answer) => read.push(answer),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            // What no project allows is nothing of a single one's.
            Some(error) if read.is_empty() => Err(error),
            _ => Ok(read),
        }
    }

    /// The unresolved issues of the chosen projects, read once for all collectors.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn unresolved(&self) -> Result<Arc<Found<Issue>>, ApiError> {
        let read = self.unresolved.get_or_init(|| async {
            let search = Search {
                endpoints: &UNRESOLVED_SEARCH,
                more: Vec::new(),
            };
            let projects = self.readable().map(|(id, _)| id).collect();
            self.search(&search, &projects).await.map(Arc::new)
        });
        read.await.clone()
    }

    /// What a search finds in these projects, up to the pages that may be read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn search<T: IssueRow>(
        &self,
        search: &Search,
        projects: &BTreeSet<u64>,
    ) -> Result<Found<T>, ApiError> {
        if projects.is_empty() {
            return Ok(Found::default());
        }
        let ids: Vec<String> = projects.iter().map(u64::to_string).collect();
        let wide = vec!["-1".to_owned()];
        let is_part = !self.everything || projects.len() < self.readable().count();
        let named = is_part && ids.len() <= NAMED;
        let asked = if named { &ids } else { &wide };
        let mut found = match self.search_organization(search, asked).await {
            // One that has just gone spoils a list of names.
            Err(error) if named && error.status() == Some(403) => {
                self.search_organization(search, &wide).await?
            }
            Err(error) if lacks(&error) => self.search_each(search, projects).await?,
            other => other?,
        };
        found
            .issues
            .retain(|row: &T| projects.contains(&row.project()));
        Ok(found)
    }

    async fn search_organization<T: IssueRow>(
        &self,
        search: &Search,
        projects: &[String],
    ) -> Result<Found<T>, ApiError> {
        let projects = projects.iter().map(|id| ("project", id.clone()));
        let endpoint = search.endpoints.organization;
        self.issues(endpoint, self.place(), search, projects).await
    }

    /// For servers that have no search of an organization.
    async fn search_each<T: IssueRow>(
        &self,
        search: &Search,
        projects: &BTreeSet<u64>,
    ) -> Result<Found<T>, ApiError> {
        let endpoint = search.endpoints.project;
        let lists = self
            .of_these(
                |id| projects.contains(&id),
                |place| self.issues::<T>(endpoint, place, search, None),
            )
            .await?;
        let mut all = Found::default();
        all.left_out.clone_from(projects);
        for (id, list) in lists {
            all.left_out.remove(&id);
            all.issues.extend(list.issues);
            all.truncated |= list.truncated;
        }
        Ok(all)
    }

    async fn issues<T: IssueRow>(
        &self,
        endpoint: &'static Endpoint,
        place: Params,
        search: &Search,
        projects: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Found<T>, ApiError> {
        let mut query = place.query(endpoint, &[], &[]);
        query.extend(search.more.iter().cloned());
        query.extend(projects);
        let mut pages = Pages::new(self.client, endpoint, place, query, None);
        let (mut known, mut found) = (HashSet::new(), Found::default());
        while let Some(rows) = pages.rows::<T>().await? {
            // An issue that has got an event meanwhile moves, and may come twice.
            let rows = rows.into_iter().filter(|row| known.insert(row.id()));
            found
                .issues
                .extend(rows.filter(|row| self.slug(row.project()).is_some()));
            if pages.page() >= self.bounds.issue_pages {
                found.truncated = !pages.is_at_end();
                break;
            }
        }
        // Without rows that the server cannot give, counts are lower bounds too.
        found.truncated |= !pages.unreadable().is_empty();
        Ok(found)
    }
}

/// Pages of a list that is kept whole. More than 100,000 projects, keys or monitors are no honest list.
const MOST_PAGES: usize = 1_000;

/// All rows of a list.
///
/// # Errors
/// When a page, or a row of one, cannot be read, and when the list does not end.
pub async fn all<T: DeserializeOwned>(
    client: &Client,
    endpoint: &'static Endpoint,
    place: Params,
    more: Vec<(&'static str, String)>,
) -> Result<Vec<T>, ApiError> {
    let mut query = place.query(endpoint, &[], &[]);
    query.extend(more);
    let mut pages = Pages::new(client, endpoint, place, query, None).at_most(MOST_PAGES);
    let mut all = Vec::new();
    while let Some(rows) = pages.rows().await? {
        all.extend(rows);
    }
    match pages.unreadable().first() {
        Some(error) => Err(error.clone()),
        None => Ok(all),
    }
}

/// One answer.
///
/// # Errors
/// When it cannot be had, or is not what was asked for.
pub async fn one<T: DeserializeOwned>(client: &Client, request: Request) -> Result<T, ApiError> {
    one_that(client, request, |_| Ok(())).await
}

/// One answer that passes a check, which says what is wrong with it otherwise.
///
/// # Errors
/// When it cannot be had, or is not what was asked for.
pub async fn one_that<T: DeserializeOwned>(
    client: &Client,
    request: Request,
    check: impl Fn(&T) -> Result<(), Kind>,
) -> Result<T, ApiError> {
    let mut asking = client.ask(request);
    loop {
        let page = asking.answer().await?;
        let answer = serde_json::from_slice(page.body.bytes());
        let answer = answer.map_err(|error| Kind::Body(error.to_string()));
        match answer.and_then(|answer| check(&answer).map(|()| answer)) {
            Ok(answer) => {
                asking.accept(&page);
                return Ok(answer);
            }
            Err(wrong) => asking.reject(wrong).await?,
        }
    }
}

/// Whether the server does not have the endpoint.
pub fn lacks(error: &ApiError) -> bool {
    matches!(error.kind, Kind::Status { status: 404, .. })
}

/// Whether a project is gone, renamed or closed to the token, which says nothing of the others.
fn is_of_one_project(error: &ApiError) -> bool {
    matches!(error.status(), Some(403 | 404 | 410))
}
