//! Flags of MaggotMouth/sentry-exporter, as settings.

use clap::Args;
use serde_json::{Map, Value, json};

/// Flags of MaggotMouth/sentry-exporter, as settings.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Flags of MaggotMouth/sentry-exporter")]
pub struct OldFlags {
    /// As --log.level; from trace to panic
    #[arg(long, value_name = "LEVEL")]
    loglevel: Option<String>,
    /// As --log.format; text or json
    #[arg(long, value_name = "FORMAT")]
    logformat: Option<String>,
    /// The setting `api_token`; other users of the computer can see it there
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The setting `organization`
    #[arg(long, short = 'o', value_name = "SLUG")]
    organisation: Option<String>,
    /// The setting `project_slugs`
    #[arg(long, value_name = "SLUGS")]
    include_projects: Option<String>,
    /// The setting `include_queries`
    #[arg(long, value_name = "COUNTS")]
    include_queries: Option<String>,
    /// The setting `include_teams`
    #[arg(long, value_name = "SLUGS")]
    include_teams: Option<String>,
}

impl OldFlags {
    /// Each flag: what it sets, what the setting is called in that program, and its value.
    fn all(&self) -> [(&'static str, &'static str, &Option<String>); 7] {
        [
            ("log_level", "loglevel", &self.loglevel),
            ("log_format", "logformat", &self.logformat),
            ("api_token", "token", &self.token),
            ("organization", "organisation_name", &self.organisation),
            ("project_slugs", "include_projects", &self.include_projects),
            ("include_queries", "include_queries", &self.include_queries),
            ("include_teams", "include_teams", &self.include_teams),
        ]
    }

    /// What they set. What is empty is not set.
    pub fn settings(&self) -> Map<String, Value> {
        let set = self
            .given()
            .map(|(key, _, value)| (key.to_owned(), json!(value)));
        set.collect()
    }

    /// The settings that they set, by the names of that program.
    pub fn names(&self) -> Vec<&'static str> {
        self.given().map(|(_, name, _)| name).collect()
    }

    fn given(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        let all = self.all().into_iter();
        all.filter_map(|(key, name, value)| Some((key, name, value.as_deref()?)))
            .filter(|(.., value)| !value.trim().is_empty())
    }
}
