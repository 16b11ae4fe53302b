//! Values that are passed on to who does not scrape.

use crate::dsl::pushgateway::{Mood, Pushgateway};
use crate::dsl::{Ended, Exposition, Program, Truth, command, ended, labels, of, sentry, settings};
use rustix::process::Signal;
use sentry_sandbox::{Fault, FaultKind, Match, ORGANIZATION, Sandbox, TOKEN, Version, World};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

/// The seeded world, of the present: the executable has no other clock.
fn today() -> Sandbox {
    sentry(World::seeded(chrono::Utc::now()))
}

/// `export` in a folder of its own, which stays until it is dropped.
struct Desk {
    folder: TempDir,
    settings: Value,
}

impl Desk {
    fn new(sandbox: &Sandbox, pushgateway: &Pushgateway) -> Self {
        let mut settings = settings(sandbox);
        settings["pushgateway_url"] = json!(pushgateway.url);
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            settings,
        }
    }

    fn with(mut self, more: &Value) -> Self {
        let own = self.settings.as_object_mut().expect("an object");
        own.extend(more.as_object().expect("an object").clone());
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn export(&self, args: &[&str]) -> Ended {
        let file = self.path().join("exporter.yml");
        std::fs::write(&file, self.settings.to_string()).expect("a file");
        let own = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, own).expect("its own file");
        let run = ended(
            command()
                .args(["export", "--config.file", "exporter.yml"])
                .args(args)
                .current_dir(self.path()),
        );
        assert!(run.stdout.is_empty(), "{}", run.stdout);
        assert!(!run.stderr.contains(TOKEN), "{}", run.stderr);
        run
    }
}

fn fails(sandbox: &Sandbox, path: &'static str) {
    let fault = Fault::always(Match::path_end(path), FaultKind::Status(500));
    sandbox.faults().add(fault);
}

fn acme() -> crate::dsl::Labels {
    labels(&[("job", "sentry"), ("organization", ORGANIZATION)])
}

