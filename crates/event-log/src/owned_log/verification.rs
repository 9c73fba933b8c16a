//! Verifying a log on its own thread.

use std::sync::Arc;

use ledgerstone_format::Damage;
use ledgerstone_vfs::{FileError, NotBegun, Plan, Verification};

use super::OwnedLog;
use crate::{Error, Result, Verified};

/// What a verification has found.
#[derive(Clone, Debug, Default)]
pub struct LogReport {
    /// The first damages, in the order in which they were found.
    pub damages: Vec<Damage>,
    /// Damages beyond the first [`LogReport::MAX_DAMAGES`].
    pub omitted: u64,
    /// How much was looked at.
    pub verified: Verified,
}

impl LogReport {
    /// Damages that are listed; the others are counted.
    pub const MAX_DAMAGES: usize = 1_000;

    fn add(&mut self, damage: Damage) {
        if self.damages.len() < Self::MAX_DAMAGES {
            self.damages.push(damage);
        } else {
            self.omitted += 1;
        }
    }
}

/// A verification of a log under way, or its outcome: [`Error::Closed`] once it was ended.
pub type LogVerification = Verification<Result<LogReport>>;

impl OwnedLog {
    /// Begins to [`verify`](Self::verify) on its own thread. Closing the log ends it, and waits for that.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Io`] when there is no thread to be had.
    pub fn start_verification(self: &Arc<Self>) -> Result<LogVerification> {
        self.check_open()?;
        let log = Arc::clone(self);
        let plan = Plan {
            verify: move |is_cancelled: &dyn Fn() -> bool| {
                let mut report = LogReport::default();
                report.verified = log.verify(&mut |damage| report.add(damage), is_cancelled)?;
                Ok(report)
            },
            when_cancelled: || Err(Error::Closed),
            when_panicked: || {
                let defect = std::io::Error::other("a panic while verifying");
                Err(FileError::new("ledgerstone", "", defect).into())
            },
        };
        self.verifications.begin(plan).map_err(|not_begun| match not_begun {
            NotBegun::Ended => Error::Closed,
            NotBegun::NoThread(error) => error.into(),
        })
    }
}
