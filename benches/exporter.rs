//! The exporter beside what it replaces: requests, time of a refresh, CPU of a scrape, memory, refusals.
//!
//! `cargo bench -p sentry-exporter --bench exporter` prints tables; `-- requests refresh scrape memory refusals` chooses parts,
//! and `serial` asks Sentry as italux/sentry-prometheus-exporter does, which takes minutes. Sentry is the sandbox, in this
//! process, so the CPU time of the child is the exporter's alone.

use chrono::{Datelike, NaiveTime, TimeDelta, Utc};
use sentry_sandbox::{Bulk, Limits, ORGANIZATION, Options, Sandbox, TOKEN, Version, World};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use ureq::Agent;

const PROJECTS: u64 = 100;
const ISSUES: u64 = 800;
const MONITORS: usize = 40;
/// Issues younger than an hour, once for each environment that they have been seen in.
const YOUNG: usize = 149;
/// How far away Sentry is where time counts.
const LATENCY: Duration = Duration::from_millis(100);
/// Series of a scrape where CPU and memory count.
const SERIES: usize = 10_000;

const CLIENT: &str = "0.26.0";
/// What the exporter compresses with: the default of its library and of gzip(1).
const LEVEL: &str = "6";
/// Names a Python that has `prometheus_client`.
const PYTHON: &str = "EXPORTER_BENCH_PYTHON";

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let parts: [(&str, fn()); 6] = [
        ("requests", requests),
        ("refresh", refresh),
        ("serial", serial),
        ("scrape", scrape),
        ("memory", memory),
        ("refusals", refusals),
    ];
    for (name, part) in parts {
        if chosen.iter().any(|one| one == name) || chosen.is_empty() && name != "serial" {
            part();
        }
    }
}

/// A table row, as Markdown.
fn row(cells: &[&str]) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "| {} |", cells.join(" | ")).expect("stdout");
}

fn head(cells: &[&str]) {
    writeln!(std::io::stdout().lock()).expect("stdout");
    row(cells);
    row(&vec!["---"; cells.len()]);
}

/// The organization of which all is told: with young issues, keys and monitors.
fn world() -> World {
    let now = Utc::now();
    let mut world = World::bulk(Bulk {
        now,
        projects: PROJECTS,
        issues_per_project: ISSUES / PROJECTS,
        events_per_issue: 3,
        event_bytes: 0,
        span: TimeDelta::days(10),
    });
    // Every second one was seen in both environments.
    let ids: Vec<u64> = world.issues.keys().copied().step_by(8).collect();
    let environments = |number| ["production", "staging"].into_iter().take(2 - number % 2);
    let pairs = ids
        .into_iter()
        .enumerate()
        .flat_map(|(number, id)| environments(number).map(move |name| (id, name)));
    let pairs: Vec<(u64, &str)> = pairs.take(YOUNG).collect();
    assert_eq!(pairs.len(), YOUNG);
    for (id, environment) in pairs {
        let issue = world.issue_mut(id);
        issue.synthetic = None;
        world.add_event(id, now - TimeDelta::minutes(7));
        let event = world.issue_mut(id).events.last_mut().expect("an event");
        event.environment = Some(environment.to_owned());
    }
    for number in 0..MONITORS {
        let project = world.projects[number].id;
        world.add_monitor(project, &format!("job-{number}"), &[("production", "ok")]);
    }
    world
}

const OUTCOMES: [&str; 5] = [
    "filtered",
    "rate_limited",
    "invalid",
    "abuse",
    "client_discard",
];

/// The same with so many outcomes that the exporter shows about [`SERIES`] series.
fn wide() -> World {
    let mut world = world();
    let projects: Vec<u64> = world.projects.iter().map(|project| project.id).collect();
    let now = Utc::now();
    for (number, project) in (0_u64..).zip(projects) {
        // Of each outcome the exporter keeps twenty reasons apart.
        for (outcome, reason) in OUTCOMES.iter().cycle().zip(0..92) {
            let name = format!("custom-reason-{reason}");
            world.add_outcomes(project, now, outcome, &name, 1 + number * reason);
        }
    }
    world
}

