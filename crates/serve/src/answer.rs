//! Short answers in plain text.

use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Response, StatusCode};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An answer whose text is one line; the line feed is added.
pub fn text(status: StatusCode, line: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{line}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    // An error may repeat what was asked for: no browser shall take it for a page.
    if status.is_client_error() || status.is_server_error() {
        let nosniff = HeaderValue::from_static("nosniff");
        response
            .headers_mut()
            .insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    }
    response
}

/// An answer that says what its status is called: `Not Found`.
pub fn plain(status: StatusCode) -> Response<Body> {
    text(status, status.canonical_reason().unwrap_or("Error"))
}

/// Gives an empty 404 or 405 its text; other answers stay as they are.
pub(crate) fn explained(response: Response<Body>) -> Response<Body> {
    let status = response.status();
    let silent = matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    ) && response.body().size_hint().exact() == Some(0);
    if !silent {
        return response;
    }
    let (parts, _) = response.into_parts();
    let mut explained = plain(status);
    for (name, value) in &parts.headers {
        if !explained.headers().contains_key(name) && name != axum::http::header::CONTENT_LENGTH {
            explained.headers_mut().append(name, value.clone());
        }
    }
    explained
}
