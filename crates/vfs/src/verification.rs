//! Verifies a store or a log on a separate thread, so that a caller waits only as long as it wants, and so that the caller, the
//! closing of the store or log, or the end of an environment can cancel it. Knows nothing of what is verified.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use crate::FileError;

const THREAD_NAME: &str = "ledgerstone-verify";

/// A verification under way, or its outcome. Clones refer to the same one.
pub struct Verification<R> {
    shared: Arc<Shared<R>>,
}

struct Shared<R> {
    cancelled: AtomicBool,
    outcome: Mutex<Option<R>>,
    ended: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What a verification does, and its outcome when it does not finish.
#[derive(Debug)]
pub struct Plan<V, R> {
    /// Verifies everything; ends early once its argument returns true.
    pub verify: V,
    /// The outcome of a cancelled one.
    pub when_cancelled: fn() -> R,
    /// The outcome of one that panicked.
    pub when_panicked: fn() -> R,
}

impl<R> Clone for Verification<R> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<R> fmt::Debug for Verification<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

impl<R> Verification<R> {
    /// Cancels it: it ends at the next frame or page. Does not wait for that.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Release);
    }

    /// Cancels it and waits until it has ended.
    pub fn end(&self) {
        self.cancel();
        let thread = self.shared.thread.lock().take();
        if let Some(thread) = thread {
            // It catches its own panics.
            let _ = thread.join();
        }
    }

    fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Acquire)
    }

    fn has_ended(&self) -> bool {
        self.shared.outcome.lock().is_some()
    }

    fn run(&self, plan: Plan<impl FnOnce(&dyn Fn() -> bool) -> R, R>) {
        let verify = || (plan.verify)(&|| self.is_cancelled());
        let outcome = catch_unwind(AssertUnwindSafe(verify)).unwrap_or_else(|_| (plan.when_panicked)());
        let outcome = if self.is_cancelled() { (plan.when_cancelled)() } else { outcome };
        *self.shared.outcome.lock() = Some(outcome);
        self.shared.ended.notify_all();
    }
}

impl<R: Clone> Verification<R> {
    /// The outcome, if it is available within `limit`.
    pub fn wait(&self, limit: Duration) -> Option<R> {
        let mut outcome = self.shared.outcome.lock();
        if outcome.is_none() {
            self.shared.ended.wait_for(&mut outcome, limit);
        }
        outcome.clone()
    }
}

/// The verifications of one store or log.
pub struct Verifications<R> {
    running: Mutex<Running<R>>,
}

struct Running<R> {
    /// No other one can begin.
    ended: bool,
    list: Vec<Verification<R>>,
}

/// Why a verification did not begin.
#[derive(Clone, Debug)]
pub enum NotBegun {
    /// The store or log is closed.
    Ended,
    /// No thread could be started.
    NoThread(FileError),
}

impl<R> Default for Verifications<R> {
    fn default() -> Self {
        Self { running: Mutex::new(Running { ended: false, list: Vec::new() }) }
    }
}

impl<R> fmt::Debug for Verifications<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.running.lock();
        let (begun, ended) = (running.list.len(), running.ended);
        f.debug_struct("Verifications").field("begun", &begun).field("ended", &ended).finish()
    }
}

impl<R: Send + 'static> Verifications<R> {
    /// Begins a verification.
    ///
    /// # Errors
    /// [`NotBegun`].
    pub fn begin(
        &self,
        plan: Plan<impl FnOnce(&dyn Fn() -> bool) -> R + Send + 'static, R>,
    ) -> Result<Verification<R>, NotBegun> {
        let mut running = self.running.lock();
        if running.ended {
            return Err(NotBegun::Ended);
        }
        running.list.retain(|other| !other.has_ended());
        let shared = Shared {
            cancelled: AtomicBool::new(false),
            outcome: Mutex::new(None),
            ended: Condvar::new(),
            thread: Mutex::new(None),
        };
        let verification = Verification { shared: Arc::new(shared) };
        let own = verification.clone();
        let thread = std::thread::Builder::new().name(THREAD_NAME.into()).spawn(move || own.run(plan));
        let thread =
            thread.map_err(|error| NotBegun::NoThread(FileError::new("pthread_create", THREAD_NAME, error)))?;
        *verification.shared.thread.lock() = Some(thread);
        running.list.push(verification.clone());
        Ok(verification)
    }

    /// Ends them all, and waits until they have ended. No other one can begin.
    pub fn end(&self) {
        let list = {
            let mut running = self.running.lock();
            running.ended = true;
            std::mem::take(&mut running.list)
        };
        for verification in &list {
            verification.cancel();
        }
        for verification in list {
            verification.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    use super::{NotBegun, Plan, Verifications};

    const LONG: Duration = Duration::from_secs(60);

    fn plan<V: FnOnce(&dyn Fn() -> bool) -> &'static str>(verify: V) -> Plan<V, &'static str> {
        Plan { verify, when_cancelled: || "cancelled", when_panicked: || "panicked" }
    }

    #[test]
    fn an_outcome_is_what_was_found_or_why_there_is_none() {
        let all = Verifications::default();
        assert_eq!(all.begin(plan(|_| "found")).unwrap().wait(LONG), Some("found"));
        assert_eq!(all.begin(plan(|_| panic!("a defect"))).unwrap().wait(LONG), Some("panicked"));
        let waits = all
            .begin(plan(|is_cancelled| {
                while !is_cancelled() {
                    std::thread::yield_now();
                }
                "found"
            }))
            .unwrap();
        assert_eq!(waits.wait(Duration::ZERO), None);
        waits.cancel();
        assert_eq!(waits.wait(LONG), Some("cancelled"));
    }

    #[test]
    fn ending_waits_for_all_and_lets_none_begin() {
        let (all, running) = (Verifications::default(), Arc::new(AtomicU64::new(0)));
        let begin = || {
            let running = Arc::clone(&running);
            running.fetch_add(1, Ordering::SeqCst);
            all.begin(plan(move |is_cancelled| {
                while !is_cancelled() {
                    std::thread::yield_now();
                }
                running.fetch_sub(1, Ordering::SeqCst);
                "found"
            }))
        };
        let under_way: Vec<_> = (0..3).map(|_| begin().unwrap()).collect();
        all.end();
        assert_eq!(running.load(Ordering::SeqCst), 0);
        for verification in under_way {
            assert_eq!(verification.wait(Duration::ZERO), Some("cancelled"));
        }
        assert!(matches!(all.begin(plan(|_| "found")), Err(NotBegun::Ended)));
    }
}