#[test]
fn an_organization_is_a_group() {
    let (sandbox, pushgateway) = (today(), Pushgateway::start());
    let run = Desk::new(&sandbox, &pushgateway).export(&[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(pushgateway.groups(), [acme()]);
    let page = pushgateway.group(&acme()).expect("a group");
    let mut shown = page.all("sentry_events_total");
    shown.retain(|_, value| *value > 0.0);
    assert_eq!(shown, Truth(&sandbox.world()).events(chrono::Utc::now()));
    assert_eq!(page.up(), Some(1.0));
    assert_eq!(page.all("sentry_exporter_build_info").len(), 1);
    assert!(page.sum("sentry_api_requests_total", &[]) > 1.0);
    for gone in [
        "sentry_snapshot_age_seconds",
        "sentry_collector_age_seconds",
    ] {
        assert!(page.all(gone).is_empty(), "{gone} would be wrong at once");
    }
    assert!(!page.text.contains("process_"), "the process has ended");
}

#[test]
fn flags_and_variables_say_where_and_as_whom() {
    let (sandbox, pushgateway) = (today(), Pushgateway::start());
    let desk = Desk::new(&sandbox, &pushgateway).with(&json!({"pushgateway_url": null}));
    std::fs::write(desk.path().join("word"), "open sesame\n").expect("a file");
    let file = desk.path().join("exporter.yml");
    std::fs::write(&file, desk.settings.to_string()).expect("a file");
    let flags = [
        "push",
        "--config",
        "exporter.yml",
        "--push.job=night/ly",
        "-push.grouping",
        "region=eu/west",
        "--push.grouping=zone=",
        "--push.user=olive",
        "--push.password-file=word",
        "--log.level=trace",
    ];
    let variable = ("SENTRY_EXPORTER_PUSHGATEWAY_URL", pushgateway.url.as_str());
    let run = ended(
        command()
            .args(flags)
            .envs([variable])
            .current_dir(desk.path()),
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(!run.stderr.contains("open sesame"), "{}", run.stderr);
    let group = labels(&[
        ("job", "night/ly"),
        ("organization", ORGANIZATION),
        ("region", "eu/west"),
        ("zone", ""),
    ]);
    assert_eq!(pushgateway.groups(), [group]);
    let request = &pushgateway.requests()[0];
    // olive:open sesame
    let olive = "Basic b2xpdmU6b3BlbiBzZXNhbWU=";
    assert_eq!(request.authorization.as_deref(), Some(olive));
    let desk = Desk::new(&sandbox, &pushgateway);
    std::fs::write(desk.path().join("token"), "a0b1c2d3e4f5\n").expect("a file");
    let run = desk.export(&["--push.token-file=token"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let last = pushgateway.requests().pop().expect("a request");
    assert_eq!(last.authorization.as_deref(), Some("Bearer a0b1c2d3e4f5"));
}

#[test]
fn what_may_pass_is_tried_again() {
    let (sandbox, pushgateway) = (today(), Pushgateway::start());
    pushgateway.fails(&[Mood::Status(503), Mood::Busy(0)]);
    let run = Desk::new(&sandbox, &pushgateway).export(&[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let statuses: Vec<u16> = pushgateway
        .requests()
        .iter()
        .map(|one| one.status)
        .collect();
    assert_eq!(statuses, [503, 429, 200]);
    assert!(pushgateway.group(&acme()).is_some());
}

#[test]
fn what_does_not_pass_ends_with_its_reason() {
    let (sandbox, pushgateway) = (today(), Pushgateway::start());
    let desk = Desk::new(&sandbox, &pushgateway).with(&json!({"pushgateway_timeout": "200ms"}));
    for (mood, tries, told) in [
        (
            Mood::Status(500),
            4,
            "HTTP 500: as the test wants it; tried 4 times",
        ),
        (Mood::Hang, 4, "no answer within 0.2 seconds; tried 4 times"),
        (Mood::Status(400), 1, "HTTP 400: as the test wants it"),
        (Mood::Status(401), 1, "check `pushgateway_user`"),
        (Mood::Redirect, 1, "redirected; set `pushgateway_url`"),
    ] {
        let before = pushgateway.requests().len();
        pushgateway.always_fails(mood.clone());
        let run = desk.export(&[]);
        assert_eq!(run.code, Some(3), "{mood:?} {}", run.stderr);
        assert!(run.stderr.contains(told), "{mood:?} {}", run.stderr);
        assert_eq!(pushgateway.requests().len() - before, tries, "{mood:?}");
    }
    assert!(pushgateway.groups().is_empty());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", taken.local_addr().expect("an address"));
    drop(taken);
    let run = desk.export(&["--push.url", &nobody]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(run.stderr.contains(&nobody), "{}", run.stderr);
    assert!(run.stderr.contains("--push.url"), "{}", run.stderr);
}

#[test]
fn a_refresh_that_failed_leaves_what_was_pushed() {
    let (sandbox, pushgateway) = (today(), Pushgateway::start());
    let desk = Desk::new(&sandbox, &pushgateway);
    assert_eq!(desk.export(&[]).code, Some(0));
    let before = pushgateway.group(&acme()).expect("a group").text;
    fails(&sandbox, "/monitors/");
    let run = desk.export(&[]);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("the collector monitors of acme has failed")
    );
    assert!(run.stderr.contains("the refresh of acme failed"));
    assert_eq!(pushgateway.group(&acme()).expect("a group").text, before);
    let run = desk.export(&["--push.failures"]);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    let page = pushgateway.group(&acme()).expect("a group");
    let success = |collector| {
        let series = [("organization", ORGANIZATION), ("collector", collector)];
        page.value("sentry_collector_success", &series)
    };
    assert_eq!(
        (success("monitors"), success("events")),
        (Some(0.0), Some(1.0))
    );
    assert!(page.all("sentry_monitors").is_empty());
    assert!(!page.all("sentry_events_total").is_empty());
    fails(&sandbox, "/projects/");
    let run = desk.with(&json!({"push_failures": true})).export(&[]);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    let page = pushgateway.group(&acme()).expect("a group");
    assert_eq!(page.up(), Some(0.0));
    assert!(page.all("sentry_events_total").is_empty());
}

#[test]
fn without_organizations_nothing_is_pushed() {
    let (sandbox, pushgateway) = (today(), Pushgateway::start());
    fails(&sandbox, "/api/0/organizations/");
    let desk = Desk::new(&sandbox, &pushgateway).with(&json!({"organization": null}));
    let run = desk.export(&["--push.failures"]);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert!(run.stderr.contains("the organizations cannot be read"));
    assert!(pushgateway.requests().is_empty());
    assert_eq!(
        desk.export(&["-o", ORGANIZATION, "-p", "api"]).code,
        Some(0)
    );
    let page = pushgateway.group(&acme()).expect("a group");
    let events = page.all("sentry_events_total");
    assert!(!events.is_empty());
    assert!(events.keys().all(|labels| labels["project"] == "api"));
}

#[test]
fn one_project_of_many_that_fails_is_left_out() {
    let pushgateway = Pushgateway::start();
    let at = chrono::Utc::now();
    let mut world = World::empty(at);
    for slug in ["api", "web", "worker"] {
        let project = world.add_project(slug);
        world.add_outcomes(project, at, "filtered", "localhost", 5);
    }
    let sandbox = of(Version::V21_1, world);
    let when = Match::path("/projects/acme/web/stats/");
    sandbox
        .faults()
        .add(Fault::always(when, FaultKind::NotThere));
    let run = Desk::new(&sandbox, &pushgateway).export(&[]);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert!(
        run.stderr.contains("exported without acme/web"),
        "{}",
        run.stderr
    );
    let page = pushgateway.group(&acme()).expect("a group");
    let filtered = |project| {
        page.sum(
            "sentry_events_total",
            &[("project", project), ("outcome", "filtered")],
        )
    };
    assert_eq!((filtered("api"), filtered("web")), (5.0, 0.0));
}

/// Two servers with one organization each, of the same slug.
fn two(one: &Sandbox, other: &Sandbox) -> Value {
    let server = |name: &str, sandbox: &Sandbox| {
        json!({
            "name": name, "api_token": TOKEN, "organization": ORGANIZATION,
            "base_url": sandbox.url(), "max_retries": 0,
        })
    };
    json!({"servers": [server("eu", one), server("us", other)]})
}

#[test]
fn servers_and_their_organizations_do_not_mix() {
    let (eu, us, pushgateway) = (today(), today(), Pushgateway::start());
    fails(&us, "/projects/");
    let mut desk = Desk::new(&eu, &pushgateway);
    desk.settings = two(&eu, &us);
    desk.settings["pushgateway_url"] = json!(pushgateway.url);
    let run = desk.export(&[]);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    let group = |name: &str| {
        labels(&[
            ("job", "sentry"),
            ("organization", ORGANIZATION),
            ("server", name),
        ])
    };
    assert_eq!(pushgateway.groups(), [group("eu")]);
    assert_eq!(desk.export(&["--push.failures"]).code, Some(4));
    let up = |name| {
        let page = pushgateway.group(&group(name)).expect("a group");
        page.up_of(name)
    };
    assert_eq!((up("eu"), up("us")), (Some(1.0), Some(0.0)));
    let file = desk.path().join("sentry.prom");
    let run = desk.export(&["--textfile=sentry.prom"]);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert!(!file.exists(), "one that failed keeps the others back");
    let run = desk.export(&["--textfile=sentry.prom", "--push.failures"]);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    let page = Exposition::read(&std::fs::read_to_string(&file).expect("a file"));
    for (name, up) in [("eu", 1.0), ("us", 0.0)] {
        assert_eq!(page.up_of(name), Some(up));
    }
    assert!(page.sum("sentry_events_total", &[("server", "eu")]) > 0.0);
}

#[test]
fn a_text_file_is_written_whole() {
    let (sandbox, pushgateway) = (today(), Pushgateway::start());
    let desk = Desk::new(&sandbox, &pushgateway);
    let file = desk.path().join("metrics").join("sentry.prom");
    let flag = format!("--textfile={}", file.display());
    let run = desk.export(&[&flag]);
    assert_eq!(run.code, Some(3), "there is no such folder: {}", run.stderr);
    assert!(run.stderr.contains("sentry.prom"), "{}", run.stderr);
    std::fs::create_dir(file.parent().expect("a folder")).expect("a folder");
    let run = desk.export(&[&flag]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let text = std::fs::read_to_string(&file).expect("a file");
    let page = Exposition::read(&text);
    assert_eq!(page.up(), Some(1.0));
    assert!(!page.all("sentry_events_total").is_empty());
    let mode = std::fs::metadata(&file)
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o644);
    fails(&sandbox, "/stats_v2/");
    let run = desk.export(&[&flag]);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), text);
    let files = std::fs::read_dir(file.parent().expect("a folder"));
    assert_eq!(files.expect("a folder").count(), 1, "nothing else is left");
    let run = desk.export(&["--textfile=sentry.txt"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("`textfile` must end in .prom"));
    assert!(pushgateway.requests().is_empty());
}

#[test]
fn it_stays_and_pushes_until_a_signal_comes() {
    let (sandbox, pushgateway) = (today(), Pushgateway::start());
    let mut settings = settings(&sandbox);
    settings["pushgateway_url"] = json!(pushgateway.url);
    pushgateway.fails(&[Mood::Fine, Mood::Status(400)]);
    let program = Program::run(&settings, &["export", "--interval=1s"]);
    assert_eq!(pushgateway.next().status, 200);
    let project = sandbox.world().projects[0].id;
    let now = chrono::Utc::now();
    let reason = "a later reason";
    sandbox
        .world()
        .add_outcomes(project, now, "filtered", reason, 7);
    assert_eq!(pushgateway.next().status, 400, "it goes on");
    let later = || {
        let page = pushgateway.group(&acme()).expect("a group");
        page.sum("sentry_events_total", &[("reason", reason)])
    };
    while later() < 6.9 {
        assert_eq!(pushgateway.next().status, 200);
    }
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(
        log.contains("HTTP 400") && log.contains("stopping"),
        "{log}"
    );
    // In the middle of a push that hangs, too.
    pushgateway.always_fails(Mood::Hang);
    let program = Program::run(&settings, &["export", "--interval=1h"]);
    assert_eq!(pushgateway.next().status, 0);
    program.signal(Signal::INT);
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn flags_of_one_mode_are_refused_in_the_other() {
    for flag in [
        "--textfile=a.prom",
        "--push.url=x",
        "--interval=5m",
        "-papi",
    ] {
        let run = crate::dsl::run(&[flag]);
        assert_eq!(run.code, Some(2), "{flag} {}", run.stderr);
        assert!(
            run.stderr.contains("sentry-exporter export"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_check_reads_the_files_of_a_push() {
    let (sandbox, pushgateway) = (today(), Pushgateway::start());
    let desk = Desk::new(&sandbox, &pushgateway);
    for (flag, told) in [
        ("--push.password-file=nowhere", "nowhere"),
        ("--push.grouping=level=x", "label of the metrics"),
    ] {
        let run = desk.export(&["--config.check", flag]);
        assert_eq!(run.code, Some(1), "{flag}");
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
    let desk = desk.with(&json!({"pushgateway_ca_certificate": "exporter.yml"}));
    let run = desk.export(&["--config.check"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("contains no PEM certificate"),
        "{}",
        run.stderr
    );
    assert!(sandbox.requests().is_empty() && pushgateway.requests().is_empty());
}

#[test]
fn the_older_program_is_configured_as_it_was() {
    let (sandbox, pushgateway) = (today(), Pushgateway::start());
    let url = format!("{}/api/0/", sandbox.url());
    let export = |folder: &TempDir, args: &[&str], variables: &[(&str, &str)]| {
        let run = ended(
            command()
                .arg("export")
                .args(args)
                .envs(variables.iter().copied())
                .env("SENTRY_EXPORTER_PUSHGATEWAY_URL", &pushgateway.url)
                .current_dir(folder.path()),
        );
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(!run.stderr.contains(TOKEN), "{}", run.stderr);
        pushgateway.group(&acme()).expect("a group")
    };
    let file = format!(
        "api_url: \"{url}\"\norganisation_name: \"{ORGANIZATION}\"\ntimeout: \"3\"\ntoken: \"{TOKEN}\"\n"
    );
    let place = |name: &str, text: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        let own = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, own).expect("its own file");
        folder
    };
    let lying = export(&place(".sentry-exporter.yaml", &file), &[], &[]);
    let named = export(
        &place("other.yaml", &file),
        &["--config", "other.yaml"],
        &[],
    );
    let variables = [
        ("SENTRY_EXPORTER_API_URL", url.as_str()),
        ("SENTRY_EXPORTER_ORGANISATION_NAME", ORGANIZATION),
        ("SENTRY_EXPORTER_TIMEOUT", "3"),
        ("SENTRY_EXPORTER_TOKEN", TOKEN),
    ];
    let told = export(&place("nothing", ""), &[], &variables);
    for page in [lying, named, told] {
        for query in ["received", "rejected", "blacklisted", "generated"] {
            let series = [
                ("organisation", ORGANIZATION),
                ("project", "api"),
                ("query", query),
            ];
            let value = page.value("sentry_project_errors", &series);
            assert!(value.is_some(), "{query}: {}", page.text);
        }
        let teams = page.all("sentry_project_info");
        assert!(!teams.is_empty(), "{}", page.text);
        assert!(teams.keys().all(|labels| labels.contains_key("team")));
        assert_eq!(page.all("sentry_api_calls").len(), 2, "{}", page.text);
        assert_eq!(page.up(), Some(1.0));
        assert!(page.all("sentry_events_total").is_empty());
    }
    let flags = ["-o", ORGANIZATION, "-p", "web", "-t", "frontend"];
    let page = export(&place(".sentry-exporter.yaml", &file), &flags, &[]);
    let errors = page.all("sentry_project_errors");
    assert!(!errors.is_empty());
    assert!(errors.keys().all(|labels| labels["project"] == "web"));
    let teams = page.all("sentry_project_info");
    assert!(teams.keys().all(|labels| labels["team"] == "frontend"));
}

#[test]
fn modules_alone_have_nothing_to_export() {
    let (sandbox, pushgateway) = (today(), Pushgateway::start());
    let mut desk = Desk::new(&sandbox, &pushgateway);
    let prefix = format!("{}/api/0/projects/", sandbox.url());
    desk.settings = json!({"modules": {"sentry": {"prober": "http", "http": {"prefix": prefix}}}});
    let run = desk.export(&[]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("nothing to export"), "{}", run.stderr);
    assert!(pushgateway.requests().is_empty());
}
