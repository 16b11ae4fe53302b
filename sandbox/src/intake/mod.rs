//! What Sentry takes in: envelopes, events by themselves, and OTLP; as strictly as Relay does.
//!
//! | | |
//! |---|---|
//! | `POST /api/{id}/envelope/` | events, transactions, span and log containers, and other items |
//! | `POST /api/{id}/store/` | one event: JSON, also in base64, also compressed before that |
//! | `POST /api/{id}/integration/otlp/v1/traces`, `…/logs` | OTLP, with and without a trailing slash |
//! | `GET`, `DELETE /_sandbox/intake` | what became of it ([`Outcomes`]), and forgetting it |
//!
//! Any prefix may stand before `/api/`. The keys are those that the web API lists, and their DSNs there lead here
//! ([`crate::Sandbox::dsn`]). An answer of 200 means that something was received, as Sentry means it: what came of it is
//! in [`crate::Sandbox::outcomes`] when the answer comes, and in the statistics of the web API. Requests stand in
//! [`crate::Sandbox::requests`], and [`crate::Faults`] hit them as any other.
//!
//! Times are judged by [`crate::World::now`]: a client with the machine's clock wants a world without a fixed one.
//!
//! Left out: bodies in `br` (501), inbound filters, dynamic sampling, PII rules, new names of attributes from old ones,
//! standalone spans of the first version, and what other items than events, transactions, spans and logs must look like.

mod answer;
mod body;
mod containers;
mod door;
mod event;
mod fields;
mod framing;
mod ids;
mod key;
mod otlp;
mod outcomes;
mod parcel;
mod quotas;
mod relay;
mod serve;
mod spans;
mod state;
mod strict;
mod times;
mod transaction;
mod values;

pub use outcomes::{Accepted, Outcomes, Refused, Remark};
pub use quotas::{Quota, Quotas, Scope, Told};
pub use relay::Relay;
pub(crate) use serve::serve;
pub(crate) use state::Intake;
