//! What an answer says that is not the one that was asked for, and who says it: Sentry, or a gateway before it.

use crate::error::Kind;
use crate::html::{HEAD, Html, page};
use crate::retry::LONGEST_REFUSAL;
use crate::text::brief;
use crate::throttle::RateHeaders;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::time::Duration;

/// A refusal, and whether Sentry itself says it.
#[derive(Debug)]
pub struct Refusal {
    pub kind: Kind,
    pub own_words: bool,
}

/// What an answer with another status than 200 means.
pub fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8], rate: RateHeaders) -> Refusal {
    let status = status.as_u16();
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let own_words = said.as_ref().is_some_and(|said| own_words(status, said));
    let detail = match &said {
        Some(said) => stated(said),
        None => unstated(body),
    };
    let too_wide = detail.to_lowercase().contains("smaller date range");
    let after = retry_after(headers);
    let kind = match status {
        // Query quotas and statement time-outs come as 429 with allowance left, of older servers as 400: only a smaller
        // window cures them.
        400 | 429 | 504 if too_wide => Kind::QueryTooLarge { status, detail },
        429 => {
            let reset_in = rate
                .reset_in
                .filter(|_| rate.remaining.is_none_or(|left| left == 0));
            Kind::RateLimited {
                detail,
                wait: reset_in.or(after),
            }
        }
        401 if own_words && code(said.as_ref()).is_some() => Kind::Wanted {
            code: code(said.as_ref()).unwrap_or_default(),
            detail,
        },
        404 if own_words => Kind::NotThere(detail),
        300..=399 if headers.contains_key("location") => {
            Kind::Redirect(text(headers, "location").unwrap_or_default())
        }
        // Without a word: a feature that is off, or Sentry's own gateway that does not know the organization.
        404 if body.trim_ascii().is_empty() => Kind::Status {
            status,
            detail,
            wait: after,
        },
        // Of a server that is not well at the moment, whoever says it.
        408 | 410 | 425 | 500.. => Kind::Status {
            status,
            detail,
            wait: after,
        },
        status if own_words => Kind::Status {
            status,
            detail,
            wait: after,
        },
        status => Kind::Gateway {
            status,
            detail,
            wants: wants(headers),
            wait: after,
        },
    };
    Refusal { kind, own_words }
}

/// Whether a refusal has one of the shapes in which Sentry refuses. It never does so with HTML, plain text or nothing,
/// but for a 429.
fn own_words(status: u16, said: &Value) -> bool {
    let Value::Object(map) = said else {
        return status == 400 && said.is_string();
    };
    // RFC 9457, as gateways write it: that has a `detail` too.
    if map.contains_key("title") && map.contains_key("status") {
        return false;
    }
    let says = |name: &str| {
        map.get(name)
            .is_some_and(|value| value.is_string() || value.is_object() || value.is_array())
    };
    match status {
        400 => {
            says("detail") || says("error") || !map.is_empty() && map.values().all(is_list_of_texts)
        }
        410 => says("detail") || says("message"),
        _ => says("detail"),
    }
}

/// The code of a `detail` that is an object.
fn code(said: Option<&Value>) -> Option<String> {
    said?.get("detail")?.get("code")?.as_str().map(brief)
}

/// What a validator has to say of one parameter.
fn is_list_of_texts(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|list| !list.is_empty() && list.iter().all(Value::is_string))
}

/// What a gateway asks for, by the names of its schemes.
fn wants(headers: &HeaderMap) -> Option<String> {
    let challenges = ["www-authenticate", "proxy-authenticate"]
        .iter()
        .flat_map(|name| headers.get_all(*name));
    let schemes: Vec<&str> = challenges
        .filter_map(|value| value.to_str().ok()?.split([' ', ',']).next())
        .collect();
    (!schemes.is_empty()).then(|| brief(&schemes.join(", ")))
}

/// Sentry itself never sends the header; gateways before it do, in seconds or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, "retry-after")?;
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (http_date(&text)? - servers_now(headers))
            .to_std()
            .unwrap_or_default(),
    };
    Some(wait.min(LONGEST_REFUSAL))
}

/// What the server's clock shows. Its `Date` tells it, in whole seconds that have begun: it counts where ours cannot be
/// the same.
pub fn servers_now(headers: &HeaderMap) -> DateTime<Utc> {
    let ours = Utc::now();
    let date = text(headers, "date").and_then(|date| http_date(&date));
    date.filter(|date| !(TimeDelta::zero()..=TimeDelta::seconds(2)).contains(&(ours - *date)))
        .unwrap_or(ours)
}