fn sandbox(world: World, adapt: impl FnOnce(Options) -> Options) -> Sandbox {
    Sandbox::start(adapt(Options::new(world))).expect("a sandbox")
}

fn near(options: Options) -> Options {
    options
}

/// As the hosted service limits.
fn limited(options: Options) -> Options {
    Options {
        limits: Limits::hosted(),
        ..options
    }
}

fn far(options: Options) -> Options {
    Options {
        latency: LATENCY,
        ..options
    }
}

/// The exporter, running.
struct Exporter {
    child: Child,
    address: String,
    agent: Agent,
    _folder: TempDir,
}

/// What was answered.
struct Answer {
    /// Whether it came compressed.
    gzip: bool,
    text: String,
}

impl Exporter {
    fn start(sandbox: &Sandbox, more: &Value) -> Self {
        let mut settings = json!({
            "api_token": TOKEN, "organization": ORGANIZATION, "base_url": sandbox.url(), "log_level": "info",
        });
        let all = settings.as_object_mut().expect("an object");
        all.extend(more.as_object().expect("an object").clone());
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("exporter.yml"), settings.to_string()).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_sentry-exporter"))
            .args(["--config.file", "exporter.yml"])
            .args(["--web.listen-address", "127.0.0.1:0"])
            .current_dir(folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the exporter");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let address = log
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("127.0.0.1:")?;
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                (!port.is_empty()).then(|| format!("127.0.0.1:{port}"))
            })
            .expect("an address in the log");
        // A full pipe would stop it.
        spawn(move || log.map_while(Result::ok).for_each(drop));
        Self {
            child,
            address,
            agent: agent(),
            _folder: folder,
        }
    }

    /// A scrape by a reader who waits long; its text is Prometheus's own format.
    fn scrape(&self, encoding: &str) -> Answer {
        get(&self.agent, &self.address, encoding)
    }

    /// CPU seconds so far.
    fn cpu(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(path).expect("Linux");
        let (_, fields) = text.rsplit_once(") ").expect("a name");
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: f64 = ticks
            .map(|field| field.parse::<f64>().expect("ticks"))
            .sum();
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let second = rustix::param::clock_ticks_per_second() as f64;
        ticks / second
    }

    /// A line of `/proc/PID/status`, in MiB.
    fn memory(&self, line: &str) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).expect("Linux");
        let kib = text.lines().find_map(|text| {
            let rest = text.strip_prefix(line)?.strip_prefix(':')?;
            rest.trim().strip_suffix(" kB")?.parse::<f64>().ok()
        });
        kib.expect(line) / 1024.0
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(120)))
        .build()
        .into()
}

fn get(agent: &Agent, address: &str, encoding: &str) -> Answer {
    let mut response = agent
        .get(format!("http://{address}/metrics"))
        .header("accept", "text/plain;version=0.0.4")
        .header("accept-encoding", encoding)
        .header("x-prometheus-scrape-timeout-seconds", "120")
        .call()
        .expect("an answer");
    assert_eq!(response.status().as_u16(), 200);
    let mut text = String::new();
    // The client takes the header away with the encoding. What is compressed on its way has no length.
    let gzip = !response.headers().contains_key("content-length");
    let mut body = response.body_mut().as_reader();
    body.read_to_string(&mut text).expect("a text");
    Answer { gzip, text }
}

/// Series of an exposition.
fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

/// Whether everything of the world was read.
fn assert_whole(text: &str) {
    let up = format!("sentry_up{{organization=\"{ORGANIZATION}\"}} 1");
    assert!(text.lines().any(|line| line == up), "sentry_up is not 1");
    let failed = text
        .lines()
        .find(|line| line.starts_with("sentry_collector_success{") && line.ends_with(" 0"));
    assert_eq!(failed, None);
}

