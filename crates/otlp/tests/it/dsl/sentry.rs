//! Sentry, with an intake that is as strict as Relay.

use sentry_sandbox::{Authority, Options, Relay, Sandbox, World};

/// The project that a DSN here names.
pub const SLUG: &str = "api";

/// A server of that age.
pub fn sentry_as(relay: Relay) -> Sandbox {
    Sandbox::start(options(relay)).expect("a free port")
}

fn options(relay: Relay) -> Options {
    Options {
        intake: Some(relay),
        // The bridge has the machine's clock.
        ..Options::new(World::seeded(chrono::Utc::now()))
    }
}

/// A server of today behind https, by a certificate for that name.
pub fn private(authority: &Authority, name: &str) -> Sandbox {
    let options = Options {
        certificate: Some(authority.issue(name)),
        ..options(Relay::V26_7)
    };
    Sandbox::start(options).expect("a free port")
}

/// A server of today.
pub fn sentry() -> Sandbox {
    sentry_as(Relay::V26_7)
}

/// The DSN of [`SLUG`].
pub fn dsn(sandbox: &Sandbox) -> String {
    sandbox.dsn(SLUG).expect("a DSN")
}
