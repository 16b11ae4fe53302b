//! Short answers in plain text.

use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
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
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    let (said, body) = plain(status).into_parts();
    for (name, value) in &said.headers {
        parts.headers.entry(name).or_insert(value.clone());
    }
    Response::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::missing(404, "", "Not Found\n")]
    #[case::a_method_that_is_not_allowed(405, "", "Method Not Allowed\n")]
    #[case::with_words_of_its_own(404, "no such target", "no such target")]
    #[case::empty_for_another_reason(204, "", "")]
    #[case::another_error(400, "", "")]
    #[tokio::test]
    async fn an_answer_without_words_gets_some(
        #[case] status: u16,
        #[case] given: &'static str,
        #[case] shown: &str,
    ) {
        let given = Response::builder()
            .status(status)
            .header("allow", "GET")
            .header("content-length", given.len())
            .body(Body::from(given))
            .expect("a response");
        let before = given.headers().clone();
        let answer = explained(given);
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["allow"], "GET");
        let changed = answer.headers() != &before;
        let body = axum::body::to_bytes(answer.into_body(), 100).await;
        assert_eq!(body.expect("a body"), shown);
        assert_eq!(changed, shown.ends_with('\n'));
    }

    #[rstest]
    #[case(StatusCode::OK, false)]
    #[case(StatusCode::BAD_REQUEST, true)]
    #[case(StatusCode::INTERNAL_SERVER_ERROR, true)]
    fn errors_are_no_pages(#[case] status: StatusCode, #[case] nosniff: bool) {
        let answer = text(status, "<script>");
        assert_eq!(answer.headers()[CONTENT_TYPE], TEXT);
        assert_eq!(
            answer.headers().contains_key(X_CONTENT_TYPE_OPTIONS),
            nosniff
        );
    }
}