const DIALECTS: [&str; 2] = ["native", "italux"];

/// What one refresh asks for.
fn requests() {
    head(&["one refresh", "requests", "target"]);
    for dialect in DIALECTS {
        let sandbox = sandbox(world(), near);
        let exporter = Exporter::start(&sandbox, &json!({"dialect": dialect}));
        let text = exporter.scrape("identity").text;
        assert_whole(&text);
        let asked = sandbox.requests().len().to_string();
        let mut target = "at most 25".to_owned();
        if dialect == "italux" {
            let young = text
                .lines()
                .filter(|line| line.starts_with("sentry_open_issue_events{"));
            assert_eq!(young.count(), YOUNG);
            target = format!("at most 60 + {YOUNG} young issues");
        }
        row(&[dialect, &asked, &target]);
    }
}

/// How long a refresh takes where Sentry is far away.
fn refresh() {
    head(&[
        "one refresh, 100 ms a request, hosted limits",
        "requests",
        "first",
        "next",
        "429s",
    ]);
    for dialect in DIALECTS {
        let sandbox = sandbox(world(), |options| far(limited(options)));
        let exporter = Exporter::start(&sandbox, &json!({"dialect": dialect, "min_age": 0}));
        let wall = || {
            let started = Instant::now();
            assert_whole(&exporter.scrape("identity").text);
            format!("{:.2} s", started.elapsed().as_secs_f64())
        };
        let first = wall();
        let asked = sandbox.requests().len().to_string();
        let next = wall();
        row(&[
            dialect,
            &asked,
            &first,
            &next,
            &sandbox.rejections().to_string(),
        ]);
    }
}

/// The requests of italux/sentry-prometheus-exporter, one after another over one connection.
struct Serial {
    agent: Agent,
    base: String,
}

impl Serial {
    /// An answer's rows. A refusal is tried again after a second, then two, as that program does by default.
    fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        for wait in [1, 2, 0] {
            let request = self.agent.get(format!("{}/api/0/{path}", self.base));
            let request = request.header("authorization", format!("Bearer {TOKEN}"));
            let mut response = request
                .query_pairs(query.iter().copied())
                .call()
                .expect("an answer");
            let mut text = String::new();
            let mut body = response.body_mut().as_reader();
            body.read_to_string(&mut text).expect("a text");
            match response.status().as_u16() {
                200 => return serde_json::from_str(&text).expect("JSON"),
                429 if wait > 0 => sleep(Duration::from_secs(wait)),
                status => panic!("{path}: {status}: {text}"),
            }
        }
        unreachable!("the last try answers or fails")
    }

    /// One scrape.
    fn scrape(&self) {
        let month = Utc::now().date_naive().with_day(1).expect("a first");
        let since = month
            .and_time(NaiveTime::MIN)
            .and_utc()
            .timestamp()
            .to_string();
        let organization = ORGANIZATION;
        self.ask(&format!("organizations/{organization}/"), &[]);
        let projects = self.ask(
            &format!("organizations/{organization}/projects/"),
            &[("all_projects", "1")],
        );
        let projects: Vec<(String, String)> =
            rows(&projects, "slug").zip(rows(&projects, "id")).collect();
        let mut found = Vec::new();
        for (slug, _) in &projects {
            let all = self.ask(
                &format!("projects/{organization}/{slug}/environments/"),
                &[],
            );
            found.push(rows(&all, "name").collect::<Vec<_>>());
        }
        let mut young = Vec::new();
        for ((slug, id), environments) in projects.iter().zip(found) {
            for environment in environments {
                for age in ["age:-1h", "age:-24h", "age:-14d"] {
                    let path = format!("projects/{organization}/{slug}/issues/");
                    let environment = environment.as_str();
                    let query = [
                        ("project", id.as_str()),
                        ("sort", "date"),
                        ("query", age),
                        ("environment", environment),
                    ];
                    let issues = self.ask(&path, &query);
                    if age == "age:-1h" {
                        young.extend(rows(&issues, "id").map(|id| (id, environment.to_owned())));
                    }
                }
            }
        }
        assert_eq!(young.len(), YOUNG);
        for (issue, environment) in &young {
            let path = format!("issues/{issue}/current-release/");
            self.ask(&path, &[("environment", environment)]);
        }
        for (slug, _) in &projects {
            for stat in ["received", "rejected", "blacklisted"] {
                let path = format!("projects/{organization}/{slug}/stats/");
                let until = Utc::now().timestamp().to_string();
                self.ask(
                    &path,
                    &[("stat", stat), ("since", &since), ("until", &until)],
                );
            }
        }
    }
}

