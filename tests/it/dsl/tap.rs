//! The executable: how it is called, and how it is run to its end.

use super::catalog::catalog;
use super::folder::Folder;
use super::keys::union;
use super::run::Run;
use super::running::{HANGS, Running, ends_when_it_hangs};
use super::sentry::Sentry;
use super::stub::Stub;
use super::time::{instant, text};
use chrono::{DateTime, Utc};
use sentry_sandbox::{ORGANIZATION, TOKEN};
use serde_json::{Map, Value, json};
use std::fs::Permissions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use tap_sentry::record::style::RecordStyle;
use tap_sentry::singer::catalog::Selection;
use tempfile::TempDir;

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
    file_kib: Option<u32>,
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
            file_kib: None,
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

    /// Rows go to files in that folder.
    pub fn output(self, folder: &Folder) -> Self {
        self.arg("--output").arg(folder.path().to_str().unwrap())
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

    /// No file may have more than so many KiB, as on a full disk.
    pub fn files_within_kib(self, kib: u32) -> Self {
        Self {
            file_kib: Some(kib),
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
        let (command, dir) = self.command();
        Running::new(command, dir)
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
        let limits = [
            ("-d", self.memory.map(|mib| mib << 10)),
            ("-f", self.file_kib),
        ];
        let limits: Vec<String> = limits
            .iter()
            .filter_map(|(flag, limit)| limit.map(|limit| format!("ulimit {flag} {limit} && ")))
            .collect();
        let mut command = Command::new(if limits.is_empty() { program } else { "bash" });
        if !limits.is_empty() {
            let script = format!("{}exec \"$0\" \"$@\"", limits.concat());
            command.args(["-c", &script, program]);
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
