//! The exporter's values, without a listener: with a clock of the test's own.

use crate::dsl::exposition::Exposition;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use sentry_exporter::memory::Memory;
use sentry_exporter::render::Page;
use sentry_exporter::settings::Settings;
use sentry_exporter::snapshot::Snapshot;
use sentry_sandbox::{ORGANIZATION, Options, Sandbox, TOKEN, Version, World};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_serve::negotiate::Format;
use tokio::runtime::{Builder, Runtime};

/// In the middle of a month.
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).expect("an instant")
}

/// A server of some age that takes no typing mistakes.
pub fn of(version: Version, world: World) -> Sandbox {
    Sandbox::start(Options {
        version,
        pedantic: true,
        ..Options::new(world)
    })
    .expect("a free port")
}

/// A server of today.
pub fn sentry(world: World) -> Sandbox {
    of(Version::V2025, world)
}

/// A snapshot of one server, and the time it believes in.
pub struct Watch {
    snapshot: Arc<Snapshot>,
    /// Of its own, so that a refresh goes on while nobody looks.
    runtime: Runtime,
    clock: Arc<Mutex<DateTime<Utc>>>,
}

impl Watch {
    /// Refreshed at each look.
    pub fn new(sandbox: &Sandbox) -> Self {
        Self::with(sandbox, &json!({}))
    }

    pub fn with(sandbox: &Sandbox, more: &Value) -> Self {
        let mut values = json!({
            "api_token": TOKEN, "organization": ORGANIZATION, "base_url": sandbox.url(),
            "min_age": 0, "max_retries": 0,
        });
        let all = values.as_object_mut().expect("an object");
        all.extend(more.as_object().expect("an object").clone());
        all.retain(|_, value| !value.is_null());
        Self::of(&values)
    }

    /// With exactly these settings.
    pub fn of(values: &Value) -> Self {
        let memory = Arc::default();
        let clock = Arc::new(Mutex::new(now()));
        Self::started(values, &memory, clock)
    }

    /// As after a change of the configuration: with the same memory, and nothing fetched.
    pub fn started(values: &Value, memory: &Arc<Memory>, clock: Arc<Mutex<DateTime<Utc>>>) -> Self {
        let values = values.as_object().expect("an object").clone();
        let settings = Settings::new(values.into()).expect("settings");
        let told = Arc::clone(&clock);
        let snapshot = Snapshot::new(
            &settings.servers,
            settings.policy,
            memory,
            Arc::new(move || *told.lock()),
        );
        Self {
            snapshot: Arc::new(snapshot.expect("a connection")),
            runtime: Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime"),
            clock,
        }
    }

    /// From now on it is so late.
    pub fn at(&self, instant: DateTime<Utc>) {
        *self.clock.lock() = instant;
    }

    /// What a patient reader sees.
    pub fn look(&self) -> Exposition {
        self.glance(PATIENCE)
    }

    /// What a reader sees who waits so long.
    pub fn glance(&self, patience: Duration) -> Exposition {
        read(self.runtime.block_on(self.snapshot.page(patience)))
    }

    /// What two patient readers see who ask at once; `then` is done when both have asked.
    pub fn both_look(&self, then: impl FnOnce()) -> (Exposition, Exposition) {
        let (one, two) = self.runtime.block_on(async {
            // Futures of one task: each is polled to its first wait before the next.
            let (one, two) = (self.snapshot.page(PATIENCE), self.snapshot.page(PATIENCE));
            let (one, two, ()) = tokio::join!(one, two, async { then() });
            (one, two)
        });
        (read(one), read(two))
    }
}

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn read(page: Page) -> Exposition {
    let text = page.render(Format::Classic).expect("a text");
    Exposition::read(&text)
}
