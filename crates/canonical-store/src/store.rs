//! The open store: the state that all its parts share, and its end.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
    },
    time::Duration,
};

use ledgerstone_event_log::{EventLog, RetentionClock};
use ledgerstone_format::{Durability, Identity};
use ledgerstone_journal::{Journal, Led, Poison};
use ledgerstone_lock_manager::LockManager;
use ledgerstone_vfs::{Clock, FileError, FolderLock, LastMark, NotForgotten, Verifications, Vfs};
use ledgerstone_write_coordinator::{Coordinator, Crowding, Full};
use parking_lot::Mutex;

use crate::{
    CollectionRef, Error, Listener, ListenerId,
    catalog::{Catalog, Purged, SharedCatalog},
    checkpoint::Checkpoint,
    delta::StoreDelta,
    error::Result,
    flush::FlushProbes,
    layout::Layout,
    listeners::{Listeners, Told},
    options::{Limits, Settings},
    read::{ReadCaches, Readers},
    stats::RecoveryReport,
    verify::Report,
    write::{CommitState, Gate},
};

/// What a caller waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A commit handed to the operating system.
    Written,
    /// A commit flushed to the device.
    Durable,
    /// A commit in the checkpoint and in the event log.
    Flushed,
    /// Room for the next transaction; the sequence number is ignored.
    Room,
}

/// How long closing a handle waits for listeners to be notified: far longer than that takes, as they never block.
const PATIENCE_FOR_LISTENERS: Duration = Duration::from_secs(10);

/// The progress of the store. Each number only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a condition of its own")]
pub struct Marks {
    /// Readers see every commit up to here.
    pub applied: u64,
    /// The operating system has every commit up to here.
    pub written: u64,
    /// The device has every commit up to here.
    pub durable: u64,
    /// The checkpoint has every commit up to here.
    pub flushed: u64,
    /// Every event below this one is applied.
    pub applied_events: u64,
    /// The operating system has every event below this one. For an instant it may be ahead of `applied_events`.
    pub written_events: u64,
    /// The device has every event below this one.
    pub durable_events: u64,
    /// Transactions should wait.
    pub crowded: bool,
    /// They enter gradually, also while no mark moves: a waiting caller looks again every 4 ms.
    pub paced: bool,
    /// Writing has stopped for good.
    pub failed: bool,
    /// The last flush found no room on the device.
    pub no_space: bool,
    /// Open snapshots and iterations cause the crowding. If the calling thread has some, only those of other threads count.
    pub waits_for_readers: bool,
    /// The store is sealed: no writes until it is unsealed.
    pub sealed: bool,
    /// Ingestion is paused.
    pub paused: bool,
}

impl Marks {
    /// The first event that has not reached each level: applied, written, durable.
    pub const fn events(&self) -> [u64; 3] {
        [self.applied_events, self.written_events, self.durable_events]
    }
}

/// An open store, shared by all its handles. Reads and writes may come from any thread.
#[derive(Debug)]
pub struct Store {
    pub(crate) path: PathBuf,
    pub(crate) layout: Layout,
    pub(crate) identity: Identity,
    pub(crate) settings: Settings,
    /// The codec for events that this process writes.
    pub(crate) event_codec: String,
    /// The codec that the store has recorded, once it has an event.
    pub(crate) stored_event_codec: OnceLock<String>,
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) poison: Arc<Poison>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) log: Arc<EventLog>,
    pub(crate) retention_clock: RetentionClock,
    /// When retention by age runs next if nothing is flushed before, by the monotonic clock.
    pub(crate) retention_due: Mutex<Duration>,
    pub(crate) checkpoint: Arc<dyn Checkpoint>,
    pub(crate) coordinator: Arc<Coordinator<StoreDelta, Error>>,
    pub(crate) gate: Gate,
    pub(crate) commit: Mutex<CommitState>,
    /// A separate allocation: JavaScript reads it as memory, perhaps for longer than the store exists.
    pub(crate) applied: Arc<AtomicU64>,
    pub(crate) next_event_id: AtomicU64,
    /// The first event that no trim has dropped.
    pub(crate) oldest_event_id: AtomicU64,
    /// The checkpoint has all events below this one: recovery truncates the log to it and no lower.
    pub(crate) flushed_events: AtomicU64,
    /// 0 while not sealed, otherwise one more than the newest event at that time.
    pub(crate) sealed: AtomicU64,
    pub(crate) catalog: SharedCatalog,
    pub(crate) purged: Mutex<Purged>,
    pub(crate) caches: Arc<ReadCaches>,
    pub(crate) readers: Readers,
    pub(crate) listeners: Arc<Listeners>,
    /// How many listeners want notifications of commits, not only of groups.
    pub(crate) applied_watchers: AtomicUsize,
    pub(crate) recovery: RecoveryReport,
    /// How far an unfinished flush went that opening found; 0: there was none.
    pub(crate) unfinished_seq: u64,
    pub(crate) last_mark: LastMark,
    pub(crate) closing: AtomicBool,
    pub(crate) probe: Mutex<FlushProbes>,
    pub(crate) verifications: Verifications<Result<Report>>,
    pub(crate) lock: Mutex<Option<FolderLock>>,
    /// The locks that users take for their keys. The engine takes none of them.
    pub(crate) locks: Arc<LockManager>,
}

