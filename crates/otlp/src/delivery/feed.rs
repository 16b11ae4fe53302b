//! What waits on the disk goes on as soon as there is room in memory.

use crate::delivery::exporter::Exporter;
use crate::receive::request::Outline;
use crate::spool::error::Failure;
use crate::spool::{Next, Spool};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tap_sentry_serve::caught::said;
use tokio::task::yield_now;
use tokio::time::sleep;

/// After a failure of the disk it is tried again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// Begins to take what waits in the spool of an exporter, if it has one, on the runtime that calls.
pub fn feed(exporter: &Arc<Exporter>) {
    let Some(spool) = exporter.spool.clone() else {
        return;
    };
    let (requests, _) = spool.requests();
    if requests > 0 {
        let (exporter, folder) = (&exporter.shared.name, spool.folder.display());
        log::info!(exporter, requests; "what is in the spool {folder} goes on");
    }
    let weak = Arc::downgrade(exporter);
    let task = tokio::spawn(async move {
        watched(&spool, run(weak, &spool)).await;
    });
    *exporter.feeding.lock() = Some(task.abort_handle());
}

/// A reader that ends by a panic is told, and nothing is taken any more: it would wait for nobody.
async fn watched(spool: &Spool, reader: impl Future<Output = ()>) {
    if let Err(panic) = AssertUnwindSafe(reader).catch_unwind().await {
        spool.stick(&format!("its reader has ended: {}", said(&*panic)));
    }
}

/// Takes one after the other, until the exporter is gone.
async fn run(exporter: Weak<Exporter>, spool: &Spool) {
    loop {
        let failed = match spool.next().await {
            Ok(next) => one(&exporter, spool, &next).await,
            Err(why) => Err(why),
        };
        match failed {
            Ok(true) => yield_now().await,
            Ok(false) => return,
            Err(Failure::Damaged(why)) => {
                spool.stick(&why);
                sleep(AGAIN).await;
            }
            Err(Failure::Passing(why)) => {
                log::warn!(
                    "the spool {} cannot be read, and is tried again: {why}",
                    spool.folder.display()
                );
                sleep(AGAIN).await;
            }
        }
    }
}

/// False: the exporter is gone.
async fn one(exporter: &Weak<Exporter>, spool: &Spool, next: &Next) -> Result<bool, Failure> {
    let outline = Outline {
        spans: usize::try_from(next.kept.records).unwrap_or(usize::MAX),
        bytes: usize::try_from(next.kept.bytes).unwrap_or(usize::MAX),
        ..Outline::default()
    };
    let Some(budget) = exporter
        .upgrade()
        .map(|exporter| exporter.shared.budget.clone())
    else {
        return Ok(false);
    };
    let slot = budget.wait(outline).await;
    let body = spool.body(next.id);
    let Some(exporter) = exporter.upgrade() else {
        return Ok(false);
    };
    match body {
        // Until it begins it stays the next, also where this task is ended.
        Ok(Some(body)) => {
            let passed = || spool.passed(next);
            exporter.resume(next, body, Some(slot), passed).await;
        }
        // It is the next no more.
        Ok(None) => {}
        Err(passing @ Failure::Passing(_)) => return Err(passing),
        Err(damaged @ Failure::Damaged(_)) => {
            if let Some(receipt) = spool.passed(next) {
                exporter.lost(next, next.kept.records, &damaged);
                drop(receipt);
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Bridge;
    use crate::config::Config as Settings;
    use crate::config::exporter::Spool as Config;
    use crate::figures::Figures;
    use crate::receive::apart::{LARGE, apart};
    use crate::signal::Signal;
    use crate::spool::Appended;
    use crate::spool::store::Kept;
    use bytes::Bytes;
    use std::path::Path;
    use std::sync::mpsc::{Sender, channel};

    #[tokio::test]
    async fn the_death_of_the_reader_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config {
            folder: folder.path().to_owned(),
            size: 1 << 20,
        };
        let spool = Spool::open(&config).expect("a spool");
        watched(&spool, async {}).await;
        assert!(spool.is_sound());
        watched(&spool, async { panic!("a mistake") }).await;
        assert!(!spool.is_sound());
    }

    /// Both turns of large bodies are taken until what is returned is dropped.
    fn no_turn_is_free() -> Vec<Sender<()>> {
        let taken = (0..2).map(|_| {
            let (release, wait) = channel::<()>();
            let (tell, begun) = channel();
            tokio::spawn(apart(LARGE, move || {
                tell.send(()).expect("somebody waits");
                // Dropped, it ends.
                let _ = wait.recv();
            }));
            begun.recv().expect("it begins");
            release
        });
        taken.collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_reader_that_is_ended_before_it_begins_leaves_the_request_where_it_was() {
        let file = "exporters: {sentry: {dsn: 'http://key@127.0.0.1:9/42', mode: otlp}}";
        let config = Settings::parse(file, Path::new("otlp.yml"), &|_| None);
        let config = config.expect("a configuration");
        let bridge = Bridge::new(&config, &Figures::default()).expect("a bridge");
        let exporter = Arc::downgrade(&bridge.all()[0]);
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(&Config {
            folder: folder.path().to_owned(),
            size: 8 << 20,
        });
        let spool = spool.expect("a spool");
        let body = Bytes::from(vec![0; LARGE]);
        let kept = Kept {
            signal: Signal::Traces,
            at: 0,
            records: 1,
            bytes: body.len() as u64,
        };
        let appended = spool.append(kept, body, false).await;
        assert!(matches!(appended, Ok(Appended::Later)), "{appended:?}");
        let next = spool.next().await.expect("the disk works");
        let taken = no_turn_is_free();
        assert!(one(&exporter, &spool, &next).now_or_never().is_none());
        assert_eq!(spool.requests(), (1, 1));
        drop(taken);
        let done = one(&exporter, &spool, &next).await;
        assert!(matches!(done, Ok(true)), "{done:?}");
        assert_eq!(spool.requests().1, 0);
    }
}
