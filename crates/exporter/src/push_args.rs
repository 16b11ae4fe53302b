//! Flags of `export`.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// How to export what is not scraped.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Export")]
pub struct PushArgs {
    /// Address of the Pushgateway [default: `http://127.0.0.1:9091`]
    #[arg(long = "push.url", id = "push.url", value_name = "URL")]
    url: Option<String>,
    /// Label `job` of what is pushed [default: sentry]
    #[arg(long = "push.job", id = "push.job", value_name = "NAME")]
    job: Option<String>,
    /// One more label that names a group, beside `job` and `organization`; may be repeated
    #[arg(
        long = "push.grouping",
        id = "push.grouping",
        value_name = "NAME=VALUE"
    )]
    grouping: Vec<String>,
    /// User of the Pushgateway
    #[arg(long = "push.user", id = "push.user", value_name = "NAME")]
    user: Option<String>,
    /// File with the password of this user
    #[arg(
        long = "push.password-file",
        id = "push.password-file",
        value_name = "FILE"
    )]
    password_file: Option<PathBuf>,
    /// File with a bearer token for the Pushgateway
    #[arg(long = "push.token-file", id = "push.token-file", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Push after a refresh that failed too, with what could be read, such as `sentry_up 0`
    #[arg(long = "push.failures", id = "push.failures")]
    failures: bool,
    /// Write a file for `node_exporter`'s textfile collector instead of pushing; its name ends in .prom
    #[arg(long, id = "textfile", value_name = "FILE")]
    textfile: Option<PathBuf>,
    /// Stay, and export again and again after this time, until a signal comes
    #[arg(long, id = "interval", value_name = "DURATION")]
    interval: Option<String>,
    /// As the setting `project_slugs`
    #[arg(short = 'p', long, id = "project", value_name = "SLUG")]
    project: Vec<String>,
    /// As the setting `include_teams`
    #[arg(short = 't', long, id = "team", value_name = "SLUG")]
    team: Vec<String>,
}

impl PushArgs {
    /// A flag of these that was given.
    pub fn given(matches: &ArgMatches) -> Option<String> {
        let flags = Self::augment_args(Command::new("export"));
        let mut flags = flags.get_arguments().map(|arg| arg.get_id().as_str());
        let given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        flags.find(given).map(|id| format!("--{id}"))
    }

    /// What flags set, as settings.
    pub fn settings(&self) -> Map<String, Value> {
        let texts = |list: &[String]| (!list.is_empty()).then(|| json!(list));
        let text = |value: &Option<String>| value.as_ref().map(|text| json!(text));
        let path = |value: &Option<PathBuf>| value.as_ref().map(|path| json!(path));
        let all = [
            ("pushgateway_url", text(&self.url)),
            ("pushgateway_job", text(&self.job)),
            ("pushgateway_grouping", texts(&self.grouping)),
            ("pushgateway_user", text(&self.user)),
            ("pushgateway_password_file", path(&self.password_file)),
            ("pushgateway_token_file", path(&self.token_file)),
            ("push_failures", self.failures.then_some(json!(true))),
            ("textfile", path(&self.textfile)),
            ("push_interval", text(&self.interval)),
            ("project_slugs", texts(&self.project)),
            ("include_teams", texts(&self.team)),
        ];
        let set = all
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));
        set.collect()
    }
}
