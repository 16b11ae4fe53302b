//! The whole program side by side with curl on the same pages: CPU, memory, requests, use of rate limits, latency.
//!
//! `cargo bench --bench compare` prints a table; `-- cpu parts memory rates latency requests` chooses parts. The sandbox runs
//! in this process, so the CPU time of a child is the client's alone.

use sentry_sandbox::{Bulk, Class, Limits, ORGANIZATION, Options, Request, Sandbox, TOKEN, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tap_sentry::streams::{STREAMS, StreamDef};
use wait4::{ResUse, Wait4};

const TAP: &str = env!("CARGO_BIN_EXE_tap-sentry");

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let parts: [(&str, fn()); 6] = [
        ("requests", requests),
        ("cpu", cpu),
        ("parts", parts_of_events),
        ("memory", memory),
        ("latency", latency),
        ("rates", rates),
    ];
    for (name, part) in parts {
        if chosen.is_empty() || chosen.iter().any(|c| c == name) {
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
    row(&[]);
    row(cells);
    row(&vec!["---"; cells.len()]);
}

/// A world, the folder of a run and the streams it selects.
struct Bench {
    sandbox: Sandbox,
    folder: tempfile::TempDir,
    start: String,
}

impl Bench {
    /// Projects, issues of each, events of each and their size, over a month.
    fn new(bulk: (u64, u64, u64, usize), adapt: impl FnOnce(Options) -> Options) -> Self {
        Self::over(30, bulk, adapt)
    }

    fn over(
        days: i64,
        bulk: (u64, u64, u64, usize),
        adapt: impl FnOnce(Options) -> Options,
    ) -> Self {
        let now = chrono::Utc::now();
        let (projects, issues_per_project, events_per_issue, event_bytes) = bulk;
        let span = chrono::TimeDelta::days(days);
        let world = World::bulk(Bulk {
            now,
            projects,
            issues_per_project,
            events_per_issue,
            event_bytes,
            span,
        });
        let sandbox = Sandbox::start(adapt(Options::new(world))).expect("a sandbox");
        let start = (now - span - chrono::TimeDelta::days(1))
            .format("%Y-%m-%d")
            .to_string();
        Self {
            sandbox,
            folder: tempfile::tempdir().expect("a folder"),
            start,
        }
    }

    fn tap(&self, streams: &[&str], settings: &Value) -> Command {
        let mut config = json!({"api_token": TOKEN, "organization": ORGANIZATION, "base_url": self.sandbox.url(), "start_date": self.start});
        config
            .as_object_mut()
            .expect("an object")
            .extend(settings.as_object().expect("an object").clone());
        let entries: Vec<Value> = streams
            .iter()
            .map(|name| json!({"tap_stream_id": name, "metadata": [{"breadcrumb": [], "metadata": {"selected": true}}]}))
            .collect();
        let mut command = Command::new(TAP);
        command
            .arg("-q")
            .arg("--config")
            .arg(self.file("config.json", &config))
            .arg("--catalog")
            .arg(self.file("catalog.json", &json!({"streams": entries})));
        command
    }

    fn file(&self, name: &str, value: &Value) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, value.to_string()).expect("written");
        path
    }

    /// The same requests by curl, one after another over one connection.
    fn curl(&self, requests: &[Request]) -> Command {
        let urls: String = requests.iter().fold(String::new(), |list, r| {
            list + "url = \"" + &self.sandbox.url() + &address(r) + "\"\noutput = \"/dev/null\"\n"
        });
        let list = self.folder.path().join("curl.txt");
        std::fs::write(&list, urls).expect("written");
        let mut command = Command::new("curl");
        command
            .args([
                "--silent",
                "--header",
                &format!("Authorization: Bearer {TOKEN}"),
                "--config",
            ])
            .arg(list);
        command
    }
}

fn address(request: &Request) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&request.query)
        .finish();
    if query.is_empty() {
        request.path.clone()
    } else {
        format!("{}?{query}", request.path)
    }
}

