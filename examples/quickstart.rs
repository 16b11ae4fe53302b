//! The main job against an embedded sandbox Sentry: discover, then sync, by the program itself. Messages go to stdout, the
//! log and the summary to stderr.

use sentry_sandbox::{ORGANIZATION, Options, Sandbox, TOKEN, World};
use std::error::Error;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, ExitCode};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let now = chrono::Utc::now();
    let sandbox = Sandbox::start(Options::new(World::seeded(now)))?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config.json");
    let catalog = folder.path().join("catalog.json");
    let settings = serde_json::json!({
        "api_token": TOKEN,
        "organization": ORGANIZATION,
        "base_url": sandbox.url(),
        "start_date": (now - chrono::TimeDelta::days(30)).format("%Y-%m-%d").to_string(),
    });
    std::fs::write(&config, settings.to_string())?;
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600))?;
    let discovered = tap().arg("--discover").output()?;
    std::fs::write(&catalog, discovered.stdout)?;
    writeln!(
        std::io::stderr(),
        "a sandbox Sentry answers at {}, organization `{ORGANIZATION}`",
        sandbox.url()
    )?;
    let status = tap()
        .arg("--config")
        .arg(&config)
        .arg("--catalog")
        .arg(&catalog)
        .status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// The program, as cargo builds and runs it.
fn tap() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--locked", "--bin", "tap-sentry", "--"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}
