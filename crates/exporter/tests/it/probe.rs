//! `/probe`, as the programs had it that it replaces.

use crate::dsl::{Answer, Exposition, Program, ask, command, ended, now, sentry, settings};
use chrono::TimeDelta;
use rstest::rstest;
use rustix::process::Signal;
use sentry_sandbox::{
    EXPIRED_TOKEN, Fault, FaultKind, Gate, INTEGRATION_TOKEN, Limits, Match, NARROW_TOKEN,
    ORGANIZATION, Options, Sandbox, TOKEN, Version, World,
};
use serde_json::{Value, json};

/// The file that the old programs read if none was named.
const FILE: &str = "sentry_exporter.yml";

/// Errors of the hour under way, of the project api.
const RECEIVED: f64 = 7.0;

/// The project api, with errors in this hour and before; and the project web without any.
fn world() -> World {
    let mut world = World::empty(now());
    world.now = Some(now());
    let api = world.add_project("api");
    world.add_project("web");
    let minute = TimeDelta::minutes(1);
    for (outcome, quantity) in [
        ("accepted", 4),
        ("filtered", 2),
        ("rate_limited", 1),
        ("client_discard", 8),
    ] {
        world.add_outcomes(api, now() - minute, outcome, "", quantity);
    }
    world.add_outcomes(api, now() - TimeDelta::hours(1), "accepted", "", 90);
    world
}

fn today() -> Sandbox {
    sentry(world())
}

/// A file as the old programs' README shows it.
fn documented(sandbox: &Sandbox, below: &str) -> String {
    format!(
        "modules:
  sentry:
    prober: http
    timeout: 5s
    http:
      prefix: {}/api/0/{below}
      headers:
        Authorization: Bearer {TOKEN}
",
        sandbox.url()
    )
}

fn start(text: &str) -> Program {
    Program::start_in(&[(FILE, text.to_owned())], &[], &[])
}

/// A file of one module `sentry` below `projects/`, with more members.
fn module(sandbox: &Sandbox, http: &Value) -> String {
    let mut all = json!({
        "prefix": format!("{}/api/0/projects/", sandbox.url()),
        "headers": {"Authorization": format!("Bearer {TOKEN}")},
    });
    let object = all.as_object_mut().expect("an object");
    object.extend(http.as_object().expect("an object").clone());
    json!({"modules": {"sentry": {"prober": "http", "http": all}}}).to_string()
}

/// The figures of a probe; all of them must be there but the first.
#[derive(Debug, PartialEq)]
struct Figures {
    received: Option<f64>,
    status: f64,
    length: f64,
    success: f64,
}

fn figures(answer: &Answer) -> Figures {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let page = Exposition::read(&answer.body);
    let value = |name: &str| page.value(name, &[]);
    let there = |name: &str| value(name).unwrap_or_else(|| panic!("{name}: {}", answer.body));
    assert!(there("probe_duration_seconds") >= 0.0);
    Figures {
        received: value("probe_sentry_error_received"),
        status: there("probe_sentry_status_code"),
        length: there("probe_sentry_content_length"),
        success: there("probe_success"),
    }
}

fn probe(program: &Program, target: &str) -> Figures {
    figures(&program.get(&format!("/probe?target={target}")))
}

fn debug(program: &Program, target: &str) -> String {
    let answer = program.get(&format!("/probe?target={target}&debug=true"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    answer.body
}

/// What a probe that has not got its number shows.
fn failed(status: f64, length: f64) -> Figures {
    Figures {
        received: None,
        status,
        length,
        success: 0.0,
    }
}

fn paths(sandbox: &Sandbox) -> Vec<String> {
    sandbox
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect()
}

#[test]
fn the_documented_set_up_of_projects_works_unchanged() {
    let sandbox = today();
    let program = start(&documented(&sandbox, "projects/"));
    for target in ["acme%2Fapi", "api"] {
        let figures = probe(&program, target);
        assert_eq!(
            (figures.received, figures.status, figures.success),
            (Some(RECEIVED), 200.0, 1.0),
            "{target}"
        );
        assert!(figures.length > 0.0);
    }
    assert_eq!(
        probe(&program, "web").received,
        Some(0.0),
        "a project without errors"
    );
    let own = program.scrape();
    assert!(own.value("process_cpu_seconds_total", &[]).is_some());
    assert!(
        own.all("sentry_exporter_build_info").len() == 1
            && own.all("sentry_events_total").is_empty()
    );
    let probes = own.sum("sentry_api_requests_total", &[("status", "200")]);
    assert!(probes >= 3.0, "{}", own.text);
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0));
    assert!(
        !log.contains(TOKEN) && log.contains("snakecharmer"),
        "{log}"
    );
}

