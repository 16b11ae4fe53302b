//! The sandbox keeps its word: each test is one thing that Sentry does.

mod access;
mod bulk;
mod client;
mod described;
mod equipment;
mod events;
mod faults;
mod intake_doors;
mod intake_envelopes;
mod intake_events;
mod intake_otlp;
mod intake_quotas;
mod intake_versions;
mod issues;
mod limits;
mod lists;
mod post;
mod program;
mod search;
mod statistics;
mod versions;
mod wide;
