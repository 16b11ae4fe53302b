//! The place of a request: its path parameters, and what is derived from them.

use crate::endpoint::Endpoint;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The parameter that every path begins with.
pub const ORGANIZATION: &str = "organization_slug";
/// A project by its id, which stays when it is renamed.
pub const PROJECT_ID: &str = "project_id";
/// A project by its slug.
pub const PROJECT_SLUG: &str = "project_slug";

/// Path parameters by name; of a name that stands twice the last counts.
#[derive(Debug, Clone, Default)]
pub struct Params(pub Vec<(&'static str, String)>);

impl Params {
    /// This place and what a row of it binds.
    #[must_use]
    pub fn with(&self, more: &[(&'static str, String)]) -> Self {
        Self(self.0.iter().chain(more).cloned().collect())
    }

    /// The place of one organization.
    pub fn organization(slug: impl Into<String>) -> Self {
        Self(vec![(ORGANIZATION, slug.into())])
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
    }

    /// For messages: `acme/api/issue 21`. What ends in `_at` is a time, which leads nowhere.
    pub fn label(&self) -> String {
        let part = |(name, value): &(&'static str, String)| match *name {
            ORGANIZATION | PROJECT_SLUG => value.clone(),
            name => format!("{} {value}", name.trim_end_matches("_id")),
        };
        self.0
            .iter()
            .filter(|(name, _)| *name != PROJECT_ID && !name.ends_with("_at"))
            .map(part)
            .collect::<Vec<_>>()
            .join("/")
    }

    /// The path of an endpoint at this place, below `/api/0/`, its segments encoded. Servers before 2024 know projects
    /// in paths by slug only.
    pub fn path(&self, endpoint: &Endpoint, by_slug: bool) -> String {
        let mut path = String::new();
        let mut rest = endpoint.path;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            path.push_str(before);
            let name = if by_slug && name == PROJECT_ID {
                PROJECT_SLUG
            } else {
                name
            };
            path.extend(utf8_percent_encode(
                self.get(name).unwrap_or_default(),
                SEGMENT,
            ));
            rest = after;
        }
        path.push_str(rest);
        path
    }

    /// A parameter of the endpoint's path whose value no path can carry, so that it must not be asked for: servers decode
    /// the path before they take it apart, and clients resolve `.` and `..`, so that it would be another's path. Sentry
    /// takes no new release of such a name; older ones may have them.
    pub fn unnameable(&self, endpoint: &Endpoint) -> Option<(&'static str, &str)> {
        let impossible = |value: &str| {
            matches!(value, "" | "." | "..") || value.contains(['/', '\\', '\n', '\r', '\0'])
        };
        self.0
            .iter()
            .filter(|(name, _)| {
                endpoint
                    .path
                    .split(['{', '}'])
                    .skip(1)
                    .step_by(2)
                    .any(|parameter| parameter == *name)
            })
            .map(|(name, value)| (*name, value.as_str()))
            .find(|(_, value)| impossible(value))
    }

    /// The endpoint's own query at this place, and `more`. `projects` are the values of `{projects}`; without any it is the
    /// place's own project.
    pub fn query(
        &self,
        endpoint: &Endpoint,
        more: &[(&'static str, &'static str)],
        projects: &[String],
    ) -> Vec<(&'static str, String)> {
        let parameter = |value: &'static str| value.strip_prefix('{')?.strip_suffix('}');
        endpoint
            .query
            .iter()
            .chain(more)
            .flat_map(|(name, value)| match parameter(value) {
                Some("projects") if projects.is_empty() => {
                    let own = self.get(PROJECT_ID).into_iter();
                    own.map(|id| (*name, id.to_owned())).collect()
                }
                Some("projects") => projects.iter().map(|id| (*name, id.clone())).collect(),
                Some(parameter) => {
                    vec![(*name, self.get(parameter).unwrap_or_default().to_owned())]
                }
                None => vec![(*name, (*value).to_owned())],
            })
            .collect()
    }
}

/// Everything but the unreserved characters of RFC 3986 is escaped.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::LIST;
    use rstest::rstest;

    static RELEASES: Endpoint = Endpoint {
        path: "organizations/{organization_slug}/releases/",
        ..LIST
    };
    static RELEASE: Endpoint = Endpoint {
        path: "organizations/{organization_slug}/releases/{version}/",
        ..LIST
    };

    #[test]
    fn odd_release_names_are_one_encoded_path_segment() {
        let params = Params(vec![
            ("organization_slug", "acme".to_owned()),
            ("version", "a&b=c?d#eé 1+2@%".to_owned()),
        ]);
        assert_eq!(
            params.path(&RELEASE, false),
            "organizations/acme/releases/a%26b%3Dc%3Fd%23e%C3%A9%201%2B2%40%25/"
        );
    }

    #[rstest]
    #[case::a_slash("old/1.0")]
    #[case::a_backslash("old\\1.0")]
    #[case::here(".")]
    #[case::above("..")]
    #[case::nothing("")]
    #[case::a_line_end("1.0\n")]
    #[case::another_line_end("1.0\r")]
    fn no_path_can_carry(#[case] version: &str) {
        let params = Params(vec![
            ("organization_slug", "acme".to_owned()),
            ("version", version.to_owned()),
        ]);
        assert_eq!(params.unnameable(&RELEASE), Some(("version", version)));
        assert_eq!(params.unnameable(&RELEASES), None, "it is not in the path");
    }

    #[rstest]
    #[case("1.0")]
    #[case("...")]
    #[case("a b%2F?#")]
    fn a_path_can_carry(#[case] version: &str) {
        let params = Params(vec![
            ("organization_slug", "acme".to_owned()),
            ("version", version.to_owned()),
        ]);
        assert_eq!(params.unnameable(&RELEASE), None);
    }

    #[test]
    fn a_place_is_told_by_slugs_and_names() {
        let params = Params(vec![
            ("organization_slug", "acme".to_owned()),
            ("project_id", "2".to_owned()),
            ("project_slug", "api".to_owned()),
            ("issue_id", "21".to_owned()),
        ]);
        assert_eq!(params.label(), "acme/api/issue 21");
    }
}
