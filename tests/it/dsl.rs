//! `Tap::against(&sentry).select(&["issues"]).run()`, and what one can say about such a run.

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use sentry_sandbox::world::{Issue, Kind, Seconds};
use sentry_sandbox::{ORGANIZATION, Options, Sandbox, TOKEN, World};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tap_sentry::record::style::RecordStyle;
use tap_sentry::singer::catalog::Selection;
use tempfile::TempDir;

/// No run of a test takes longer than this, unless it hangs.
const HANGS: Duration = Duration::from_secs(60);

/// As settings and states are written.
pub fn text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub fn instant(value: &Value) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(value.as_str().unwrap())
        .unwrap()
        .to_utc()
}

/// Chance that can be repeated by its seed.
pub struct Dice(TestRng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % end as u64).unwrap()
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A number from the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// A running sandbox, and the span of time that a test extracts from it.
pub struct Sentry {
    sandbox: Sandbox,
    /// The whole second at which the server was started; its data is older.
    pub now: DateTime<Utc>,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Deref for Sentry {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Sentry {
    /// One of every oddity, of the last weeks.
    pub fn seeded() -> Self {
        let mut sentry = Self::of(|now| Options::new(World::seeded(now)));
        sentry.start = sentry.now - TimeDelta::days(25);
        sentry
    }

    /// The same, as far back as Sentry lists anything.
    pub fn seeded_long_ago() -> Self {
        let mut sentry = Self::seeded();
        sentry.start = sentry.now - TimeDelta::days(89);
        sentry
    }

    /// Two projects with three issues each, whose nine events lie within ten days; a feedback and two releases.
    pub fn small() -> Self {
        Self::holding(|world| {
            let now = world.clock();
            for slug in ["api", "web"] {
                let project = world.add_project(slug);
                for number in 0..3 {
                    let issue = world.add_issue(project, &format!("{slug} issue {number}"));
                    for day in [1, 4, 8] {
                        world.add_event(
                            issue,
                            now - TimeDelta::days(day) - TimeDelta::hours(number),
                        );
                    }
                }
                world.add_release(&format!("{slug}@1.0"), project, now - TimeDelta::days(3));
            }
            let project = world.projects[0].id;
            let feedback = world.add_issue(project, "feedback");
            world.issue_mut(feedback).kind = Kind::FEEDBACK;
            world.add_event(feedback, now - TimeDelta::days(2));
        })
    }

    /// An organization with one team, and what the closure adds.
    pub fn holding(fill: impl FnOnce(&mut World)) -> Self {
        Self::of(|now| {
            let mut world = World::empty(now);
            fill(&mut world);
            Options::new(world)
        })
    }

    pub fn of(options: impl FnOnce(DateTime<Utc>) -> Options) -> Self {
        let now = Utc::now().trunc_subsecs(0);
        let sandbox = Sandbox::start(options(now)).unwrap();
        Self {
            sandbox,
            now,
            start: now - TimeDelta::days(10),
            end: now,
        }
    }

    /// What a complete extraction of `[start, end)` yields.
    pub fn expected(&self, stream: &str) -> BTreeSet<String> {
        self.expected_until(stream, self.end)
    }

    pub fn expected_until(&self, stream: &str, end: DateTime<Utc>) -> BTreeSet<String> {
        self.world().expected(stream, self.start, end)
    }

    /// Keys of the issues, events or releases of one project with activity in `[from, to)`.
    fn expected_of_project(
        &self,
        stream: &str,
        project: u64,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BTreeSet<String> {
        let world = self.world();
        let window = world.retained(Seconds::new(from, to));
        let issues = world.issues.values().filter(|issue| {
            issue.project == project
                && world.listable(issue)
                && (!issue.kind.hidden || issue.kind == Kind::FEEDBACK)
        });
        match stream {
            "issues" | "issue_detail" => issues
                .filter(|issue| issue.seen(window, &[]).is_some())
                .map(|issue| issue.id.to_string())
                .collect(),
            "releases" => {
                let of_project = world
                    .releases
                    .iter()
                    .filter(|release| release.projects.contains(&project));
                let of_project = of_project
                    .filter(|release| from <= release.date_created && release.date_created < to);
                of_project
                    .map(|release| format!("{ORGANIZATION}|{}", release.version))
                    .collect()
            }
            _ => issues
                .flat_map(|issue| {
                    issue
                        .events_in(window)
                        .map(move |event| format!("{project}|{}", event.id()))
                })
                .collect(),
        }
    }

    pub fn project(&self, slug: &str) -> u64 {
        self.world().project_by_slug(slug).unwrap().id
    }

    pub fn issue(&self, title: &str) -> u64 {
        self.world()
            .issues
            .values()
            .find(|issue: &&Issue| issue.title.contains(title))
            .unwrap()
            .id
    }

    pub fn issues_of(&self, slug: &str) -> Vec<u64> {
        let project = self.project(slug);
        self.world()
            .issues
            .values()
            .filter(|issue| issue.project == project)
            .map(|issue| issue.id)
            .collect()
    }

    /// How many requests had this end of the path.
    pub fn asked(&self, path_end: &str) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.path.ends_with(path_end))
            .count()
    }
}

/// The executable, and how it is called.
#[derive(Clone)]
pub struct Tap {
    config: Option<Map<String, Value>>,
    catalog: Option<Value>,
    state: Option<Value>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    files: Vec<(String, Vec<u8>)>,
    modes: Vec<(String, u32)>,
    memory: Option<u32>,
}

impl Tap {
    /// With a configuration that suits the sandbox.
    pub fn against(sentry: &Sentry) -> Self {
        let config = json!({
            "api_token": TOKEN,
            "base_url": sentry.url(),
            "organization": ORGANIZATION,
            "start_date": text(sentry.start),
            "end_date": text(sentry.end),
            // Each step can be seen.
            "state_interval_seconds": 0,
        });
        Self {
            config: config.as_object().cloned(),
            ..Self::bare()
        }
    }