struct Used {
    cpu: f64,
    wall: f64,
    mib: f64,
}

fn measure(mut command: Command) -> Used {
    Running::new(command.stdout(Stdio::null())).ended()
}

/// A process that is measured.
struct Running {
    child: Child,
    started: Instant,
    peak: JoinHandle<f64>,
}

impl Running {
    fn new(command: &mut Command) -> Self {
        let started = Instant::now();
        let child = command.spawn().expect(TAP);
        Self {
            peak: peak(child.id()),
            child,
            started,
        }
    }

    fn ended(self) -> Used {
        let ResUse { status, rusage } = self.child.wait4().expect("the child's usage");
        assert!(status.success(), "{status}");
        let mib = self.peak.join().expect("the watcher");
        Used {
            cpu: (rusage.utime + rusage.stime).as_secs_f64(),
            wall: self.started.elapsed().as_secs_f64(),
            mib,
        }
    }
}

/// Watches the peak memory of a process while it lives. What `wait4` reports instead begins with that of the process
/// that started it, which holds the sandbox.
fn peak(pid: u32) -> JoinHandle<f64> {
    std::thread::spawn(move || {
        let mut mib = 0.0;
        let peak = |status: String| {
            status.lines().find_map(|line| {
                line.strip_prefix("VmHWM:")?
                    .trim()
                    .strip_suffix(" kB")?
                    .parse::<f64>()
                    .ok()
            })
        };
        while let Some(kib) = std::fs::read_to_string(format!("/proc/{pid}/status"))
            .ok()
            .and_then(peak)
        {
            mib = kib / 1024.0;
            std::thread::sleep(Duration::from_millis(2));
        }
        mib
    })
}

/// CPU of a full sync against curl's for the same pages, the best of three.
fn cpu() {
    head(&["CPU, 100,000 events", "tap", "curl", "ratio"]);
    for (name, details) in [("full events, 10 kB", true), ("simple events", false)] {
        let bench = Bench::new((2, 50, 1000, 10_000), |options| options);
        let settings = json!({"fetch_event_details": details});
        let best =
            |run: &dyn Fn() -> Command| (0..3).map(|_| measure(run()).cpu).fold(f64::MAX, f64::min);
        measure(bench.tap(&["events"], &settings));
        let pages = bench.sandbox.requests();
        let tap = best(&|| bench.tap(&["events"], &settings));
        let curl = best(&|| bench.curl(&pages));
        row(&[
            name,
            &format!("{tap:.2} s"),
            &format!("{curl:.2} s"),
            &format!("{:.1}", tap / curl),
        ]);
    }
    let discover = (0..5).map(|_| {
        let mut command = Command::new(TAP);
        command.arg("--discover");
        measure(command).wall
    });
    row(&[
        "--discover",
        &format!("{:.1} ms", discover.fold(f64::MAX, f64::min) * 1000.0),
        "",
        "",
    ]);
}

/// CPU a byte of output and peak memory of full events of 30 frames, 20 tags and 20 breadcrumbs, with and without the
/// streams that are cut from them. The best of five.
fn parts_of_events() {
    let bench = Bench::new((2, 50, 400, 28_916), |mut options| {
        for issue in options.world.issues.values_mut() {
            // With the six that all have.
            issue.synthetic.as_mut().expect("computed events").more_tags = 13;
        }
        options
    });
    let settings = json!({"fetch_event_details": true});
    let cut = STREAMS.iter().filter(|def| def.cut.is_some());
    let cut: Vec<&str> = cut.map(StreamDef::name).collect();
    let all = [&["events"][..], &cut].concat();
    is_as_large_as_said(&bench, &all, &settings);
    head(&[
        "40,000 full events",
        "CPU",
        "output",
        "CPU a GB",
        "of events alone",
        "peak",
    ]);
    let mut alone = None;
    for (name, streams) in [
        ("events alone", &["events"][..]),
        ("events and the four streams cut from them", &all),
        ("those four alone", &cut),
    ] {
        let bytes = output(bench.tap(streams, &settings), |out| {
            std::io::copy(out, &mut std::io::sink()).expect("the pipe")
        });
        let runs: Vec<Used> = (0..5)
            .map(|_| measure(bench.tap(streams, &settings)))
            .collect();
        let cpu = runs.iter().map(|used| used.cpu).fold(f64::MAX, f64::min);
        let mib = runs.iter().map(|used| used.mib).fold(0.0, f64::max);
        #[expect(clippy::cast_precision_loss, reason = "for a table")]
        let gb = bytes as f64 / 1e9;
        let a_gb = cpu / gb;
        let of_alone = a_gb / *alone.get_or_insert(a_gb);
        row(&[
            name,
            &format!("{cpu:.2} s"),
            &format!("{gb:.2} GB"),
            &format!("{a_gb:.2} s"),
            &format!("{of_alone:.2}"),
            &format!("{mib:.1} MiB"),
        ]);
    }
}

