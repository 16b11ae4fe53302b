//! The executable, running.

use rustix::process::Pid;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const FILE: &str = "otlp.yml";

/// A line that has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The executable with nothing of the tests' own environment.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sentry-otlp"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// Settings of an exporter: failures are tried again at once, and traces are soon complete.
pub fn exporter(more: &Value) -> Value {
    let mut settings = json!({
        "retry_on_failure": {"initial_interval": "20ms", "max_interval": "50ms"},
        "trace_timeout": "1s",
    });
    let all = settings.as_object_mut().expect("an object");
    all.extend(more.as_object().expect("an object").clone());
    settings
}

/// The bridge, with a folder of its own.
pub struct Bridge {
    child: Child,
    folder: TempDir,
    /// Of OTLP over HTTP, and of the own metrics.
    addresses: [String; 2],
    lines: Receiver<String>,
    log: String,
    /// Lines that came while others were waited for at the start.
    before: VecDeque<String>,
}

impl Bridge {
    /// With one exporter, which everything goes to.
    pub fn start(more: &Value) -> Self {
        Self::with(&config(more))
    }

    /// With a whole configuration, whose first port is one of HTTP.
    pub fn with(config: &Value) -> Self {
        Self::run(config, command())
    }

    /// With one exporter, in an environment.
    pub fn with_environment(more: &Value, environment: &[(&str, &str)]) -> Self {
        let mut command = command();
        command.envs(environment.iter().copied());
        Self::run(&config(more), command)
    }

