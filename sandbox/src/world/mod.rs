//! The data behind the server, and the truth about it.
//!
//! Fields are public on purpose: a test changes what it needs between (or, with [`crate::Faults::on_request`], during)
//! requests. The methods only spare typing and keep the few invariants that several fields share.

mod change;
mod data;
mod empty;
mod event;
mod expected;
mod explored;
mod issue;
mod key;
mod monitor;
mod organization;
mod outcome;
mod session;
mod token;

pub use crate::seconds::Seconds;
pub use data::World;
pub use event::{Event, EventRef};
pub use explored::Explored;
pub use issue::{Assignee, Issue, Kind, ReleaseForm, Seen, Status};
pub use key::{ClientKey, KeyLimit};
pub use monitor::Monitor;
pub use organization::{
    Member, Organization, Project, ProjectStatus, Release, ReleaseStatus, Team, User,
};
pub use outcome::Outcome;
pub use session::Sessions;
pub use token::{READ_SCOPES, Token, TokenKind, TokenState};