impl Store {
    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The limits of writes.
    pub fn limits(&self) -> Limits {
        self.settings.limits
    }

    /// The age in ms at which the holder of a snapshot or an iteration is warned.
    pub fn readers_warn_after_ms(&self) -> u64 {
        self.settings.readers_warn_after_ms
    }

    /// A collection by name and codecs; stores nothing. `ERR_CODEC_MISMATCH` when it exists with other codecs.
    pub fn collection(&self, name: &str, key_codec: &str, value_codec: &str) -> Result<Arc<CollectionRef>> {
        self.check_open()?;
        Ok(Arc::new(CollectionRef::new(&self.catalog, name, key_codec, value_codec)?))
    }

    /// The names of the collections, sorted; always includes `state`.
    pub fn collections(&self) -> Result<Vec<String>> {
        self.check_open()?;
        Ok(self.catalog.with(Catalog::names))
    }

    /// The locks of this store, for all its handles and threads.
    pub fn locks(&self) -> &Arc<LockManager> {
        &self.locks
    }

    /// The current marks.
    pub fn marks(&self) -> Marks {
        let (crowding, blocked_by) = (self.crowding(), self.coordinator.blocked_by());
        Marks {
            // The lower marks first: none may seem to be ahead of the one above it.
            flushed: self.coordinator.flushed_seq(),
            durable: self.journal.durable(),
            written: self.journal.written(),
            applied: self.applied_seq(),
            durable_events: self.journal.durable_events(),
            written_events: self.journal.written_events(),
            applied_events: self.next_event_id(),
            crowded: crowding != Crowding::None,
            paced: crowding == Crowding::Paced,
            failed: self.poison.get().is_some(),
            no_space: matches!(blocked_by, Some(Error::NoSpace(_))),
            waits_for_readers: crowding == Crowding::Full(Full::Pinned)
                || matches!(blocked_by, Some(Error::Backpressure { .. })),
            sealed: self.sealed().is_some(),
            paused: self.gate.is_paused(),
        }
    }

    /// Whether the next transaction of this thread may enter. A thread with an open snapshot does not wait for what only its
    /// release would free.
    pub(crate) fn crowding(&self) -> Crowding {
        match self.coordinator.crowding() {
            Crowding::Full(Full::Pinned) if self.readers.held_here() => self.coordinator.crowding_for_holder(),
            crowding => crowding,
        }
    }

    /// The newest applied seq, for frequent readers. Read it with `Acquire`; only the store writes it.
    pub fn applied_word(&self) -> &Arc<AtomicU64> {
        &self.applied
    }