    /// With a whole configuration, in a process that may have so many files open.
    pub fn with_files(config: &Value, files: u32) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().stdin(Stdio::null());
        let program = env!("CARGO_BIN_EXE_sentry-otlp");
        shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\""]);
        shell.args([files.to_string().as_str(), program]);
        Self::run(config, shell)
    }

    fn run(config: &Value, mut command: Command) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), config.to_string()).expect("a file");
        let mut child = command
            .args(["--config", FILE, "--web.listen-address", "127.0.0.1:0"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // Nobody listens any more when the test has ended.
                let _ = sender.send(line);
            }
        });
        let mut bridge = Self {
            child,
            folder,
            addresses: Default::default(),
            lines,
            log: String::new(),
            before: VecDeque::new(),
        };
        let mut before = VecDeque::new();
        let mut places = 0;
        while places < 2 {
            let line = bridge.line();
            if let Some((_, address)) = line.split_once("msg=listening address=") {
                address.trim().clone_into(&mut bridge.addresses[places]);
                places += 1;
            } else {
                before.push_back(line);
            }
        }
        bridge.before = before;
        bridge
    }

    /// The next line of the log.
    fn line(&mut self) -> String {
        if let Some(line) = self.before.pop_front() {
            return line;
        }
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("no more lines:\n{}", self.log));
        self.log.push_str(&line);
        self.log.push('\n');
        line
    }

    /// The next line of the log that holds a text.
    pub fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Its configuration file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// Another configuration, which is asked to be read. Nobody sees a half of it.
    pub fn reload(&self, config: &Value) {
        let next = self.folder.path().join("next.yml");
        std::fs::write(&next, config.to_string()).expect("a file");
        std::fs::rename(next, self.file()).expect("a folder");
        self.signal(rustix::process::Signal::HUP);
    }

    /// Sends a body over HTTP.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        post(self.address(), path, headers, body)
    }

    /// Sends a body whose length is not told; returns the status.
    pub fn post_in_pieces(&self, path: &str, header: (&str, &str), body: &[u8]) -> u16 {
        let request = agent().post(format!("http://{}{path}", self.addresses[0]));
        let request = request.header(header.0, header.1);
        let mut reader = std::io::Cursor::new(body);
        let body = ureq::SendBody::from_reader(&mut reader);
        request.send(body).expect("an answer").status().as_u16()
    }

    /// Sends spans as protobuf.
    pub fn send(&self, body: &[u8]) -> Answer {
        let headers = [("content-type", "application/x-protobuf")];
        self.post("/v1/traces", &headers, body)
    }

    /// Sends log records as protobuf.
    pub fn send_logs(&self, body: &[u8]) -> Answer {
        let headers = [("content-type", "application/x-protobuf")];
        self.post("/v1/logs", &headers, body)
    }

    /// The same, and they are taken.
    pub fn take_logs(&self, body: &[u8]) {
        let answer = self.send_logs(body);
        assert_eq!((answer.status, answer.body), (200, vec![]));
    }

    /// Where its first port is.
    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// Sends spans that are taken.
    pub fn take(&self, body: &[u8]) {
        let answer = self.send(body);
        assert_eq!((answer.status, answer.body), (200, vec![]));
    }

    /// Waits until the sum of its series of a name is so much.
    pub fn until(&self, series: &str, value: u64) {
        let began = Instant::now();
        loop {
            let now = self.metric(series);
            if now == value {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{series} is {now}");
            std::thread::yield_now();
        }
    }

    /// What its own port answers.
    pub fn get(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.addresses[1]);
        let mut response = agent().get(url).call().expect("an answer");
        response.body_mut().read_to_string().expect("a text")
    }

    /// The sum of its series of a name that have these labels, whole numbers, as `name` or `name{label="value"}`.
    pub fn metric(&self, series: &str) -> u64 {
        let text = self.get("/metrics");
        let wanted = labels(series);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let lines = lines.filter_map(|line| line.rsplit_once(' '));
        let found = lines.filter(|(found, _)| {
            let (name, labels) = labels(found);
            name == wanted.0 && wanted.1.iter().all(|label| labels.contains(label))
        });
        let values = found.map(|(_, value)| value.trim_end_matches(".0").parse::<u64>());
        let values: Vec<u64> = values.map(|value| value.expect("a number")).collect();
        assert!(!values.is_empty(), "no {series} in\n{text}");
        values.iter().sum()
    }

    pub fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The most memory that it has had at a time, in MiB.
    pub fn peak(&self) -> u64 {
        let file = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(file).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        number.expect("kB").parse::<u64>().expect("a number") >> 10
    }

    /// Spans still go through it: sends one, waits until everything has come to an end, and returns what it has logged.
    pub fn still_works(self) -> String {
        self.take(&crate::dsl::spans::spans(vec![crate::dsl::spans::span(
            0xee, 0xee, 0,
        )]));
        let (code, log) = self.stop();
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        log
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.id(), signal).expect("it lives");
    }

    /// Ends it without any warning.
    pub fn kill(self) {
        self.signal(rustix::process::Signal::KILL);
        self.ended();
    }

    /// Asks it to end, and waits until everything has come to an end; returns its exit code and all that it has logged.
    pub fn stop(self) -> (Option<i32>, String) {
        self.signal(rustix::process::Signal::TERM);
        self.ended()
    }

    /// Waits for its end.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("it ends");
        self.log.extend(self.lines.iter().map(|line| line + "\n"));
        (status.code(), std::mem::take(&mut self.log))
    }

    /// Ends it, with everything delivered.
    pub fn delivered(self) {
        let (code, log) = self.stop();
        assert_eq!(code, Some(0), "{log}");
    }
}

/// Sends a body over HTTP to an address.
pub fn post(address: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = agent().post(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.send(body).expect("an answer");
    let header = |name| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    Answer {
        status: response.status().as_u16(),
        retry_after: header("retry-after"),
        content_type: header("content-type").unwrap_or_default(),
        body: response.body_mut().read_to_vec().expect("a body"),
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // A test that failed must not leave it behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name of a series, and its labels.
fn labels(series: &str) -> (&str, Vec<&str>) {
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels = labels.trim_end_matches('}').split(',');
    (name, labels.filter(|label| !label.is_empty()).collect())
}

/// A configuration with one exporter.
pub fn config(more: &Value) -> Value {
    json!({
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": "127.0.0.1:0"}}}},
        "exporters": {"sentry": exporter(more)},
    })
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)));
    config.build().into()
}
