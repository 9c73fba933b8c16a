//! Looking a store through for damage: an open one while it goes on, and one that nobody has open. Nothing is changed, and
//! damage is told, not raised.

mod closed;
mod identity;
mod keys;
mod open;
mod problem;
mod verification;

pub use closed::verify_closed;
pub use problem::{Checked, Problem, ProblemKind, Report};
pub use verification::Verification;
pub(crate) use verification::Verifications;
