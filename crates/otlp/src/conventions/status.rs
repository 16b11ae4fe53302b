//! How a span ended, in the words of Sentry.

use crate::attributes::Attributes;
use crate::conventions::names;
use crate::seen::Seen;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

const OK: &str = "ok";

/// The status of a failure of which nothing else is known. Sentry counts `unknown` as no failure.
const FAILED: &str = "internal_error";

/// gRPC's codes by number: its name, and Sentry's. Sentry's own would be `unknown` for 2, which it counts as no failure.
const GRPC: [(&str, &str); 17] = [
    ("OK", OK),
    ("CANCELLED", "cancelled"),
    ("UNKNOWN", FAILED),
    ("INVALID_ARGUMENT", "invalid_argument"),
    ("DEADLINE_EXCEEDED", "deadline_exceeded"),
    ("NOT_FOUND", "not_found"),
    ("ALREADY_EXISTS", "already_exists"),
    ("PERMISSION_DENIED", "permission_denied"),
    ("RESOURCE_EXHAUSTED", "resource_exhausted"),
    ("FAILED_PRECONDITION", "failed_precondition"),
    ("ABORTED", "aborted"),
    ("OUT_OF_RANGE", "out_of_range"),
    ("UNIMPLEMENTED", "unimplemented"),
    ("INTERNAL", FAILED),
    ("UNAVAILABLE", "unavailable"),
    ("DATA_LOSS", "data_loss"),
    ("UNAUTHENTICATED", "unauthenticated"),
];

/// HTTP's status codes, the first range that a code is in decides; as Sentry's SDKs have them.
const HTTP: &[(i64, i64, &str)] = &[
    (100, 399, OK),
    (401, 401, "unauthenticated"),
    (403, 403, "permission_denied"),
    (404, 404, "not_found"),
    (409, 409, "already_exists"),
    (413, 413, "failed_precondition"),
    (429, 429, "resource_exhausted"),
    (499, 499, "cancelled"),
    (400, 499, "invalid_argument"),
    (501, 501, "unimplemented"),
    (503, 503, "unavailable"),
    (504, 504, "deadline_exceeded"),
    (500, 599, FAILED),
];

/// The status of a span: one that its message names, else what its HTTP or gRPC code means, else whether it failed.
pub fn status(seen: &Seen<'_>) -> &'static str {
    let code = || from_codes(seen.attributes());
    let status = seen.span.status.as_ref();
    match status.map(|status| (status.code(), status.message.as_str())) {
        Some((StatusCode::Ok, _)) => OK,
        Some((StatusCode::Error, message)) => named(message)
            .or_else(code)
            .filter(|status| *status != OK)
            .unwrap_or(FAILED),
        _ => code().unwrap_or(OK),
    }
}

fn from_codes(attributes: Attributes<'_>) -> Option<&'static str> {
    names::integer(attributes, "http.response.status_code")
        .and_then(of_http)
        .or_else(|| of_grpc(attributes))
}

fn of_http(code: i64) -> Option<&'static str> {
    let range = HTTP
        .iter()
        .find(|(first, last, _)| (*first..=*last).contains(&code));
    range.map(|(_, _, status)| *status)
}

/// By number in old spans, by name in new ones.
fn of_grpc(attributes: Attributes<'_>) -> Option<&'static str> {
    let number = attributes.integer(&["rpc.grpc.status_code", "rpc.response.status_code"]);
    let by_number = number.and_then(|number| GRPC.get(usize::try_from(number).ok()?));
    let by_name = || {
        let name = attributes.text(&["rpc.response.status_code"])?;
        GRPC.iter().find(|(grpc, _)| *grpc == name)
    };
    by_number.or_else(by_name).map(|(_, status)| *status)
}

/// The status that a message names, as Sentry's SDKs write it there.
fn named(message: &str) -> Option<&'static str> {
    let found = GRPC.iter().find(|(_, status)| *status == message);
    found.map(|(_, status)| *status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::span;
    use opentelemetry_proto::tonic::trace::v1::Status;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use rstest::rstest;

    #[rstest]
    #[case(0, "", &[], "ok")]
    #[case(1, "", &[("http.status_code", "500")], "ok")]
    #[case(2, "", &[], "internal_error")]
    #[case(2, "ValueError: x", &[], "internal_error")]
    #[case(2, "ok", &[], "internal_error")]
    #[case(2, "cancelled", &[("http.status_code", "500")], "cancelled")]
    #[case(2, "unknown", &[], "internal_error")]
    #[case(2, "unknown_error", &[], "internal_error")]
    #[case(2, "", &[("http.response.status_code", "200")], "internal_error")]
    #[case(0, "", &[("http.response.status_code", "404")], "not_found")]
    #[case(2, "", &[("http.response.status_code", "418")], "invalid_argument")]
    #[case(2, "", &[("http.status_code", "502")], "internal_error")]
    #[case(0, "", &[("http.status_code", "302")], "ok")]
    #[case(0, "", &[("http.status_code", "0")], "ok")]
    #[case(2, "", &[("rpc.grpc.status_code", "2")], "internal_error")]
    #[case(0, "", &[("rpc.grpc.status_code", "4")], "deadline_exceeded")]
    #[case(0, "", &[("rpc.grpc.status_code", "-1")], "ok")]
    #[case(2, "", &[("rpc.response.status_code", "UNAVAILABLE")], "unavailable")]
    #[case(2, "", &[("rpc.response.status_code", "1")], "cancelled")]
    #[case(7, "", &[], "ok")]
    fn a_status_is_what_is_known_of_the_end(
        #[case] code: i32,
        #[case] message: &str,
        #[case] pairs: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        let mut span = span("x", SpanKind::Server, pairs);
        span.status = Some(Status {
            code,
            message: message.to_owned(),
        });
        assert_eq!(status(&Seen::alone(&span)), expected);
    }

    #[test]
    fn a_span_without_a_status_has_not_failed() {
        let span = span("x", SpanKind::Server, &[]);
        assert_eq!(status(&Seen::alone(&span)), "ok");
    }
}
