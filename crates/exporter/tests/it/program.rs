//! The executable: what it serves, and how it ends.

use crate::dsl::{Exposition, Program, Truth, command, ended, of, run, sentry, settings};
use rustix::process::Signal;
use sentry_sandbox::{
    Fault, FaultKind, Gate, INTEGRATION_TOKEN, Match, NARROW_TOKEN, ORGANIZATION, Sandbox, TOKEN,
    Version, World,
};
use serde_json::{Value, json};
use std::fmt::Write as _;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The seeded world, of the present: the executable has no other clock.
fn today() -> Sandbox {
    sentry(World::seeded(chrono::Utc::now()))
}

fn with(sandbox: &Sandbox, more: &Value) -> Value {
    let mut all = settings(sandbox);
    let object = all.as_object_mut().expect("an object");
    object.extend(more.as_object().expect("an object").clone());
    all
}

#[test]
fn a_scrape_shows_what_is_there() {
    let sandbox = today();
    let program = Program::start(&settings(&sandbox), &[]);
    let page = program.scrape();
    let mut shown = page.all("sentry_events_total");
    shown.retain(|_, value| *value > 0.0);
    assert_eq!(shown, Truth(&sandbox.world()).events(chrono::Utc::now()));
    let mut shown = page.all("sentry_unresolved_issues");
    shown.retain(|_, value| *value > 0.0);
    assert_eq!(shown, Truth(&sandbox.world()).issues(|_, _| true));
    assert_eq!(page.up(), Some(1.0));
    assert_eq!(
        page.value("sentry_exporter_config_last_reload_successful", &[]),
        Some(1.0)
    );
    assert!(page.value("process_cpu_seconds_total", &[]).is_some());
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains(TOKEN) && !log.contains("ERROR"), "{log}");
}

#[test]
fn the_reader_chooses_the_form() {
    let sandbox = today();
    let program = Program::start(&settings(&sandbox), &[]);
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let open = program.ask("GET", "/metrics", &[("accept", prometheus)]);
    assert_eq!(open.header("content-type"), OPEN_METRICS);
    assert!(
        open.body.ends_with("\n# EOF\n") && open.body.contains("# TYPE sentry_events counter\n")
    );
    for accept in ["text/plain", "*/*", "image/png"] {
        let classic = program.ask("GET", "/metrics", &[("accept", accept)]);
        assert_eq!(classic.header("content-type"), CLASSIC, "{accept}");
        assert!(
            classic
                .body
                .contains("# TYPE sentry_events_total counter\n")
        );
    }
    let zipped = program.ask("GET", "/metrics", &[("accept-encoding", "gzip")]);
    assert!(
        zipped
            .header("vary")
            .to_lowercase()
            .contains("accept-encoding"),
        "{zipped:?}"
    );
    let head = program.ask("HEAD", "/metrics", &[("accept-encoding", "identity")]);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(program.ask("DELETE", "/metrics", &[]).status, 405);
    assert_eq!(program.get("/nothing").status, 404);
    let odd = program.ask(
        "GET",
        "/metrics",
        &[("x-prometheus-scrape-timeout-seconds", "soon")],
    );
    assert_eq!(odd.status, 400);
}

#[test]
fn health_asks_nothing_of_sentry() {
    let sandbox = today();
    let program = Program::start(&settings(&sandbox), &["--web.telemetry-path=/sentry"]);
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(program.get(path).status, 200, "{path}");
    }
    assert_eq!(program.get("/metrics").status, 404);
    assert!(sandbox.requests().is_empty());
    assert_eq!(program.get("/sentry").status, 200);
    assert!(!sandbox.requests().is_empty());
}

#[test]
fn a_server_that_is_held_never_holds_a_scrape() {
    let sandbox = today();
    let gate = Gate::closed();
    sandbox
        .faults()
        .add(Fault::always(Match::any(), FaultKind::Hold(gate.clone())));
    let program = Program::start(&settings(&sandbox), &[]);
    let second = [("x-prometheus-scrape-timeout-seconds", "1")];
    let page = program.ask("GET", "/metrics", &second);
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("\nsentry_up{organization=\"acme\"} 0\n")
            && !page.body.contains("sentry_events_total"),
        "{}",
        page.body
    );
    gate.open();
    let page = program.scrape();
    assert_eq!(page.up(), Some(1.0), "the refresh had gone on");
    drop(sandbox);
    let page = program.scrape();
    assert_eq!(page.up(), Some(0.0), "killed");
    assert!(
        !page.all("sentry_events_total").is_empty(),
        "the last values stay"
    );
}

