//! The program itself: checks, reload, end.

use crate::dsl::bridge::{Bridge, command, config};
use crate::dsl::sentry::{dsn, sentry};
use crate::dsl::spans::{span, spans};
use rustix::process::Signal;
use serde_json::json;

#[test]
fn a_configuration_is_checked_without_asking_sentry() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("otlp.yml");
    let check = |text: &str| {
        std::fs::write(&file, text).expect("a file");
        let output = command()
            .arg("--config")
            .arg(&file)
            .arg("--config.check")
            .output();
        let output = output.expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, stdout, _) = check("exporters: {sentry: {dsn: 'http://key@127.0.0.1:9/42'}}");
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "the configuration is sound\n")
    );
    let (code, _, stderr) =
        check("exporters: {sentry: {dsn: 'http://s3cret@/x', colour: red, sample_rate: 2}}");
    assert_eq!(code, Some(1));
    for key in [
        "exporters.sentry.dsn",
        "exporters.sentry.colour",
        "exporters.sentry.sample_rate",
    ] {
        assert!(stderr.contains(key), "{key}: {stderr}");
    }
    assert!(!stderr.contains("s3cret"), "{stderr}");
}

#[test]
fn the_web_configuration_file_is_checked_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("a file");
        file
    };
    let file = write(
        "otlp.yml",
        "exporters: {sentry: {dsn: 'http://key@127.0.0.1:9/42'}}",
    );
    let check = |web: &std::path::Path| {
        let mut command = command();
        command.arg("--config").arg(&file).arg("--config.check");
        let output = command.arg("--web.config.file").arg(web).output();
        let output = output.expect("it runs");
        let stderr = String::from_utf8(output.stderr).expect("text");
        (output.status.code(), stderr)
    };
    let good = write("good.yml", "http_server_config: {http2: false}");
    assert_eq!(check(&good).0, Some(0));
    for (name, text, told) in [
        ("key.yml", "tls_server_confg: {}", "tls_server_confg"),
        (
            "users.yml",
            "basic_auth_users: {ann: s3cret-w0rd}",
            "basic_auth_users",
        ),
        (
            "tls.yml",
            "tls_server_config: {cert_file: none.pem, key_file: none.key}",
            "none.pem",
        ),
        ("broken.yml", "a: [", "broken.yml"),
    ] {
        let (code, stderr) = check(&write(name, text));
        assert_eq!(code, Some(1), "{name}: {stderr}");
        assert!(stderr.contains(name), "{name}: {stderr}");
        assert!(stderr.contains(told), "{name}: {stderr}");
        assert!(!stderr.contains("s3cret"), "{stderr}");
    }
    let (code, stderr) = check(&folder.path().join("nowhere.yml"));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("nowhere.yml"), "{stderr}");
}

#[test]
fn a_reload_takes_the_new_file_and_leaves_the_old_one_where_it_is_bad() {
    let sentry = sentry();
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry), "environment": "one"}));
    bridge.line_with("spans are sent as otlp");
    bridge.take(&spans(vec![span(1, 1, 0)]));
    let write = |text: &str| std::fs::write(bridge.file(), text).expect("a file");
    write("exporters: {sentry: {}}");
    bridge.signal(Signal::HUP);
    let line = bridge.line_with("reload");
    assert!(line.contains("not reloaded"), "{line}");
    assert_eq!(
        bridge.metric("sentry_otlp_config_last_reload_successful"),
        0
    );
    bridge.take(&spans(vec![span(1, 2, 0)]));
    let good = config(&json!({"dsn": dsn(&sentry), "environment": "two"}));
    std::fs::write(bridge.file(), good.to_string()).expect("a file");
    bridge.signal(Signal::HUP);
    bridge.line_with("spans are sent as otlp");
    bridge.take(&spans(vec![span(1, 3, 0)]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    let environments: Vec<_> = outcomes
        .of("span")
        .map(|one| one.payload["attributes"]["sentry.environment"]["value"].clone())
        .collect();
    assert_eq!(environments, ["one", "one", "two"]);
}

#[test]
fn health_is_told_on_the_own_port() {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    assert_eq!(bridge.get("/-/healthy"), "Healthy\n");
    assert_eq!(bridge.get("/-/ready"), "Ready\n");
}

#[test]
fn a_receiver_that_no_exporter_is_fed_by_any_more_takes_nothing() {
    let sentry = sentry();
    let mut settings = config(&json!({"dsn": dsn(&sentry)}));
    let mut bridge = Bridge::with(&settings);
    bridge.line_with("spans are sent as otlp");
    bridge.take(&spans(vec![span(1, 1, 0)]));
    let protocols = settings["receivers"]["otlp"].take();
    settings["receivers"] = json!({"otlp/other": protocols});
    std::fs::write(bridge.file(), settings.to_string()).expect("a file");
    bridge.signal(Signal::HUP);
    bridge.line_with("spans are sent as otlp");
    let answer = bridge.send(&spans(vec![span(1, 2, 0)]));
    assert_eq!(
        (answer.status, answer.retry_after.as_deref()),
        (503, Some("2"))
    );
    bridge.delivered();
    assert_eq!(sentry.outcomes().of("span").count(), 1);
}