    pub fn against_stub(stub: &Stub) -> Self {
        let config = json!({"api_token": TOKEN, "base_url": stub.url, "organization": ORGANIZATION, "start_date": "2026-01-01"});
        Self {
            config: config.as_object().cloned(),
            ..Self::bare()
        }
    }

    /// Without any argument.
    pub fn bare() -> Self {
        Self {
            config: None,
            catalog: None,
            state: None,
            args: Vec::new(),
            env: Vec::new(),
            files: Vec::new(),
            modes: Vec::new(),
            memory: None,
        }
    }

    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config
            .get_or_insert_default()
            .insert(key.to_owned(), value.into());
        self
    }

    pub fn without(mut self, key: &str) -> Self {
        self.config.get_or_insert_default().remove(key);
        self
    }

    pub fn retries(self, most: u32) -> Self {
        self.with("max_retries", most)
    }

    pub fn until(self, end: DateTime<Utc>) -> Self {
        self.with("end_date", text(end))
    }

    /// With a catalog that selects these streams, whole, and no other.
    pub fn select(self, streams: &[&str]) -> Self {
        self.catalog(catalog(streams))
    }

    pub fn catalog(mut self, catalog: Value) -> Self {
        self.catalog = Some(catalog);
        self
    }

    pub fn state(mut self, state: &Value) -> Self {
        self.state = Some(state.clone());
        self
    }

    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file in the working directory.
    pub fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.files
            .push((name.to_owned(), content.as_ref().to_owned()));
        self
    }

    /// Permissions of a file in the working directory, where `config.json` is too.
    pub fn mode(mut self, name: &str, mode: u32) -> Self {
        self.modes.push((name.to_owned(), mode));
        self
    }

    /// Has no more than so many MiB: what needs more is refused, and ends the run.
    pub fn within_mib(self, mib: u32) -> Self {
        Self {
            memory: Some(mib),
            ..self
        }
    }

    /// Runs to the end.
    pub fn run(self) -> Run {
        let (mut command, dir) = self.command();
        let mut command = {
            command.stdin(Stdio::null());
            assert_cmd::Command::from_std(command)
        };
        let output = command.timeout(HANGS).output().unwrap();
        drop(dir);
        let stdout = String::from_utf8(output.stdout).unwrap();
        let run = Run::new(
            output.status.code(),
            &stdout,
            String::from_utf8(output.stderr).unwrap(),
        );
        run.keeps_to_the_protocol();
        run
    }

    /// Goes on from the last of the earlier runs, with which it makes a whole of every selected stream.
    #[track_caller]
    pub fn completes(self, sentry: &Sentry, earlier: &[&Run]) -> Run {
        let selection = Selection::new(self.catalog.clone(), &RecordStyle::default()).unwrap();
        let end = instant(&self.config.as_ref().unwrap()["end_date"]);
        let run = self.state(&earlier.last().unwrap().state()).run();
        run.is_complete();
        let runs = [earlier, &[&run]].concat();
        for selected in selection.0 {
            union(selected.def.name(), &runs)
                .equal(sentry.expected_until(selected.def.name(), end));
        }
        run
    }

    /// Starts, to be read line by line.
    pub fn start(self) -> Running {
        let (mut command, dir) = self.command();
        let stderr = dir.path().join("stderr");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&stderr).unwrap());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let alive = ends_when_it_hangs(&child);
        Running {
            child,
            lines: Some(lines),
            read: String::new(),
            stderr,
            _dir: dir,
            _alive: alive,
        }
    }

    /// Runs to the end with stderr on a terminal, which `read` reads to its end.
    pub fn run_on(self, terminal: OwnedFd, read: impl FnOnce()) {
        let (mut command, _dir) = self.command();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(terminal)
            .spawn()
            .unwrap();
        // It holds the terminal open.
        drop(command);
        let _alive = ends_when_it_hangs(&child);
        read();
        child.wait().unwrap();
    }

    fn command(self) -> (Command, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        for (name, content) in &self.files {
            write(name, content);
        }
        let program = env!("CARGO_BIN_EXE_tap-sentry");
        let mut command = Command::new(if self.memory.is_some() { "sh" } else { program });
        if let Some(mib) = self.memory {
            command.args([
                "-c",
                &format!("ulimit -d {} && exec \"$0\" \"$@\"", mib << 10),
                program,
            ]);
        }
        let proxies = [
            "http_proxy",
            "https_proxy",
            "all_proxy",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
        ];
        for name in [
            "NO_COLOR",
            "SENTRY_AUTH_TOKEN",
            "LOGLEVEL",
            "RUST_LOG",
            "SINGER_LOG_LEVEL",
            "SINGER_SDK_LOG_CONFIG",
        ]
        .into_iter()
        .chain(proxies)
        {
            command.env_remove(name);
        }
        command.current_dir(dir.path()).envs(self.env);
        for (flag, value) in [
            ("--config", self.config.map(Value::Object)),
            ("--catalog", self.catalog),
            ("--state", self.state),
        ] {
            if let Some(value) = value {
                command.arg(flag).arg(write(
                    &format!("{}.json", &flag[2..]),
                    value.to_string().as_bytes(),
                ));
            }
        }
        for (name, mode) in self.modes {
            std::fs::set_permissions(dir.path().join(name), Permissions::from_mode(mode)).unwrap();
        }
        command.args(self.args);
        (command, dir)
    }
}