    pub(crate) fn applied_seq(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Why writing has stopped, if it has: `ERR_POISONED` with the first failure as its cause.
    pub fn failure(&self) -> Option<Error> {
        self.poison.get().map(|cause| match Error::from(cause) {
            poisoned @ Error::Poisoned(_) => poisoned,
            cause => Error::Poisoned(Arc::new(cause)),
        })
    }

    /// Stops writing (I5): every waiting caller and every later write gets the error.
    pub(crate) fn stop_writing(&self, cause: ledgerstone_journal::Error) -> Error {
        self.poison.set(cause);
        self.journal.announce_poison();
        self.listeners.advanced();
        self.failure().unwrap_or_else(|| Error::internal("writing has stopped"))
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closing.load(Ordering::Acquire) { Err(Error::Closed { what: "the store" }) } else { Ok(()) }
    }

    /// A caller waits: starts the work. Returns at once.
    pub fn want(&self, level: Level, seq: u64) {
        match level {
            Level::Written => self.journal.want(Durability::Written, seq),
            Level::Durable => self.journal.want(Durability::Durable, seq),
            Level::Flushed => self.coordinator.request(seq),
            Level::Room => self.coordinator.nudge(),
        }
    }

    /// For a few callers that wait for `durable`: flushes on this thread when no flush is under way and the device is fast.
    pub fn try_lead(&self, seq: u64) -> Result<()> {
        let may_lead = self.settings.inline_flush && self.journal.flush_is_fast();
        if !may_lead || matches!(self.journal.try_lead(seq)?, Led::Busy) {
            self.journal.want(Durability::Durable, seq);
        }
        Ok(())
    }

    /// Blocks until everything up to `seq` has reached `level`. Not for a JavaScript thread.
    pub fn wait(&self, level: Level, seq: u64) -> Result<()> {
        match level {
            Level::Written => Ok(self.journal.wait(Durability::Written, seq)?),
            Level::Durable => Ok(self.journal.wait(Durability::Durable, seq)?),
            Level::Flushed => self.coordinator.wait_flushed(seq),
            Level::Room => Ok(()),
        }
    }

    /// Calls `listener` on every change from now on.
    pub fn add_listener(&self, listener: Arc<dyn Listener>) -> ListenerId {
        self.listeners.add(listener)
    }

    /// Removes a listener. A call under way may still arrive.
    pub fn remove_listener(&self, id: ListenerId) {
        self.listeners.remove(id);
    }

    /// From now on listeners get reports of what is written and flushed, until the same number of
    /// [`end_observing`](Self::end_observing).
    pub fn begin_observing(&self) {
        self.listeners.begin_observing();
    }

    /// Notifies observing listeners of what is written and flushed. The marks move first; a handle that is closed between the
    /// two would miss what others already rely on.
    pub(crate) fn tell_of_what_is_done(&self) {
        if self.listeners.is_observed() {
            let until = Told { written: self.journal.written(), flushed: self.coordinator.flushed_seq() };
            self.listeners.wait_until_told(until, PATIENCE_FOR_LISTENERS, || self.poison.get().is_some());
        }
    }

    /// See [`begin_observing`](Self::begin_observing).
    pub fn end_observing(&self) {
        self.listeners.end_observing();
    }

    /// From now on listeners are notified of each commit too, until [`unwatch_applied`](Self::unwatch_applied). Read the marks
    /// after this call.
    pub fn watch_applied(&self) {
        self.applied_watchers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Ends one [`watch_applied`](Self::watch_applied).
    pub fn unwatch_applied(&self) {
        self.applied_watchers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notifies of an applied commit. The fence is between its publication and this check; on the other side there is one
    /// between the request and the reading of the marks.
    pub(crate) fn tell_applied(&self) {
        fence(Ordering::SeqCst);
        if self.applied_watchers.load(Ordering::Relaxed) > 0 {
            self.listeners.advanced();
        }
    }

    /// Called when the process is about to exit: hands over all that is applied to the operating system.
    pub fn hand_over(&self) {
        self.journal.hand_over();
    }

    /// Removes the mark of a clean close before the first write that it does not cover.
    pub(crate) fn forget_clean_mark(&self) -> Result<()> {
        self.last_mark.forget(self.layout.folder(&*self.vfs)).map_err(|NotForgotten { error, is_fatal }| {
            if is_fatal { self.stop_writing(ledgerstone_journal::Error::Io(error)) } else { error.into() }
        })
    }

    /// One round of both engine threads' work, for stores without threads; returns whether anything was done.
    pub fn step(&self) -> Result<bool> {
        let wrote = self.journal.step()?;
        let flushed = self.coordinator.step(self);
        Ok(wrote || flushed == ledgerstone_write_coordinator::Step::Worked)
    }

    /// Starts both engine threads. After an error one of them may be running.
    pub(crate) fn start_threads(self: &Arc<Self>) -> Result<()> {
        self.journal.spawn()?;
        let flusher = Arc::clone(self);
        self.coordinator
            .spawn(flusher)
            .map_err(|error| Error::Io(FileError::new("pthread_create", "ledgerstone-flusher", error)))
    }
}
