//! What goes wrong on purpose.

mod gate;
mod kind;
mod matching;
mod plan;
mod refusal;
mod spoil;

pub use gate::Gate;
pub use kind::{FaultKind, NO_BACKEND};
pub use matching::Match;
pub(crate) use matching::Target;
pub use plan::{Fault, Faults};
pub(crate) use refusal::refusal;
pub(crate) use spoil::{spoil_draft, spoil_reply};
