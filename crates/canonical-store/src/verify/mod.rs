//! Looking a store through for damage.

mod problem;

pub use problem::{Checked, Problem, ProblemKind, Report};
