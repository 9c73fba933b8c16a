//! A verification on a thread of its own, so that nobody waits for it longer than he likes and everybody can end it: whoever
//! asked for it, the closing of the log, the end of an environment. The one place of this crate that starts a thread.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use ledgerstone_format::Damage;
use ledgerstone_vfs::FileError;
use parking_lot::{Condvar, Mutex};

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

/// A verification under way, or its outcome.
#[derive(Debug)]
pub struct LogVerification {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    cancelled: AtomicBool,
    outcome: Mutex<Option<Result<LogReport>>>,
    ended: Condvar,
}

impl LogVerification {
    /// The outcome, if there is one within `limit`; [`Error::Closed`] once it was ended.
    pub fn wait(&self, limit: Duration) -> Option<Result<LogReport>> {
        let mut outcome = self.shared.outcome.lock();
        if outcome.is_none() {
            self.shared.ended.wait_for(&mut outcome, limit);
        }
        outcome.clone()
    }

    /// Nobody wants to know any more. Waits for the thread, which stops at the next frame.
    pub fn end(&self) {
        self.shared.cancelled.store(true, Ordering::Release);
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It catches its own panics.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    fn run(&self, log: &OwnedLog) {
        let verify = || {
            let mut report = LogReport::default();
            report.verified = log.verify(&mut |damage| report.add(damage), &|| self.is_cancelled())?;
            Ok(report)
        };
        let outcome = catch_unwind(AssertUnwindSafe(verify)).unwrap_or_else(|_| {
            let defect = std::io::Error::other("a panic while verifying");
            Err(FileError::new("ledgerstone", log.path(), defect).into())
        });
        *self.outcome.lock() = Some(if self.is_cancelled() { Err(Error::Closed) } else { outcome });
        self.ended.notify_all();
    }
}

impl OwnedLog {
    /// Begins to [`verify`](Self::verify) on a thread of its own.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Io`] when there is no thread to be had.
    pub fn start_verification(self: &Arc<Self>) -> Result<LogVerification> {
        self.check_open()?;
        let shared = Arc::new(Shared::default());
        let (own, log) = (Arc::clone(&shared), Arc::clone(self));
        let name = "ledgerstone-verify";
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || own.run(&log));
        let thread = thread.map_err(|error| FileError::new("pthread_create", name, error))?;
        Ok(LogVerification { shared, thread: Mutex::new(Some(thread)) })
    }
}