#[test]
fn a_signal_ends_it_in_the_middle_of_a_refresh() {
    let sandbox = today();
    let gate = Gate::closed();
    sandbox
        .faults()
        .add(Fault::always(Match::any(), FaultKind::Hold(gate.clone())));
    let program = Program::start(&settings(&sandbox), &[]);
    program.ask(
        "GET",
        "/metrics",
        &[("x-prometheus-scrape-timeout-seconds", "0.1")],
    );
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    gate.open();
}

#[test]
fn a_good_file_is_taken_on_a_signal_and_a_bad_one_is_not() {
    let sandbox = today();
    let mut program = Program::start(&settings(&sandbox), &[]);
    assert!(!program.scrape().all("sentry_monitors").is_empty());
    let file = program.file();
    let write = |settings: &Value| std::fs::write(&file, settings.to_string()).expect("a file");
    write(&with(&sandbox, &json!({"collector_monitors": false})));
    program.signal(Signal::HUP);
    program.line_with("configuration reloaded");
    let before = program.scrape();
    assert!(before.all("sentry_monitors").is_empty());
    write(&with(
        &sandbox,
        &json!({"colour": "red", "min_age": "soon"}),
    ));
    program.signal(Signal::HUP);
    let line = program.line_with("not reloaded");
    assert!(
        line.contains("colour") && line.contains("min_age"),
        "{line}"
    );
    write(&with(&sandbox, &json!({"dialect": "ujamii"})));
    program.signal(Signal::HUP);
    let line = program.line_with("not reloaded");
    assert!(line.contains("would be ujamii and not native"), "{line}");
    let page = program.scrape();
    let successful = "sentry_exporter_config_last_reload_successful";
    assert_eq!(page.value(successful, &[]), Some(0.0));
    let time = "sentry_exporter_config_last_reload_success_timestamp_seconds";
    assert_eq!(page.value(time, &[]), before.value(time, &[]));
    assert_eq!(page.up(), Some(1.0), "the old one is in use");
    assert!(
        page.sum("sentry_api_requests_total", &[]) > before.sum("sentry_api_requests_total", &[])
    );
}

#[test]
fn a_reload_while_sentry_is_slow_leaves_the_values() {
    let sandbox = today();
    let mut program = Program::start(&settings(&sandbox), &[]);
    let before = program.scrape();
    let gate = Gate::closed();
    sandbox
        .faults()
        .add(Fault::always(Match::any(), FaultKind::Hold(gate.clone())));
    let hasty = |program: &Program| {
        let second = [("x-prometheus-scrape-timeout-seconds", "1")];
        Exposition::read(&program.ask("GET", "/metrics", &second).body)
    };
    hasty(&program);
    let fewer = with(&sandbox, &json!({"collector_monitors": false}));
    std::fs::write(program.file(), fewer.to_string()).expect("a file");
    program.signal(Signal::HUP);
    program.line_with("configuration reloaded");
    let page = hasty(&program);
    let events = "sentry_events_total";
    assert_eq!(page.all(events), before.all(events));
    assert_eq!(page.up(), Some(1.0));
    assert!(page.all("sentry_monitors").is_empty());
    // What was seen of other projects is not shown when they are not wanted any more.
    let chosen = with(&sandbox, &json!({"project_slugs": "web"}));
    std::fs::write(program.file(), chosen.to_string()).expect("a file");
    program.signal(Signal::HUP);
    program.line_with("configuration reloaded");
    assert!(hasty(&program).all(events).is_empty());
    gate.open();
    let page = program.scrape();
    assert!(
        page.all(events)
            .keys()
            .all(|labels| labels["project"] == "web")
    );
    assert_eq!(page.up(), Some(1.0));
}