/// Kills what takes too long, as long as the returned end is held.
fn ends_when_it_hangs(child: &Child) -> Sender<()> {
    let (alive, ended) = channel::<()>();
    let id = child.id();
    std::thread::spawn(move || {
        if ended.recv_timeout(HANGS) == Err(RecvTimeoutError::Timeout) {
            send_signal("KILL", id);
        }
    });
    alive
}

/// A server that gives the same answer at one end of a path, whatever the sandbox would never say, and `[]` elsewhere.
pub struct Stub {
    pub url: String,
    targets: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    pub fn answering(path_end: &'static str, body: &str) -> Self {
        Self::with_link(path_end, body, "")
    }

    /// With a `Link` header.
    pub fn with_link(path_end: &'static str, body: &str, link: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let targets = Arc::new(Mutex::new(Vec::new()));
        let (noted, body, link) = (Arc::clone(&targets), body.to_owned(), link.to_owned());
        // It ends with the test's process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = String::new();
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                while lines.read_line(&mut head).is_ok_and(|length| length > 2) {}
                let target = head
                    .split_whitespace()
                    .nth(1)
                    .unwrap_or_default()
                    .to_owned();
                let here = target
                    .split('?')
                    .next()
                    .is_some_and(|path| path.ends_with(path_end));
                let (body, link) = if here {
                    (body.as_str(), link.as_str())
                } else {
                    ("[]", "")
                };
                let link = if link.is_empty() {
                    String::new()
                } else {
                    format!("Link: {link}\r\n")
                };
                noted.lock().unwrap().push(target);
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{link}Connection: close\r\n\r\n",
                    body.len()
                );
                // The tap may have gone.
                let _ = stream
                    .write_all(head.as_bytes())
                    .and_then(|()| stream.write_all(body.as_bytes()));
            }
        });
        Self { url, targets }
    }

    /// Path and query of each request, as they were sent.
    pub fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap().clone()
    }
}

