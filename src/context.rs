//! Where a request hangs: path parameters, and what is derived from them.

use crate::state::Partition;
use crate::streams::StreamDef;

/// Path parameters, from which also partitions and context columns come.
#[derive(Debug, Clone, Default)]
pub struct Context(pub Vec<(&'static str, String)>);

impl Context {
    /// This place and what a row of it binds.
    #[must_use]
    pub fn with(&self, more: &[(&'static str, String)]) -> Self {
        Self(self.0.iter().chain(more).cloned().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The partition that bookmarks are kept by: organization, and project where there is one.
    pub fn partition(&self) -> Partition {
        Partition(
            self.0
                .iter()
                .filter(|(name, _)| matches!(*name, "organization_slug" | "project_id"))
                .cloned()
                .collect(),
        )
    }

    /// For messages: `acme/api/issue 21`.
    pub fn label(&self) -> String {
        let part = |(name, value): &(&'static str, String)| match *name {
            "organization_slug" | "project_slug" => value.clone(),
            name => format!("{} {value}", name.trim_end_matches("_id")),
        };
        self.0
            .iter()
            .filter(|(name, _)| *name != "project_id")
            .map(part)
            .collect::<Vec<_>>()
            .join("/")
    }

    /// The path of a stream at this place, below `/api/0/`, its segments encoded. Servers before 2024 know projects
    /// in paths by slug only.
    pub fn path(&self, def: &StreamDef, by_slug: bool) -> String {
        let mut path = String::new();
        let mut rest = def.path;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            path.push_str(before);
            let name = if by_slug && name == "project_id" {
                "project_slug"
            } else {
                name
            };
            path.push_str(&encode(self.get(name).unwrap_or_default()));
            rest = after;
        }
        path.push_str(rest);
        path
    }

    /// A parameter of the stream's path whose value no path can carry, so that it must not be asked for: servers decode
    /// the path before they take it apart, and clients resolve `.` and `..`, so that it would be another's path. Sentry
    /// takes no new release of such a name; older ones may have them.
    pub fn unnameable(&self, def: &StreamDef) -> Option<(&'static str, &str)> {
        let impossible = |value: &str| {
            matches!(value, "" | "." | "..") || value.contains(['/', '\\', '\n', '\r', '\0'])
        };
        self.0
            .iter()
            .filter(|(name, _)| {
                def.path
                    .split(['{', '}'])
                    .skip(1)
                    .step_by(2)
                    .any(|parameter| parameter == *name)
            })
            .map(|(name, value)| (*name, value.as_str()))
            .find(|(_, value)| impossible(value))
    }

    /// The stream's own query at this place. `projects` are the values of `{projects}`.
    pub fn query(
        &self,
        def: &StreamDef,
        details: bool,
        projects: &[String],
    ) -> Vec<(&'static str, String)> {
        let details = if details { def.details_query } else { &[] };
        let fixed = def.query.iter().chain(details);
        fixed
            .flat_map(|(name, value)| {
                match value.strip_prefix('{').and_then(|v| v.strip_suffix('}')) {
                    Some("projects") => projects.iter().map(|id| (*name, id.clone())).collect(),
                    Some(parameter) => {
                        vec![(*name, self.get(parameter).unwrap_or_default().to_owned())]
                    }
                    None => vec![(*name, (*value).to_owned())],
                }
            })
            .collect()
    }
}

/// One path segment: everything but unreserved characters is escaped.
fn encode(segment: &str) -> String {
    use std::fmt::Write as _;
    segment.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::find;
    use rstest::rstest;

    #[test]
    fn odd_release_names_are_one_encoded_path_segment() {
        let context = Context(vec![
            ("organization_slug", "acme".to_owned()),
            ("version", "a&b=c?d#eé 1+2@%".to_owned()),
        ]);
        assert_eq!(
            context.path(find("release").expect("a stream"), false),
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
        let context = Context(vec![
            ("organization_slug", "acme".to_owned()),
            ("version", version.to_owned()),
        ]);
        assert_eq!(
            context.unnameable(find("release").expect("a stream")),
            Some(("version", version))
        );
        assert_eq!(
            context.unnameable(find("releases").expect("a stream")),
            None,
            "it is not in the path"
        );
    }

    #[rstest]
    #[case("1.0")]
    #[case("...")]
    #[case("a b%2F?#")]
    fn a_path_can_carry(#[case] version: &str) {
        let context = Context(vec![
            ("organization_slug", "acme".to_owned()),
            ("version", version.to_owned()),
        ]);
        assert_eq!(context.unnameable(find("release").expect("a stream")), None);
    }

    #[test]
    fn the_partition_is_organization_and_project() {
        let context = Context(vec![
            ("organization_slug", "acme".to_owned()),
            ("project_id", "2".to_owned()),
            ("project_slug", "api".to_owned()),
            ("issue_id", "21".to_owned()),
        ]);
        assert_eq!(context.partition().to_string(), "acme/2");
        assert_eq!(context.label(), "acme/api/issue 21");
    }
}
