//! Owns the view, the flushed mark and the bound on what is pending. Locks: `state` is held for a few instructions and never
//! across I/O or a call into the flusher.

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use ledgerstone_vfs::Clock;
use parking_lot::{Condvar, Mutex, RwLock};

use crate::{Delta, FlushFailure, Flusher, Pacing, View, throttle::Throttle};

/// What one round of the flusher did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A delta was flushed, or a slice of background work done: look again at once.
    Worked,
    /// Nothing is due before this much time has passed; `None`: not until somebody writes or requests a flush.
    Idle(Option<Duration>),
    /// No room on the device: try again after [`Pacing::RETRY`].
    Blocked,
    /// Writing has stopped for good.
    Failed,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// A caller wants everything up to here flushed.
    requested_seq: u64,
    /// When the active delta got its first write, on the clock's monotonic time.
    filling_since: Option<Duration>,
    pub(crate) closing: bool,
    runs: u64,
    last_flush: Duration,
}

/// Decides when deltas are frozen and flushed, what readers look at and when writers wait.
#[derive(Debug)]
pub struct Coordinator<D: Delta, E: Clone> {
    view: RwLock<Arc<View<D>>>,
    version: AtomicU64,
    flushed: AtomicU64,
    /// Bytes in the active and the frozen delta.
    pending: AtomicU64,
    /// Bytes in flushed deltas that readers still hold, as of the last look.
    pub(crate) pinned: AtomicU64,
    retired: Mutex<Vec<Weak<D>>>,
    pub(crate) state: Mutex<State>,
    pub(crate) work: Condvar,
    pub(crate) progress: Condvar,
    /// The last flush found no room.
    pub(crate) blocked: AtomicBool,
    blocked_by: Mutex<Option<E>>,
    pub(crate) failure: OnceLock<E>,
    pub(crate) thread: Mutex<Option<JoinHandle<()>>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pacing: Pacing,
    /// Innermost of all locks.
    pub(crate) throttle: Mutex<Throttle>,
}

