//! A small strict Sentry that runs inside a test.
//!
//! ```no_run
//! let sandbox = sentry_sandbox::Sandbox::start(sentry_sandbox::Options::new(
//!     sentry_sandbox::World::seeded(chrono::Utc::now()),
//! ))?;
//! println!("{}/api/0/organizations/{}/", sandbox.url(), sentry_sandbox::ORGANIZATION);
//! # std::io::Result::Ok(())
//! ```
//!
//! It answers as Sentry does, not as a client hopes: silent default filters, windows, offset cursors over live data,
//! rate limits and every shape of error.
//!
//! | module | holds |
//! |---|---|
//! | [`world`] | the data, how to change it, and what a complete extraction must yield |
//! | `bodies` | the full events among that |
//! | `seed` | the deterministic world with one of every oddity |
//! | [`bulk`], `synthetic` | large worlds whose events exist only while they are asked for |
//! | `server`, `shared`, `connections` | the path of one request, and sockets |
//! | [`intake`] | what clients send: envelopes, events and OTLP, and what becomes of it |
//! | `request`, `draft`, `date` | heads of requests and their log, answers as HTTP, the clock they show |
//! | `auth`, [`limits`], [`faults`] | who may ask, how often, and what goes wrong on purpose |
//! | `version` | what servers of different age do differently |
//! | `endpoints` | one file a subject: what is selected, in which order, under which cursor |
//! | `lists` | lists that are described by the files of `lists/`: to add one takes no Rust |
//! | `render` | records as JSON, with every documented field |
//! | [`tls`], [`proxy`] | a private certificate authority, and a forward proxy that listens to what passes |
//! | `cursor`, `window`, `python`, `reply`, `problem` | Link headers, date parameters, numbers, answers and refusals |

mod auth;
mod bodies;
pub mod bulk;
mod connections;
mod cursor;
mod date;
mod draft;
mod endpoints;
pub mod faults;
pub mod intake;
pub mod limits;
mod lists;
mod problem;
pub mod proxy;
mod python;
mod render;
mod reply;
mod request;
mod seconds;
mod seed;
mod server;
mod shared;
mod synthetic;
pub mod tls;
mod version;
mod window;
pub mod world;

pub use bodies::full_events;
pub use bulk::Bulk;
pub use date::Date;
pub use faults::{Fault, FaultKind, Faults, Gate, Match};
pub use intake::{Outcomes, Quota, Relay, Told};
pub use limits::{Class, Limit, Limits};
pub use proxy::Proxy;
pub use request::Request;
pub use server::{Options, Sandbox};
pub use tls::{Authority, Certificate};
pub use version::Version;
pub use world::World;

/// Every scope, of the user who owns the organization.
pub const TOKEN: &str = "sntryu_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// All read scopes, of an internal integration: it sees every project, and no organization in the list.
pub const INTEGRATION_TOKEN: &str =
    "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
/// An organization token: `org:ci` and nothing else.
pub const ORGANIZATION_TOKEN: &str =
    "sntrys_eyJpYXQiOjE3MDAwMDAwMDAsIm9yZyI6ImFjbWUifQ==_Zm9yIHJlbGVhc2VzIG9ubHk";
/// A user token that lacks `event:read` and `member:read`.
pub const NARROW_TOKEN: &str =
    "sntryu_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// A user token of somebody who is in no team.
pub const TEAMLESS_TOKEN: &str =
    "sntryu_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
/// A token that was valid once.
pub const EXPIRED_TOKEN: &str =
    "sntryu_cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
/// A token whose user must sign in through the organization's SSO first.
pub const SSO_TOKEN: &str =
    "sntryu_dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd";
/// The slug of the organization in every world built here.
pub const ORGANIZATION: &str = "acme";