#[test]
fn a_reload_does_not_ask_for_what_is_refused_for_long() {
    let sandbox = today();
    let refused = FaultKind::RateLimited {
        reset_in_seconds: 3_600,
    };
    let stats = || Match::path_end("/stats_v2/");
    sandbox.faults().add(Fault::always(stats(), refused));
    let mut program = Program::start(&settings(&sandbox), &[]);
    program.scrape();
    let asked = || {
        let requests = sandbox.requests();
        let stats = requests
            .iter()
            .filter(|one| one.path.ends_with("/stats_v2/"));
        stats.count()
    };
    for more in [json!({}), json!({"project_slugs": "web"})] {
        std::fs::write(program.file(), with(&sandbox, &more).to_string()).expect("a file");
        program.signal(Signal::HUP);
        program.line_with("configuration reloaded");
        assert_eq!(program.scrape().up(), Some(1.0));
        assert_eq!(asked(), 1, "{more}");
    }
    // Another token is another caller.
    let other = with(&sandbox, &json!({"api_token": INTEGRATION_TOKEN}));
    std::fs::write(program.file(), other.to_string()).expect("a file");
    program.signal(Signal::HUP);
    program.line_with("configuration reloaded");
    program.scrape();
    assert_eq!(asked(), 2);
}

#[test]
fn a_reload_over_http_is_for_those_who_may() {
    let sandbox = today();
    let closed = Program::start(&settings(&sandbox), &[]);
    assert_eq!(closed.ask("PUT", "/-/reload", &[]).status, 403);
    assert_eq!(closed.get("/-/reload").status, 405);
    let open = Program::start(&settings(&sandbox), &["--web.enable-lifecycle"]);
    assert_eq!(open.ask("PUT", "/-/reload", &[]).status, 200);
    std::fs::write(open.file(), "min_age: [").expect("a file");
    let answer = open.ask("PUT", "/-/reload", &[]);
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("exporter.yml"), "{}", answer.body);
}

#[test]
fn users_guard_the_metrics_and_may_reload() {
    let sandbox = today();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.yml");
    let hash = bcrypt::hash("secret", 4).expect("a hash");
    let users = format!("basic_auth_users:\n  olive: {hash}\n");
    std::fs::write(&file, users).expect("a file");
    let flag = format!("--web.config.file={}", file.display());
    let program = Program::start(&settings(&sandbox), &[&flag]);
    for path in ["/metrics", "/-/healthy"] {
        assert_eq!(program.get(path).status, 401, "{path}");
    }
    assert!(
        sandbox.requests().is_empty(),
        "nothing is asked for strangers"
    );
    // olive:secret
    let olive = [("authorization", "Basic b2xpdmU6c2VjcmV0")];
    assert_eq!(program.ask("GET", "/metrics", &olive).status, 200);
    assert_eq!(program.ask("PUT", "/-/reload", &olive).status, 200);
    let wrong = [("authorization", "Basic b2xpdmU6d3Jvbmc=")];
    assert_eq!(program.ask("GET", "/metrics", &wrong).status, 401);
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let sandbox = today();
    let file = with(
        &sandbox,
        &json!({"collector_issues": false, "collector_monitors": false, "collector_events": false}),
    );
    let variables = [
        ("SENTRY_EXPORTER_COLLECTOR_ISSUES", "true"),
        ("SENTRY_EXPORTER_COLLECTOR_MONITORS", "yes"),
    ];
    let program = Program::start_with(
        &file,
        &["--no-collector.monitors", "-collector.projects"],
        &variables,
    );
    let page = program.scrape();
    let there = |name| !page.all(name).is_empty();
    assert!(there("sentry_unresolved_issues") && there("sentry_project_info"));
    assert!(!there("sentry_monitors") && !there("sentry_events_total"));
}