#[test]
fn the_documented_set_up_of_organizations_works_unchanged() {
    let sandbox = today();
    let program = start(&documented(&sandbox, "organizations/"));
    let figures = probe(&program, ORGANIZATION);
    assert_eq!(
        (figures.received, figures.status, figures.success),
        (Some(RECEIVED), 200.0, 1.0)
    );
    assert_eq!(paths(&sandbox), ["/api/0/organizations/acme/stats/"]);
}

#[rstest]
#[case::a_slash("projects/acme/", "api")]
#[case::no_slash("projects/acme", "api")]
#[case::no_slash_and_two_names("projects", "acme/api")]
#[case::the_slash_in_the_target("projects", "/acme/api")]
fn prefixes_are_joined_as_they_are_meant(#[case] below: &str, #[case] target: &str) {
    let sandbox = today();
    let program = start(&documented(&sandbox, below));
    assert_eq!(probe(&program, target).received, Some(RECEIVED));
    assert_eq!(paths(&sandbox), ["/api/0/projects/acme/api/stats/"]);
}

#[test]
fn a_file_may_be_named_as_go_names_it() {
    let sandbox = today();
    let text = documented(&sandbox, "projects/");
    for args in [
        ["-config.file=other.yml", "-log.level=info"],
        ["--config.file", "other.yml"],
    ] {
        let program = Program::start_in(&[("other.yml", text.clone())], &args, &[]);
        assert_eq!(probe(&program, "acme/api").received, Some(RECEIVED));
    }
}

#[test]
fn mistakes_are_told_in_the_old_order() {
    let sandbox = today();
    let program = start(&documented(&sandbox, "projects/"));
    let soon = [("x-prometheus-scrape-timeout-seconds", "soon")];
    for (query, text) in [
        ("", "Target parameter is missing\n"),
        ("?module=other", "Target parameter is missing\n"),
        ("?target=&module=other", "Target parameter is missing\n"),
        ("?target=..&module=other", "Unknown module \"other\"\n"),
        (
            "?target=acme/api&module=a%22%0Ab",
            "Unknown module \"a\\\"\\nb\"\n",
        ),
    ] {
        let answer = program.ask("GET", &format!("/probe{query}"), &soon);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (400, text),
            "{query}"
        );
    }
    let answer = program.ask("GET", "/probe?target=acme/api", &soon);
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("Timeout"), "{}", answer.body);
    assert_eq!(
        program.ask("POST", "/probe?target=acme/api", &[]).status,
        405
    );
    assert!(sandbox.requests().is_empty());
}

#[test]
fn nothing_is_asked_for_hostile_targets() {
    let sandbox = today();
    let program = start(&documented(&sandbox, "projects/"));
    for target in [
        "..",
        "acme/..",
        "../organizations/acme",
        "acme/api/issues",
        "acme%3Fx=1",
        "acme%23",
        "acme%252Fapi",
        "%2F%2Fevil.example",
        "http:%2F%2Fevil.example",
        "a@b",
        "acme%0d%0aHost:x",
        "acme/",
        "/acme/api",
        "%ff",
        "acme%00",
        "acme%5Capi",
        "%20",
    ] {
        let answer = program.get(&format!("/probe?target={target}"));
        assert_eq!(answer.status, 400, "{target}");
        assert!(answer.body.starts_with("Target must be"), "{}", answer.body);
    }
    assert!(sandbox.requests().is_empty());
}

