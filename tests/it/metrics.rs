//! Metric points in the log.

use crate::dsl::{Run, Sentry, Tap};
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The metric points on stderr.
pub fn metrics(run: &Run) -> Vec<Value> {
    run.stderr
        .lines()
        .filter_map(|line| Some(serde_json::from_str(line.split_once("METRIC: ")?.1).unwrap()))
        .collect()
}

/// The sum of the points of one metric, by stream.
pub fn sums(metrics: &[Value], name: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for point in metrics.iter().filter(|point| point["metric"] == name) {
        *sums
            .entry(point["tags"]["stream"].as_str().unwrap().to_owned())
            .or_default() += point["value"].as_u64().unwrap();
    }
    sums
}

#[test]
fn metric_points_tell_records_requests_and_durations() {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry).arg("-v").run();
    run.is_complete();
    let metrics = metrics(&run);
    let written: BTreeMap<String, u64> = run
        .streams()
        .into_iter()
        .map(|name| (name.to_owned(), run.records(name).len() as u64))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(sums(&metrics, "record_count"), written);
    let requests = sums(&metrics, "http_request_count");
    assert_eq!(
        requests.values().sum::<u64>(),
        sentry.requests().len() as u64
    );
    let mut timed: BTreeMap<String, u64> = BTreeMap::new();
    for point in metrics
        .iter()
        .filter(|point| point["metric"] == "http_request_duration")
    {
        assert_eq!(
            (&point["tags"]["http_status_code"], &point["tags"]["status"]),
            (&json!(200), &json!("succeeded"))
        );
        *timed
            .entry(point["tags"]["stream"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    assert_eq!(timed, requests, "each request is timed");
    for point in &metrics {
        assert!(
            point["type"] == "counter" || point["type"] == "timer",
            "{point}"
        );
        assert!(
            point["value"].as_f64().is_some_and(|value| value >= 0.0)
                && point["tags"]["pid"].is_u64(),
            "{point}"
        );
    }
    let durations: BTreeSet<&str> = metrics
        .iter()
        .filter(|point| point["metric"] == "sync_duration")
        .map(|point| point["tags"]["stream"].as_str().unwrap())
        .collect();
    assert_eq!(durations, requests.keys().map(String::as_str).collect());
    let job: Vec<&Value> = metrics
        .iter()
        .filter(|point| point["metric"] == "job_duration")
        .collect();
    assert_eq!(job.len(), 1);
    assert_eq!(job[0]["tags"]["status"], "succeeded");
}

#[test]
fn the_metrics_of_an_incomplete_run_say_so() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::Status(403),
    ));
    let run = Tap::against(&sentry).arg("-v").run();
    run.is_incomplete();
    let metrics = metrics(&run);
    let status = |metric: &str, stream: Option<&str>| {
        let point = metrics.iter().find(|point| {
            point["metric"] == metric
                && stream.is_none_or(|stream| point["tags"]["stream"] == stream)
        });
        point.unwrap()["tags"]["status"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(status("job_duration", None), "failed");
    assert_eq!(status("sync_duration", Some("teams")), "failed");
    assert_eq!(status("sync_duration", Some("projects")), "succeeded");
    assert_eq!(status("http_request_duration", Some("teams")), "failed");
}

#[test]
fn a_request_is_a_line_only_for_those_who_ask() {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry).run();
    run.is_complete().does_not_tell("http_request_duration");
    let (lines, requests) = (run.stderr.lines().count(), sentry.requests().len());
    assert!(
        lines < requests,
        "{lines} lines for {requests} requests:\n{}",
        run.stderr
    );
    let counted = sums(&metrics(&run), "http_request_count");
    assert_eq!(counted.values().sum::<u64>(), requests as u64);
}