#[test]
fn a_pod_may_set_what_it_likes() {
    let sandbox = today();
    let pod = [
        ("SENTRY_EXPORTER_PORT", "tcp://10.0.0.1:9790"),
        ("SENTRY_EXPORTER_PORT_9790_TCP", "tcp://10.0.0.1:9790"),
        ("SENTRY_EXPORTER_PORT_9790_TCP_ADDR", "10.0.0.1"),
        ("SENTRY_EXPORTER_PORT_9790_TCP_PORT", "9790"),
        ("SENTRY_EXPORTER_PORT_9790_TCP_PROTO", "tcp"),
        ("SENTRY_EXPORTER_SERVICE_HOST", "10.0.0.1"),
        ("SENTRY_EXPORTER_SERVICE_PORT", "9790"),
        ("SENTRY_EXPORTER_SERVICE_PORT_HTTP", "9790"),
    ];
    let program = Program::start_with(&settings(&sandbox), &[], &pod);
    assert_eq!(program.scrape().up(), Some(1.0));
    let (_, log) = program.stop();
    assert!(
        !log.contains("SENTRY_EXPORTER_") && !log.contains("WARN"),
        "{log}"
    );
}

#[test]
fn no_output_shows_a_token() {
    let sandbox = today();
    // A server that repeats it, and one that refuses it.
    let words: &'static str = Box::leak(format!("bad token {TOKEN}").into_boxed_str());
    sandbox.faults().add(Fault::always(
        Match::path_end("/stats_v2/"),
        FaultKind::gateway(400, words),
    ));
    sandbox.faults().add(Fault::always(
        Match::path_end("/monitors/"),
        FaultKind::Redirect(format!("https://elsewhere.invalid/?t={TOKEN}")),
    ));
    let program = Program::start(
        &settings(&sandbox),
        &["--log.level=trace", "--web.enable-lifecycle"],
    );
    let mut seen = String::new();
    for (method, path) in [
        ("GET", "/metrics"),
        ("GET", "/"),
        ("GET", "/config"),
        ("PUT", "/-/reload"),
        ("GET", "/metrics"),
    ] {
        let answer = program.ask(method, path, &[]);
        let _ = write!(seen, "{:?}{}", answer.headers, answer.body);
    }
    let (_, log) = program.stop();
    assert!(log.contains("bad token [secret]"), "{log}");
    assert!(!log.contains(TOKEN) && !seen.contains(TOKEN));
    let narrow = Program::start(
        &with(&sandbox, &json!({"api_token": NARROW_TOKEN})),
        &["--log.format=json", "--log.level=debug"],
    );
    narrow.scrape();
    let (_, log) = narrow.stop();
    assert!(
        log.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{log}"
    );
    assert!(!log.contains(NARROW_TOKEN), "{log}");
}

