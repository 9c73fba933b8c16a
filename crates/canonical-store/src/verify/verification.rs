//! A verification on a thread of its own, so that nobody waits for it longer than he likes and everybody can end it: whoever
//! asked for it, the closing of the store, the end of an environment. The one place of this crate that starts a thread.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use ledgerstone_vfs::FileError;
use parking_lot::{Condvar, Mutex};

use super::Report;
use crate::{Error, Store, error::Result};

/// A verification under way, or its outcome.
#[derive(Debug, Default)]
pub struct Verification {
    cancelled: AtomicBool,
    outcome: Mutex<Option<Result<Report>>>,
    ended: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Verification {
    /// The outcome, if there is one within `limit`. `ERR_CLOSED` after [`cancel`](Self::cancel), whatever was found.
    pub fn wait(&self, limit: Duration) -> Option<Result<Report>> {
        let mut outcome = self.outcome.lock();
        if outcome.is_none() {
            self.ended.wait_for(&mut outcome, limit);
        }
        outcome.clone()
    }

    /// Nobody wants to know any more: it ends at the next frame or page.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    fn run(&self, store: &Store) {
        let verify = || store.verify(&|| self.is_cancelled());
        let outcome = catch_unwind(AssertUnwindSafe(verify));
        let outcome = outcome.unwrap_or_else(|_| Err(Error::internal("a panic while verifying")));
        let closed = || Err(Error::Closed { what: "the store" });
        *self.outcome.lock() = Some(if self.is_cancelled() { closed() } else { outcome });
        self.ended.notify_all();
    }
}

/// The verifications of one store.
#[derive(Debug, Default)]
pub(crate) struct Verifications {
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    /// The store closes: none begins any more.
    ended: bool,
    list: Vec<Arc<Verification>>,
}

impl Verifications {
    /// Ends them all, and waits until they have ended. None begins any more.
    pub(crate) fn end(&self) {
        let list = {
            let mut running = self.running.lock();
            running.ended = true;
            std::mem::take(&mut running.list)
        };
        for verification in &list {
            verification.cancel();
        }
        for verification in list {
            if let Some(thread) = verification.thread.lock().take() {
                // It catches its own panics.
                let _ = thread.join();
            }
        }
    }
}

impl Store {
    /// Begins to [`verify`](Self::verify) on a thread of its own.
    pub fn start_verification(self: &Arc<Self>) -> Result<Arc<Verification>> {
        let mut running = self.verifications.running.lock();
        if running.ended {
            return Err(Error::Closed { what: "the store" });
        }
        running.list.retain(|other| other.outcome.lock().is_none());
        let verification = Arc::new(Verification::default());
        let (own, store) = (Arc::clone(&verification), Arc::clone(self));
        let name = "ledgerstone-verify";
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || own.run(&store));
        let thread = thread.map_err(|error| Error::Io(FileError::new("pthread_create", name, error)))?;
        *verification.thread.lock() = Some(thread);
        running.list.push(Arc::clone(&verification));
        Ok(verification)
    }
}
