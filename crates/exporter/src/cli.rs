//! The command line, with flags as the programs of Prometheus write them.

use crate::collector::{Collector, Definition};
use crate::dialect::Dialect;
use crate::old_flags::OldFlags;
use crate::push_args::PushArgs;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{
    Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches, Parser, ValueEnum,
};
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::path::PathBuf;
use tap_sentry_serve::flags::{LogArgs, WebArgs, arguments};
use tap_sentry_serve::generate::Artifact;

/// Sentry's numbers for Prometheus.
///
/// Serves /metrics, /probe and a status page, or exports the metrics to a Pushgateway or a file. Settings are read from flags, from the environment (`SENTRY_EXPORTER_<SETTING>`) and .env, and from one
/// YAML file; the earlier of these wins.
#[derive(Debug, Clone, Parser)]
#[command(name = "sentry-exporter", version = concat!("v", env!("CARGO_PKG_VERSION")), after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do
    #[arg(value_enum, default_value_t = Mode::Serve, hide_default_value = true)]
    pub mode: Mode,
    /// Settings: a YAML file
    #[arg(long = "config.file", alias = "config", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Check the settings and all files that they name, ask nothing of Sentry, and end
    #[arg(long = "config.check")]
    pub config_check: bool,
    /// Whose names, port and paths to use [default: by what is configured]
    #[arg(long, value_name = "NAME", value_enum)]
    pub dialect: Option<Dialect>,
    /// Print a man page or a shell's completions
    #[arg(long, value_name = "WHAT", value_enum)]
    pub generate: Option<Artifact>,
    #[command(flatten)]
    pub web: WebArgs,
    #[command(flatten)]
    pub push: PushArgs,
    #[command(flatten)]
    pub log: LogArgs,
    #[command(flatten)]
    pub old: OldFlags,
    /// The settings that flags set.
    #[arg(skip)]
    pub settings: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Answer scrapes until a signal comes (what is done when nothing is said)
    #[value(alias = "listen")]
    Serve,
    /// Ask Sentry once and push to a Pushgateway, or write a file for `node_exporter`; `push` says the same
    #[value(alias = "push")]
    Export,
}

/// One source for --help, the man page and the documentation.
pub const EXIT_CODES: &str = "Exit codes:
  0  stopped by a signal, or done what was asked
  1  configuration not usable, address not free, or an unexpected error
  2  invalid command line
  3  export: the Pushgateway did not take the metrics, or the text file cannot be written
  4  export: incomplete: something could not be read from Sentry; the log says what was exported
  5  stdout was closed";

/// The command line with a pair of flags for each collector.
pub fn command() -> Command {
    let flags = Collector::ALL.into_iter().flat_map(|collector| {
        let Definition {
            name,
            flag,
            no_flag,
            is_default,
            ..
        } = collector.definition();
        let by_default = if *is_default { "on" } else { "off" };
        let arg = |name: &'static str, other: &'static str| {
            Arg::new(name)
                .long(name)
                .action(ArgAction::SetTrue)
                .overrides_with(other)
                .help_heading("Collectors")
        };
        [
            arg(flag, no_flag).help(format!(
                "Switch the collector {name} on, or off with --no-… [default: {by_default}]"
            )),
            arg(no_flag, flag).hide(true),
        ]
    });
    let help = |what: &'static str| move |arg: Arg| arg.help(what);
    Cli::command()
        .mut_arg(
            "web.listen-address",
            help("Address to listen at: `:PORT`, `HOST:PORT` or `[IPV6]:PORT`; may be repeated [default: :9790]"),
        )
        .mut_arg(
            "web.telemetry-path",
            help("Path of the metrics [default: /metrics]"),
        )
        .args(flags)
}

