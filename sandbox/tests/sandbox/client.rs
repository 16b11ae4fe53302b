//! A client that takes nothing for granted, for looking at answers as they are.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use sentry_sandbox::{Options, Sandbox, TOKEN, World};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    pub fn rows(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json().as_array().expect("the body is a list").clone()
    }

    pub fn detail(&self) -> String {
        self.json()["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The cursor of the next page, if it has results.
    pub fn next(&self) -> Option<String> {
        let next = self.header("link")?.split(", <").nth(1)?;
        next.contains("results=\"true\"")
            .then(|| attribute(next, "cursor"))
    }
}

pub fn attribute(link: &str, name: &str) -> String {
    let from = link.find(&format!(" {name}=\"")).expect("the attribute") + name.len() + 3;
    link[from..].split('"').next().expect("a value").to_owned()
}

/// `Err`: the connection gave no whole answer.
pub fn try_get(sandbox: &Sandbox, token: Option<&str>, path: &str) -> Result<Answer, String> {
    let mut request = agent().get(format!("{}/api/0{path}", sandbox.url()));
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    read(request.call())
}

/// One that follows nothing, and takes every status for an answer.
pub fn agent() -> ureq::Agent {
    agent_within(Duration::from_secs(2))
}

/// The same, with more patience or less.
pub fn agent_within(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(timeout))
        .build()
        .into()
}

/// The whole answer.
pub fn read(
    response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Answer, String> {
    let mut response = response.map_err(|error| error.to_string())?;
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
        .collect();
    let mut body = Vec::new();
    response
        .body_mut()
        .as_reader()
        .read_to_end(&mut body)
        .map_err(|error| error.to_string())?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers,
        body,
    })
}

pub fn get_as(sandbox: &Sandbox, token: &str, path: &str) -> Answer {
    try_get(sandbox, Some(token), path).expect("an answer")
}

pub fn get(sandbox: &Sandbox, path: &str) -> Answer {
    get_as(sandbox, TOKEN, path)
}

/// All rows, by following the cursors.
pub fn walk(sandbox: &Sandbox, path: &str) -> Vec<Value> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let mut rows = Vec::new();
    let mut cursor = None;
    loop {
        let page = match &cursor {
            None => get(sandbox, path),
            Some(cursor) => get(sandbox, &format!("{path}{joint}cursor={cursor}")),
        };
        rows.extend(page.rows());
        cursor = page.next();
        if cursor.is_none() {
            return rows;
        }
    }
}

pub fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter()
        .map(|row| row["id"].as_str().expect("an id").to_owned())
        .collect()
}

pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).expect("a valid instant")
}

/// As clients write it.
pub fn iso(instant: DateTime<Utc>) -> String {
    instant.trunc_subsecs(0).to_rfc3339().replace("+00:00", "Z")
}

pub fn ago(hours: i64) -> DateTime<Utc> {
    now() - TimeDelta::hours(hours)
}

pub fn start(world: World) -> Sandbox {
    Sandbox::start(Options::new(world)).expect("a free port")
}

pub fn seeded() -> Sandbox {
    start(World::seeded(now()))
}
