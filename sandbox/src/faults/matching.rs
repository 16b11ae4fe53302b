//! Which requests a fault is for.

use crate::window::Window;
use chrono::Utc;

/// Which requests a fault is for. All conditions must hold; none: every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Parts of the path, as received or decoded.
    pub path: Vec<String>,
    /// The end of the path, to tell a list from what is below it.
    pub path_end: Option<String>,
    /// Parts of the query, as received or decoded.
    pub query: Vec<String>,
    /// Only requests that name more than one project, or all of them (`-1`).
    pub wide: bool,
}

impl Match {
    pub fn any() -> Self {
        Self::default()
    }

    pub fn path(part: impl Into<String>) -> Self {
        Self {
            path: vec![part.into()],
            ..Self::default()
        }
    }

    pub fn path_end(end: impl Into<String>) -> Self {
        Self {
            path_end: Some(end.into()),
            ..Self::default()
        }
    }

    /// Requests that name more than one project, or all of them.
    pub fn wide() -> Self {
        Self::any().and_wide()
    }

    #[must_use]
    pub fn and_wide(mut self) -> Self {
        self.wide = true;
        self
    }

    #[must_use]
    pub fn and_path(mut self, part: impl Into<String>) -> Self {
        self.path.push(part.into());
        self
    }

    #[must_use]
    pub fn query(mut self, part: impl Into<String>) -> Self {
        self.query.push(part.into());
        self
    }

    pub(crate) fn holds(&self, target: &Target<'_>) -> bool {
        (!self.wide || target.wide())
            && self
                .path
                .iter()
                .all(|part| target.path.contains(part) || target.decoded_path.contains(part))
            && self.path_end.as_ref().is_none_or(|end| {
                target.path.ends_with(end.as_str()) || target.decoded_path.ends_with(end.as_str())
            })
            && self
                .query
                .iter()
                .all(|part| target.query.contains(part) || target.decoded_query().contains(part))
    }
}

/// The request that a fault may hit.
pub(crate) struct Target<'a> {
    pub path: &'a str,
    pub decoded_path: &'a str,
    pub query: &'a str,
    pub pairs: &'a [(String, String)],
}

impl Target<'_> {
    fn decoded_query(&self) -> String {
        let pairs: Vec<String> = self
            .pairs
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join("&")
    }

    /// Whether it names more than one project, or all of them.
    pub fn wide(&self) -> bool {
        let mut named: Vec<&str> = self
            .pairs
            .iter()
            .filter(|(key, _)| key == "project" || key == "projectSlug")
            .map(|(_, value)| value.as_str())
            .collect();
        named.sort_unstable();
        named.dedup();
        named.len() > 1 || matches!(named[..], ["-1" | "$all"])
    }

    /// How many rows are asked for; none of an object.
    pub fn rows(&self) -> usize {
        let size = self
            .pairs
            .iter()
            .rev()
            .find(|(key, _)| key == "per_page" || key == "limit");
        size.and_then(|(_, size)| size.parse().ok()).unwrap_or(0)
    }

    pub fn window(&self) -> Option<Window> {
        let get = |name: &str| {
            self.pairs
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        Window::asked(get, Utc::now()).ok().flatten()
    }
}
