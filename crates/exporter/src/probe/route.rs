//! The route `/probe`: what is asked for, in the order in which mistakes in it are told.

use crate::probe::debug;
use crate::probe::modules::{DEFAULT, Module};
use crate::probe::prober::probe;
use crate::probe::probes::Probes;
use crate::probe::report::report;
use crate::probe::site::LONGEST;
use crate::web::{exposition, patience};
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_serve::answer;
use tap_sentry_serve::negotiate::{Format, negotiate};

/// The route. What it answers from is replaced when the configuration is.
pub fn router(probes: Arc<ArcSwap<Probes>>) -> Router {
    Router::new()
        .route("/probe", get(answer))
        .with_state(probes)
}

async fn answer(
    State(probes): State<Arc<ArcSwap<Probes>>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let query = Query::read(query.as_deref().unwrap_or_default());
    let refused = |text: &str| answer::text(StatusCode::BAD_REQUEST, text);
    let target = query.get("target");
    if target.is_empty() {
        return refused("Target parameter is missing");
    }
    let name = match query.get("module") {
        "" => DEFAULT,
        name => name,
    };
    let probes = probes.load_full();
    let Some((module, site)) = probes.module(name) else {
        return refused(&format!("Unknown module {name:?}"));
    };
    let question = match module.prefix.question(target) {
        Ok(question) => question,
        Err(text) => return refused(text),
    };
    let Some(patience) = patience(&headers, LONGEST) else {
        return refused("X-Prometheus-Scrape-Timeout-Seconds must be a number of seconds");
    };
    let patience = least(module, patience);
    let (outcome, story) = probe(site, module, &question, patience).await;
    let debugs = query.get("debug") == "true";
    let accepted = negotiate(&headers);
    let format = if debugs {
        Format::Classic
    } else {
        accepted.format
    };
    match report(probes.names, &outcome, format) {
        Ok(text) if debugs => {
            let page = debug::page(name, module, &story, &text);
            answer::text(StatusCode::OK, &page)
        }
        text => exposition(text, accepted),
    }
}

/// The module's own time-out, where it is shorter.
fn least(module: &Module, patience: Duration) -> Duration {
    let least = module.timeout.map_or(patience, |own| own.min(patience));
    least.min(LONGEST)
}

/// The parameters; of one that stands twice the first counts.
struct Query(HashMap<String, String>);

impl Query {
    fn read(text: &str) -> Self {
        let mut first = HashMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let value = value.into_owned();
            first.entry(name.into_owned()).or_insert(value);
        }
        Self(first)
    }

    /// A parameter that is not there is empty.
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::modules::Reading;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(None, 9.5, 9.5)]
    #[case(Some("5s"), 9.5, 5.0)]
    #[case(Some("30s"), 9.5, 9.5)]
    #[case(Some("0s"), 9.5, 9.5)]
    #[case(None, 900.0, 120.0)]
    fn the_shorter_time_out_counts(
        #[case] own: Option<&str>,
        #[case] scrape: f64,
        #[case] least_seconds: f64,
    ) {
        let value = json!({"x": {
            "prober": "http", "timeout": own, "http": {"prefix": "https://sentry.io/api/0/projects/"},
        }});
        let module = &Reading::of(&value).modules["x"];
        let patience = Duration::from_secs_f64(scrape);
        assert_eq!(
            least(module, patience),
            Duration::from_secs_f64(least_seconds)
        );
    }

    #[test]
    fn the_first_of_equal_parameters_counts() {
        let query = Query::read("target=acme%2Fapi&target=other&debug=true&x&module=");
        assert_eq!(query.get("target"), "acme/api");
        assert_eq!(query.get("debug"), "true");
        assert_eq!(
            (query.get("module"), query.get("x"), query.get("y")),
            ("", "", "")
        );
    }
}
