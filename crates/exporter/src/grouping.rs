//! The labels that name a group of a Pushgateway, and the path that they make.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Whether labels may be called so. Those that begin with two underscores are Prometheus's own.
pub fn is_label(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(letter)
        && name
            .bytes()
            .all(|byte| letter(byte) || byte.is_ascii_digit())
        && !name.starts_with("__")
}

/// The path of a group: `/metrics/job/JOB/NAME/VALUE…`. The job comes first.
pub fn path(job: &str, labels: &[(&str, &str)]) -> String {
    let all = std::iter::once(("job", job)).chain(labels.iter().copied());
    let parts = all.map(|(name, value)| {
        if is_plain(value) {
            format!("/{name}/{value}")
        } else {
            format!("/{name}@base64/{}", encoded(value))
        }
    });
    std::iter::once("/metrics".to_owned())
        .chain(parts)
        .collect()
}

/// Whether a value can stand in a path as it is. A slash, also one as `%2F`, would end it; `.` and `..` would vanish.
fn is_plain(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    !matches!(value, "" | "." | "..") && value.bytes().all(plain)
}

/// What is empty is one sign of padding, since nothing at all would be two slashes.
fn encoded(value: &str) -> String {
    if value.is_empty() {
        "=".to_owned()
    } else {
        URL_SAFE_NO_PAD.encode(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("sentry", &[("organization", "acme")], "/metrics/job/sentry/organization/acme")]
    #[case::no_more_labels("sentry", &[], "/metrics/job/sentry")]
    #[case::in_order("a", &[("z", "1"), ("b", "2.0-x_~")], "/metrics/job/a/z/1/b/2.0-x_~")]
    #[case::a_slash("a/b", &[("region", "eu/west")], "/metrics/job@base64/YS9i/region@base64/ZXUvd2VzdA")]
    #[case::empty("a", &[("zone", "")], "/metrics/job/a/zone@base64/=")]
    #[case::dots("..", &[("zone", ".")], "/metrics/job@base64/Li4/zone@base64/Lg")]
    #[case::what_a_url_would_change("a b", &[("zone", "%2F?#")], "/metrics/job@base64/YSBi/zone@base64/JTJGPyM")]
    #[case::beyond_ascii("é", &[("zone", "\u{3ff}\u{3ff}>")], "/metrics/job@base64/w6k/zone@base64/z7_Pvz4")]
    fn the_path_of_a_group(
        #[case] job: &str,
        #[case] labels: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        assert_eq!(path(job, labels), expected);
    }

    #[rstest]
    #[case("region", true)]
    #[case("_a1", true)]
    #[case("", false)]
    #[case("1a", false)]
    #[case("a-b", false)]
    #[case("__name__", false)]
    #[case("é", false)]
    fn names_of_labels(#[case] name: &str, #[case] legal: bool) {
        assert_eq!(is_label(name), legal);
    }
}