/// A field of each row, as text.
fn rows<'a>(rows: &'a Value, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let rows = rows.as_array().expect("a list").iter();
    rows.map(move |row| row[name].as_str().expect(name).to_owned())
}

/// How long the same takes one after another, without limits and with them, at the same time. Sentry is a version that still
/// answers all of its requests: the hosted service of today refuses those for releases, and with them the scrape.
fn serial() {
    head(&[
        "as italux asks, 100 ms a request",
        "requests",
        "wall",
        "429s",
    ]);
    let run = |adapt: fn(Options) -> Options| -> JoinHandle<[String; 3]> {
        spawn(move || {
            let sandbox = sandbox(world(), |options| Options {
                version: Version::V21_4,
                ..far(adapt(options))
            });
            let serial = Serial {
                agent: agent(),
                base: sandbox.url(),
            };
            let started = Instant::now();
            serial.scrape();
            let wall = started.elapsed().as_secs_f64();
            let asked = sandbox.requests().len().to_string();
            [
                asked,
                format!("{wall:.1} s"),
                sandbox.rejections().to_string(),
            ]
        })
    };
    let runs = [
        ("without limits", run(near)),
        ("hosted limits", run(limited)),
    ];
    for (name, run) in runs {
        let [asked, wall, refused] = run.join().expect("a run");
        row(&[name, &asked, &wall, &refused]);
    }
}

/// A Python with the library that is compared with.
fn python() -> PathBuf {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../prometheus-client/bin/python");
    std::env::var_os(PYTHON).map_or(own, PathBuf::from)
}