/// Reads all that a run writes.
fn output<T>(mut command: Command, read: impl FnOnce(&mut ChildStdout) -> T) -> T {
    let mut child = command.stdout(Stdio::piped()).spawn().expect(TAP);
    let read = read(child.stdout.as_mut().expect("a pipe"));
    assert!(child.wait().expect("the child's end").success());
    read
}

/// The events have as many parts as the table says.
fn is_as_large_as_said(bench: &Bench, streams: &[&str], settings: &Value) {
    let mut records: BTreeMap<String, usize> = BTreeMap::new();
    output(bench.tap(streams, settings), |out| {
        for line in BufReader::new(out).lines() {
            let line = line.expect("UTF-8");
            if let Some(rest) = line.strip_prefix(r#"{"type":"RECORD","stream":""#) {
                let name = rest.split('"').next().unwrap_or_default();
                *records.entry(name.to_owned()).or_default() += 1;
            }
        }
    });
    let each = |name: &str| records[name] / records["events"];
    let found = ["event_stack_frames", "event_tags", "event_breadcrumbs"].map(each);
    assert_eq!(
        found,
        [30, 20, 20],
        "frames, tags and breadcrumbs of an event"
    );
}

/// Peak memory at two sizes, and with a reader that is slower than the server.
fn memory() {
    head(&["peak memory, full events", "events", "MiB", "wall"]);
    for events in [100_000, 1_000_000] {
        let bench = Bench::new((4, 250, events / 1000, 10_000), |options| options);
        let used = measure(bench.tap(&["events"], &json!({"fetch_event_details": true})));
        row(&[
            "fast reader",
            &events.to_string(),
            &format!("{:.1}", used.mib),
            &format!("{:.0} s", used.wall),
        ]);
    }
    let bench = Bench::new((4, 250, 100, 10_000), |options| options);
    let mut running = Running::new(
        bench
            .tap(&["events"], &json!({"fetch_event_details": true}))
            .stdout(Stdio::piped()),
    );
    let mut out = running.child.stdout.take().expect("a pipe");
    let mut buffer = vec![0; 1 << 20];
    while out.read(&mut buffer).expect("the pipe") > 0 {
        std::thread::sleep(Duration::from_micros(500));
    }
    let used = running.ended();
    row(&[
        "slow reader",
        "100000",
        &format!("{:.1}", used.mib),
        &format!("{:.0} s", used.wall),
    ]);
}

/// Wall time with 100 ms a request against requests x latency / concurrency.
fn latency() {
    head(&[
        "100 ms a request, concurrency 8",
        "requests",
        "wall",
        "ideal",
        "ratio",
    ]);
    for (name, bulk) in [
        ("4 projects", (4, 60, 100, 500)),
        ("1 project", (1, 200, 100, 500)),
    ] {
        let delay = Duration::from_millis(100);
        let bench = Bench::new(bulk, |options| Options {
            latency: delay,
            ..options
        });
        let used = measure(bench.tap(
            &[
                "projects", "issues", "events", "teams", "members", "releases",
            ],
            &json!({}),
        ));
        let requests = bench.sandbox.requests().len();
        let ideal =
            delay.as_secs_f64() * f64::from(u32::try_from(requests).unwrap_or(u32::MAX)) / 8.0;
        row(&[
            name,
            &requests.to_string(),
            &format!("{:.1} s", used.wall),
            &format!("{ideal:.1} s"),
            &format!("{:.2}", used.wall / ideal),
        ]);
    }
}

