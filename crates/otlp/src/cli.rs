//! The command line, with flags as the programs of Prometheus write them, and `--config` as the collector does.

use clap::{Arg, Command, CommandFactory, FromArgMatches, Parser};
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tap_sentry_serve::flags::{LogArgs, WebArgs, arguments};
use tap_sentry_serve::generate::Artifact;
use tap_sentry_serve::listen::Address;

/// OpenTelemetry traces and logs into Sentry.
///
/// Takes OTLP over gRPC and HTTP and sends it to Sentry, as OTLP or as transactions and errors. What is received and where
/// it goes stands in a YAML file with the layout of the OpenTelemetry collector.
#[derive(Debug, Clone, Parser)]
#[command(name = "sentry-otlp", version = concat!("v", env!("CARGO_PKG_VERSION")), after_help = EXIT_CODES)]
pub struct Cli {
    /// Configuration: a YAML file as the OpenTelemetry collector has it
    #[arg(
        long = "config",
        alias = "config.file",
        value_name = "FILE",
        required_unless_present = "generate"
    )]
    pub config: Option<PathBuf>,
    /// Check the configuration and all files that it names, ask nothing of Sentry, and end
    #[arg(long = "config.check")]
    pub config_check: bool,
    /// Print a man page or a shell's completions
    #[arg(long, value_name = "WHAT", value_enum)]
    pub generate: Option<Artifact>,
    #[command(flatten)]
    pub web: WebArgs,
    #[command(flatten)]
    pub log: LogArgs,
}

/// One source for --help, the man page and the documentation.
pub const EXIT_CODES: &str = "Exit codes:
  0  stopped by a signal with everything delivered or in a spool, or done what was asked
  1  configuration not usable, address not free, or an unexpected error
  2  invalid command line
  4  stopped with something that was acknowledged and could not be delivered; the log says how much
  5  stdout was closed";

/// Where the program's own metrics are, unless the command line says otherwise.
const METRICS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Path of the program's own metrics, unless the command line says otherwise.
const TELEMETRY_PATH: &str = "/metrics";

/// The command line as it is read and documented.
pub fn command() -> Command {
    let help = |what: String| move |arg: Arg| arg.help(what);
    let listen = format!(
        "Address of metrics and health: `:PORT`, `HOST:PORT` or `[IPV6]:PORT`; may be repeated [default: {METRICS}]"
    );
    let path = format!("Path of the metrics [default: {TELEMETRY_PATH}]");
    Cli::command()
        .mut_arg("web.listen-address", help(listen))
        .mut_arg("web.telemetry-path", help(path))
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
        Self::from_arg_matches(&command.try_get_matches_from(args)?)
    }

    /// Where metrics and health are.
    pub fn listen_addresses(&self) -> Vec<Address> {
        if self.web.listen_addresses.is_empty() {
            vec![METRICS.into()]
        } else {
            self.web.listen_addresses.clone()
        }
    }

    /// Path of the metrics.
    pub fn telemetry_path(&self) -> &str {
        let path = self.web.telemetry_path.as_deref();
        path.unwrap_or(TELEMETRY_PATH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::LevelFilter;
    use rstest::rstest;
    use tap_sentry_serve::log::Format;

    fn cli(args: &[&str]) -> Result<Cli, clap::Error> {
        let program = ["sentry-otlp"];
        Cli::parsed(program.iter().chain(args).map(OsString::from))
    }

    fn listens(args: &[&str]) -> Vec<String> {
        let addresses = cli(args).expect("a command line").listen_addresses();
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn metrics_are_for_this_machine_unless_told_otherwise() {
        assert_eq!(listens(&["--config=a"]), ["127.0.0.1:9464"]);
        let both = [
            "--config=a",
            "--web.listen-address=:1",
            "-web.listen-address",
            ":2",
        ];
        assert_eq!(listens(&both), [":1", ":2"]);
        let path = |args: &[&str]| {
            cli(args)
                .expect("a command line")
                .telemetry_path()
                .to_owned()
        };
        assert_eq!(path(&["--config=a"]), "/metrics");
        assert_eq!(path(&["--config=a", "--web.telemetry-path=/m"]), "/m");
    }

    #[rstest]
    #[case(&["--config", "a.yml"])]
    #[case(&["--config=a.yml"])]
    #[case(&["--config.file=a.yml"])]
    #[case(&["-config.file", "a.yml"])]
    fn a_file(#[case] args: &[&str]) {
        let cli = cli(args).expect("a command line");
        assert_eq!(cli.config, Some(PathBuf::from("a.yml")));
        assert!(!cli.config_check && !cli.web.enable_lifecycle);
    }

    #[test]
    fn all_others() {
        let cli = cli(&[
            "--config=a",
            "--config.check",
            "--web.config.file=w",
            "--web.enable-lifecycle",
            "--log.level=debug",
            "--log.format=json",
        ]);
        let cli = cli.expect("a command line");
        assert!(cli.config_check && cli.web.enable_lifecycle);
        assert_eq!(cli.web.config_file, Some(PathBuf::from("w")));
        assert_eq!(
            (cli.log.level, cli.log.format),
            (Some(LevelFilter::Debug), Format::Json)
        );
    }

    #[test]
    fn what_is_generated_needs_no_file() {
        let cli = cli(&["--generate=man"]).expect("a command line");
        assert_eq!((cli.generate, cli.config), (Some(Artifact::Man), None));
    }

    #[rstest]
    #[case::no_file(&[], "--config <FILE>")]
    #[case::two_files(&["--config=a", "--config=b"], "cannot be used multiple times")]
    #[case::an_argument(&["--config=a", "more"], "unexpected argument")]
    #[case::a_flag(&["--config=a", "--set=x"], "unexpected argument")]
    fn no_command_line(#[case] args: &[&str], #[case] told: &str) {
        let error = cli(args).expect_err("a mistake");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(told), "{error}");
    }

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
    }
}