#[rstest]
#[case::of_the_scrape("1", None)]
#[case::below_the_offset("0.2", None)]
#[case::of_the_module("100", Some("100ms"))]
fn a_probe_ends_before_its_time_out(#[case] header: &str, #[case] own: Option<&str>) {
    let sandbox = today();
    let gate = Gate::closed();
    sandbox
        .faults()
        .add(Fault::always(Match::any(), FaultKind::Hold(gate.clone())));
    let mut value: Value = serde_json::from_str(&module(&sandbox, &json!({}))).expect("JSON");
    value["modules"]["sentry"]["timeout"] = json!(own);
    let program = start(&value.to_string());
    let header = [("x-prometheus-scrape-timeout-seconds", header)];
    let answer = program.ask("GET", "/probe?target=acme/api", &header);
    assert_eq!(
        figures(&answer),
        failed(0.0, 0.0),
        "while the server is held"
    );
    let page = program
        .ask("GET", "/probe?target=acme/api&debug=true", &header)
        .body;
    assert!(page.contains("no answer within"), "{page}");
    gate.open();
}

#[rstest]
#[case::no_points(FaultKind::Body("[]".to_owned()))]
#[case::no_counts(FaultKind::Body("[[1790000000]]".to_owned()))]
#[case::an_object(FaultKind::WrongShape)]
#[case::null(FaultKind::Null)]
#[case::a_page(FaultKind::Html)]
#[case::no_json(FaultKind::CorruptBody)]
#[case::no_text(FaultKind::NotUtf8)]
fn what_is_not_understood_is_no_number(#[case] fault: FaultKind) {
    let sandbox = today();
    sandbox.faults().add(Fault::always(Match::any(), fault));
    let program = start(&documented(&sandbox, "projects/"));
    let figures = probe(&program, "acme/api");
    assert_eq!(
        (figures.received, figures.status, figures.success),
        (None, 200.0, 0.0)
    );
    let page = debug(&program, "acme/api");
    assert!(page.contains("not understood"), "{page}");
    sandbox.faults().clear();
    assert_eq!(
        probe(&program, "acme/api").received,
        Some(RECEIVED),
        "it lives"
    );
}

#[test]
fn a_refusal_shows_its_status() {
    let sandbox = today();
    let program = start(&documented(&sandbox, "projects/"));
    let gone = probe(&program, "acme/nothing");
    assert_eq!(
        (gone.received, gone.status, gone.success),
        (None, 404.0, 0.0)
    );
    assert!(gone.length > 0.0);
    for status in [401, 500, 503] {
        sandbox
            .faults()
            .add(Fault::once(Match::any(), FaultKind::Status(status)));
        let figures = probe(&program, "acme/api");
        assert_eq!(
            (figures.received, figures.status, figures.success),
            (None, f64::from(status), 0.0)
        );
    }
    let before = sandbox.requests().len();
    assert_eq!(before, 4, "what fails is not tried again");
    for fault in [FaultKind::Reset, FaultKind::CutBody] {
        sandbox.faults().add(Fault::always(Match::any(), fault));
        assert_eq!(probe(&program, "acme/api").received, None);
        sandbox.faults().clear();
    }
    drop(sandbox);
    assert_eq!(probe(&program, "acme/api"), failed(0.0, 0.0), "killed");
}

#[test]
fn the_length_of_what_is_compressed_is_not_known() {
    let sandbox = Sandbox::start(Options {
        gzip: true,
        ..Options::new(world())
    });
    let sandbox = sandbox.expect("a free port");
    let program = start(&documented(&sandbox, "projects/"));
    let figures = probe(&program, "acme/api");
    assert_eq!(
        (figures.received, figures.length, figures.success),
        (Some(RECEIVED), -1.0, 1.0)
    );
}

