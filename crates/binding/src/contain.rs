//! A panic ends where it happened: it never unwinds into Node or into a thread that goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{ErrorRecord, Failure};

/// Runs `work`; nobody hears of its panic but the hook of the standard library, which prints it.
pub(crate) fn contain(work: impl FnOnce()) {
    // What a panic left behind is only dropped.
    let _ = catch_unwind(AssertUnwindSafe(work));
}

/// Runs `work`; its panic is a failure.
#[inline]
pub(crate) fn contained<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(ErrorRecord::panicked(&*panic)))
}
