//! Checks a store for damage, open or closed. Nothing is changed. Damage is a problem in the report, not an error.

mod closed;
mod identity;
mod keys;
mod open;
mod problem;
mod verification;

pub use closed::verify_closed;
pub use problem::{Checked, Problem, ProblemKind, Report};
pub use verification::Verification;
