//! `/probe?target=T&module=M`: one organization or project, asked when Prometheus asks.
//!
//! ```text
//! modules -> prefix -> target -> route -> prober -> site, index -> answer -> report | debug
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`modules`], [`prefix`] | what is configured: how targets of one kind are asked, and where |
//! | [`target`], [`route`] | what is asked for, and what is refused of it |
//! | [`site`], [`index`] | one server as all its targets share it, and where its projects are |
//! | [`prober`], [`answer`], [`answered`] | one probe under way, and what is read of Sentry's answers |
//! | [`figures`], [`report`], [`debug`] | what a probe is told as |
//! | [`probes`] | all modules in use, and what outlives a reload |

pub mod answer;
pub mod answered;
pub mod debug;
pub mod figures;
pub mod index;
pub mod modules;
pub mod prefix;
pub mod prober;
pub mod probes;
pub mod report;
pub mod route;
pub mod site;
pub mod target;