#[test]
fn statuses_may_be_chosen() {
    let sandbox = today();
    let program = start(&module(
        &sandbox,
        &json!({"valid_status_codes": [201, 202]}),
    ));
    let figures = probe(&program, "acme/api");
    assert_eq!(
        (figures.received, figures.status, figures.success),
        (None, 200.0, 0.0)
    );
    let program = start(&module(&sandbox, &json!({"valid_status_codes": [200]})));
    assert_eq!(probe(&program, "acme/api").received, Some(RECEIVED));
}

#[test]
fn headers_are_sent_as_they_are_written() {
    let sandbox = today();
    let headers = json!({"authorization": format!("Bearer {TOKEN}"), "Host": "sentry.inner.example", "User-Agent": "my prober"});
    let program = start(&module(&sandbox, &json!({"headers": headers})));
    assert_eq!(probe(&program, "acme/api").received, Some(RECEIVED));
    let requests = sandbox.requests();
    assert_eq!(requests[0].host.as_deref(), Some("sentry.inner.example"));
    assert_eq!(requests[0].user_agent.as_deref(), Some("my prober"));
    assert_eq!(requests[0].authorization, Some(format!("Bearer {TOKEN}")));
    let none = start(&module(&sandbox, &json!({"headers": {}})));
    let refused = probe(&none, "acme/api");
    assert_eq!((refused.received, refused.status), (None, 401.0));
}

#[test]
fn the_token_follows_no_redirect_to_another_server() {
    let sandbox = today();
    let other = today();
    let to = format!("{}/api/0/projects/acme/api/stats/?next=hidden", other.url());
    let to = to.replace("127.0.0.1", "user:hidden@127.0.0.1");
    sandbox
        .faults()
        .add(Fault::always(Match::any(), FaultKind::Redirect(to)));
    let program = start(&documented(&sandbox, "projects/"));
    let figures = probe(&program, "acme/api");
    assert_eq!(
        (figures.received, figures.status, figures.success),
        (None, 302.0, 0.0)
    );
    let page = debug(&program, "acme/api");
    assert!(
        page.contains("is another server") && !page.contains("hidden@") && !page.contains("next="),
        "{page}"
    );
    assert!(other.requests().is_empty());
}

#[test]
fn a_project_that_was_renamed_is_followed() {
    let sandbox = today();
    let api = sandbox
        .world()
        .project_by_slug("api")
        .expect("a project")
        .id;
    sandbox.world().rename_project(api, "backend");
    let program = start(&documented(&sandbox, "projects/"));
    assert_eq!(probe(&program, "acme/api").received, Some(RECEIVED));
}

