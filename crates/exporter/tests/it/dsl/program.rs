//! The executable, running, and what it answers.

use crate::dsl::exposition::Exposition;
use sentry_sandbox::{ORGANIZATION, Sandbox, TOKEN};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// The executable with nothing of the tests' own environment.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sentry-exporter"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// What a run that ends has said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs it to its end, in a folder of its own.
pub fn run<S: AsRef<OsStr>>(args: &[S]) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    ended(command().args(args).current_dir(folder.path()))
}

/// Runs it to its end.
pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ended {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The settings of a sandbox, refreshed at each scrape.
pub fn settings(sandbox: &Sandbox) -> Value {
    json!({
        "api_token": TOKEN, "organization": ORGANIZATION, "base_url": sandbox.url(),
        "min_age": 0, "max_retries": 0,
    })
}

/// The executable, running.
pub struct Program {
    child: Child,
    folder: TempDir,
    address: String,
    lines: Receiver<String>,
    /// What it has logged so far.
    log: String,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Program {
    /// With these settings in a file, and more flags.
    pub fn start(settings: &Value, args: &[&str]) -> Self {
        Self::start_with(settings, args, &[])
    }

    /// With variables too.
    pub fn start_with(settings: &Value, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let file = [("exporter.yml", settings.to_string())];
        let all = [&["--config.file", "exporter.yml"], args].concat();
        Self::start_in(&file, &all, variables)
    }

    /// As somebody starts it who has these files in the working folder: nothing is named but an address that is free.
    pub fn start_in(files: &[(&str, String)], args: &[&str], variables: &[(&str, &str)]) -> Self {
        let listen = ["--web.listen-address", "127.0.0.1:0"];
        let mut program = Self::spawn(files, &[&listen, args].concat(), variables);
        let line = program.line_with("127.0.0.1:");
        let (_, rest) = line.split_once("127.0.0.1:").expect("an address");
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        program.address = format!("127.0.0.1:{port}");
        program
    }

    /// Without a listener.
    pub fn run(settings: &Value, args: &[&str]) -> Self {
        let file = [("exporter.yml", settings.to_string())];
        let all = [&["--config.file", "exporter.yml"], args].concat();
        Self::spawn(&file, &all, &[])
    }

    fn spawn(files: &[(&str, String)], args: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let file = folder.path().join(name);
            std::fs::write(&file, text).expect("a file");
            // It holds the token.
            let own = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&file, own).expect("its own file");
        }
        let mut child = command()
            .args(args)
            .envs(variables.iter().copied())
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
        Self {
            child,
            folder,
            address: String::new(),
            lines,
            log: String::new(),
        }
    }

    /// The next line of the log that holds a text.
    pub fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv();
            let line = line.unwrap_or_else(|_| panic!("no line with {text}:\n{}", self.log));
            self.log.push_str(&line);
            self.log.push('\n');
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Its file of settings.
    pub fn file(&self) -> PathBuf {
        self.lying("exporter.yml")
    }

    /// A file in its working folder.
    pub fn lying(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it has logged so far, as far as a test has read it.
    pub fn log(&self) -> &str {
        &self.log
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("it lives");
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks with a method and headers.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(&self.address, method, path, headers)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// What Prometheus sees.
    pub fn scrape(&self) -> Exposition {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.body);
        Exposition::read(&answer.body)
    }

    /// Ends it in order; returns how it ended and all that it has logged.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal(rustix::process::Signal::TERM);
        let status = self.child.wait().expect("it ends");
        self.log.extend(self.lines.iter().map(|line| line + "\n"));
        (status, std::mem::take(&mut self.log))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A test that failed must not leave it behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks the program at an address.
pub fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into();
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).expect("a request");
    let mut response = agent.run(request).expect("an answer");
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
        .collect();
    let mut body = String::new();
    response
        .body_mut()
        .as_reader()
        .read_to_string(&mut body)
        .expect("a body");
    Answer {
        status: response.status().as_u16(),
        headers,
        body,
    }
}