/// In any of the three forms of RFC 9110; some servers write a zone other than GMT, as e-mail has it.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    httpdate::parse_http_date(text)
        .map(DateTime::from)
        .ok()
        .or_else(|| Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc()))
}

/// A header as text.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// What JSON says: `detail` may be a text, an object with `message`, or missing.
fn stated(said: &Value) -> String {
    let detail = ["detail", "message", "error"]
        .iter()
        .find_map(|name| said.get(name).filter(|value| !value.is_null()));
    match detail.map(|detail| detail.get("message").unwrap_or(detail)) {
        Some(Value::String(text)) => words(text),
        Some(other) => words(&other.to_string()),
        None => words(&said.to_string()),
    }
}

/// What anything else says: a page by its title, else its first words.
fn unstated(body: &[u8]) -> String {
    match page(body) {
        Some(html @ Html { title: Some(_) }) => html.to_string(),
        _ => words(&String::from_utf8_lossy(&body[..body.len().min(HEAD)])),
    }
}

fn words(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(500) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None if text.is_empty() => "no text".to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;
    use rstest::rstest;

    fn kind(status: u16, body: &str) -> Kind {
        refused(status, body, RateHeaders::default())
    }

    fn refused(status: u16, body: &str, rate: RateHeaders) -> Kind {
        refusal(
            StatusCode::from_u16(status).expect("a status"),
            &HeaderMap::new(),
            body.as_bytes(),
            rate,
        )
        .kind
    }

    #[rstest]
    #[case(r#"{"detail":"Invalid token"}"#, "Invalid token")]
    #[case(
        r#"{"detail":{"code":"sso-required","message":"Must login via SSO"}}"#,
        "Must login via SSO"
    )]
    #[case(
        r#"{"message":"This API no longer exists."}"#,
        "This API no longer exists."
    )]
    #[case(
        r#"{"sortBy":["Invalid sort field"]}"#,
        r#"{"sortBy":["Invalid sort field"]}"#
    )]
    #[case(
        "<html>\n <h1>Bad Gateway</h1></html>",
        "<html> <h1>Bad Gateway</h1></html>"
    )]
    #[case(
        "<HTML><head><TITLE lang=en>\n 502  Bad\tGateway </Title>",
        "an HTML page with the title \u{201c}502 Bad Gateway\u{201d}"
    )]
    #[case("", "no text")]
    fn a_detail_is_read_in_every_shape(#[case] body: &str, #[case] expected: &str) {
        let Kind::Status { detail, .. } = kind(500, body) else {
            panic!("another kind")
        };
        assert_eq!(detail, expected);
    }

    #[test]
    fn only_sentrys_own_words_say_that_something_is_not_there() {
        for body in [
            r#"{"detail":"The requested resource does not exist"}"#,
            r#"{"detail":"Event not found"}"#,
        ] {
            assert!(matches!(kind(404, body), Kind::NotThere(_)), "{body}");
        }
        for body in [
            "<html><h1>404 Not Found</h1></html>",
            "default backend - 404",
            r#"{"message":"no Route matched"}"#,
            r#""detail""#,
            r#"{"detail":null}"#,
            r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"no such route"}"#,
        ] {
            assert!(
                matches!(kind(404, body), Kind::Gateway { status: 404, .. }),
                "{body}"
            );
        }
        for body in ["", "\r\n"] {
            assert!(
                matches!(kind(404, body), Kind::Status { status: 404, .. }),
                "{body:?}"
            );
        }
    }

    #[rstest]
    #[case(400, r#"{"detail":"Error parsing search query"}"#)]
    #[case(400, r#"{"sortBy":["Invalid sort field"]}"#)]
    #[case(400, r#"{"error":{"params":{"start":"too early"}}}"#)]
    #[case(400, r#""Invalid origin""#)]
    #[case(401, r#"{"detail":"Invalid token"}"#)]
    #[case(
        401,
        r#"{"detail":{"code":"sso-required","message":"Must login via SSO"}}"#
    )]
    #[case(
        403,
        r#"{"detail":"You do not have permission to perform this action."}"#
    )]
    #[case(405, r#"{"detail":"Method \"GET\" not allowed."}"#)]
    #[case(413, r#"{"detail":"too large"}"#)]
    fn a_refusal_in_sentrys_words_is_sentrys(#[case] status: u16, #[case] body: &str) {
        let refusal = refusal(
            StatusCode::from_u16(status).expect("a status"),
            &HeaderMap::new(),
            body.as_bytes(),
            RateHeaders::default(),
        );
        let told = match refusal.kind {
            Kind::Status { status, .. } => status,
            Kind::Wanted { .. } => 401,
            _ => 0,
        };
        assert!(refusal.own_words && told == status, "{refusal:?}");
    }

    #[rstest]
    fn a_refusal_in_other_words_is_a_gateways(
        #[values(
            202, 204, 304, 400, 401, 402, 403, 405, 406, 407, 409, 411, 413, 414, 418, 421, 431,
            451, 499
        )]
        status: u16,
        #[values(
            "<html><title>no</title></html>",
            "RBAC: access denied",
            "",
            r#"{"message":"Forbidden"}"#,
            r#"{"detail":null}"#,
            r#"{"success":false,"errors":[{"code":1020}]}"#,
            r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"by policy"}"#,
            "[]",
            "null"
        )]
        body: &str,
    ) {
        assert!(
            matches!(kind(status, body), Kind::Gateway { .. }),
            "{status} {body:?}"
        );
    }

    #[test]
    fn what_a_gateway_asks_for_is_named_without_its_realm() {
        let mut headers = HeaderMap::new();
        headers.append("www-authenticate", HeaderValue::from_static("Negotiate"));
        headers.append(
            "www-authenticate",
            HeaderValue::from_static("Basic realm=\"intranet\""),
        );
        let Kind::Gateway { wants, .. } = refusal(
            StatusCode::UNAUTHORIZED,
            &headers,
            b"",
            RateHeaders::default(),
        )
        .kind
        else {
            panic!("another kind")
        };
        assert_eq!(wants.as_deref(), Some("Negotiate, Basic"));
    }

    #[rstest]
    #[case::seconds("120", Some(120))]
    #[case::blanks(" 7 ", Some(7))]
    #[case::now("0", Some(0))]
    #[case::longer_than_is_believed("86400", Some(3600))]
    #[case::imf_fixdate("Sun, 06 Nov 1994 08:51:37 GMT", Some(120))]
    #[case::rfc_850("Sunday, 06-Nov-94 08:51:37 GMT", Some(120))]
    #[case::asctime("Sun Nov  6 08:51:37 1994", Some(120))]
    #[case::a_zone("Sun, 06 Nov 1994 09:51:37 +0100", Some(120))]
    #[case::a_date_that_has_passed("Sun, 06 Nov 1994 08:49:00 GMT", Some(0))]
    #[case::a_date_far_away("Mon, 06 Nov 1995 08:49:37 GMT", Some(3600))]
    #[case::below_zero("-1", None)]
    #[case::words("soon", None)]
    #[case::nothing("", None)]
    fn when_to_come_back_is_read_in_every_form(
        #[case] after: &'static str,
        #[case] seconds: Option<u64>,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(
            "date",
            HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"),
        );
        headers.insert("retry-after", HeaderValue::from_static(after));
        assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs));
    }

    #[test]
    fn what_covers_too_much_is_told_from_too_many_requests() {
        let kind = |status: u16, body: &str, remaining| {
            refused(
                status,
                body,
                RateHeaders {
                    remaining: Some(remaining),
                    reset_in: Some(Duration::from_secs(1)),
                    ..RateHeaders::default()
                },
            )
        };
        let snuba = r#"{"detail":"Rate limit exceeded. Please try your query with a smaller date range or fewer projects."}"#;
        assert!(matches!(kind(429, snuba, 17), Kind::QueryTooLarge { .. }));
        assert!(matches!(
            kind(
                504,
                r#"{"detail":"\nQuery timeout. Please try again. If the problem persists try a smaller date range"}"#,
                17
            ),
            Kind::QueryTooLarge { .. }
        ));
        let older = r#"{"detail":"Query timeout. Please try again. If the problem persists try a smaller date range or fewer projects."}"#;
        assert!(matches!(kind(400, older, 17), Kind::QueryTooLarge { .. }));
        let often = r#"{"detail":"You are attempting to use this endpoint too frequently. Limit is 40 requests in 1 seconds"}"#;
        assert!(matches!(
            kind(429, often, 0),
            Kind::RateLimited { wait: Some(_), .. }
        ));
        assert!(matches!(
            kind(429, often, 5),
            Kind::RateLimited { wait: None, .. }
        ));
    }
}