#[test]
fn settings_are_checked_without_a_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |settings: &str, more: &[&str]| {
        let file = folder.path().join("exporter.yml");
        std::fs::write(&file, settings).expect("a file");
        let flags = ["--config.check", "--config.file", "exporter.yml"];
        ended(command().args(flags).args(more).current_dir(folder.path()))
    };
    let good = check("api_token: sntryu_abcdef0\norganization: acme\n", &[]);
    assert_eq!(
        (good.code, good.stdout.as_str()),
        (Some(0), "the configuration is sound\n"),
        "{good:?}"
    );
    let bad = check(
        "api_token: 'Bearer sntryu_abcdef0'\nbase_url: nowhere\ncolour: red\norganisation: acme\nmin_age: soon\n",
        &[],
    );
    assert_eq!(bad.code, Some(1));
    for told in [
        "`api_token` must be the token alone",
        "`base_url` must be the address",
        "`colour` in exporter.yml is not a setting",
        "`organisation` in exporter.yml is not a setting, but `organization` is",
        "`min_age` must be a length of time",
    ] {
        assert!(bad.stderr.contains(told), "{told}: {}", bad.stderr);
    }
    assert!(bad.stdout.is_empty() && !bad.stderr.contains("sntryu_abcdef0"));
    let yaml = check("api_token: sntryu_abcdef0\n  organization: [\n", &[]);
    assert_eq!(yaml.code, Some(1));
    assert!(
        yaml.stderr.contains("exporter.yml") && !yaml.stderr.contains("sntryu_abcdef0"),
        "{}",
        yaml.stderr
    );
    let twice = check(
        "api_token: sntryu_abcdef0\napi_token: sntryu_abcdef1\n",
        &[],
    );
    assert_eq!(twice.code, Some(1), "{twice:?}");
    let web = check(
        "api_token: sntryu_abcdef0\n",
        &["--web.config.file=nowhere.yml"],
    );
    assert_eq!(web.code, Some(1));
    assert!(web.stderr.contains("nowhere.yml"), "{}", web.stderr);
    let tls = folder.path().join("tls.yml");
    let names = "tls_server_config: {cert_file: nowhere.crt, key_file: nowhere.key}\n";
    std::fs::write(&tls, names).expect("a file");
    let tls = check(
        "api_token: sntryu_abcdef0\n",
        &["--web.config.file=tls.yml"],
    );
    assert_eq!(tls.code, Some(1), "certificates are read too");
    assert!(tls.stderr.contains("nowhere.crt"), "{}", tls.stderr);
    let certificate = check(
        "api_token: sntryu_abcdef0\nca_certificate: nowhere.pem\n",
        &[],
    );
    assert_eq!(certificate.code, Some(1));
    let missing = run(&["--config.file", "nowhere.yml", "--config.check"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("nowhere.yml"), "{}", missing.stderr);
    let nothing = run::<&str>(&[]);
    assert_eq!(nothing.code, Some(1));
    assert!(
        nothing.stderr.contains("`api_token` is required"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn exit_codes_are_as_documented() {
    assert_eq!(run(&["--nothing"]).code, Some(2));
    assert_eq!(run(&["--version"]).code, Some(0));
    let help = run(&["--help"]);
    assert_eq!(help.code, Some(0));
    for flag in [
        "--config.file",
        "--config.check",
        "--web.listen-address",
        "--web.config.file",
        "--web.telemetry-path",
        "--log.level",
        "--log.format",
        "--collector.events",
        "--generate",
        "--push.url",
        "--push.grouping",
        "--textfile",
        "--interval",
        "Exit codes:",
    ] {
        assert!(help.stdout.contains(flag), "{flag}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let variables = [("SENTRY_EXPORTER_API_TOKEN", "sntryu_abcdef0")];
    let busy = ended(
        command()
            .arg(format!("--web.listen-address={address}"))
            .envs(variables)
            .current_dir(std::env::temp_dir()),
    );
    assert_eq!(busy.code, Some(1));
    assert!(busy.stderr.contains(&address), "{}", busy.stderr);
}

#[test]
fn the_man_page_and_completions_are_generated() {
    let man = run(&["--generate", "man"]);
    assert_eq!(man.code, Some(0));
    for text in [
        "SENTRY_EXPORTER_MIN_AGE",
        "SENTRY_EXPORTER_PUSHGATEWAY_URL",
        "EXIT STATUS",
        "web.listen",
        "push.url",
    ] {
        assert!(man.stdout.replace('\\', "").contains(text), "{text}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["--generate", shell]);
        assert!(
            script.code == Some(0) && script.stdout.contains("collector.events"),
            "{shell}"
        );
    }
}

#[test]
fn ten_thousand_series_come_whole() {
    let at = chrono::Utc::now();
    let mut world = World::empty(at);
    let project = world.add_project("api");
    for number in 0..9_900 {
        world.add_outcomes(project, at, "filtered", &format!("reason {number}"), 1);
    }
    let sandbox = of(Version::V2026, world);
    let program = Program::start(&settings(&sandbox), &[]);
    let page = program.scrape();
    let filtered = page.sum(
        "sentry_events_total",
        &[("outcome", "filtered"), ("organization", ORGANIZATION)],
    );
    assert!((filtered - 9_900.0).abs() < 0.1, "{filtered}");
}

#[test]
fn the_token_of_every_tool_is_of_no_server_whatever_a_pushgateway_needs() {
    let sandbox = today();
    let server = json!({"name": "eu", "api_token": TOKEN, "organization": ORGANIZATION, "base_url": sandbox.url()});
    let variables = [
        ("SENTRY_AUTH_TOKEN", "sntryu_of_somewhere"),
        ("SENTRY_EXPORTER_PUSHGATEWAY_TOKEN", "word"),
    ];
    let program = Program::start_with(&json!({"servers": [server]}), &[], &variables);
    assert_eq!(program.scrape().up(), Some(1.0));
}
