//! Sentry's numbers for Prometheus.
//!
//! ```text
//! cli -> settings -> snapshot -> server -> visit -> collectors -> families -> render
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`cli`], [`settings`] | what the user says: flags, environment and one file, as written, as loaded and validated once |
//! | [`figures`], [`old_figures`], [`collector`] | every figure and every group of them, as data |
//! | [`dialect`], [`asked`], [`names`], [`old_flags`] | the names of older exporters: whose are used and why, and what their settings mean |
//! | [`endpoints`], [`rows`] | what is asked of Sentry, and what is read of the answers |
//! | [`visit`], [`collectors`] | one organization as one refresh sees it, and what each group makes of it |
//! | [`month`], [`memory`] | counts of the month that never fall, and outlive a change of the configuration |
//! | [`server`], [`snapshot`] | what is kept of a server's answers, and when it is asked anew |
//! | [`families`], [`render`], [`web`] | values, the two texts that Prometheus reads, and how they are asked for |
//! | [`requests`], [`report`], [`export`], [`push_args`], [`push_settings`] | what a refresh has brought, and how it is passed on to who does not scrape |
//! | [`pushgateway`], [`grouping`], [`textfile`] | those who get it |
//! | [`pages`], [`shown`] | what a person sees of all this in a browser |
//! | [`probe`] | `/probe`: one organization or project by itself, asked when Prometheus asks |
//! | [`error`], [`run`], [`generate`], [`docs`] | what ends the program, its modes, and what is generated from all of this |
//!
//! What keeps a scrape honest: values are the latest that Sentry gave, with their age beside them; what fails keeps its
//! last values for a while and says so; a refresh goes on when the scrape that began it has been answered.

pub mod asked;
pub mod cli;
pub mod collector;
pub mod collectors;
pub mod dialect;
pub mod docs;
pub mod duration;
pub mod endpoints;
pub mod error;
pub mod export;
pub mod families;
pub mod figures;
pub mod generate;
pub mod grouping;
pub mod memory;
pub mod month;
pub mod names;
pub mod old_figures;
pub mod old_flags;
pub mod pages;
pub mod probe;
pub mod push_args;
pub mod push_settings;
pub mod pushgateway;
pub mod render;
pub mod report;
pub mod requests;
pub mod rows;
pub mod run;
pub mod server;
pub mod settings;
pub mod shown;
pub mod snapshot;
pub mod textfile;
pub mod visit;
pub mod web;
