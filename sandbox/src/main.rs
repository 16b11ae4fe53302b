//! The sandbox as a program: prints where it listens and what opens it, and serves until ctrl-c.

use chrono::{TimeDelta, Utc};
use sentry_sandbox::{Bulk, Limits, ORGANIZATION, Options, Relay, Sandbox, TOKEN, Version, World};
use serde_json::json;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
A small strict Sentry on 127.0.0.1.

Usage: sentry-sandbox [OPTIONS]

  --config FILE            also write the printed config.json there, for tap-sentry --config FILE
  --exporter-config FILE   also write settings there, for sentry-exporter --config.file FILE
  --port N                 listen there (default: any free port)
  --limits hosted|none     rate limits of the hosted service, or those of a self-hosted one (default: none)
  --latency-ms N           added to every request (default: 0)
  --gzip                   compress for clients that accept it
  --server VERSION         2026, 2025, 21.4, 21.1 or 9.1: what it knows and how it answers (default: 2025)
  --no-hits                searches do not say how many rows they have (no X-Hits)
  --intake VERSION         also take in envelopes, events and OTLP, as Relay 26.7, 26.5, 26.2, 25 or 21, or as
                           Sentry 9.1 does; GET /_sandbox/intake tells what became of it
  --pedantic               refuse what Sentry passes over in silence: unknown parameters and, in searches, tags
  --bulk P,I,E[,BYTES]     P projects of I issues of E events over 30 days, instead of the seeded world
";

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a program"
)]
fn main() -> ExitCode {
    let (options, files) = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let sandbox = match Sandbox::start(options) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            eprintln!("cannot listen: {error}");
            return ExitCode::FAILURE;
        }
    };
    let settings = json!({
        "api_token": TOKEN,
        "organization": ORGANIZATION,
        "base_url": sandbox.url(),
        "start_date": (Utc::now() - TimeDelta::days(30)).format("%Y-%m-%d").to_string(),
    });
    // JSON is YAML.
    let connection = json!({
        "api_token": TOKEN,
        "organization": ORGANIZATION,
        "base_url": sandbox.url(),
    });
    for (path, content) in [(files.tap, &settings), (files.exporter, &connection)] {
        if let Some(path) = path
            && let Err(error) = write(&path, &format!("{content:#}\n"))
        {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    println!("url: {}", sandbox.url());
    println!("organization: {ORGANIZATION}");
    println!("config.json: {settings}");
    println!("token: {TOKEN}");
    for (slug, dsn) in sandbox.intake_dsns() {
        println!("dsn of {slug}: {dsn}");
    }
    println!("integration token: {}", sentry_sandbox::INTEGRATION_TOKEN);
    println!("organization token: {}", sentry_sandbox::ORGANIZATION_TOKEN);
    println!("narrow token: {}", sentry_sandbox::NARROW_TOKEN);
    println!("teamless token: {}", sentry_sandbox::TEAMLESS_TOKEN);
    println!("expired token: {}", sentry_sandbox::EXPIRED_TOKEN);
    println!("sso token: {}", sentry_sandbox::SSO_TOKEN);
    match wait_for_ctrl_c() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot wait for ctrl-c: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Only its owner may read a file that holds a token.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}

fn wait_for_ctrl_c() -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(tokio::signal::ctrl_c())
}

/// Where to write configurations.
#[derive(Default)]
struct Files {
    tap: Option<PathBuf>,
    exporter: Option<PathBuf>,
}

/// What to serve, and what to write. `None`: only the usage is wanted.
fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<(Options, Files)>, String> {
    let now = Utc::now();
    let mut files = Files::default();
    let mut options = Options::new(World::seeded(now));
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} needs a value"));
        match flag.as_str() {
            "--config" => files.tap = Some(PathBuf::from(value()?)),
            "--exporter-config" => files.exporter = Some(PathBuf::from(value()?)),
            "--port" => options.port = number(&value()?)?,
            "--latency-ms" => options.latency = Duration::from_millis(number(&value()?)?),
            "--gzip" => options.gzip = true,
            "--server" => {
                let name = value()?;
                options.version =
                    Version::named(&name).ok_or(format!("no server is called {name:?}"))?;
            }
            "--intake" => {
                let name = value()?;
                let relay = Relay::named(&name).ok_or(format!("no intake is called {name:?}"))?;
                options.intake = Some(relay);
            }
            "--no-hits" => options.hits = false,
            "--pedantic" => options.pedantic = true,
            "--limits" => {
                options.limits = match value()?.as_str() {
                    "hosted" => Limits::hosted(),
                    "none" => Limits::none(),
                    other => return Err(format!("no limits are called {other:?}")),
                }
            }
            "--bulk" => {
                let sizes = value()?;
                let sizes: Vec<u64> = sizes.split(',').map(number).collect::<Result<_, _>>()?;
                let (&[projects, issues_per_project, events_per_issue], rest) = sizes
                    .split_first_chunk()
                    .ok_or("--bulk needs at least three numbers")?;
                options.world = World::bulk(Bulk {
                    now,
                    projects,
                    issues_per_project,
                    events_per_issue,
                    event_bytes: rest.first().map_or(10_000, |bytes| {
                        usize::try_from(*bytes).unwrap_or(usize::MAX)
                    }),
                    span: TimeDelta::days(30),
                });
            }
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    // A server for people goes with the clock.
    options.world.now = None;
    Ok(Some((options, files)))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number: {text:?}"))
}
