//! Metric points in the log, as the Singer SDK writes them.

use serde_json::{Value, json};
use tap_sentry_api::traffic::Finished;

/// Starts the message of a metric point; what follows is JSON.
/// (<https://github.com/singer-io/getting-started/blob/master/docs/SYNC_MODE.md#metric-messages>)
pub const METRIC: &str = "METRIC: ";

/// A point for each request. A backfill makes hundreds of thousands: they are for those who ask with `-v`.
pub fn tell_request(request: &Finished<'_>) {
    let Finished {
        endpoint,
        elapsed,
        status,
        ..
    } = request;
    let outcome = if *status == Some(200) {
        "succeeded"
    } else {
        "failed"
    };
    let tags = json!({"stream": endpoint.name, "endpoint": endpoint.path, "http_status_code": status, "status": outcome});
    point(
        log::Level::Debug,
        endpoint.name,
        "timer",
        "http_request_duration",
        &json!(elapsed.as_secs_f64()),
        tags,
    );
}

/// One metric point, as the SDK writes them.
pub fn point(
    level: log::Level,
    target: &str,
    kind: &str,
    metric: &str,
    value: &Value,
    mut tags: Value,
) {
    if log::log_enabled!(target: target, level) {
        tags["pid"] = json!(std::process::id());
        log::log!(target: target, level, "{METRIC}{}", json!({"type": kind, "metric": metric, "value": value, "tags": tags}));
    }
}
