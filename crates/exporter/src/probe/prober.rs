//! One probe: what is asked of Sentry, and what became of it.

use crate::probe::answer::{last_hour, last_point};
use crate::probe::answered::Answered;
use crate::probe::index::Unread;
use crate::probe::modules::Module;
use crate::probe::prefix::Question;
use crate::probe::site::Site;
use crate::probe::target::Target;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tap_sentry_api::endpoint::{Class, Endpoint, LIST, OBJECT, Rows};
use tap_sentry_api::error::Kind;
use tap_sentry_api::params::Params;
use tap_sentry_api::request::{Request, Seen};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

/// One count over time; without more it is that of received errors, in the last 24 hours by the hour.
static PROJECT: Endpoint = Endpoint {
    name: "probe of a project",
    path: "projects/{organization}/{project}/stats/",
    rows: Rows::Whole,
    class: Class::ProjectStats,
    scopes: &["project:read"],
    ..LIST
};

static ORGANIZATION: Endpoint = Endpoint {
    name: "probe of an organization",
    path: "organizations/{organization}/stats/",
    rows: Rows::Whole,
    ..LIST
};

/// The same count, where an organization has the former no more.
static OUTCOMES: Endpoint = Endpoint {
    name: "probe of an organization by outcomes",
    path: "organizations/{organization}/stats_v2/",
    query: &[
        ("field", "sum(quantity)"),
        ("groupBy", "outcome"),
        ("category", "error"),
        ("interval", "1h"),
        ("statsPeriod", "1h"),
        ("project", "-1"),
    ],
    class: Class::Stats,
    ..OBJECT
};

/// Below a prefix of which nothing is known.
static ONE: Endpoint = Endpoint {
    name: "probe",
    path: "{organization}/stats/",
    ..PROJECT
};
static TWO: Endpoint = Endpoint {
    name: "probe",
    path: "{organization}/{project}/stats/",
    ..PROJECT
};

/// What to do where a project alone is not enough.
const REMEDY: &str = "write the target as organization/project";

/// What became of a probe.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The latest answer.
    pub answered: Option<Answered>,
    /// Errors; `None`: the probe has failed.
    pub received: Option<u64>,
    pub took: Duration,
}

/// What happened, and when since the probe began.
#[derive(Debug)]
struct Story {
    began: Instant,
    lines: Vec<(Duration, String)>,
}

impl Story {
    fn tell(&mut self, text: impl Into<String>) {
        let text = text.into();
        log::debug!("probe: {text}");
        self.lines.push((self.began.elapsed(), text));
    }
}

/// Probes one target, no longer than `patience`. Tells what happened too, and when since it began.
pub async fn probe(
    site: &Site,
    module: &Module,
    question: &Question,
    patience: Duration,
) -> (Outcome, Vec<(Duration, String)>) {
    let began = Instant::now();
    let mut probe = Probe {
        site,
        module,
        until: began + patience,
        answered: None,
        story: Story {
            began,
            lines: Vec::new(),
        },
    };
    let received = timeout(patience, probe.received(question)).await;
    let received = received.unwrap_or_else(|_| {
        let text = format!("there was no answer within {:.1} s", patience.as_secs_f64());
        probe.story.tell(text);
        None
    });
    let outcome = Outcome {
        answered: probe.answered,
        received,
        took: began.elapsed(),
    };
    (outcome, probe.story.lines)
}

/// A probe under way.
struct Probe<'a> {
    site: &'a Site,
    module: &'a Module,
    until: Instant,
    /// The latest answer.
    answered: Option<Answered>,
    story: Story,
}