impl Cli {
    /// Reads the command line; ends the program with what it says of a wrong one.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Self {
        Self::parsed(args).unwrap_or_else(|error| error.exit())
    }

    /// Reads the command line.
    ///
    /// # Errors
    /// What is wrong with it; `--help` and `--version` are told so too.
    pub fn parsed(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let command = command();
        let args = arguments(&command, args);
        let matches = command.try_get_matches_from(args)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        if cli.mode == Mode::Serve
            && let Some(flag) = PushArgs::given(&matches)
        {
            let text = format!("{flag} belongs to `sentry-exporter export`\n");
            return Err(self::command().error(ErrorKind::ArgumentConflict, text));
        }
        cli.settings = cli.set_by(&matches);
        Ok(cli)
    }

    /// What flags set, as settings.
    fn set_by(&self, matches: &ArgMatches) -> Map<String, Value> {
        let mut settings = self.old.settings();
        settings.extend(self.push.settings());
        let given = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        let mut set = |key: &str, value: Value| settings.insert(key.to_owned(), value);
        let addresses = self.web.listen_addresses.iter();
        let addresses: Vec<String> = addresses.map(ToString::to_string).collect();
        if !addresses.is_empty() {
            set("listen_address", json!(addresses));
        }
        if let Some(file) = &self.web.config_file {
            set("web_config_file", json!(file));
        }
        if let Some(path) = &self.web.telemetry_path {
            set("telemetry_path", json!(path));
        }
        if given("web.enable-lifecycle") {
            set("enable_lifecycle", json!(self.web.enable_lifecycle));
        }
        if let Some(level) = self.log.level {
            set("log_level", json!(level.as_str().to_lowercase()));
        }
        if let Some(format) = self
            .log
            .format
            .to_possible_value()
            .filter(|_| given("log.format"))
        {
            set("log_format", json!(format.get_name()));
        }
        if let Some(dialect) = self.dialect {
            set("dialect", json!(dialect.name()));
        }
        for collector in Collector::ALL {
            if let Some(on) = switch(matches, collector) {
                set(collector.definition().setting, json!(on));
            }
        }
        settings
    }
}

fn switch(matches: &ArgMatches, collector: Collector) -> Option<bool> {
    let definition = collector.definition();
    match (
        matches.get_flag(definition.flag),
        matches.get_flag(definition.no_flag),
    ) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn cli(args: &[&str]) -> Result<Cli, clap::Error> {
        let program = ["sentry-exporter"];
        Cli::parsed(program.iter().chain(args).map(OsString::from))
    }

    fn set(args: &[&str]) -> Value {
        Value::Object(cli(args).expect("a command line").settings)
    }

    #[rstest]
    #[case::nothing(&[], json!({}))]
    #[case::the_mode(&["serve"], json!({}))]
    #[case::two_addresses(&["--web.listen-address=:1", "--web.listen-address", ":2"], json!({"listen_address": [":1", ":2"]}))]
    #[case::one_dash(&["-web.listen-address=:1", "-config.file", "x.yml"], json!({"listen_address": [":1"]}))]
    #[case::switches(&["--no-collector.issues", "--collector.release_health"], json!({"collector_issues": false, "collector_release_health": true}))]
    #[case::the_last_counts(&["--no-collector.issues", "--collector.issues"], json!({"collector_issues": true}))]
    #[case::a_dialect(&["--dialect", "italux"], json!({"dialect": "italux"}))]
    #[case::of_maggotmouth(
        &["listen", "--loglevel=trace", "--logformat", "json", "--token", "t", "--organisation=acme", "--include-projects=a,b", "--include-queries=received", "--include-teams=x"],
        json!({"log_level": "trace", "log_format": "json", "api_token": "t", "organization": "acme", "project_slugs": "a,b", "include_queries": "received", "include_teams": "x"})
    )]
    #[case::ours_before_theirs(&["--loglevel=trace", "--log.level=warn"], json!({"log_level": "warn"}))]
    #[case::all_others(
        &["--web.config.file=w", "--web.telemetry-path=/m", "--web.enable-lifecycle", "--log.level=debug", "--log.format=json"],
        json!({"web_config_file": "w", "telemetry_path": "/m", "log_level": "debug", "log_format": "json", "enable_lifecycle": true})
    )]
    fn flags_are_settings(#[case] args: &[&str], #[case] expected: Value) {
        assert_eq!(set(args), expected);
    }

    #[rstest]
    #[case(&["--config.file", "a.yml"])]
    #[case(&["--config", "a.yml"])]
    #[case(&["-config", "a.yml", "serve"])]
    #[case(&["-config.file=a.yml"])]
    fn a_file(#[case] args: &[&str]) {
        let cli = cli(args).expect("a command line");
        assert_eq!(cli.config_file, Some(PathBuf::from("a.yml")));
    }

    #[rstest]
    #[case(&["--collector.nothing"])]
    #[case(&["serve", "more"])]
    #[case(&["-x"])]
    #[case(&["--dialect=other"])]
    #[case(&["--no-web.listen-address=:1"])]
    fn no_command_line(#[case] args: &[&str]) {
        assert_eq!(cli(args).expect_err("a mistake").exit_code(), 2);
    }

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
    }
}
