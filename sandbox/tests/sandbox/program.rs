//! The sandbox as a program.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

#[test]
fn the_program_prints_and_writes_a_configuration_that_opens_it() {
    let path = std::env::temp_dir().join(format!("sandbox-config-{}.json", std::process::id()));
    // Whoever may read the file before may not read the token in it.
    std::fs::write(
        &path,
        "what was there before, and is longer than what comes".repeat(20),
    )
    .expect("works");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("works");
    let mut program = Command::new(env!("CARGO_BIN_EXE_sentry-sandbox"))
        .arg("--config")
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("works");
    let lines = BufReader::new(program.stdout.take().expect("works"))
        .lines()
        .map(|line| line.expect("text"));
    let lines: Vec<String> = lines
        .take_while(|line| !line.starts_with("sso token: "))
        .collect();
    let value = |name: &str| {
        lines
            .iter()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_else(|| panic!("{name}: {lines:?}"))
    };
    let config: serde_json::Value = serde_json::from_str(value("config.json: ")).expect("works");
    assert_eq!(config["base_url"], value("url: "));
    assert_eq!(config["organization"], value("organization: "));
    assert_eq!(config["api_token"], value("token: "));
    let written: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("works")).expect("works");
    assert_eq!(written, config);
    assert_eq!(
        std::fs::metadata(&path)
            .expect("works")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );

    let url = format!(
        "{}/api/0/organizations/{}/teams/",
        value("url: "),
        value("organization: ")
    );
    let answer = ureq::get(&url)
        .header("authorization", format!("Bearer {}", value("token: ")))
        .call()
        .expect("works");
    assert_eq!(answer.status(), 200);
    program.kill().expect("works");
    program.wait().expect("works");
    std::fs::remove_file(&path).expect("works");
}

#[test]
fn the_program_prints_the_dsns_of_its_intake() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_sentry-sandbox"))
        .args(["--intake", "26.7"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("works");
    let lines = BufReader::new(program.stdout.take().expect("works")).lines();
    let lines = lines.map(|line| line.expect("text"));
    let lines: Vec<String> = lines
        .take_while(|line| !line.starts_with("sso token: "))
        .collect();
    let find = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
    let (url, dsn) = (
        find("url: ").expect("a URL"),
        find("dsn of api: ").expect("a DSN"),
    );
    assert!(dsn.ends_with("/2"), "{dsn}");
    let key = dsn
        .strip_prefix("http://")
        .and_then(|rest| rest.split('@').next());
    let path = format!("/api/2/envelope/?sentry_key={}", key.expect("a key"));
    let answer = ureq::post(format!("{url}{path}"))
        .send("{}\n{\"type\":\"event\"}\n{}\n")
        .expect("works");
    assert_eq!(answer.status(), 200);
    let answer = ureq::get(format!("{url}/_sandbox/intake")).call();
    let text = answer.expect("works").body_mut().read_to_string();
    let outcomes: serde_json::Value = serde_json::from_str(&text.expect("works")).expect("JSON");
    assert_eq!(outcomes["accepted"][0]["kind"], "event");
    program.kill().expect("works");
    program.wait().expect("works");

    let mut program = Command::new(env!("CARGO_BIN_EXE_sentry-sandbox"));
    let output = program.args(["--intake", "1"]).output().expect("works");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.starts_with("no intake is called \"1\""), "{text}");
}
