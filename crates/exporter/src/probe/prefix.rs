//! Where a module's targets are: a URL to which a target is added, and `/stats/` behind it.

use crate::probe::target::{Target, is_name};
use url::Url;

/// A module's `http.prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// With its last slash, without user and password.
    url: Url,
    /// The slash was written; without, a target may begin with one.
    ends_in_slash: bool,
    below: Below,
}

/// What is below a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Below {
    /// `organization/project`; a project alone must be looked for.
    Projects,
    /// Those of one organization.
    ProjectsOf(String),
    Organizations,
    /// Something before Sentry that has other paths.
    Unknown,
}

/// What is to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    Project {
        organization: String,
        project: String,
    },
    /// In an organization that nobody has named.
    ProjectSomewhere(String),
    Organization(String),
    /// Names to add to the prefix as they are.
    Path(Target),
}

/// The user and the password that a URL had.
#[derive(Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub password: String,
}

impl Prefix {
    /// Reads a prefix, with or without its last slash, and takes user and password out of it.
    ///
    /// # Errors
    /// What is accepted, in words that fit behind the name of the setting.
    pub fn parse(text: &str) -> Result<(Self, Option<User>), &'static str> {
        const FORM: &str = "must be a URL such as https://sentry.io/api/0/projects/";
        // Browsers take the first name of a path for a host that is missing.
        let host = text.split_once("://").map(|(_, host)| host);
        if host.is_none_or(|host| host.starts_with(['/', '\\'])) {
            return Err(FORM);
        }
        let mut url = Url::parse(text.trim()).map_err(|_| FORM)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(FORM);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not contain a query or a fragment: the target is added behind it");
        }
        let decoded = |text: &str| {
            let text = percent_encoding::percent_decode_str(text);
            text.decode_utf8_lossy().into_owned()
        };
        let user = (!url.username().is_empty() || url.password().is_some()).then(|| User {
            name: decoded(url.username()),
            password: decoded(url.password().unwrap_or_default()),
        });
        // Only a URL without a host refuses these.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let ends_in_slash = url.path().ends_with('/');
        if !ends_in_slash {
            url.set_path(&format!("{}/", url.path()));
        }
        let below = below(&url);
        Ok((
            Self {
                url,
                ends_in_slash,
                below,
            },
            user,
        ))
    }

    /// The URL, with its last slash, without user and password.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The URL below which all that is asked for is: that of the API, where it can be told.
    pub fn base(&self) -> Url {
        let names = match self.below {
            Below::Projects | Below::Organizations => 1,
            Below::ProjectsOf(_) => 2,
            Below::Unknown => 0,
        };
        let mut path = self.url.path().trim_end_matches('/');
        for _ in 0..names {
            path = path.rsplit_once('/').map_or("", |(above, _)| above);
        }
        let mut base = self.url.clone();
        base.set_path(&format!("{path}/"));
        base
    }

    /// What a target means behind this prefix.
    ///
    /// # Errors
    /// What a target must be.
    pub fn question(&self, text: &str) -> Result<Question, &'static str> {
        let text = match text.strip_prefix('/') {
            Some(rest) if !self.ends_in_slash => rest,
            _ => text,
        };
        let target = Target::parse(text)?;
        match (&self.below, target) {
            (Below::Projects, Target::Two(organization, project)) => Ok(Question::Project {
                organization,
                project,
            }),
            (Below::Projects, Target::One(project)) => Ok(Question::ProjectSomewhere(project)),
            (Below::ProjectsOf(organization), Target::One(project)) => Ok(Question::Project {
                organization: organization.clone(),
                project,
            }),
            (Below::ProjectsOf(_), Target::Two(..)) => Err(
                "Target must be the slug of a project alone: the prefix of the module names the organization",
            ),
            (Below::Organizations, Target::One(organization)) => {
                Ok(Question::Organization(organization))
            }
            (Below::Organizations, Target::Two(..)) => Err(
                "Target must be the slug of an organization alone: the prefix of the module is that of organizations",
            ),
            (Below::Unknown, target) => Ok(Question::Path(target)),
        }
    }
}