#[test]
fn debug_tells_what_happened_and_no_secret() {
    let sandbox = today();
    sandbox
        .faults()
        .add(Fault::once(Match::any(), FaultKind::gateway(403, TOKEN)));
    let text = documented(&sandbox, "projects/").replace("http://", "http://olive:password@");
    let text = text + "        X-Key: my-other-secret\n        Host: inner.example.com\n";
    let program = Program::start_in(&[(FILE, text)], &["--log.level=trace"], &[]);
    let refused = debug(&program, "acme/api");
    assert!(refused.contains("status 403"), "{refused}");
    let page = debug(&program, "acme/api");
    for shown in [
        "Logs for the probe:\n",
        "/api/0/projects/acme/api/stats/\n",
        "status 200, ",
        "\nMetrics that would have been returned:\n",
        "\nprobe_success 1\n",
        "\nModule configuration:\nsentry:\n  prober: http\n  timeout: 5s\n",
        "authorization: <hidden>\n",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let (_, log) = program.stop();
    for secret in [TOKEN, "my-other-secret", "password", "olive"] {
        for text in [&refused, &page, &log] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    assert!(!page.contains("inner.example.com"), "{page}");
}

#[test]
fn a_project_alone_is_looked_for_once() {
    let sandbox = today();
    let program = start(&documented(&sandbox, "projects/"));
    for target in ["api", "web", "api", "nothing", "nothing"] {
        probe(&program, target);
    }
    let asked = paths(&sandbox);
    for (path, times) in [
        ("/api/0/organizations/", 1),
        ("/api/0/organizations/acme/projects/", 1),
        ("/api/0/projects/acme/api/stats/", 2),
        ("/api/0/projects/acme/web/stats/", 1),
    ] {
        assert_eq!(
            asked.iter().filter(|asked| *asked == path).count(),
            times,
            "{path}"
        );
    }
    assert_eq!(asked.len(), 5, "{asked:?}");
    assert_eq!(probe(&program, "nothing"), failed(0.0, 0.0));
    let page = debug(&program, "nothing");
    assert!(
        page.contains("write the target as organization/project"),
        "{page}"
    );
}

#[test]
fn a_project_of_several_organizations_is_not_guessed() {
    let sandbox = today();
    let mut other = sandbox.world().organizations[0].clone();
    other.slug = "other".to_owned();
    sandbox.world().organizations.push(other);
    let program = start(&documented(&sandbox, "projects/"));
    assert_eq!(probe(&program, "api"), failed(0.0, 0.0));
    let page = debug(&program, "api");
    assert!(
        page.contains("acme, other; write the target as organization/project"),
        "{page}"
    );
    assert_eq!(probe(&program, "other/api").received, Some(RECEIVED));
}

#[test]
fn a_token_that_sees_no_organization_needs_its_name() {
    let sandbox = today();
    let text = documented(&sandbox, "projects/").replace(TOKEN, INTEGRATION_TOKEN);
    let program = start(&text);
    assert_eq!(probe(&program, "api"), failed(0.0, 0.0));
    assert!(debug(&program, "api").contains("write the target as organization/project"));
    assert_eq!(probe(&program, "acme/api").received, Some(RECEIVED));
}

#[test]
fn a_look_for_a_project_that_fails_shows_its_status_and_is_repeated() {
    let sandbox = today();
    let program = start(&documented(&sandbox, "projects/").replace(TOKEN, EXPIRED_TOKEN));
    for _ in 0..2 {
        sandbox.clear_requests();
        assert_eq!(probe(&program, "api"), failed(401.0, -1.0));
        assert!(!sandbox.requests().is_empty());
    }
    let page = debug(&program, "api");
    assert!(page.contains("the organizations cannot be read"), "{page}");
}

#[rstest]
#[case::removed(FaultKind::NotThere)]
#[case::without_a_word(FaultKind::Status(404))]
#[case::gone(FaultKind::Gone)]
fn organizations_go_on_where_their_old_statistics_are_gone(#[case] fault: FaultKind) {
    let sandbox = today();
    sandbox.faults().add(Fault::always(
        Match::path_end("/organizations/acme/stats/"),
        fault,
    ));
    let program = start(&documented(&sandbox, "organizations/"));
    for _ in 0..2 {
        let figures = probe(&program, ORGANIZATION);
        assert_eq!(
            (figures.received, figures.status, figures.success),
            (Some(RECEIVED), 200.0, 1.0)
        );
    }
    let v2 = "/api/0/organizations/acme/stats_v2/";
    assert_eq!(
        paths(&sandbox),
        ["/api/0/organizations/acme/stats/", v2, v2]
    );
    let nothing = probe(&program, "nothing");
    assert_eq!((nothing.received, nothing.status), (None, 404.0));
}

#[rstest]
#[case(Version::V9_1)]
#[case(Version::V21_1)]
#[case(Version::V21_4)]
#[case(Version::V2026)]
fn servers_of_any_age_answer(#[case] version: Version) {
    let sandbox = crate::dsl::of(version, world());
    let text = json!({"modules": {
        "sentry": {"prober": "http", "http": {
            "prefix": format!("{}/api/0/projects/", sandbox.url()),
            "headers": {"Authorization": format!("Bearer {TOKEN}")},
        }},
        "organizations": {"prober": "http", "http": {
            "prefix": format!("{}/api/0/organizations/", sandbox.url()),
            "headers": {"Authorization": format!("Bearer {TOKEN}")},
        }},
    }});
    let program = start(&text.to_string());
    // Servers before 2025 counted as received what clients threw away, too.
    let received = match version {
        Version::V21_1 | Version::V21_4 => RECEIVED + 8.0,
        _ => RECEIVED,
    };
    assert_eq!(probe(&program, "api").received, Some(received));
    assert_eq!(
        probe(&program, "acme&module=organizations").received,
        Some(received)
    );
}

#[test]
fn many_targets_keep_to_the_limits_of_one_token() {
    let sandbox = Sandbox::start(Options {
        limits: Limits::hosted(),
        ..Options::new(world())
    });
    let sandbox = sandbox.expect("a free port");
    let program = start(&documented(&sandbox, "projects/"));
    let probe = |address: String| figures(&ask(&address, "GET", "/probe?target=acme/api", &[]));
    let probes: Vec<_> = (0..12)
        .map(|_| program.address().to_owned())
        .map(|address| std::thread::spawn(move || probe(address).received))
        .collect();
    for one in probes {
        assert_eq!(one.join().expect("an answer"), Some(RECEIVED));
    }
    assert_eq!(sandbox.rejections(), 0);
}

#[test]
fn a_rate_limit_is_waited_for_if_it_ends_in_time() {
    let sandbox = today();
    let limited = |reset_in_seconds| FaultKind::RateLimited { reset_in_seconds };
    sandbox.faults().add(Fault::once(Match::any(), limited(1)));
    let program = start(&documented(&sandbox, "projects/"));
    assert_eq!(probe(&program, "acme/api").received, Some(RECEIVED));
    sandbox
        .faults()
        .add(Fault::once(Match::any(), limited(3000)));
    let asked = sandbox.requests().len();
    for _ in 0..2 {
        let figures = probe(&program, "acme/api");
        assert_eq!(
            (figures.received, figures.status, figures.success),
            (None, 429.0, 0.0)
        );
    }
    assert_eq!(
        sandbox.requests().len(),
        asked + 1,
        "nothing more is asked for"
    );
    let page = debug(&program, "acme/api");
    assert!(page.contains("the server takes no such requests"), "{page}");
}

#[test]
fn the_reader_chooses_the_form() {
    let sandbox = today();
    let program = start(&documented(&sandbox, "projects/"));
    let accept = [(
        "accept",
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    )];
    let open = program.ask("GET", "/probe?target=acme/api", &accept);
    assert_eq!(
        open.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(
        open.body.contains("\nprobe_sentry_error_received 7\n") && open.body.ends_with("# EOF\n")
    );
    let classic = program.get("/probe?target=acme/api");
    assert_eq!(
        classic.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
}

#[test]
fn modules_are_read_again() {
    let sandbox = today();
    let text = documented(&sandbox, "projects/");
    let mut program = start(&text);
    let other = text.replace("  sentry:\n", "  other:\n");
    std::fs::write(program.file(), &other).expect("a file");
    assert_eq!(program.get("/-/reload").status, 405);
    assert_eq!(
        program.get("/probe?target=acme/api&module=other").status,
        400,
        "not yet"
    );
    assert_eq!(
        program.ask("POST", "/-/reload", &[]).status,
        200,
        "open, as it was"
    );
    assert_eq!(program.get("/probe?target=acme/api").status, 400);
    assert_eq!(
        figures(&program.get("/probe?target=acme/api&module=other")).received,
        Some(RECEIVED)
    );
    std::fs::write(
        program.file(),
        other.replace("prober: http", "prober: icmp"),
    )
    .expect("a file");
    let bad = program.ask("POST", "/-/reload", &[]);
    assert_eq!(bad.status, 500);
    assert!(
        bad.body.contains("modules.other.prober") && !bad.body.contains(TOKEN),
        "{}",
        bad.body
    );
    assert_eq!(
        figures(&program.get("/probe?target=acme/api&module=other")).received,
        Some(RECEIVED),
        "the old one stays"
    );
    let page = program.scrape();
    assert_eq!(
        page.value("sentry_exporter_config_last_reload_successful", &[]),
        Some(0.0)
    );
    program.line_with("not reloaded");
    std::fs::write(program.file(), &text).expect("a file");
    program.signal(Signal::HUP);
    program.line_with("configuration reloaded");
    assert_eq!(probe(&program, "acme/api").received, Some(RECEIVED));
}

#[test]
fn an_old_file_may_hold_what_nobody_knows() {
    let sandbox = today();
    let text = documented(&sandbox, "projects/") + "      metod: GET\n    colour: red\n";
    let mut program = start(&text);
    assert_eq!(probe(&program, "acme/api").received, Some(RECEIVED));
    program.signal(Signal::HUP);
    program.line_with("configuration reloaded");
    for key in ["modules.sentry.colour", "modules.sentry.http.metod"] {
        assert!(program.log().contains(key), "{}", program.log());
    }
}

#[test]
fn mistakes_end_the_start() {
    let sandbox = today();
    let folder = tempfile::tempdir().expect("a folder");
    let text = documented(&sandbox, "projects/")
        .replace("http\n", "tcp\n")
        .replace("5s", "5 seconds");
    std::fs::write(folder.path().join(FILE), text).expect("a file");
    let ended = ended(command().current_dir(folder.path()));
    assert_eq!(ended.code, Some(1));
    for key in ["`modules.sentry.prober`", "`modules.sentry.timeout`"] {
        assert!(ended.stderr.contains(key), "{}", ended.stderr);
    }
    assert!(!ended.stderr.contains(TOKEN));
}

#[test]
fn the_names_of_the_fork() {
    let sandbox = today();
    let text = documented(&sandbox, "projects/");
    let program = Program::start_in(&[(FILE, text)], &["--dialect=zekker6"], &[]);
    let page = Exposition::read(&program.get("/probe?target=acme/api").body);
    let names = [
        "error_received",
        "status_code",
        "content_length",
        "duration_seconds",
        "success",
    ];
    for name in names {
        assert!(
            page.value(&format!("sentry_probe_{name}"), &[]).is_some(),
            "{name}"
        );
    }
    assert!(!page.text.contains("\nprobe_"), "{}", page.text);
}

#[test]
fn modules_may_stand_beside_our_own_settings() {
    let sandbox = today();
    let mut own = settings(&sandbox);
    let old: Value = serde_json::from_str(&module(&sandbox, &json!({}))).expect("JSON");
    own["modules"] = old["modules"].clone();
    let program = Program::start(&own, &[]);
    assert_eq!(probe(&program, "acme/api").received, Some(RECEIVED));
    let page = program.scrape();
    assert_eq!(page.up(), Some(1.0));
    let asked = page.value(
        "sentry_api_requests_total",
        &[("organization", ""), ("status", "200")],
    );
    assert_eq!(asked, Some(1.0), "the probe is counted: {}", page.text);
    assert_eq!(
        program.ask("POST", "/-/reload", &[]).status,
        403,
        "as our own"
    );
    own["modules"]["sentry"]["colour"] = json!("red");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("exporter.yml"), own.to_string()).expect("a file");
    let check = ["--config.check", "--config.file=exporter.yml"];
    let strict = ended(command().args(check).current_dir(folder.path()));
    assert_eq!(strict.code, Some(1));
    assert!(
        strict.stderr.contains("`modules.sentry.colour`"),
        "{}",
        strict.stderr
    );
    let without = Program::start(&settings(&sandbox), &[]);
    assert_eq!(
        without.get("/probe?target=acme/api").body,
        "Unknown module \"sentry\"\n"
    );
}

#[test]
fn a_token_that_may_not_read_shows_its_status() {
    let sandbox = today();
    let text = documented(&sandbox, "organizations/").replace(TOKEN, NARROW_TOKEN);
    let program = start(&text);
    let status = probe(&program, "nothing").status;
    assert!([403.0, 404.0].contains(&status), "{status}");
}
