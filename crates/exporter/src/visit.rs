//! One organization as one refresh sees it: what its collectors share.

use crate::endpoints::{PROJECT_UNRESOLVED, PROJECTS, UNRESOLVED};
use crate::month::Counts;
use crate::rows::{Issue, Project};
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tap_sentry_api::client::Client;
use tap_sentry_api::endpoint::Endpoint;
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::page_size::PAGE_SIZE;
use tap_sentry_api::pages::Pages;
use tap_sentry_api::params::{PROJECT_ID, PROJECT_SLUG, Params};
use tap_sentry_api::request::Request;
use tap_sentry_settings::connection::ProjectFilter;
use tokio::sync::OnceCell;

/// How many projects are asked about side by side; how many requests really go is the client's affair.
const SIDE_BY_SIDE: usize = 16;

/// More ids than this make an address too long for some servers.
const NAMED: usize = 100;

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

/// The unresolved issues, the latest first.
#[derive(Debug, Clone, Default)]
pub struct Unresolved {
    pub issues: Vec<Issue>,
    /// There are more.
    pub truncated: bool,
}

/// One organization as one refresh sees it.
pub struct Visit<'a> {
    pub client: &'a Client,
    pub organization: &'a str,
    pub bounds: Bounds,
    pub now: DateTime<Utc>,
    /// Those that are chosen, by their ids.
    pub projects: BTreeMap<u64, Project>,
    /// Every project is chosen.
    everything: bool,
    pub counts: &'a Mutex<Counts>,
    /// Projects that could not be read, by their slugs, and why.
    pub left_out: Mutex<BTreeMap<String, String>>,
    unresolved: OnceCell<Result<Arc<Unresolved>, ApiError>>,
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
    /// The first that is of no single project.
    pub async fn of_each<T, F: Future<Output = Result<T, ApiError>>>(
        &self,
        ask: impl Fn(Params) -> F,
    ) -> Result<Vec<(u64, T)>, ApiError> {
        let asked = self.readable().map(|(id, project)| {
            let place = self.place().with(&[
                (PROJECT_ID, id.to_string()),
                (PROJECT_SLUG, project.slug.clone()),
            ]);
            let answer = ask(place);
            async move {
                match answer.await {
                    Ok(answer) => Ok(Some((id, answer))),
                    Err(error) if is_of_one_project(&error) => {
                        log::warn!("the project {} is left out: {error}", project.slug);
                        let slug = project.slug.clone();
                        self.left_out.lock().insert(slug, error.to_string());
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
        });
        let asked: Vec<_> = asked.collect();
        let answers = stream::iter(asked).buffer_unordered(SIDE_BY_SIDE);
        answers
            .try_filter_map(|answer| async { Ok(answer) })
            .try_collect()
            .await
    }

    /// The unresolved issues of the chosen projects, read once for all collectors.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn unresolved(&self) -> Result<Arc<Unresolved>, ApiError> {
        let read = self
            .unresolved
            .get_or_init(|| async { self.read_unresolved().await.map(Arc::new) });
        read.await.clone()
    }

    async fn read_unresolved(&self) -> Result<Unresolved, ApiError> {
        let ids: Vec<String> = self.readable().map(|(id, _)| id.to_string()).collect();
        if ids.is_empty() {
            return Ok(Unresolved::default());
        }
        let wide = vec!["-1".to_owned()];
        let named = !self.everything && ids.len() <= NAMED;
        let first = self.search(if named { &ids } else { &wide }).await;
        match first {
            // One that has just gone spoils a list of names.
            Err(error) if named && error.status() == Some(403) => self.search(&wide).await,
            Err(error) if lacks(&error) => self.search_each().await,
            other => other,
        }
    }

    async fn search(&self, projects: &[String]) -> Result<Unresolved, ApiError> {
        let place = self.place();
        let mut query = place.query(&UNRESOLVED, &[], &[]);
        query.extend(projects.iter().map(|id| ("project", id.clone())));
        self.issues(&UNRESOLVED, place, query).await
    }

    /// For servers that have no search of an organization.
    async fn search_each(&self) -> Result<Unresolved, ApiError> {
        let lists = self
            .of_each(|place| async move {
                let query = place.query(&PROJECT_UNRESOLVED, &[], &[]);
                self.issues(&PROJECT_UNRESOLVED, place, query).await
            })
            .await?;
        let mut all = Unresolved::default();
        for (_, list) in lists {
            all.issues.extend(list.issues);
            all.truncated |= list.truncated;
        }
        Ok(all)
    }

    async fn issues(
        &self,
        endpoint: &'static Endpoint,
        place: Params,
        query: Vec<(&'static str, String)>,
    ) -> Result<Unresolved, ApiError> {
        let mut pages = Pages::new(self.client, endpoint, place, query, None);
        let (mut known, mut found) = (HashSet::new(), Unresolved::default());
        let most = self.bounds.issue_pages * PAGE_SIZE;
        while let Some(rows) = pages.rows::<Issue>().await? {
            if known.len() >= most && !rows.is_empty() {
                found.truncated = true;
                break;
            }
            // An issue that has got an event meanwhile moves, and may come twice.
            let rows = rows.into_iter().filter(|row| known.insert(row.id));
            found
                .issues
                .extend(rows.filter(|row| self.slug(row.project.id).is_some()));
        }
        Ok(found)
    }
}

/// All rows of a list.
///
/// # Errors
/// When a page cannot be read.
pub async fn all<T: DeserializeOwned>(
    client: &Client,
    endpoint: &'static Endpoint,
    place: Params,
    more: Vec<(&'static str, String)>,
) -> Result<Vec<T>, ApiError> {
    let mut query = place.query(endpoint, &[], &[]);
    query.extend(more);
    let mut pages = Pages::new(client, endpoint, place, query, None);
    let mut all = Vec::new();
    while let Some(rows) = pages.rows().await? {
        all.extend(rows);
    }
    Ok(all)
}

/// One answer.
///
/// # Errors
/// When it cannot be had, or is not what was asked for.
pub async fn one<T: DeserializeOwned>(client: &Client, request: Request) -> Result<T, ApiError> {
    let mut asking = client.ask(request);
    loop {
        let page = asking.answer().await?;
        match serde_json::from_slice(page.body.bytes()) {
            Ok(answer) => {
                asking.accept(&page);
                return Ok(answer);
            }
            Err(error) => asking.reject(Kind::Body(error.to_string())).await?,
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
