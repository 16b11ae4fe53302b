//! Flags that programs which listen share, and Go's way to write them.

use crate::listen::Address;
use crate::log::{Format, level};
use clap::{Args, Command};
use log::LevelFilter;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

/// Where and how to listen.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Web")]
pub struct WebArgs {
    /// Address to listen at: `:PORT`, `HOST:PORT` or `[IPV6]:PORT`; may be repeated
    #[arg(
        long = "web.listen-address",
        id = "web.listen-address",
        value_name = "ADDRESS"
    )]
    pub listen_addresses: Vec<Address>,
    /// Web configuration file: TLS, client certificates, users, headers, a rate limit
    #[arg(long = "web.config.file", id = "web.config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Path of the metrics
    #[arg(long = "web.telemetry-path", id = "web.telemetry-path", value_name = "PATH", value_parser = path)]
    pub telemetry_path: Option<String>,
    /// Let everybody who reaches the listener reload by POST to `/-/reload`
    #[arg(
        long = "web.enable-lifecycle",
        id = "web.enable-lifecycle",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        hide_default_value = true,
        action = clap::ArgAction::Set,
    )]
    pub enable_lifecycle: bool,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Log")]
pub struct LogArgs {
    /// Least level that is logged: trace, debug, info, warn or error
    #[arg(long = "log.level", id = "log.level", value_name = "LEVEL", value_parser = filter)]
    pub level: Option<LevelFilter>,
    /// Form of the lines
    #[arg(
        long = "log.format",
        id = "log.format",
        value_name = "FORMAT",
        value_enum,
        ignore_case = true,
        default_value_t
    )]
    pub format: Format,
}

fn path(text: &str) -> Result<String, &'static str> {
    let odd =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '{' | '}' | '*');
    if !text.starts_with('/') || text.contains(odd) {
        return Err("a path begins with `/` and has no spaces and none of ?#{}*");
    }
    Ok(text.to_owned())
}

fn filter(text: &str) -> Result<LevelFilter, &'static str> {
    level(text).ok_or("must be trace, debug, info, warn or error")
}

/// The arguments of a command line, the program's name among them, with Go's `-config.file` as `--config.file`. Only
/// names of flags that `command` or its subcommands know are taken so, and nothing behind `--`.
pub fn arguments(command: &Command, given: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut command = command.clone();
    command.build();
    let mut names = BTreeSet::new();
    collect(&command, &mut names);
    let mut literal = false;
    let doubled = given.into_iter().enumerate().map(|(place, argument)| {
        literal |= argument == "--";
        if place == 0 || literal {
            return argument;
        }
        let name = argument.to_str().and_then(|text| {
            let text = text.strip_prefix('-')?;
            Some(text.split_once('=').map_or(text, |(name, _)| name))
        });
        if name.is_some_and(|name| names.contains(name)) {
            let mut two = OsString::from("-");
            two.push(&argument);
            two
        } else {
            argument
        }
    });
    doubled.collect()
}

/// The long names of flags. One letter stays what it is with one dash.
fn collect(command: &Command, names: &mut BTreeSet<String>) {
    for argument in command.get_arguments() {
        let long = argument.get_long().into_iter().map(str::to_owned);
        let aliases = argument.get_all_aliases().into_iter().flatten();
        let all = long.chain(aliases.map(str::to_owned));
        names.extend(all.filter(|name| name.chars().count() > 1));
    }
    for below in command.get_subcommands() {
        collect(below, names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser, Subcommand};
    use rstest::rstest;

    #[derive(Debug, Parser)]
    #[command(name = "program", version = "1")]
    struct Cli {
        #[command(flatten)]
        web: WebArgs,
        #[command(flatten)]
        log: LogArgs,
        #[arg(long = "config.file", alias = "config", short = 'c')]
        config_file: Option<String>,
        #[arg(short)]
        verbose: bool,
        #[command(subcommand)]
        action: Option<Action>,
    }

    #[derive(Debug, Subcommand)]
    enum Action {
        Export {
            #[arg(long = "push.url")]
            url: String,
        },
    }

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        let given = line.split_whitespace().map(OsString::from);
        let given = std::iter::once("program".into()).chain(given);
        Cli::try_parse_from(arguments(&Cli::command(), given))
    }

    #[rstest]
    #[case("-config.file x", "--config.file x")]
    #[case("-config.file=x", "--config.file=x")]
    #[case("-config x", "--config x")]
    #[case(
        "-web.listen-address=:1 -web.listen-address :2",
        "--web.listen-address=:1 --web.listen-address :2"
    )]
    #[case("export -push.url u", "export --push.url u")]
    #[case("-version", "--version")]
    #[case("-help", "--help")]
    #[case("-c x -v", "-c x -v")]
    #[case("-unknown -h", "-unknown -h")]
    #[case("-- -config.file", "-- -config.file")]
    #[case("- -config.file- --config", "- -config.file- --config")]
    fn one_dash_becomes_two(#[case] given: &str, #[case] read: &str) {
        let split = |line: &str| -> Vec<OsString> {
            let words = line.split(' ').map(OsString::from);
            std::iter::once("-config".into()).chain(words).collect()
        };
        assert_eq!(arguments(&Cli::command(), split(given)), split(read));
    }

    #[test]
    fn flags_are_read_as_gos_programs_take_them() {
        let cli = parse(
            "-web.listen-address :9790 --web.listen-address=[::1]:0 -web.config.file w.yml \
             -web.telemetry-path=/m -log.level WARNING -log.format JSON -web.enable-lifecycle -config.file c.yml -v",
        )
        .expect("flags");
        let addresses: Vec<_> = cli
            .web
            .listen_addresses
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(addresses, [":9790", "[::1]:0"]);
        assert_eq!(cli.web.config_file, Some("w.yml".into()));
        assert_eq!(cli.web.telemetry_path.as_deref(), Some("/m"));
        assert_eq!(
            (cli.log.level, cli.log.format),
            (Some(LevelFilter::Warn), Format::Json)
        );
        assert!(cli.web.enable_lifecycle && cli.verbose && cli.action.is_none());
        assert_eq!(cli.config_file.as_deref(), Some("c.yml"));
    }

    #[rstest]
    #[case("", false)]
    #[case("--web.enable-lifecycle", true)]
    #[case("--web.enable-lifecycle=true", true)]
    #[case("-web.enable-lifecycle=false", false)]
    fn a_switch_may_have_a_value(#[case] line: &str, #[case] on: bool) {
        assert_eq!(parse(line).expect("flags").web.enable_lifecycle, on);
    }

    #[rstest]
    #[case("--web.listen-address 9790", "no port")]
    #[case("--web.telemetry-path metrics", "begins with `/`")]
    #[case("--web.telemetry-path /{x}", "begins with `/`")]
    #[case("--log.level loud", "trace, debug, info")]
    #[case("--log.format xml", "logfmt")]
    fn a_wrong_value_is_told(#[case] line: &str, #[case] told: &str) {
        let error = parse(line).expect_err("wrong").to_string();
        assert!(error.contains(told), "{error}");
    }
}