impl<D: Delta, E: Clone + Send + Sync + 'static> Coordinator<D, E> {
    /// Starts with `active`, which may already hold what recovery replayed, on top of a state that is flushed up to `flushed_seq`.
    pub fn new(clock: Arc<dyn Clock>, pacing: Pacing, active: Arc<D>, epoch: u64, flushed_seq: u64) -> Self {
        let filling_since = (active.last_seq() > flushed_seq).then(|| clock.monotonic());
        Self {
            version: AtomicU64::new(1),
            flushed: AtomicU64::new(flushed_seq),
            pending: AtomicU64::new(active.bytes()),
            pinned: AtomicU64::new(0),
            view: RwLock::new(Arc::new(View { version: 1, epoch, active, frozen: None, generation: 0 })),
            retired: Mutex::default(),
            state: Mutex::new(State { filling_since, ..State::default() }),
            work: Condvar::new(),
            progress: Condvar::new(),
            blocked: AtomicBool::new(false),
            blocked_by: Mutex::new(None),
            failure: OnceLock::new(),
            thread: Mutex::new(None),
            clock,
            pacing,
            throttle: Mutex::new(Throttle::new(pacing)),
        }
    }

    /// The view to read from.
    pub fn view(&self) -> Arc<View<D>> {
        Arc::clone(&self.view.read())
    }

    /// The version of [`view`](Self::view), without taking it.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Everything up to this sequence number has been flushed.
    pub fn flushed_seq(&self) -> u64 {
        self.flushed.load(Ordering::Acquire)
    }

    /// Bytes applied and not yet flushed.
    pub fn pending_bytes(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Bytes in flushed deltas that snapshots and iterators still hold.
    pub fn pinned_bytes(&self) -> u64 {
        let mut retired = self.retired.lock();
        retired.retain(|delta| delta.strong_count() > 0);
        let bytes = retired.iter().filter_map(Weak::upgrade).map(|delta| delta.bytes()).sum();
        self.pinned.store(bytes, Ordering::Relaxed);
        bytes
    }

    /// How many flushes have been done, and how long the last took.
    pub fn runs(&self) -> (u64, Duration) {
        let state = self.state.lock();
        (state.runs, state.last_flush)
    }

    /// Why writing has stopped, if it has.
    pub fn failure(&self) -> Option<E> {
        self.failure.get().cloned()
    }

    /// Whether the last flush found no room.
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    /// The error of the last flush that found no room, while that lasts.
    pub fn blocked_by(&self) -> Option<E> {
        if self.is_blocked() { self.blocked_by.lock().clone() } else { None }
    }

    /// The writer added `bytes` to the active delta; `first`: the delta was empty before.
    pub fn note_write(&self, bytes: u64, first: bool) {
        let before = self.pending.fetch_add(bytes, Ordering::Relaxed);
        let filled = before < self.pacing.flush_bytes && before.saturating_add(bytes) >= self.pacing.flush_bytes;
        if first || filled {
            let mut state = self.state.lock();
            if first {
                state.filling_since = Some(self.clock.monotonic());
            }
            self.work.notify_all();
        }
    }

    /// A caller waits until everything up to `seq` is flushed.
    pub fn request(&self, seq: u64) {
        let mut state = self.state.lock();
        state.requested_seq = state.requested_seq.max(seq);
        self.work.notify_all();
    }

    /// Blocks until `seq` is flushed. Waits for a flush that makes progress. When flushes find no room for
    /// [`Pacing::PATIENCE`], returns their error. Not for a thread that flushes.
    pub fn wait_flushed(&self, seq: u64) -> Result<(), E> {
        self.request(seq);
        let mut state = self.state.lock();
        let mut blocked_since = None;
        loop {
            if self.flushed_seq() >= seq {
                return Ok(());
            }
            if let Some(failure) = self.failure.get() {
                return Err(failure.clone());
            }
            let Some(error) = self.blocked_by() else {
                blocked_since = None;
                self.progress.wait(&mut state);
                continue;
            };
            let now = self.clock.monotonic();
            let left = Pacing::PATIENCE.saturating_sub(now.saturating_sub(*blocked_since.get_or_insert(now)));
            if left.is_zero() {
                return Err(error);
            }
            self.progress.wait_for(&mut state, left);
        }
    }

    /// One round: flushes what is due. Never blocks to wait for work, only for the flusher's own I/O.
    pub fn step(&self, flusher: &dyn Flusher<D, Error = E>) -> Step {
        if self.failure.get().is_some() {
            return Step::Failed;
        }
        let frozen = {
            let view = self.view();
            match &view.frozen {
                Some(frozen) => Arc::clone(frozen),
                None => match self.due(&view.active) {
                    None => self.freeze(flusher),
                    Some(idle) => return self.idle(flusher, idle),
                },
            }
        };
        let start = self.clock.monotonic();
        match flusher.flush(&frozen) {
            Ok(()) => {
                self.publish(&frozen, start);
                flusher.published(frozen);
                // Writers that wait for room look again, now that the flusher itself holds nothing any more.
                self.nudge();
                Step::Worked
            }
            Err(failure) => self.not_flushed(flusher, failure),
        }
    }

    /// `None`: flush the active delta now. Otherwise how long nothing is due.
    fn due(&self, active: &Arc<D>) -> Option<Step> {
        let last_seq = active.last_seq();
        if last_seq <= self.flushed_seq() {
            return Some(Step::Idle(None));
        }
        let state = self.state.lock();
        if state.closing || state.requested_seq > self.flushed_seq() || active.bytes() >= self.pacing.flush_bytes {
            return None;
        }
        let age = state.filling_since.map_or(Duration::ZERO, |since| self.clock.monotonic().saturating_sub(since));
        let left = self.pacing.flush_interval.saturating_sub(age);
        if left.is_zero() { None } else { Some(Step::Idle(Some(left))) }
    }

    /// Whether new work came after a step that found nothing to do. `timed`: that step set a time limit.
    pub(crate) fn overlooked(&self, state: &State, timed: bool) -> bool {
        let active = Arc::clone(&self.view.read().active);
        let filled = active.last_seq() > self.flushed_seq();
        filled && (!timed || state.requested_seq > self.flushed_seq() || active.bytes() >= self.pacing.flush_bytes)
    }

    fn idle(&self, flusher: &dyn Flusher<D, Error = E>, idle: Step) -> Step {
        match flusher.chore() {
            Ok(more) => {
                // The chore that found no room has been done.
                self.blocked.store(false, Ordering::Release);
                if more { Step::Worked } else { idle }
            }
            Err(failure) => self.not_flushed(flusher, failure),
        }
    }

    fn freeze(&self, flusher: &dyn Flusher<D, Error = E>) -> Arc<D> {
        let mut frozen = None;
        flusher.freeze(&mut |fresh| {
            let mut slot = self.view.write();
            let full = Arc::clone(&slot.active);
            *slot = Arc::new(View {
                version: slot.version + 1,
                epoch: slot.epoch + 1,
                active: fresh,
                frozen: Some(Arc::clone(&full)),
                generation: slot.generation,
            });
            self.version.store(slot.version, Ordering::Release);
            self.state.lock().filling_since = None;
            frozen = Some(Arc::clone(&full));
            full
        });
        frozen.unwrap_or_else(|| self.view().active.clone())
    }

    fn publish(&self, frozen: &Arc<D>, start: Duration) {
        {
            let mut slot = self.view.write();
            *slot = Arc::new(View {
                version: slot.version + 1,
                epoch: slot.epoch,
                active: Arc::clone(&slot.active),
                frozen: None,
                generation: slot.generation + 1,
            });
            self.version.store(slot.version, Ordering::Release);
        }
        // Counts anew what readers hold before this delta is added: every reader that captured the old view is about to release it.
        self.pinned_bytes();
        self.retired.lock().push(Arc::downgrade(frozen));
        self.flushed.fetch_max(frozen.last_seq(), Ordering::AcqRel);
        self.pending.fetch_sub(frozen.bytes(), Ordering::Relaxed);
        self.blocked.store(false, Ordering::Release);
        let took = self.clock.monotonic().saturating_sub(start);
        self.throttle.lock().flushed(frozen.bytes(), took);
        let mut state = self.state.lock();
        state.runs += 1;
        state.last_flush = took;
        self.progress.notify_all();
    }

    fn not_flushed(&self, flusher: &dyn Flusher<D, Error = E>, failure: FlushFailure<E>) -> Step {
        match failure {
            FlushFailure::Retry(error) => {
                *self.blocked_by.lock() = Some(error);
                self.blocked.store(true, Ordering::Release);
                let _state = self.state.lock();
                self.progress.notify_all();
                Step::Blocked
            }
            FlushFailure::Fatal(error) => {
                self.fail(flusher, Some(error), "the flush failed");
                Step::Failed
            }
        }
    }

    pub(crate) fn fail(&self, flusher: &dyn Flusher<D, Error = E>, why: Option<E>, what: &str) {
        let error = flusher.failed(why, what);
        let _ = self.failure.set(error);
        let _state = self.state.lock();
        self.progress.notify_all();
    }

    /// Readers released something, or writing stopped elsewhere: waiting writers look again.
    pub fn nudge(&self) {
        self.pinned_bytes();
        let _state = self.state.lock();
        self.progress.notify_all();
    }
}
