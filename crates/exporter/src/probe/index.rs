//! Which organizations have a project of a name: read once for all targets that name none.

use crate::endpoints::{ORGANIZATIONS, PROJECTS};
use crate::visit::all;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::client::Client;
use tap_sentry_api::error::ApiError;
use tap_sentry_api::params::Params;
use tap_sentry_api::rows::{Organization, Project};
use tokio::time::Instant;

/// What is not found is looked for again when what is known is older.
const AGAIN: Duration = Duration::from_secs(300);

/// The organizations of each project, by its slug and by its id.
#[derive(Debug)]
struct Places {
    /// When it was asked for.
    asked: Instant,
    organizations: BTreeMap<String, BTreeSet<String>>,
}

impl Places {
    fn of(&self, project: &str) -> Vec<String> {
        let organizations = self.organizations.get(project);
        organizations.into_iter().flatten().cloned().collect()
    }
}

/// Why the organizations cannot be read.
#[derive(Debug, Clone)]
pub struct Unread {
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    pub text: String,
}

/// A look at all organizations, under way or done, for any number of probes.
type Look = Shared<BoxFuture<'static, Result<Arc<Places>, Unread>>>;

/// The places of projects, as far as they were read.
#[derive(Default)]
pub struct Index(Mutex<Option<Look>>);

impl Index {
    /// The organizations that have the project, of those that the client's token sees.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub async fn organizations(
        &self,
        client: &Arc<Client>,
        project: &str,
    ) -> Result<Vec<String>, Unread> {
        let known = self.look(client, None).await?;
        let found = known.of(project);
        if !found.is_empty() || known.asked.elapsed() < AGAIN {
            return Ok(found);
        }
        Ok(self.look(client, Some(&known)).await?.of(project))
    }

    /// A project that was found is not there: where it is now is looked for again.
    pub fn doubt(&self) {
        let mut look = self.0.lock();
        if let Some(Ok(places)) = look.as_ref().and_then(Shared::peek)
            && places.asked.elapsed() >= AGAIN
        {
            *look = None;
        }
    }

    /// The latest look, or a new one where there is none, it has failed, or it is `old`.
    fn look(&self, client: &Arc<Client>, old: Option<&Arc<Places>>) -> Look {
        let mut look = self.0.lock();
        let usable = look.as_ref().filter(|look| match look.peek() {
            None => true,
            Some(Ok(places)) => old.is_none_or(|old| !Arc::ptr_eq(old, places)),
            Some(Err(_)) => false,
        });
        if let Some(usable) = usable {
            return usable.clone();
        }
        let client = Arc::clone(client);
        // It goes on when the probe that began it has been answered.
        let task = tokio::spawn(async move { read(&client).await.map(Arc::new) });
        let begun = task
            .map(|read| match read {
                Ok(Ok(places)) => Ok(places),
                Ok(Err(error)) => Err(Unread {
                    status: error.status(),
                    text: told(&error),
                }),
                Err(_) => Err(Unread {
                    status: None,
                    text: "the look at them was cut short".to_owned(),
                }),
            })
            .boxed()
            .shared();
        *look = Some(begun.clone());
        begun
    }
}

async fn read(client: &Client) -> Result<Places, ApiError> {
    let asked = Instant::now();
    let mut organizations: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let rows = all::<Organization>(client, &ORGANIZATIONS, Params::default(), Vec::new()).await?;
    for organization in rows {
        let place = Params::organization(&organization.slug);
        let projects = match all::<Project>(client, &PROJECTS, place, Vec::new()).await {
            Ok(projects) => projects,
            // What the token may not list it may not probe.
            Err(error) if matches!(error.status(), Some(401 | 403 | 404 | 410)) => {
                log::warn!(
                    "the projects of {} are left out: {}",
                    organization.slug,
                    told(&error)
                );
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        for project in projects {
            for name in [project.slug, project.id] {
                let places = organizations.entry(name).or_default();
                places.insert(organization.slug.clone());
            }
        }
    }
    Ok(Places {
        asked,
        organizations,
    })
}

/// The path and what became of it, without the query.
fn told(error: &ApiError) -> String {
    let path = error.path.split('?').next().unwrap_or_default();
    format!("{path}: {}", error.kind)
}
