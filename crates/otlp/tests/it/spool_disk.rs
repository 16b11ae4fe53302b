//! A disk that is full, in the three ways in which it can be: what cannot be kept is not acknowledged.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::sentry;
use crate::dsl::spans::{body, of_resource, span, text};
use crate::spool::{delivered, down, folder, ids, settings, up};
use rustix::process::{Resource, Rlimit, prlimit};
use sentry_sandbox::{Fault, FaultKind, Match, ORGANIZATION, TOKEN};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// About 100 kB that are hard to press together, as traces are not but hashes are.
fn large(id: u8) -> Vec<u8> {
    large_of("shop", id)
}

/// The same of another service.
fn large_of(service: &str, id: u8) -> Vec<u8> {
    let mut span = span(1, id, 0);
    let words = (0..12_000_u64).map(|word| {
        let mixed = (word + u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        format!("{:08x}", mixed >> 32)
    });
    span.attributes = vec![text("large", &words.collect::<String>())];
    body(vec![of_resource(&[("service.name", service)], vec![span])])
}

/// Sends until it is not taken any more. How many were.
fn fill(bridge: &Bridge) -> u8 {
    fill_with(bridge, large)
}

/// The same with other requests.
fn fill_with(bridge: &Bridge, request: impl Fn(u8) -> Vec<u8>) -> u8 {
    for id in 1..=100 {
        let answer = bridge.send(&request(id));
        if answer.status != 200 {
            assert_eq!(
                (answer.status, answer.retry_after.as_deref()),
                (503, Some("2"))
            );
            return id - 1;
        }
    }
    panic!("the disk does not fill");
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
    let taken = fill(&bridge);
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
    let taken = fill(&bridge);
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

/// What is on it of a project that takes nothing stays, and what others have taken makes room.
#[test]
fn a_full_disk_has_room_again_though_a_project_takes_nothing() {
    let folder = folder();
    // Only where this user may mount something.
    let Some(_small) = Small::mounted(folder.path()) else {
        return;
    };
    let sentry = sentry();
    let [first, second] = [0, 1].map(|index| sentry.world().projects[index].clone());
    let settings = json!({
        "url": sentry.url(), "org_slug": ORGANIZATION, "auth_token": TOKEN, "mode": "otlp",
        "routing": {"default_project": first.slug},
        "spool": folder.path().join("spool"),
    });
    let mut bridge = Bridge::start(&settings);
    let takes_nothing = |project| {
        let path = Match::path(format!("/api/{project}/"));
        sentry
            .faults()
            .add(Fault::always(path, FaultKind::Status(503)));
    };
    takes_nothing(first.id);
    takes_nothing(second.id);
    // Every tenth stays.
    let taken = fill_with(&bridge, |id| match id % 10 {
        5 => large_of(&second.slug, id),
        _ => large(id),
    });
    assert!(taken > 5, "{taken}");
    bridge.line_with("cannot be written, and nothing is taken");
    bridge.kill();
    up(&sentry);
    takes_nothing(second.id);
    let bridge = Bridge::start(&settings);
    let held = (1..=taken).filter(|id| id % 10 == 5).count();
    bridge.until("sentry_otlp_spool_requests", held as u64);
    bridge.take(&large(taken + 1));
    up(&sentry);
    delivered(bridge);
    assert_eq!(ids(&sentry).0.len(), usize::from(taken) + 1);
}
