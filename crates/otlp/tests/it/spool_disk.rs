//! A disk that is full, in the three ways in which it can be: what cannot be kept is not acknowledged.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::sentry;
use crate::dsl::spans::{span, spans, text};
use crate::spool::{delivered, down, folder, ids, settings, up};
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// About 100 kB that are hard to press together, as traces are not but hashes are.
fn large(id: u8) -> Vec<u8> {
    let mut span = span(1, id, 0);
    let words = (0..12_000_u64).map(|word| {
        let mixed = (word + u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        format!("{:08x}", mixed >> 32)
    });
    span.attributes = vec![text("large", &words.collect::<String>())];
    spans(vec![span])
}

/// Sends until it is not taken any more, at most so often. How many were.
fn fill(bridge: &Bridge, most: u8) -> u8 {
    for id in 1..=most {
        let answer = bridge.send(&large(id));
        if answer.status != 200 {
            assert_eq!(
                (answer.status, answer.retry_after.as_deref()),
                (503, Some("2"))
            );
            return id - 1;
        }
    }
    panic!("{most} requests were taken");
}

#[test]
fn a_limit_on_files_is_waited_for() {
    let sentry = sentry();
    let folder = folder();
    let settings = settings(&sentry, &folder, &json!({}));
    down(&sentry);
    let mut bridge = Bridge::start(&settings);
    let limited = |most| Rlimit {
        current: most,
        maximum: None,
    };
    prlimit(Some(bridge.id()), Resource::Fsize, limited(Some(4 << 20))).expect("a limit");
    let taken = fill(&bridge, 100);
    assert!(taken > 5, "{taken}");
    bridge.line_with("cannot be written, and nothing is taken");
    let declined = "sentry_otlp_declined_requests_total{reason=\"spool\"}";
    assert_eq!(bridge.metric(declined), 1);
    // What is delivered makes room, under the same limit.
    up(&sentry);
    bridge.until("sentry_otlp_spool_requests", 0);
    bridge.take(&large(taken + 1));
    bridge.line_with("can be written again");
    delivered(bridge);
    assert_eq!(ids(&sentry).0.len(), usize::from(taken) + 1);
}

/// A disk of 8 MiB.
struct Small(PathBuf);

impl Small {
    /// None: this user may not mount anything.
    fn mounted(at: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(at);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What was mounted can be unmounted.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_waited_for() {
    let folder = folder();
    // Only where this user may mount something.
    let Some(_small) = Small::mounted(folder.path()) else {
        return;
    };
    let sentry = sentry();
    let settings = settings(&sentry, &folder, &json!({}));
    down(&sentry);
    let mut bridge = Bridge::start(&settings);
    let taken = fill(&bridge, 100);
    assert!(taken > 5, "{taken}");
    bridge.line_with("cannot be written, and nothing is taken");
    // All that was acknowledged is there after a kill.
    bridge.kill();
    up(&sentry);
    let bridge = Bridge::start(&settings);
    bridge.until("sentry_otlp_spool_requests", 0);
    bridge.take(&large(taken + 1));
    delivered(bridge);
    assert_eq!(ids(&sentry).0.len(), usize::from(taken) + 1);
}
