//! The main job against an embedded sandbox Sentry: discover, then sync. Messages go to stdout, the log and the
//! summary to stderr.

use clap::Parser;
use sentry_sandbox::{ORGANIZATION, Options, Sandbox, TOKEN, World};
use std::error::Error;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use tap_sentry::{cli::Cli, report::logging, run};

fn main() -> Result<(), Box<dyn Error>> {
    let now = chrono::Utc::now();
    let sandbox = Sandbox::start(Options::new(World::seeded(now)))?;
    let folder = std::env::temp_dir().join(format!("tap-sentry-quickstart-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let (config, catalog) = (folder.join("config.json"), folder.join("catalog.json"));
    let settings = serde_json::json!({
        "api_token": TOKEN,
        "organization": ORGANIZATION,
        "base_url": sandbox.url(),
        "start_date": (now - chrono::TimeDelta::days(30)).format("%Y-%m-%d").to_string(),
    });
    std::fs::write(&config, settings.to_string())?;
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600))?;
    std::fs::write(
        &catalog,
        serde_json::to_string_pretty(&tap_sentry::singer::catalog::discover())?,
    )?;

    let arguments: [OsString; 5] = [
        "tap-sentry".into(),
        "--config".into(),
        config.into(),
        "--catalog".into(),
        catalog.into(),
    ];
    let cli = Cli::try_parse_from(arguments)?;
    logging::init(&cli);
    log::info!(
        "a sandbox Sentry answers at {}, organization `{ORGANIZATION}`",
        sandbox.url()
    );
    let outcome = run::run(&cli);
    std::fs::remove_dir_all(&folder)?;
    outcome.map_err(Into::into)
}
