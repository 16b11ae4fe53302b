//! The answers of faults that do without the true one.

use crate::faults::kind::FaultKind;
use crate::limits::too_many;
use crate::problem::{HTML, JSON, Problem};
use axum::http::StatusCode;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is answered instead of the truth; `None`: the truth, or what is left of it.
pub(crate) fn refusal(kind: &FaultKind) -> Option<Problem> {
    Some(match kind {
        FaultKind::Status(status) => status_problem(*status),
        FaultKind::NotThere => Problem::not_found(),
        FaultKind::SsoRequired => Problem::sso_required(),
        FaultKind::NoBackend(body) => Problem::text(StatusCode::NOT_FOUND, HTML, *body),
        FaultKind::Gateway {
            status,
            body,
            header: (name, value),
        } => {
            let code = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let problem = Problem::text(code, HTML, *body);
            if name.is_empty() {
                problem
            } else {
                problem.with(name, value)
            }
        }
        FaultKind::RateLimited { reset_in_seconds } => limited(
            too_many(
                "You are attempting to use this endpoint too frequently. Limit is 40 requests in 1 seconds",
            ),
            0,
            *reset_in_seconds,
        ),
        FaultKind::RateLimitedNoHeaders => too_many(
            "You are attempting to use this endpoint too frequently. Limit is 40 requests in 1 seconds",
        ),
        FaultKind::RetryAfter(seconds) => {
            too_many("slow down").with("retry-after", &seconds.to_string())
        }
        FaultKind::QueryTooLarge | FaultKind::WindowLongerThan(_) => limited(
            json_too_many(
                "Rate limit exceeded. Please try your query with a smaller date range or fewer projects.",
            ),
            17,
            1,
        ),
        FaultKind::QueryTimeout => limited(
            json_too_many(
                "Query timeout. Please try with a smaller date range or fewer conditions.",
            ),
            17,
            1,
        ),
        FaultKind::TimedOut => Problem::bad_request(
            "Query timeout. Please try again. If the problem persists try a smaller date range or fewer projects.",
        ),
        FaultKind::OneProjectOnly => {
            Problem::bad_request("You do not have the multi project stream feature enabled")
        }
        FaultKind::Gone => Problem::gone(),
        FaultKind::Html => Problem::text(
            StatusCode::OK,
            HTML,
            "<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>",
        ),
        FaultKind::Null => Problem::text(StatusCode::OK, JSON, "null"),
        FaultKind::Body(body) => Problem::text(StatusCode::OK, JSON, body.as_str()),
        FaultKind::Redirect(location) => {
            Problem::text(StatusCode::FOUND, HTML, "").with("location", location)
        }
        _ => return None,
    })
}

fn json_too_many(detail: &str) -> Problem {
    Problem::json(StatusCode::TOO_MANY_REQUESTS, &json!({ "detail": detail }))
}

fn limited(problem: Problem, remaining: u32, reset_in_seconds: u64) -> Problem {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let concurrent = if remaining == 0 { "None" } else { "24" };
    problem
        .with("x-sentry-rate-limit-limit", "40")
        .with("x-sentry-rate-limit-remaining", &remaining.to_string())
        .with(
            "x-sentry-rate-limit-reset",
            &(now + reset_in_seconds).to_string(),
        )
        .with("x-sentry-rate-limit-concurrentlimit", "25")
        .with("x-sentry-rate-limit-concurrentremaining", concurrent)
}

pub(crate) fn status_problem(status: u16) -> Problem {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match status {
        401 => Problem::unauthorized("Invalid token"),
        403 => Problem::forbidden(),
        404 => Problem::text(code, HTML, ""),
        408 => Problem::json(
            code,
            &json!({"detail": {"code": "request-timeout", "message": "Proxied request timed out", "extra": {}}}),
        ),
        410 => Problem::gone(),
        500 => Problem::json(
            code,
            &json!({"detail": "Internal Error", "errorId": "9fac2ceed9344f2bbfdd1fdacb0ed9b1"}),
        ),
        502 | 503 => Problem::text(
            code,
            HTML,
            format!(
                "\n<html><head>\n<meta http-equiv=\"content-type\" content=\"text/html;charset=utf-8\">\n<title>{status} Server Error</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>Error: Server Error</h1>\n<h2>The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds.</h2>\n</body></html>\n"
            ),
        ),
        504 => Problem::json(
            code,
            &json!({"detail": "\nQuery timeout. Please try again. If the problem persists try a smaller date range or fewer projects. Also consider a\nfilter on the transaction field if you're filtering performance data.\n"}),
        ),
        _ => Problem::json(
            code,
            &json!({"detail": code.canonical_reason().unwrap_or("Error")}),
        ),
    }
}
