//! What a span says of an HTTP request: its method, and where it went.

use crate::attributes::Attributes;
use crate::conventions::names;
use std::borrow::Cow;

/// The method of a request as it was sent.
pub fn method(attributes: Attributes<'_>) -> Option<&str> {
    // `_OTHER` stands for a method that the instrumentation does not know.
    match names::text(attributes, "http.request.method") {
        Some("_OTHER") => attributes
            .text(&["http.request.method_original"])
            .or(Some("_OTHER")),
        method => method,
    }
}

/// The pattern that a path matched, such as `/users/{id}`.
pub fn route(attributes: Attributes<'_>) -> Option<&str> {
    attributes.text(&["http.route", "url.template"])
}

/// The path of a request, without its query.
pub fn path(attributes: Attributes<'_>) -> Option<&str> {
    let target = attributes.text(&["url.path", "http.target"]);
    target
        .or_else(|| names::text(attributes, "url.full").map(behind_authority))
        .map(without_query)
        .filter(|path| !path.is_empty())
}

/// The query of a request, without `?`.
pub fn query(attributes: Attributes<'_>) -> Option<&str> {
    let set = attributes.text(&["url.query"]);
    set.map(|query| query.strip_prefix('?').unwrap_or(query))
        .or_else(|| query_of(names::text(attributes, "url.full")?))
        .or_else(|| query_of(attributes.text(&["http.target"])?))
}

/// The address of a request, without its query; made of its parts where it is not given whole.
pub fn address(attributes: Attributes<'_>) -> Option<Cow<'_, str>> {
    if let Some(full) = names::text(attributes, "url.full") {
        return Some(Cow::Borrowed(without_query(full)));
    }
    let path = path(attributes)?;
    let Some(host) = names::text(attributes, "server.address").or(attributes.text(&["http.host"]))
    else {
        return Some(Cow::Borrowed(path));
    };
    let scheme = names::text(attributes, "url.scheme").unwrap_or("http");
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = names::integer(attributes, "server.port").filter(|port| *port != usual);
    // The old `http.host` has the port in it already.
    let port = port
        .filter(|_| !host.contains(':'))
        .map(|port| format!(":{port}"));
    Some(Cow::Owned(format!(
        "{scheme}://{host}{}{path}",
        port.unwrap_or_default()
    )))
}

/// What stands before the query and the fragment.
pub fn without_query(url: &str) -> &str {
    let end = url.bytes().position(|byte| matches!(byte, b'?' | b'#'));
    &url[..end.unwrap_or(url.len())]
}

fn query_of(url: &str) -> Option<&str> {
    let (_, query) = url.split('#').next()?.split_once('?')?;
    Some(query).filter(|query| !query.is_empty())
}

/// The path of an absolute URL, or what is none as it is.
fn behind_authority(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else {
        return url;
    };
    rest.find(['/', '?', '#']).map_or("/", |at| &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::attributes;
    use rstest::rstest;

    #[rstest]
    #[case(&[("url.path", "/a"), ("url.query", "b=c")], Some("/a"), Some("b=c"), Some("/a"))]
    #[case(&[("http.target", "/a?b=c#d")], Some("/a"), Some("b=c"), Some("/a"))]
    #[case(&[("http.url", "https://shop:8443/a?b=c")], Some("/a"), Some("b=c"), Some("https://shop:8443/a"))]
    #[case(&[("url.full", "https://shop?b=c")], None, Some("b=c"), Some("https://shop"))]
    #[case(&[("url.full", "https://shop")], Some("/"), None, Some("https://shop"))]
    #[case(&[("url.path", "/a"), ("url.scheme", "https"), ("server.address", "shop"), ("server.port", "443")],
        Some("/a"), None, Some("https://shop/a"))]
    #[case(&[("http.target", "/a"), ("http.host", "shop:8080"), ("net.host.port", "8080")],
        Some("/a"), None, Some("http://shop:8080/a"))]
    #[case(&[], None, None, None)]
    fn an_address_is_taken_apart(
        #[case] pairs: &[(&str, &str)],
        #[case] expected_path: Option<&str>,
        #[case] expected_query: Option<&str>,
        #[case] expected_address: Option<&str>,
    ) {
        let pairs = attributes(pairs);
        let pairs = Attributes(&pairs);
        assert_eq!(path(pairs), expected_path);
        assert_eq!(query(pairs), expected_query);
        assert_eq!(address(pairs).as_deref(), expected_address);
    }
}
