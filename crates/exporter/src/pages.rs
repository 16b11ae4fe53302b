//! Pages for a person: how it stands, and the settings in use.

use crate::probe::probes::Probes;
use crate::report::{self, Report};
use crate::shown::Shown;
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::routing::get;
use chrono::{DateTime, SecondsFormat, Utc};
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_serve::answer;
use tap_sentry_serve::log::without_secrets;
use tap_sentry_serve::reload::Reload;

/// Where the stylesheet is.
pub const STYLE: &str = "/style.css";

/// Where the settings are.
pub const CONFIG: &str = "/config";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What every page says of itself. There is no script, and nothing comes from elsewhere.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

/// What the pages are made of.
#[derive(Clone)]
pub struct Pages {
    /// Replaced when the configuration is.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Replaced with it.
    pub settings: Arc<ArcSwap<Vec<Shown>>>,
    /// Replaced with it.
    pub probes: Arc<ArcSwap<Probes>>,
    pub reload: Reload,
    pub telemetry_path: String,
}

/// The routes of the pages.
pub fn router(pages: Pages) -> Router {
    Router::new()
        .route("/", get(status))
        .route(CONFIG, get(config))
        .route(STYLE, get(style))
        .with_state(pages)
}

async fn status(State(pages): State<Pages>) -> Response<Body> {
    let now = Utc::now();
    let reports = pages.snapshot.load().reports();
    let servers = reports.into_iter().map(|report| Server::of(report, now));
    let reload = pages.reload.state();
    html(&StatusPage {
        version: VERSION,
        telemetry_path: &pages.telemetry_path,
        servers: servers.collect(),
        modules: pages.probes.load().modules(),
        reload: ReloadView {
            successful: reload.successful,
            at: instant(reload.succeeded_at.into()),
        },
    })
}

async fn config(State(pages): State<Pages>) -> Response<Body> {
    html(&ConfigPage {
        version: VERSION,
        telemetry_path: &pages.telemetry_path,
        settings: &pages.settings.load(),
    })
}

async fn style() -> Response<Body> {
    let css = include_str!("../templates/style.css");
    answered(css.to_owned(), "text/css; charset=utf-8")
}

fn html(page: &impl Template) -> Response<Body> {
    match page.render() {
        Ok(text) => answered(text, "text/html; charset=utf-8"),
        Err(error) => {
            log::error!("a page cannot be written: {error}");
            answer::plain(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn answered(text: String, kind: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage<'a> {
    version: &'static str,
    telemetry_path: &'a str,
    servers: Vec<Server>,
    /// Names of modules that can be probed with.
    modules: Vec<String>,
    reload: ReloadView,
}

#[derive(Template)]
#[template(path = "config.html")]
struct ConfigPage<'a> {
    version: &'static str,
    telemetry_path: &'a str,
    settings: &'a [Shown],
}

/// When the configuration was read.
struct ReloadView {
    successful: bool,
    at: String,
}

/// A server, in words.
struct Server {
    name: Option<String>,
    address: String,
    refresh: Option<Refresh>,
    problem: Option<String>,
    organizations: Vec<Organization>,
}

struct Refresh {
    is_complete: bool,
    age: String,
    at: String,
    took: String,
}

struct Organization {
    slug: String,
    problem: Option<String>,
    collectors: Vec<Collector>,
    left_out: Vec<(String, String)>,
    requests: Vec<(String, u64)>,
    budget: Vec<(&'static str, u32)>,
}

struct Collector {
    name: &'static str,
    failed: bool,
    /// Why it failed, unless its organization tells that already.
    reason: Option<String>,
    age: String,
    took: String,
}

impl Server {
    fn of(report: Report, now: DateTime<Utc>) -> Self {
        let Report {
            server,
            address,
            latest,
            problem,
            organizations,
        } = report;
        Self {
            name: server,
            address,
            refresh: latest.map(|latest| Refresh {
                is_complete: latest.is_complete,
                age: length(latest.age),
                at: instant(now - latest.age),
                took: length(latest.took),
            }),
            organizations: organizations
                .into_iter()
                .map(|organization| Organization::of(organization, problem.as_deref()))
                .collect(),
            problem: problem.map(without_secrets),
        }
    }
}

impl Organization {
    /// `above` is what is told of its server.
    fn of(report: report::Organization, above: Option<&str>) -> Self {
        let report::Organization {
            slug,
            problem,
            collectors,
            left_out,
            answers,
        } = report;
        let problem = problem.filter(|problem| above != Some(problem));
        let told = problem.as_deref().or(above);
        let collectors = collectors.into_iter().map(|collector| Collector {
            name: collector.name,
            failed: collector.problem.is_some(),
            age: collector.age.map_or_else(|| "no values".to_owned(), length),
            took: length(collector.took),
            reason: collector
                .problem
                .filter(|problem| told != Some(problem))
                .map(without_secrets),
        });
        let status = |status: Option<u16>| {
            status.map_or_else(|| "no answer".to_owned(), |status| format!("HTTP {status}"))
        };
        let requests = answers.statuses.into_iter();
        let budget = answers.remaining.into_iter();
        let left_out = left_out.into_iter();
        Self {
            slug,
            collectors: collectors.collect(),
            problem: problem.map(without_secrets),
            left_out: left_out
                .map(|(project, reason)| (project, without_secrets(reason)))
                .collect(),
            requests: requests
                .map(|(code, count)| (status(code), count))
                .collect(),
            budget: budget.map(|(class, left)| (class.name(), left)).collect(),
        }
    }
}

/// An instant, to the second.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A length of time in two of its units at most.
fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0.25, "250 ms")]
    #[case(1.25, "1.2 s")]
    #[case(59.94, "59.9 s")]
    #[case(60.0, "1 min 0 s")]
    #[case(3_599.9, "59 min 59 s")]
    #[case(3_600.0, "1 h 0 min")]
    #[case(90_061.0, "25 h 1 min")]
    fn a_length_of_time_in_words(#[case] seconds: f64, #[case] words: &str) {
        assert_eq!(length(Duration::from_secs_f64(seconds)), words);
    }

    #[test]
    fn what_others_named_is_escaped_and_told_once() {
        let hostile = "<script>alert('x')</script>\"&";
        let organization = report::Organization {
            slug: hostile.to_owned(),
            problem: Some(format!("{hostile} cannot be read")),
            collectors: vec![report::Collector {
                name: "events",
                problem: Some(format!("{hostile} cannot be read")),
                age: None,
                took: Duration::from_millis(1),
            }],
            left_out: [(hostile.to_owned(), hostile.to_owned())].into(),
            answers: tap_sentry_api::traffic::Answers::default(),
        };
        let report = Report {
            server: Some(hostile.to_owned()),
            address: "https://sentry.example.com/api/0/".to_owned(),
            latest: None,
            problem: None,
            organizations: vec![organization],
        };
        let page = StatusPage {
            version: VERSION,
            telemetry_path: "/metrics",
            servers: vec![Server::of(report, Utc::now())],
            modules: vec![hostile.to_owned()],
            reload: ReloadView {
                successful: false,
                at: String::new(),
            },
        };
        let text = page.render().expect("a page");
        assert!(!text.contains("<script") && !text.contains("x')"), "{text}");
        assert_eq!(text.matches("cannot be read").count(), 1, "{text}");
        assert!(text.contains("<option>&#60;script&#62;"), "{text}");
    }
}
