//! The form of an exposition that a reader wants, by its `Accept`, and whether it comes as gzip.

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue};
use mediatype::{MediaTypeList, Name, ReadParams};
use tower_http::compression::CompressionLayer;

/// The forms that an exposition can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own text, version 0.0.4.
    Classic,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    pub format: Format,
    /// Whether the reader wants to know how names are escaped. Names of plain ASCII are so by any rule.
    pub escaping: bool,
}

impl Accepted {
    pub fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match (self.format, self.escaping) {
            (Format::Classic, _) => "text/plain; version=0.0.4; charset=utf-8",
            (Format::OpenMetrics, false) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
            (Format::OpenMetrics, true) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
            }
        })
    }
}

/// How far a range of `Accept` goes to meet a form.
#[derive(Debug, Clone, Copy)]
struct Wish {
    /// 1 to 4: any type, any subtype, any version, this version.
    precise: u8,
    /// Thousandths.
    weight: u32,
    /// The place in the header.
    place: usize,
    escaping: bool,
}

/// The form with the greatest weight, of equal ones that which is named first. Of the ranges that a form falls into the
/// most precise one gives its weight. Where nothing is acceptable, or nothing is asked for: classic.
pub fn negotiate(headers: &HeaderMap) -> Accepted {
    let (mut classic, mut open_metrics) = (None, None);
    let lists = headers.get_all(ACCEPT).iter();
    let ranges = lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(MediaTypeList::new);
    for (place, range) in ranges.enumerate() {
        // A range that cannot be read asks for nothing.
        let Ok(range) = range else { continue };
        let param = |name: &str| {
            let mut params = range.params();
            params.find_map(|(key, value)| (key == name).then(|| value.unquoted_str().into_owned()))
        };
        let weight = param("q").map_or(Some(1000), |q| weight(&q));
        let Some(weight) = weight else { continue };
        let version = param("version");
        let wish = |wished: &mut Option<Wish>, ty: &str, subtype: &str, own: &str| {
            let precise = match (name(range.ty), name(range.subty), version.as_deref()) {
                ("*", "*", _) => 1,
                (named, "*", _) if named.eq_ignore_ascii_case(ty) => 2,
                (named, sub, version)
                    if named.eq_ignore_ascii_case(ty) && sub.eq_ignore_ascii_case(subtype) =>
                {
                    match version {
                        None => 3,
                        Some(version) if version == own => 4,
                        Some(_) => return,
                    }
                }
                _ => return,
            };
            if wished.is_none_or(|known: Wish| known.precise < precise) {
                *wished = Some(Wish {
                    precise,
                    weight,
                    place,
                    escaping: param("escaping").is_some(),
                });
            }
        };
        wish(&mut classic, "text", "plain", "0.0.4");
        wish(
            &mut open_metrics,
            "application",
            "openmetrics-text",
            "1.0.0",
        );
    }
    let classic = classic.filter(|wish| wish.weight > 0);
    let open_metrics = open_metrics.filter(|wish| wish.weight > 0);
    let prefers = open_metrics.filter(|open| {
        classic.is_none_or(|classic| {
            open.weight > classic.weight
                || open.weight == classic.weight && open.place < classic.place
        })
    });
    match prefers {
        Some(wish) => Accepted {
            format: Format::OpenMetrics,
            escaping: wish.escaping,
        },
        None => Accepted {
            format: Format::Classic,
            escaping: false,
        },
    }
}

fn name(name: Name<'_>) -> &str {
    name.as_str()
}

/// A weight of 0 to 1, in thousandths; beyond them digits do not count.
fn weight(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(fraction) || !matches!(whole, "0" | "1") {
        return None;
    }
    let thousandths = fraction.bytes().chain(*b"000").take(3);
    let fraction = thousandths.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Some((u32::from(whole == "1") * 1000 + fraction).min(1000))
}

/// Answers come as gzip where the request allows it.
pub fn gzip() -> CompressionLayer {
    CompressionLayer::new().gzip(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const ESCAPED: &str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores";
    const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

    #[rstest]
    #[case::nothing("", CLASSIC)]
    #[case::anything("*/*", CLASSIC)]
    #[case::curl_of_a_browser(
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        CLASSIC
    )]
    #[case::prometheus_2_42(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        OPEN
    )]
    #[case::prometheus_2_49(
        "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPEN
    )]
    #[case::prometheus_3(
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        ESCAPED
    )]
    #[case::protobuf_first(
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPEN
    )]
    #[case::protobuf_and_text(
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        CLASSIC
    )]
    #[case::an_older_open_metrics("application/openmetrics-text;version=0.0.1", CLASSIC)]
    #[case::of_any_version("application/openmetrics-text", OPEN)]
    #[case::a_quoted_version("application/openmetrics-text; version=\"1.0.0\"", OPEN)]
    #[case::in_capitals("Application/OpenMetrics-Text; Version=1.0.0", OPEN)]
    #[case::classic_of_more_weight(
        "application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.5",
        CLASSIC
    )]
    #[case::of_one_weight("text/plain,application/openmetrics-text", CLASSIC)]
    #[case::of_one_weight_turned("application/openmetrics-text,text/plain", OPEN)]
    #[case::any_text("text/*", CLASSIC)]
    #[case::any_application("application/*", OPEN)]
    #[case::not_at_all("application/openmetrics-text;q=0,text/plain;q=0", CLASSIC)]
    #[case::all_but_classic("*/*;q=0.5,text/plain;q=0", OPEN)]
    #[case::precise_before_broad(
        "application/openmetrics-text;q=0.1,text/*;q=0.5,*/*;q=0.9",
        CLASSIC
    )]
    #[case::something_else("application/json", CLASSIC)]
    #[case::no_weight("application/openmetrics-text;q=much,text/plain;q=0.1", CLASSIC)]
    #[case::no_list(";;,,=,\"", CLASSIC)]
    fn the_reader_chooses(#[case] accept: &str, #[case] content_type: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).expect("a value"));
        assert_eq!(negotiate(&headers).content_type(), content_type);
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        assert_eq!(negotiate(&headers).content_type(), CLASSIC);
        headers.append(ACCEPT, HeaderValue::from_static("text/plain;q=0.5"));
        headers.append(
            ACCEPT,
            HeaderValue::from_static("application/openmetrics-text"),
        );
        assert_eq!(negotiate(&headers).content_type(), OPEN);
    }

    #[rstest]
    #[case("1", Some(1000))]
    #[case("1.000", Some(1000))]
    #[case("0.75", Some(750))]
    #[case("0.0019", Some(1))]
    #[case("0.", Some(0))]
    #[case("1.5", Some(1000))]
    #[case("2", None)]
    #[case("-1", None)]
    #[case("", None)]
    #[case("0.x", None)]
    fn a_weight_is_read(#[case] text: &str, #[case] thousandths: Option<u32>) {
        assert_eq!(weight(text), thousandths);
    }
}
