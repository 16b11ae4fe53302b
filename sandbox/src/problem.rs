//! Refusals in the words in which Sentry refuses.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// A refusal, in the shape that the real one has.
#[derive(Clone, Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub body: String,
    pub headers: Vec<(&'static str, String)>,
}

pub const JSON: &str = "application/json";
pub const HTML: &str = "text/html; charset=utf-8";

impl Problem {
    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self {
            status,
            content_type: JSON,
            body: body.to_string(),
            headers: Vec::new(),
        }
    }

    pub fn text(status: StatusCode, content_type: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type,
            body: body.into(),
            headers: Vec::new(),
        }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn detail(status: StatusCode, detail: &str) -> Self {
        Self::json(status, &json!({ "detail": detail }))
    }

    pub fn bad_request(detail: &str) -> Self {
        Self::detail(StatusCode::BAD_REQUEST, detail)
    }

    pub fn unauthorized(detail: &str) -> Self {
        Self::detail(StatusCode::UNAUTHORIZED, detail)
            .with("www-authenticate", "Bearer realm=\"api\"")
    }

    pub fn sso_required() -> Self {
        Self::json(
            StatusCode::UNAUTHORIZED,
            &json!({"detail": {
                "code": "sso-required",
                "message": "Must login via SSO",
                "extra": {"loginUrl": "/auth/login/acme/"},
            }}),
        )
    }

    pub fn forbidden() -> Self {
        Self::detail(
            StatusCode::FORBIDDEN,
            "You do not have permission to perform this action.",
        )
    }

    pub fn insufficient_scope() -> Self {
        Self::forbidden().with("www-authenticate", "Bearer error=\"insufficient_scope\"")
    }

    pub fn not_found() -> Self {
        Self::detail(
            StatusCode::NOT_FOUND,
            "The requested resource does not exist",
        )
    }

    pub fn no_project() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "Project does not exist")
    }

    pub fn no_event() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "Event not found")
    }

    /// A search that cannot be read.
    pub fn bad_search(why: &str) -> Self {
        Self::bad_request(&format!("Error parsing search query: {why}"))
    }

    /// What a failed store behind a search says.
    pub fn query_failed() -> Self {
        Self::detail(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal error. Please try again.",
        )
    }

    /// Not Sentry's words: it knows more than the sandbox does, and a made-up answer would mislead.
    pub fn not_imitated(what: &str) -> Self {
        Self::detail(
            StatusCode::NOT_IMPLEMENTED,
            &format!("The sandbox does not imitate {what}."),
        )
    }

    /// A path no endpoint has; the hint is for those who forgot the slash.
    pub fn no_route(path: &str) -> Self {
        if path.ends_with('/') {
            return Self::text(StatusCode::NOT_FOUND, HTML, "");
        }
        Self::json(
            StatusCode::NOT_FOUND,
            &json!({"info": format!("Route not found, did you forget a trailing slash?\ntry: {path}/")}),
        )
    }

    /// What a brown-out of a deprecated endpoint says: `message`, not `detail`.
    pub fn gone() -> Self {
        Self::json(
            StatusCode::GONE,
            &json!({"message": "This API no longer exists."}),
        )
        .with("x-sentry-deprecation-date", "2026-05-15T00:00:00+00:00")
        .with(
            "x-sentry-replacement-endpoint",
            "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/",
        )
    }

    /// `location` is relative, and the body says the same.
    pub fn moved_project(location: &str, slug: &str) -> Self {
        Self::json(
            StatusCode::FOUND,
            &json!({"slug": slug, "detail": {"extra": {"url": location, "slug": slug}}}),
        )
        .with("location", location)
    }
}
