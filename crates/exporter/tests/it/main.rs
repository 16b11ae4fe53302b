//! The exporter against a small strict Sentry: what it shows is what is there.

mod dialects;
mod docs;
mod dsl;
mod failures;
mod figures;
mod freshness;
mod months;
mod pages;
mod probe;
mod program;
mod push;
mod servers;