/// The catalog of `--discover`, in which these streams are selected and the others are not.
pub fn catalog(streams: &[&str]) -> Value {
    let mut catalog = serde_json::to_value(tap_sentry::singer::catalog::discover()).unwrap();
    for entry in catalog["streams"].as_array_mut().unwrap() {
        let selected = streams.contains(&entry["tap_stream_id"].as_str().unwrap());
        metadata(entry, &[])["selected"] = json!(selected);
    }
    catalog
}

/// The entry of one stream.
pub fn entry<'a>(catalog: &'a mut Value, stream: &str) -> &'a mut Value {
    catalog["streams"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .find(|entry| entry["tap_stream_id"] == stream)
        .unwrap()
}

/// The metadata of a property, named by its path; of the stream itself when that is empty.
pub fn metadata<'a>(entry: &'a mut Value, path: &[&str]) -> &'a mut Value {
    let breadcrumb: Vec<&str> = path.iter().flat_map(|name| ["properties", name]).collect();
    let list = entry["metadata"].as_array_mut().unwrap();
    &mut list
        .iter_mut()
        .find(|one| one["breadcrumb"] == json!(breadcrumb))
        .unwrap()["metadata"]
}

/// A tap that is under way.
pub struct Running {
    child: Child,
    lines: Option<BufReader<ChildStdout>>,
    read: String,
    stderr: PathBuf,
    _dir: TempDir,
    /// Dropped when the child has been waited for: one that hangs is killed, so that its test fails.
    _alive: Sender<()>,
}

