//! Three figures of an organization, without Singer: its projects, the issues of the last day, and the errors that were
//! accepted meanwhile. Asks a sandbox that runs inside the process.

use chrono::{TimeDelta, Utc};
use secrecy::SecretString;
use sentry_sandbox::{ORGANIZATION, Options, Sandbox, TOKEN, World};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::client::Client;
use tap_sentry_api::connection::{Connection, HeaderMap};
use tap_sentry_api::endpoint::Endpoint;
use tap_sentry_api::endpoints::{ACCEPTED_ERRORS, ISSUES, PROJECTS, total_quantity};
use tap_sentry_api::pages::Pages;
use tap_sentry_api::params::{PROJECT_ID, Params};
use tap_sentry_api::request::Request;
use tap_sentry_api::rows::{Issue, Project};
use tap_sentry_api::traffic::Traffic;
use tap_sentry_api::window::{Window, whole_hours};

static ALL_PROJECTS: Endpoint = PROJECTS;
static ALL_ISSUES: Endpoint = ISSUES;

fn main() -> Result<(), Box<dyn Error>> {
    // It has a runtime of its own.
    let sandbox = Sandbox::start(Options::new(World::seeded(Utc::now())))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(print_figures(&sandbox.url()))
}

#[expect(clippy::print_stdout, reason = "this is a program")]
async fn print_figures(url: &str) -> Result<(), Box<dyn Error>> {
    let now = Utc::now();
    let connection = Connection {
        base_url: format!("{url}/api/0/").parse()?,
        token: SecretString::from(TOKEN.to_owned()),
        headers: HeaderMap::new(),
        user_agent: "figures/1".to_owned(),
        ca_certificate: None,
        proxy_url: None,
        insecure_skip_verify: false,
        concurrency: 4,
        rate_limit: None,
        request_timeout: Duration::from_secs(10),
        max_retries: 3,
    };
    let traffic = Arc::new(Traffic::default());
    let client = Client::new(&connection, Arc::clone(&traffic))?;
    let organization = Params::organization(ORGANIZATION);
    let day = Window {
        start: now - TimeDelta::days(1),
        end: now,
    };

    let query = organization.query(&ALL_PROJECTS, &[], &[]);
    let mut pages = Pages::new(&client, &ALL_PROJECTS, organization.clone(), query, None);
    let mut projects: Vec<Project> = Vec::new();
    while let Some(rows) = pages.rows().await? {
        projects.extend(rows);
    }

    let (mut issues, mut errors) = (0, 0);
    for project in &projects {
        let place = organization.with(&[(PROJECT_ID, project.id.clone())]);
        let mut query = place.query(&ALL_ISSUES, &[], &[]);
        query.push(("query", String::new()));
        let mut pages = Pages::new(&client, &ALL_ISSUES, place.clone(), query, Some(day));
        while let Some(rows) = pages.rows::<Issue>().await? {
            issues += rows.len();
        }
        let request = Request::new(&ACCEPTED_ERRORS, place).with(whole_hours(day).query());
        let page = client.ask(request).answer().await?;
        errors += total_quantity(page.body.bytes())?;
    }

    println!("projects {}", projects.len());
    println!("issues_active_last_day {issues}");
    println!("errors_accepted_last_day {errors}");
    let requests: u64 = traffic
        .requests()
        .values()
        .map(|requests| requests.ended)
        .sum();
    println!("requests {requests}");
    Ok(())
}
