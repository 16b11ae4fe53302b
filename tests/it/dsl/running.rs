//! A tap that is under way: read line by line, signalled, killed.

use super::run::Run;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tempfile::TempDir;

/// No run of a test takes longer than this, unless it hangs.
pub(super) const HANGS: Duration = Duration::from_secs(60);

/// Kills what takes too long, as long as the returned end is held.
pub(super) fn ends_when_it_hangs(child: &Child) -> Sender<()> {
    let (alive, ended) = channel::<()>();
    let id = child.id();
    std::thread::spawn(move || {
        if ended.recv_timeout(HANGS) == Err(RecvTimeoutError::Timeout) {
            send_signal("KILL", id);
        }
    });
    alive
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
    /// Starts the command, whose files are in `dir`.
    pub(super) fn new(mut command: Command, dir: TempDir) -> Self {
        let stderr = dir.path().join("stderr");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&stderr).unwrap());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let alive = ends_when_it_hangs(&child);
        Self {
            child,
            lines: Some(lines),
            read: String::new(),
            stderr,
            _dir: dir,
            _alive: alive,
        }
    }

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