impl Probe<'_> {
    async fn received(&mut self, question: &Question) -> Option<u64> {
        match question {
            Question::Project {
                organization,
                project,
            } => self.count(&PROJECT, place(organization, project)).await,
            Question::ProjectSomewhere(project) => self.project_somewhere(project).await,
            Question::Organization(organization) => self.organization(organization).await,
            Question::Path(Target::One(name)) => self.count(&ONE, place(name, "")).await,
            Question::Path(Target::Two(first, second)) => {
                self.count(&TWO, place(first, second)).await
            }
        }
    }

    /// A project that is named without its organization.
    async fn project_somewhere(&mut self, project: &str) -> Option<u64> {
        let Site { client, index, .. } = self.site;
        let found = match index.organizations(client, project).await {
            Ok(found) => found,
            Err(Unread { status, text }) => {
                self.answered = status.map(|status| Answered {
                    status,
                    content_length: None,
                });
                let text = format!("the organizations cannot be read: {text}; {REMEDY}");
                self.story.tell(text);
                return None;
            }
        };
        match found.as_slice() {
            [organization] => {
                let text = format!("the project is one of {organization}");
                self.story.tell(text);
                let place = place(organization, project);
                let received = self.count(&PROJECT, place).await;
                if self.answered.is_some_and(|answered| answered.status == 404) {
                    index.doubt();
                }
                received
            }
            [] => {
                let text = "no organization that the token sees has such a project";
                let integration = "the token of an internal integration sees none";
                self.story.tell(format!("{text} ({integration}); {REMEDY}"));
                None
            }
            several => {
                let several = several.join(", ");
                let text = format!("several organizations have such a project: {several}");
                self.story.tell(format!("{text}; {REMEDY}"));
                None
            }
        }
    }

    async fn organization(&mut self, organization: &str) -> Option<u64> {
        let gone = &self.site.old_statistics_gone;
        let place = place(organization, "");
        if !gone.load(Ordering::Relaxed) {
            let seen = self.see(&ORGANIZATION, place.clone()).await?;
            if self.module.accepts(seen.status) || !matches!(seen.status, 404 | 410) {
                return self.understood(&seen, last_point);
            }
            self.story.tell("the server may have it as stats_v2 alone");
        }
        let before = self.answered;
        let seen = self.see(&OUTCOMES, place).await;
        let received = seen.and_then(|seen| self.understood(&seen, last_hour));
        match received {
            Some(_) => gone.store(true, Ordering::Relaxed),
            // There is no such organization, or the server is older: the first answer tells more.
            None => self.answered = before.or(self.answered),
        }
        received
    }

    async fn count(&mut self, endpoint: &'static Endpoint, place: Params) -> Option<u64> {
        let seen = self.see(endpoint, place).await?;
        self.understood(&seen, last_point)
    }

    fn understood(
        &mut self,
        seen: &Seen,
        read: impl Fn(&[u8]) -> Result<u64, String>,
    ) -> Option<u64> {
        if !self.module.accepts(seen.status) {
            let status = seen.status;
            let text = format!("the status {status} is none of those that are valid");
            self.story.tell(text);
            return None;
        }
        match read(&seen.body) {
            Ok(received) => {
                self.story.tell(format!("{received} errors in this hour"));
                Some(received)
            }
            Err(error) => {
                let text = format!("the answer is not understood: {error}");
                self.story.tell(text);
                None
            }
        }
    }

    /// What the server answers. A rate limit is waited for, if it ends in time.
    async fn see(&mut self, endpoint: &'static Endpoint, place: Params) -> Option<Seen> {
        let request = Request::new(endpoint, place);
        let path = request.params.path(endpoint, false);
        let base = self.module.prefix.base();
        if let Some(refusal) = self.site.refusal(endpoint.class, self.until) {
            let left = (refusal.until - Instant::now()).as_secs();
            let status = refusal.answered.status;
            let text = format!(
                "{base}{path} is not asked for: the server takes no such requests for {left} s, as it said with {status}"
            );
            self.story.tell(text);
            self.answered = Some(refusal.answered);
            return None;
        }
        loop {
            self.story.tell(format!("GET {base}{path}"));
            let seen = match self.site.client.see(&request).await {
                Ok(seen) => seen,
                Err(error) => {
                    self.story.tell(told(&error.kind, &base));
                    return None;
                }
            };
            let answered = Answered::from(&seen);
            self.answered = Some(answered);
            let (status, bytes) = (seen.status, seen.body.len());
            self.story.tell(format!("status {status}, {bytes} bytes"));
            let Some(refusal) = seen
                .refusal
                .as_ref()
                .filter(|_| !self.module.accepts(status))
            else {
                return Some(seen);
            };
            self.story.tell(told(refusal, &base));
            let Some(wait) = refusal.told().filter(|_| matches!(status, 429 | 503)) else {
                return Some(seen);
            };
            self.site.refused(endpoint.class, answered, wait);
            if Instant::now() + wait >= self.until {
                return Some(seen);
            }
            sleep(wait).await;
        }
    }
}

fn place(organization: &str, project: &str) -> Params {
    Params(vec![
        ("organization", organization.to_owned()),
        ("project", project.to_owned()),
    ])
}

/// What became of a request, without user, password and query of where it was led to.
fn told(kind: &Kind, base: &Url) -> String {
    match kind {
        Kind::Redirect(location) => {
            let to = base.join(location).ok();
            let to = to.filter(Url::has_host).map(|to| {
                let origin = to.origin().ascii_serialization();
                format!(" to {origin}{}", to.path())
            });
            let to = to.unwrap_or_default();
            format!("redirected{to}, which is another server and is not followed")
        }
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "https://user:secret@evil.example/login?next=secret#secret",
        " to https://evil.example/login,"
    )]
    #[case("/login?next=secret", " to https://sentry.io/login,")]
    #[case("javascript:secret()", "redirected,")]
    #[case("", " to https://sentry.io/api/0/,")]
    fn where_a_redirect_leads_is_told_without_secrets(
        #[case] location: &str,
        #[case] told_as: &str,
    ) {
        let base = Url::parse("https://sentry.io/api/0/").expect("a URL");
        let text = told(&Kind::Redirect(location.to_owned()), &base);
        assert!(text.contains(told_as) && !text.contains("secret"), "{text}");
    }

    #[test]
    fn requests_are_paced_as_sentry_counts_them() {
        for endpoint in [&PROJECT, &ONE, &TWO] {
            assert_eq!(endpoint.class, Class::ProjectStats);
            assert!(endpoint.query.is_empty(), "as the old program asked");
        }
        assert_eq!(OUTCOMES.class, Class::Stats);
    }
}