/// The share of each class's allowance that is used while it is the bottleneck, and how often the limiter refused.
fn rates() {
    head(&[
        "limits of the hosted service",
        "class",
        "requests",
        "a second",
        "allowed",
        "share",
        "429s",
    ]);
    let limited = |options| Options {
        limits: Limits::hosted(),
        ..options
    };
    let runs: [(&str, Bench, &[&str]); 2] = [
        (
            "issue by issue",
            Bench::new((1, 320, 800, 500), limited),
            &["issues", "events", "issue_detail"],
        ),
        (
            "project by project",
            Bench::new((1, 6400, 1, 500), limited),
            &["events"],
        ),
    ];
    for (name, bench, streams) in runs {
        measure(bench.tap(streams, &json!({"window_days": 40, "concurrency": 16})));
        let mut classes: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
        for request in bench.sandbox.requests() {
            classes
                .entry(format!("{:?}", request.class))
                .or_default()
                .push(request.at);
        }
        for class in [Class::Default, Class::IssueDetail, Class::ProjectEvents] {
            let Some(times) = classes
                .get(&format!("{class:?}"))
                .filter(|times| times.len() > 40)
            else {
                continue;
            };
            let Some(limit) = Limits::hosted().get(class) else {
                continue;
            };
            let span = times
                .iter()
                .max()
                .zip(times.iter().min())
                .map_or(0.0, |(last, first)| (*last - *first).as_secs_f64());
            let rate = f64::from(u32::try_from(times.len() - 1).unwrap_or(u32::MAX)) / span;
            let allowed = f64::from(limit.requests) / limit.window.as_secs_f64();
            let rejected = bench.sandbox.rejections().to_string();
            row(&[
                name,
                &format!("{class:?}"),
                &times.len().to_string(),
                &format!("{rate:.2}"),
                &format!("{allowed:.2}"),
                &format!("{:.0} %", 100.0 * rate / allowed),
                &rejected,
            ]);
        }
    }
}

/// Requests of a first and of a later run.
fn requests() {
    head(&["requests", "first run", "later run"]);
    for (name, days, bulk) in [
        (
            "10 projects, 1,000 issues, 10,000 events of a month",
            30,
            (10, 100, 10, 500),
        ),
        (
            "100 projects, 1,000 issues, 50,000 events of a month",
            30,
            (100, 10, 50, 500),
        ),
        (
            "100 projects of 3 issues each, over 85 days",
            85,
            (100, 3, 10, 500),
        ),
        (
            "400 projects of 3 issues each, over 85 days",
            85,
            (400, 3, 10, 500),
        ),
        ("1,000 projects without issues", 30, (1_000, 0, 0, 500)),
    ] {
        let bench = Bench::over(days, bulk, |options| options);
        let streams = [
            "projects", "teams", "members", "issues", "events", "releases",
        ];
        let count = |state: Option<&Path>| {
            bench.sandbox.clear_requests();
            let mut command = bench.tap(&streams, &json!({}));
            if let Some(state) = state {
                command.arg("--state").arg(state);
            }
            let output = command.output().expect(TAP);
            let state = output
                .stdout
                .rsplit(|b| *b == b'\n')
                .nth(1)
                .unwrap_or_default()
                .to_vec();
            (bench.sandbox.requests().len().to_string(), state)
        };
        let (first, state) = count(None);
        let path = bench.folder.path().join("state.json");
        std::fs::write(&path, state).expect("written");
        let (later, _) = count(Some(&path));
        row(&[name, &first, &later]);
    }
}