impl Running {
    /// The next line, when it comes; `None` after the last.
    pub fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        let length = self.lines.as_mut().unwrap().read_line(&mut line).unwrap();
        self.read.push_str(&line);
        (length > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// Reads up to and including a line of that type.
    pub fn read_to(&mut self, kind: &str) -> &mut Self {
        while self.line().expect("a line of that type")["type"] != kind {}
        self
    }

    pub fn read_lines(&mut self, count: usize) -> &mut Self {
        for _ in 0..count {
            if self.line().is_none() {
                break;
            }
        }
        self
    }

    /// What a target has seen when the tap is killed after the lines read so far.
    pub fn kill(mut self) -> Run {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Run::new(None, &self.read, self.errors())
    }

    /// Sends a signal by name and reads to the end.
    pub fn signal(self, name: &str) -> Run {
        self.send(name);
        self.finish()
    }

    /// Sends a signal by name and waits for the end with the pipe unread. Returns the exit code.
    pub fn signal_without_reading(mut self, name: &str) -> Option<i32> {
        self.send(name);
        self.child.wait().unwrap().code()
    }

    fn send(&self, signal: &str) {
        assert!(send_signal(signal, self.child.id()));
    }

    /// Closes the reading end of stdout. What a target has seen then ends anywhere.
    pub fn close_stdout(mut self) -> Run {
        drop(self.lines.take());
        let status = self.child.wait().unwrap();
        Run::new(status.code(), &self.read, self.errors())
    }

    /// Reads to the end.
    pub fn finish(mut self) -> Run {
        let mut rest = Vec::new();
        if let Some(mut lines) = self.lines.take() {
            lines.read_to_end(&mut rest).unwrap();
        }
        let status = self.child.wait().unwrap();
        self.read.push_str(&String::from_utf8(rest).unwrap());
        let run = Run::new(status.code(), &self.read, self.errors());
        run.keeps_to_the_protocol();
        run
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }
}

fn send_signal(signal: &str, id: u32) -> bool {
    Command::new("sh")
        .arg("-c")
        .arg(format!("kill -{signal} {id}"))
        .status()
        .is_ok_and(|status| status.success())
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed must not leave it behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that has ended.
#[derive(Clone)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub messages: Vec<Value>,
}

impl Run {
    fn new(code: Option<i32>, stdout: &str, stderr: String) -> Self {
        // What is no Singer message is left to the tests of the modes that print something else.
        let messages: Option<Vec<Value>> = stdout
            .lines()
            .map(|line| serde_json::from_str(line).ok())
            .collect();
        let messages = messages
            .filter(|all| all.iter().all(|one: &Value| one.get("type").is_some()))
            .unwrap_or_default();
        Self {
            code,
            stdout: stdout.to_owned(),
            stderr,
            messages,
        }
    }

    #[track_caller]
    pub fn ends_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "exit code; stderr:\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub fn is_complete(&self) -> &Self {
        self.ends_with(0)
    }

    #[track_caller]
    pub fn is_incomplete(&self) -> &Self {
        self.ends_with(4)
    }

