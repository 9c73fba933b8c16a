//! A verification that JavaScript asked for: what is verified, and how its outcome is awaited.

use std::{sync::Arc, time::Duration};

use ledgerstone_canonical_store::{Report, Verification};
use ledgerstone_event_log::{LogReport, LogVerification};

use crate::{environment::slab::Handle, error::Failure};

/// What is verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verified {
    Store(Handle),
    Log(Handle),
}

/// Dropping it ends the verification.
pub(crate) struct RunningVerification {
    pub(crate) of: Verified,
    pub(crate) outcome: Outcome,
}

/// Where the report of a verification appears.
#[derive(Clone)]
pub(crate) enum Outcome {
    Store(Arc<Verification>),
    Log(Arc<LogVerification>),
}

/// What a verification has found.
pub(crate) enum Found {
    Store(Report),
    Log(LogReport),
}

impl Drop for RunningVerification {
    fn drop(&mut self) {
        match &self.outcome {
            Outcome::Store(verification) => verification.cancel(),
            Outcome::Log(verification) => verification.end(),
        }
    }
}

impl Outcome {
    /// Blocks for `limit` at most; `None` when there is no report yet.
    pub(crate) fn wait(&self, limit: Duration) -> Result<Option<Found>, Failure> {
        Ok(match self {
            Self::Store(verification) => verification.wait(limit).transpose()?.map(Found::Store),
            Self::Log(verification) => verification.wait(limit).transpose()?.map(Found::Log),
        })
    }
}