fn below(url: &Url) -> Below {
    let mut names = url.path().trim_end_matches('/').rsplit('/');
    match (names.next(), names.next()) {
        (Some("projects"), _) => Below::Projects,
        (Some("organizations"), _) => Below::Organizations,
        (Some(organization), Some("projects")) if is_name(organization) => {
            Below::ProjectsOf(organization.to_owned())
        }
        _ => Below::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn prefix(text: &str) -> Prefix {
        Prefix::parse(text).expect("a prefix").0
    }

    #[rstest]
    #[case("https://sentry.io/api/0/projects/", "https://sentry.io/api/0/")]
    #[case("https://sentry.io/api/0/projects", "https://sentry.io/api/0/")]
    #[case("https://sentry.io/api/0/projects/acme/", "https://sentry.io/api/0/")]
    #[case("https://sentry.io/api/0/organizations", "https://sentry.io/api/0/")]
    #[case(
        "http://127.0.0.1:9000/sentry/api/0/organizations/",
        "http://127.0.0.1:9000/sentry/api/0/"
    )]
    #[case("https://sentry.example.com/projects", "https://sentry.example.com/")]
    #[case(
        "https://gateway.example.com/statistics",
        "https://gateway.example.com/statistics/"
    )]
    #[case("https://gateway.example.com", "https://gateway.example.com/")]
    #[case(
        "https://user:secret@sentry.io/api/0/projects/",
        "https://sentry.io/api/0/"
    )]
    fn what_is_above(#[case] text: &str, #[case] base: &str) {
        assert_eq!(prefix(text).base().as_str(), base);
    }

    #[rstest]
    #[case("sentry.io/api/0/projects/")]
    #[case("ftp://sentry.io/api/0/projects/")]
    #[case("https:///projects")]
    #[case("https:sentry.io/api/0/projects/")]
    #[case("file:///etc/")]
    #[case("https://sentry.io/api/0/projects/?token=abc")]
    #[case("https://sentry.io/api/0/projects/#x")]
    #[case("")]
    fn no_prefix(#[case] text: &str) {
        let problem = Prefix::parse(text).expect_err("no prefix");
        assert!(!problem.contains("abc"));
    }

    #[test]
    fn user_and_password_are_taken_out() {
        let (prefix, user) =
            Prefix::parse("https://a%40b:c%3Ad@sentry.io/api/0/projects/").expect("a prefix");
        assert_eq!(prefix.url().as_str(), "https://sentry.io/api/0/projects/");
        let expected = User {
            name: "a@b".to_owned(),
            password: "c:d".to_owned(),
        };
        assert_eq!(user, Some(expected));
        let (_, none) = Prefix::parse("https://sentry.io/api/0/projects/").expect("a prefix");
        assert_eq!(none, None);
    }

    fn project(organization: &str, project: &str) -> Question {
        Question::Project {
            organization: organization.to_owned(),
            project: project.to_owned(),
        }
    }

    #[test]
    fn a_target_is_what_the_prefix_makes_of_it() {
        let projects = prefix("https://sentry.io/api/0/projects/");
        assert_eq!(projects.question("acme/api"), Ok(project("acme", "api")));
        assert_eq!(
            projects.question("api"),
            Ok(Question::ProjectSomewhere("api".to_owned()))
        );
        assert!(projects.question("/acme/api").is_err());
        let unslashed = prefix("https://sentry.io/api/0/projects");
        assert_eq!(unslashed.question("acme/api"), Ok(project("acme", "api")));
        assert_eq!(
            unslashed.question("/acme/api"),
            Ok(project("acme", "api")),
            "as it had to be written"
        );
        assert!(unslashed.question("//acme/api").is_err());
        let of_one = prefix("https://sentry.io/api/0/projects/acme/");
        assert_eq!(of_one.question("api"), Ok(project("acme", "api")));
        assert!(of_one.question("other/api").is_err());
        let organizations = prefix("https://sentry.io/api/0/organizations/");
        assert_eq!(
            organizations.question("acme"),
            Ok(Question::Organization("acme".to_owned()))
        );
        assert!(organizations.question("acme/api").is_err());
        let other = prefix("https://gateway.example.com/x/");
        let two = Target::Two("a".to_owned(), "b".to_owned());
        assert_eq!(other.question("a/b"), Ok(Question::Path(two)));
        assert!(other.question("a/b/c").is_err());
    }
}