/// CPU seconds of one rendering by Python, plain and with gzip.
fn by_python(text: &str, rounds: u32) -> Result<[f64; 2], String> {
    let python = python();
    let remedy = format!(
        "prometheus_client {CLIENT} is not there: `python3 -m venv target/prometheus-client && \
         target/prometheus-client/bin/pip install prometheus_client=={CLIENT}`, or name a Python that has it in {PYTHON}"
    );
    let mut child = Command::new(&python)
        .args([
            "-c",
            include_str!("render.py"),
            CLIENT,
            LEVEL,
            &rounds.to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}; {remedy}", python.display()))?;
    let mut input = child.stdin.take().expect("a pipe");
    // One that ends early says why by itself.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("Python");
    if !output.status.success() {
        return Err(format!("{}: {}; {remedy}", python.display(), output.status));
    }
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<f64> = told
        .split_whitespace()
        .map(|word| word.parse().expect("a number"))
        .collect();
    let [samples, plain, packed] = numbers[..] else {
        panic!("{told}");
    };
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let expected = series(text) as f64;
    assert!(
        (samples - expected).abs() < 0.1,
        "Python has {samples} of {expected} series"
    );
    Ok([plain, packed])
}

/// Settings under which no scrape refreshes but the first.
fn fresh() -> Value {
    json!({"min_age": "1h", "max_age": "2h"})
}

/// CPU of answering a scrape from a fresh snapshot: the whole answer over HTTP, against rendering alone in Python.
fn scrape() {
    const ROUNDS: u32 = 300;
    let sandbox = sandbox(wide(), near);
    let exporter = Exporter::start(&sandbox, &fresh());
    let text = exporter.scrape("identity").text;
    assert_whole(&text);
    assert!(series(&text) >= SERIES, "{} series", series(&text));
    let title = format!(
        "CPU of a scrape, {} series, {} kB",
        series(&text),
        text.len() / 1000
    );
    let theirs = by_python(&text, 20);
    head(&[
        &title,
        "exporter",
        &format!("prometheus_client {CLIENT}"),
        "ratio",
        "target",
    ]);
    for (number, (name, encoding, target)) in
        [("plain", "identity", "1/20"), ("gzip", "gzip", "1/5")]
            .into_iter()
            .enumerate()
    {
        let best = (0..3).map(|_| {
            let before = exporter.cpu();
            for _ in 0..ROUNDS {
                let answer = exporter.scrape(encoding);
                assert_eq!(answer.gzip, encoding == "gzip");
                assert_eq!(series(&answer.text), series(&text));
            }
            (exporter.cpu() - before) / f64::from(ROUNDS)
        });
        let own = best.fold(f64::MAX, f64::min);
        let (python, ratio) = match &theirs {
            Ok(seconds) => (
                milliseconds(seconds[number]),
                format!("1/{:.1}", seconds[number] / own),
            ),
            Err(_) => ("?".to_owned(), "?".to_owned()),
        };
        row(&[name, &milliseconds(own), &python, &ratio, target]);
    }
    if let Err(error) = theirs {
        writeln!(std::io::stdout().lock(), "\n{error}").expect("stdout");
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1000.0)
}

/// Resident memory after many scrapes, from a fresh snapshot, and where each scrape refreshes.
fn memory() {
    head(&[
        "resident memory, MiB",
        "series",
        "after 1",
        "100",
        "1,000 scrapes",
        "peak",
    ]);
    for (name, settings) in [
        ("one snapshot", fresh()),
        ("each scrape refreshes", json!({"min_age": 0})),
    ] {
        let sandbox = sandbox(wide(), near);
        let exporter = Exporter::start(&sandbox, &settings);
        let mut count = 0;
        let mut cells = vec![name.to_owned()];
        for scrape in 1..=1_000 {
            let answer = exporter.scrape(["identity", "gzip"][scrape % 2]);
            assert_whole(&answer.text);
            count = series(&answer.text);
            if [1, 100, 1_000].contains(&scrape) {
                cells.push(format!("{:.1}", exporter.memory("VmRSS")));
            }
            // This process's own.
            sandbox.clear_requests();
        }
        assert!(count >= SERIES);
        cells.insert(1, count.to_string());
        cells.push(format!("{:.1}", exporter.memory("VmHWM")));
        row(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// Refusals under hosted limits. Two scrapers ask again at once, and each scrape refreshes what is there, which is harder
/// than every 15 seconds with a refresh a minute.
fn refusals() {
    head(&[
        "hosted limits, two scrapers without a pause",
        "scrapes",
        "requests",
        "wall",
        "429s",
    ]);
    for (dialect, scrapes) in [("native", 60), ("italux", 6)] {
        let sandbox = sandbox(world(), limited);
        let exporter = Exporter::start(&sandbox, &json!({"dialect": dialect, "min_age": 0}));
        let started = Instant::now();
        let readers = [(); 2].map(|()| {
            let address = exporter.address.clone();
            spawn(move || {
                let agent = agent();
                for _ in 0..scrapes {
                    assert_whole(&get(&agent, &address, "identity").text);
                }
            })
        });
        for reader in readers {
            reader.join().expect("a reader");
        }
        let wall = started.elapsed().as_secs_f64();
        let asked = sandbox.requests().len();
        row(&[
            dialect,
            &format!("2 × {scrapes}"),
            &asked.to_string(),
            &format!("{wall:.0} s"),
            &sandbox.rejections().to_string(),
        ]);
    }
}
