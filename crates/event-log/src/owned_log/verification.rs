//! Verifying a log on a separate thread.

use std::sync::Arc;

use ledgerstone_format::Damage;
use ledgerstone_vfs::{FileError, NotBegun, Plan, Verification};

use super::OwnedLog;
use crate::{Error, Result, Verified};

/// The result of a verification.
#[derive(Clone, Debug, Default)]
pub struct LogReport {
    /// The first damages, in the order of discovery.
    pub damages: Vec<Damage>,
    /// Damages beyond the first [`LogReport::MAX_DAMAGES`].
    pub omitted: u64,
    /// How much was checked.
    pub verified: Verified,
}

impl LogReport {
    /// The maximum number of listed damages; the others are only counted.
    pub const MAX_DAMAGES: usize = 1_000;

    fn add(&mut self, damage: Damage) {
        if self.damages.len() < Self::MAX_DAMAGES {
            self.damages.push(damage);
        } else {
            self.omitted += 1;
        }
    }
}

/// A verification of a log under way, or its outcome: [`Error::Closed`] if it was cancelled.
pub type LogVerification = Verification<Result<LogReport>>;

impl OwnedLog {
    /// Starts to [`verify`](Self::verify) on a separate thread. Closing the log cancels it, and waits for its end.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Io`] when no thread could be started.
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
