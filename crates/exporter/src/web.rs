//! The route of the metrics.

use crate::families::Families;
use crate::figures::{API_REQUESTS, RELOAD_SUCCESSFUL, RELOAD_TIME};
use crate::probe::probes::Probes;
use crate::render::Part;
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tap_sentry_serve::answer;
use tap_sentry_serve::negotiate::{Accepted, negotiate};
use tap_sentry_serve::own::Process;
use tap_sentry_serve::reload::Reload;

/// How long Prometheus waits, in seconds.
const TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";
/// Its default, for those who do not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// What is left of it for the way back.
const OFFSET: Duration = Duration::from_millis(500);

/// What scrapes are answered from.
#[derive(Clone)]
pub struct Metrics {
    /// Replaced when the configuration is.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    pub probes: Arc<ArcSwap<Probes>>,
    pub reload: Reload,
}

/// The routes of the metrics.
pub fn router(paths: &[String], metrics: &Metrics) -> Router {
    let with = |router: Router<_>, path: &String| router.route(path, get(scrape));
    let router = paths.iter().fold(Router::new(), with);
    router.with_state(metrics.clone())
}

async fn scrape(State(metrics): State<Metrics>, headers: HeaderMap) -> Response<Body> {
    let Some(patience) = patience(&headers, DEFAULT_TIMEOUT) else {
        let text = format!("Bad Request: {TIMEOUT} must be a number of seconds");
        return answer::text(StatusCode::BAD_REQUEST, &text);
    };
    let snapshot = metrics.snapshot.load_full();
    let mut page = snapshot.page(patience).await;
    page.parts.push(Part {
        server: None,
        families: Arc::new(reloads(&metrics.reload)),
    });
    add_requests(&mut page.parts, metrics.probes.load().requests());
    page.process = Process::read().figures();
    let accepted = negotiate(&headers);
    exposition(page.render(accepted.format), accepted)
}

/// An answer with metrics, in the form that the reader likes best.
pub fn exposition(text: Result<String, fmt::Error>, accepted: Accepted) -> Response<Body> {
    match text {
        Ok(text) => {
            let mut response = Response::new(Body::from(text));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, accepted.content_type());
            response
        }
        Err(error) => {
            log::error!("the metrics cannot be written: {error}");
            answer::plain(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// How long an answer may be waited for; `None`: what the reader says is no time-out. Half of a time-out that is too short
/// to leave anything; `default` is for those who do not say.
pub fn patience(headers: &HeaderMap, default: Duration) -> Option<Duration> {
    let timeout = match headers.get(TIMEOUT) {
        None => default,
        Some(value) => {
            let seconds = value.to_str().ok()?.trim().parse().ok()?;
            match Duration::try_from_secs_f64(seconds).ok()? {
                Duration::ZERO => default,
                timeout => timeout,
            }
        }
    };
    Some(timeout.saturating_sub(OFFSET).max(timeout / 2))
}

/// Adds the requests of probes: to the series that are there, so that none comes twice.
fn add_requests(parts: &mut Vec<Part>, requests: Families) {
    let mut own = parts.iter_mut();
    let counted =
        |part: &&mut Part| part.server.is_none() && part.families.of(&API_REQUESTS).is_some();
    match own.find(counted) {
        Some(part) => Arc::make_mut(&mut part.families).add_all(&requests),
        None => parts.push(Part {
            server: None,
            families: Arc::new(requests),
        }),
    }
}

fn reloads(reload: &Reload) -> Families {
    let state = reload.state();
    let succeeded = state.succeeded_at.duration_since(UNIX_EPOCH);
    let mut families = Families::default();
    families.set(&RELOAD_SUCCESSFUL, &[], state.successful);
    families.set(
        &RELOAD_TIME,
        &[],
        succeeded.unwrap_or_default().as_secs_f64(),
    );
    families
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use rstest::rstest;

    #[rstest]
    #[case::none(None, Some(9.5))]
    #[case::not_set(Some("0"), Some(9.5))]
    #[case::prometheus(Some("10"), Some(9.5))]
    #[case::a_fraction(Some("1.5"), Some(1.0))]
    #[case::short(Some("1"), Some(0.5))]
    #[case::very_short(Some("0.2"), Some(0.1))]
    #[case::a_word(Some("soon"), None)]
    #[case::below_zero(Some("-1"), None)]
    #[case::endless(Some("inf"), None)]
    #[case::no_number(Some("NaN"), None)]
    fn a_time_out_leaves_time_for_the_answer(
        #[case] told: Option<&str>,
        #[case] left: Option<f64>,
    ) {
        let mut headers = HeaderMap::new();
        if let Some(told) = told {
            headers.insert(TIMEOUT, HeaderValue::from_str(told).expect("a value"));
        }
        assert_eq!(
            patience(&headers, DEFAULT_TIMEOUT),
            left.map(Duration::from_secs_f64)
        );
    }
}
