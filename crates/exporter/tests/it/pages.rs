//! Pages for a person.

use crate::dsl::{Answer, Program, sentry, settings};
use sentry_sandbox::{Fault, FaultKind, Match, Sandbox, TOKEN, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn today() -> Sandbox {
    sentry(World::seeded(chrono::Utc::now()))
}

/// The addresses that a page names, in links, in its head and in forms.
fn links(page: &Answer) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for mark in ["href=\"", "src=\"", "action=\""] {
        let rest = page.body.split(mark).skip(1);
        found.extend(rest.map(|rest| rest.split('"').next().expect("an end").to_owned()));
    }
    found
}

fn page(program: &Program, path: &str) -> Answer {
    let page = program.get(path);
    assert_eq!(page.status, 200, "{path}");
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self'"),
        "{policy}"
    );
    assert!(!page.body.contains("<script") && !page.body.contains(" style="));
    assert!(!page.body.contains(TOKEN));
    page
}

#[test]
fn every_link_leads_somewhere() {
    let sandbox = today();
    let program = Program::start(
        &settings(&sandbox),
        &["--web.telemetry-path=/sentry/metrics"],
    );
    for path in ["/", "/config"] {
        let page = page(&program, path);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let links = links(&page);
        for link in [
            "/sentry/metrics",
            "/config",
            "/-/healthy",
            "/-/ready",
            "/style.css",
        ] {
            assert!(links.contains(link), "{links:?}");
        }
        for link in links.iter().filter(|link| *link != "/probe") {
            assert_eq!(program.get(link).status, 200, "{link}");
        }
    }
    let style = page(&program, "/style.css");
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(program.ask("POST", "/", &[]).status, 405);
}

#[test]
fn it_says_how_it_stands_and_asks_nothing_itself() {
    let sandbox = today();
    let program = Program::start(&settings(&sandbox), &[]);
    let before = page(&program, "/").body;
    assert!(before.contains("No refresh has ended yet"), "{before}");
    assert!(sandbox.requests().is_empty());
    program.scrape();
    let asked = sandbox.requests().len();
    let after = page(&program, "/").body;
    for told in [
        "acme",
        "Up",
        "events",
        "client_keys",
        "HTTP 200",
        "Left of Sentry",
    ] {
        assert!(after.contains(told), "{told}: {after}");
    }
    assert!(!after.contains("failed"), "{after}");
    assert_eq!(sandbox.requests().len(), asked);
}

#[test]
fn what_failed_stands_there_with_its_reason() {
    let sandbox = today();
    let words: &'static str = Box::leak(format!("<b>bad</b> token {TOKEN}").into_boxed_str());
    sandbox.faults().add(Fault::always(
        Match::path_end("/stats_v2/"),
        FaultKind::gateway(400, words),
    ));
    let program = Program::start(&settings(&sandbox), &[]);
    program.scrape();
    let text = page(&program, "/").body;
    let (_, events) = text.split_once(">events<").expect("the collector");
    let (events, _) = events.split_once(">issues<").expect("the next one");
    assert!(
        events.contains(">failed<") && events.contains("HTTP 400"),
        "{events}"
    );
    assert!(
        events.contains("no values") && events.contains("[secret]"),
        "{events}"
    );
    assert!(!text.contains("<b>"), "{text}");
    // All of it, told once.
    sandbox.faults().clear();
    sandbox.faults().add(Fault::always(
        Match::path_end("/projects/"),
        FaultKind::Status(503),
    ));
    program.scrape();
    let text = page(&program, "/").body;
    assert!(text.contains("Not up"), "{text}");
    assert_eq!(
        text.matches("the projects of acme cannot be read").count(),
        1
    );
}

#[test]
fn the_settings_in_use_are_shown_without_secrets() {
    let sandbox = today();
    let mut own = settings(&sandbox);
    let more = json!({
        "min_age": "42s", "pushgateway_user": "olive", "pushgateway_password": "open sesame",
        "user_agent": "one/of our own", "max_age": "17m",
    });
    let members = own.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    let mut program = Program::start(&own, &["--web.enable-lifecycle"]);
    let text = page(&program, "/config").body;
    for shown in [
        "42s",
        "17m",
        "olive",
        "127.0.0.1:0",
        "acme",
        "[not shown]",
        "/metrics",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(
        !text.contains("sesame") && !text.contains("of our own"),
        "{text}"
    );
    let write = |settings: &Value| {
        std::fs::write(program.file(), settings.to_string()).expect("a file");
        program.ask("PUT", "/-/reload", &[]).status
    };
    own["min_age"] = json!("43s");
    own["telemetry_path"] = json!("/elsewhere");
    assert_eq!(write(&own), 200);
    let text = page(&program, "/config").body;
    assert!(text.contains("43s") && !text.contains("42s"), "{text}");
    assert!(!text.contains("/elsewhere"), "that takes a restart: {text}");
    own["min_age"] = json!("soon");
    assert_eq!(write(&own), 500);
    assert!(page(&program, "/config").body.contains("43s"));
    assert!(
        page(&program, "/")
            .body
            .contains("The latest reload failed")
    );
    program.line_with("not reloaded");
}

#[test]
fn users_guard_the_pages() {
    let sandbox = today();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.yml");
    let hash = bcrypt::hash("secret", 4).expect("a hash");
    std::fs::write(&file, format!("basic_auth_users:\n  olive: {hash}\n")).expect("a file");
    let flag = format!("--web.config.file={}", file.display());
    let program = Program::start(&settings(&sandbox), &[&flag]);
    // olive:secret
    let olive = [("authorization", "Basic b2xpdmU6c2VjcmV0")];
    for path in ["/", "/config", "/style.css"] {
        assert_eq!(program.get(path).status, 401, "{path}");
        assert_eq!(program.ask("GET", path, &olive).status, 200, "{path}");
    }
}

#[test]
fn modules_can_be_tried() {
    let sandbox = today();
    let mut own = settings(&sandbox);
    own["modules"] = json!({"backend": {
        "prober": "http",
        "http": {
            "prefix": format!("{}/api/0/projects/", sandbox.url()),
            "headers": {"Authorization": format!("Bearer {TOKEN}")},
        },
    }});
    let program = Program::start(&own, &[]);
    let text = page(&program, "/").body;
    assert!(
        text.contains("<form action=\"/probe\" method=\"get\">"),
        "{text}"
    );
    assert!(text.contains("<option>backend</option>"), "{text}");
    for debug in ["false", "true"] {
        // As a browser sends the form.
        let answer = program.get(&format!(
            "/probe?module=backend&target=acme%2Fapi&debug={debug}"
        ));
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("probe_success 1"), "{}", answer.body);
        assert!(!answer.body.contains(TOKEN));
    }
    let text = page(&program, "/config").body;
    assert!(
        text.contains("Authorization") && text.contains("[not shown]"),
        "{text}"
    );
    assert!(!text.contains("Bearer"), "{text}");
}

#[test]
fn hostile_names_are_escaped() {
    let sandbox = today();
    let mut own = settings(&sandbox);
    own["organization"] = json!(["acme", "<b>bold&x"]);
    let program = Program::start(&own, &[]);
    program.scrape();
    for path in ["/", "/config"] {
        let text = page(&program, path).body;
        assert!(text.contains("bold") && !text.contains("<b>"), "{text}");
        assert!(!text.contains("&x"), "{text}");
    }
}
