//! Progress on a terminal: one line a stream, redrawn while the run goes on.

use crate::report::run::{Counts, Report};
use crate::report::terminal::{BARS, human};
use crate::streams;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

const REDRAW: Duration = Duration::from_millis(250);

/// Shows a report until dropped.
pub struct Progress {
    stop: Option<Sender<()>>,
    drawing: Option<JoinHandle<()>>,
}

impl Progress {
    /// `None` when stderr is no terminal, only errors are wanted, or the system gives no thread.
    pub fn start(report: &Arc<Report>) -> Option<Self> {
        if !std::io::stderr().is_terminal() || log::max_level() < log::LevelFilter::Info {
            return None;
        }
        let report = Arc::clone(report);
        let (stop, stopped) = channel();
        let draw = move || {
            let started = Instant::now();
            let mut lines: BTreeMap<&'static str, ProgressBar> = BTreeMap::new();
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(REDRAW) {
                let counts = report.counts();
                for def in streams::all() {
                    let Some(counts) = counts.get(def.name()) else {
                        continue;
                    };
                    let line = lines.entry(def.name()).or_insert_with(|| {
                        // Cut to the width of the terminal.
                        let style = ProgressStyle::with_template("{wide_msg}")
                            .unwrap_or_else(|_| ProgressStyle::default_spinner());
                        BARS.add(ProgressBar::new_spinner().with_style(style))
                    });
                    line.set_message(describe(def.name(), counts, started.elapsed()));
                }
            }
            let _ = BARS.clear();
        };
        let drawing = Builder::new().name("progress".to_owned()).spawn(draw);
        let drawing = drawing.ok()?;
        BARS.set_draw_target(ProgressDrawTarget::stderr());
        Some(Self {
            stop: Some(stop),
            drawing: Some(drawing),
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(drawing) = self.drawing.take() {
            let _ = drawing.join();
        }
        BARS.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// One line: records, rate, window reached, what it waits for, and how long a backfill will still take.
fn describe(stream: &str, counts: &Counts, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "shown without digits")]
    let (rate, share) = (
        counts.records as f64 / seconds,
        if counts.planned > 0 {
            counts.finished as f64 / counts.planned as f64
        } else {
            0.0
        },
    );
    let mut line = format!("{stream:<15} {:>10} records {rate:>8.0}/s", counts.records);
    if let Some(reached) = counts.reached {
        let _ = write!(
            line,
            "  to {}  {:>3.0} %",
            reached.format("%Y-%m-%d"),
            share * 100.0
        );
    }
    if share > 0.01 && share < 1.0 {
        let _ = write!(
            line,
            "  about {} left",
            human(seconds * (1.0 - share) / share)
        );
    }
    if counts.requests.waiting > 0 {
        let _ = write!(
            line,
            "  {} waiting for the rate limit",
            counts.requests.waiting
        );
    }
    if counts.gaps > 0 {
        let _ = write!(line, "  {} missing", counts.gaps);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_rate_window_estimate_and_what_it_waits_for() {
        let mut counts = Counts::default();
        (
            counts.records,
            counts.planned,
            counts.finished,
            counts.requests.waiting,
            counts.gaps,
        ) = (100, 1000, 250, 2, 1);
        counts.reached = chrono::DateTime::from_timestamp(1_767_225_600, 0);
        let line = describe("issues", &counts, Duration::from_secs(60));
        assert_eq!(
            line,
            "issues                 100 records        2/s  to 2026-01-01   25 %  about 3 min left  2 waiting for the rate limit  1 missing"
        );
    }
}
