//! Projects that are made because data comes for them.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::client::Client;
use tap_sentry_api::connection::chain;
use tap_sentry_api::endpoint::Endpoint;
use tap_sentry_api::endpoints::TEAMS;
use tap_sentry_api::pages::Pages;
use tap_sentry_api::params::Params;
use tokio::time::Instant;
use url::Url;

static ALL_TEAMS: Endpoint = TEAMS;

/// No more than one is made in this time: names come from clients, and a mistake there must not fill an organization.
const BETWEEN: Duration = Duration::from_secs(10);

/// After a refusal nothing is tried for so long.
const REFUSED: Duration = Duration::from_secs(60 * 60);

/// Makes projects in one organization, within bounds.
pub struct Creator {
    client: Arc<Client>,
    /// With the token, and no redirect to elsewhere.
    http: reqwest::Client,
    /// Ends with `/api/0/`.
    base_url: Url,
    organization: String,
    most: u64,
    done: Mutex<Done>,
}

/// What has been tried so far.
#[derive(Debug, Default)]
struct Done {
    created: u64,
    last: Option<Instant>,
    refused: Option<Instant>,
}

#[derive(Debug, Deserialize)]
struct Team {
    slug: String,
}

/// What came of trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is there now.
    There,
    /// Not made, and why.
    Not(String),
}

impl Creator {
    pub fn new(
        client: Arc<Client>,
        http: reqwest::Client,
        base_url: Url,
        organization: &str,
        most: u64,
    ) -> Self {
        Self {
            client,
            http,
            base_url,
            organization: organization.to_owned(),
            most,
            done: Mutex::default(),
        }
    }

    /// Makes a project of that slug, in the first team that the token sees.
    pub async fn create(&self, slug: &str) -> Created {
        if let Some(why) = self.wait() {
            return Created::Not(why);
        }
        match self.try_once(slug).await {
            Ok(created) => {
                if created {
                    self.done.lock().created += 1;
                    log::info!(project = slug; "the project is made, since data comes for it");
                }
                Created::There
            }
            Err(why) => {
                self.done.lock().refused = Some(Instant::now());
                Created::Not(format!(
                    "it cannot be made, which is tried again in an hour: {why}"
                ))
            }
        }
    }

    /// Why nothing is tried now; else the time counts as that of a try.
    fn wait(&self) -> Option<String> {
        let mut done = self.done.lock();
        let now = Instant::now();
        let within = |at: Option<Instant>, time| at.is_some_and(|at| now.duration_since(at) < time);
        if done.created >= self.most {
            return Some(format!(
                "{} projects have been made, which is all that `max_created_projects` allows",
                done.created
            ));
        }
        if within(done.refused, REFUSED) {
            return Some(
                "making projects has been refused, and is tried again an hour later".to_owned(),
            );
        }
        if within(done.last, BETWEEN) {
            return Some("another project has just been made, and its turn comes later".to_owned());
        }
        done.last = Some(now);
        None
    }

    /// Whether it was made; else it was there.
    async fn try_once(&self, slug: &str) -> Result<bool, String> {
        let team = self.team().await?;
        let mut url = self.base_url.clone();
        url.path_segments_mut()
            .map_err(|()| "`url` has no path".to_owned())?
            .pop_if_empty()
            .extend(["teams", &self.organization, &team, "projects", ""]);
        let body = json!({"name": slug, "slug": slug, "platform": "other"}).to_string();
        let request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let response = request.send().await;
        let response = response.map_err(|error| chain(&error.without_url()))?;
        match response.status() {
            status if status.is_success() => Ok(true),
            // Somebody else was faster.
            StatusCode::CONFLICT => Ok(false),
            status => Err(format!(
                "Sentry answered {}; the token needs `project:write`",
                status.as_u16()
            )),
        }
    }

    async fn team(&self) -> Result<String, String> {
        let place = Params::organization(&self.organization);
        let query = place.query(&ALL_TEAMS, &[], &[]);
        let mut pages = Pages::new(&self.client, &ALL_TEAMS, place, query, None);
        while let Some(teams) = pages
            .rows::<Team>()
            .await
            .map_err(|error| error.to_string())?
        {
            if let Some(team) = teams.into_iter().next() {
                return Ok(team.slug);
            }
        }
        Err("the organization has no team that the token sees".to_owned())
    }
}