    /// Somewhere on stderr.
    #[track_caller]
    pub fn tells(&self, what: &str) -> &Self {
        assert!(
            self.stderr.contains(what),
            "`{what}` is not in stderr:\n{}",
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn does_not_tell(&self, what: &str) -> &Self {
        assert!(
            !self.stderr.contains(what),
            "`{what}` is in stderr:\n{}",
            self.stderr
        );
        self
    }

    /// On the last line of stderr, which is all that `meltano config test` shows.
    #[track_caller]
    pub fn ends_telling(&self, what: &str) -> &Self {
        let last = self.stderr.lines().next_back().unwrap_or_default();
        assert!(
            last.contains(what),
            "`{what}` is not in the last line of stderr:\n{}",
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn prints_nothing(&self) -> &Self {
        assert_eq!(self.stdout, "", "stdout; stderr:\n{}", self.stderr);
        self
    }

    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.messages
            .iter()
            .filter(move |message| message["type"] == kind)
    }

    pub fn records(&self, stream: &str) -> Vec<&Value> {
        self.of_type("RECORD")
            .filter(|message| message["stream"] == stream)
            .map(|message| &message["record"])
            .collect()
    }

    /// The last record with that primary key, whose parts are joined with `|`.
    #[track_caller]
    pub fn record(&self, stream: &str, key: &str) -> &Value {
        let found = self
            .records(stream)
            .into_iter()
            .rfind(|record| key_of(stream, record) == key);
        found.unwrap_or_else(|| panic!("no record {key} of {stream}; stderr:\n{}", self.stderr))
    }

    pub fn keys(&self, stream: &'static str) -> Keys {
        let list = self
            .records(stream)
            .into_iter()
            .map(|record| key_of(stream, record))
            .collect();
        Keys {
            stream,
            list,
            stderr: self.stderr.clone(),
        }
    }

    /// The streams that have a SCHEMA.
    pub fn streams(&self) -> BTreeSet<&str> {
        self.of_type("SCHEMA")
            .map(|message| message["stream"].as_str().unwrap())
            .collect()
    }

    /// The SCHEMA message of a stream.
    #[track_caller]
    pub fn schema(&self, stream: &str) -> &Value {
        self.of_type("SCHEMA")
            .find(|message| message["stream"] == stream)
            .expect("a SCHEMA")
    }

    pub fn states(&self) -> Vec<&Value> {
        self.of_type("STATE")
            .map(|message| &message["value"])
            .collect()
    }

    /// The last one, or an empty state when there is none.
    pub fn state(&self) -> Value {
        self.states()
            .last()
            .map_or_else(|| json!({}), |value| (*value).clone())
    }

    /// The bookmark of a project.
    pub fn bookmark(&self, stream: &str, project: u64) -> Option<DateTime<Utc>> {
        bookmark(&self.state(), stream, project)
    }

    /// The run as a target sees it that has read so many messages.
    pub fn first(&self, messages: usize) -> Self {
        Self {
            messages: self.messages[..messages].to_vec(),
            ..self.clone()
        }
    }

    /// What every run promises: whole lines, each a message; SCHEMA first; STATE last.
    fn keeps_to_the_protocol(&self) {
        if self.messages.is_empty() || self.code == Some(5) {
            return;
        }
        assert!(self.stdout.ends_with('\n'), "the last line is cut");
        let mut schemas = BTreeSet::new();
        for message in &self.messages {
            match message["type"].as_str().unwrap() {
                "SCHEMA" => {
                    schemas.insert(message["stream"].as_str().unwrap());
                }
                "RECORD" => {
                    let stream = message["stream"].as_str().unwrap();
                    assert!(
                        schemas.contains(stream),
                        "a record of {stream} before its SCHEMA"
                    );
                    assert!(message["time_extracted"].as_str().unwrap().ends_with('Z'));
                }
                "STATE" => assert!(message["value"]["bookmarks"].is_object(), "{message}"),
                "ACTIVATE_VERSION" => {
                    let stream = message["stream"].as_str().unwrap();
                    assert!(
                        schemas.contains(stream) && message["version"].is_i64(),
                        "{message}"
                    );
                }
                other => panic!("a message of type {other}"),
            }
        }
        if self
            .messages
            .iter()
            .all(|message| message["type"] == "SCHEMA")
        {
            // What `--test=schema` prints.
            return;
        }
        assert_eq!(
            self.messages.last().unwrap()["type"],
            "STATE",
            "the last message; stderr:\n{}",
            self.stderr
        );
    }

    /// Every record is valid against the SCHEMA that was printed, formats included, and has its key.
    #[track_caller]
    pub fn is_valid(&self) -> &Self {
        let validators: BTreeMap<&str, _> = self
            .of_type("SCHEMA")
            .map(|message| {
                let validator = jsonschema::draft7::options()
                    .should_validate_formats(true)
                    .build(&message["schema"])
                    .unwrap();
                (message["stream"].as_str().unwrap(), (validator, message))
            })
            .collect();
        for message in self.of_type("RECORD") {
            let stream = message["stream"].as_str().unwrap();
            let (validator, schema) = &validators[stream];
            let record = &message["record"];
            if let Err(error) = validator.validate(record) {
                panic!("{stream}: {error} at {}: {record}", error.instance_path());
            }
            let declared = schema["schema"]["properties"].as_object().unwrap();
            for name in record.as_object().unwrap().keys() {
                assert!(
                    declared.contains_key(name),
                    "{stream}: `{name}` is not in the SCHEMA"
                );
            }
            for key in schema["key_properties"].as_array().unwrap() {
                let value = &record[key.as_str().unwrap()];
                assert!(
                    value.is_string() || value.is_number(),
                    "{stream}: key {key} is {value}"
                );
            }
        }
        self
    }

    /// Whatever a bookmark of a STATE covers was printed before it, by this run or by the earlier ones.
    #[track_caller]
    pub fn no_state_is_ahead(&self, sentry: &Sentry, earlier: &[&Run]) -> &Self {
        for stream in ["issues", "events", "releases"] {
            if !self.streams().contains(stream) {
                continue;
            }
            // An issue that took in another lies in the other's windows too, by now; it is written with its own.
            let survivors: BTreeSet<String> = sentry
                .world()
                .merged
                .values()
                .filter(|_| stream == "issues")
                .map(u64::to_string)
                .collect();
            let mut written: BTreeSet<String> = earlier
                .iter()
                .flat_map(|run| run.records(stream))
                .map(|record| key_of(stream, record))
                .collect();
            for (at, message) in self.messages.iter().enumerate() {
                if message["type"] == "RECORD" && message["stream"] == stream {
                    written.insert(key_of(stream, &message["record"]));
                }
                if message["type"] != "STATE" {
                    continue;
                }
                let partitions = message["value"]["bookmarks"][stream]["partitions"].as_array();
                for partition in partitions.into_iter().flatten() {
                    let project = partition["context"]["project_id"]
                        .as_str()
                        .unwrap()
                        .parse()
                        .unwrap();
                    let reached = instant(&partition["start"]);
                    let due = sentry.expected_of_project(stream, project, sentry.start, reached);
                    let missing: Vec<_> = due
                        .difference(&written)
                        .filter(|key| !survivors.contains(*key))
                        .take(5)
                        .collect();
                    assert!(
                        missing.is_empty(),
                        "message {at}: {stream} of {project} until {reached} lacks {missing:?}"
                    );
                }
            }
        }
        self
    }
}

/// The bookmark of a project in a state.
pub fn bookmark(state: &Value, stream: &str, project: u64) -> Option<DateTime<Utc>> {
    let partitions = state["bookmarks"][stream]["partitions"].as_array()?;
    let found = partitions
        .iter()
        .find(|one| one["context"]["project_id"] == json!(project.to_string()))?;
    Some(instant(&found["start"]))
}

fn key_of(stream: &str, record: &Value) -> String {
    let key = tap_sentry::streams::find(stream).unwrap().key;
    let parts = key.iter().map(|name| match &record[*name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    parts.collect::<Vec<_>>().join("|")
}

/// The primary keys that a run wrote.
pub struct Keys {
    stream: &'static str,
    list: Vec<String>,
    stderr: String,
}

impl Keys {
    pub fn set(&self) -> BTreeSet<String> {
        self.list.iter().cloned().collect()
    }

    #[track_caller]
    pub fn equal(&self, expected: impl IntoIterator<Item = impl ToString>) -> &Self {
        let expected: BTreeSet<String> = expected.into_iter().map(|key| key.to_string()).collect();
        let found = self.set();
        let some = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
            a.difference(b).take(8).cloned().collect::<Vec<_>>()
        };
        assert!(
            found == expected,
            "{}: {} found, {} expected; missing {:?}, not expected {:?}; stderr:\n{}",
            self.stream,
            found.len(),
            expected.len(),
            some(&expected, &found),
            some(&found, &expected),
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn include(&self, expected: impl IntoIterator<Item = impl ToString>) -> &Self {
        let found = self.set();
        let missing: Vec<_> = expected
            .into_iter()
            .map(|key| key.to_string())
            .filter(|key| !found.contains(key))
            .collect();
        assert!(
            missing.is_empty(),
            "{}: {} are missing: {:?}; stderr:\n{}",
            self.stream,
            missing.len(),
            &missing[..missing.len().min(8)],
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn exclude(&self, other: impl IntoIterator<Item = impl ToString>) -> &Self {
        let found = self.set();
        let extra: Vec<_> = other
            .into_iter()
            .map(|key| key.to_string())
            .filter(|key| found.contains(key))
            .collect();
        assert!(
            extra.is_empty(),
            "{}: should not be there: {extra:?}",
            self.stream
        );
        self
    }

    /// No key comes twice.
    #[track_caller]
    pub fn are_distinct(&self) -> &Self {
        assert_eq!(
            self.list.len(),
            self.set().len(),
            "{}: some are written more than once",
            self.stream
        );
        self
    }
}

/// The keys of several runs together, as a target holds them.
pub fn union(stream: &'static str, runs: &[&Run]) -> Keys {
    let stderr = runs
        .iter()
        .map(|run| run.stderr.as_str())
        .collect::<Vec<_>>()
        .join("\n--- next run\n");
    Keys {
        stream,
        list: runs.iter().flat_map(|run| run.keys(stream).list).collect(),
        stderr,
    }
}
