//! The journal of one open store: commits are appended, awaited and written to disk here.
//!
//! Lock order: the caller's gate, the caller's commit lock, then the group; the I/O mutex, then the group. The group and the
//! pool are innermost. No thread waits for the I/O mutex while it holds a commit lock. Listeners are called outside all locks.

mod append;
mod shrinking;
mod upkeep;
mod waiting;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use ledgerstone_format::StoreId;
use ledgerstone_vfs::{Clock, FileError, Vfs};
use parking_lot::{Mutex, MutexGuard};

use crate::{
    Error, JournalOptions, Listener, ListenerId, Poison, Result,
    error::Failure,
    folder::journal_files,
    group_timing::GroupTiming,
    listeners::Listeners,
    pending_frames::{Origin, PendingFrames},
    prepared_file::{Pool, PoolFigures, PreparedFile, Rest},
    recovery::remove_unfinished,
    stats::Counters,
    watermarks::{Reach, Watermarks},
    writer::{Flushing, Io, Round, Tools},
};

pub use append::{Appended, End};
pub(crate) use shrinking::make_headed;
pub use waiting::Led;

/// How long after a lack of space a write is tried again.
pub(crate) const SPACE_RETRY: Duration = Duration::from_millis(50);

/// A write-ahead journal, shared as `Arc<Journal>`.
#[derive(Debug)]
pub struct Journal {
    pub(crate) dir: PathBuf,
    clock: Arc<dyn Clock>,
    options: JournalOptions,
    poison: Arc<Poison>,
    poison_announced: AtomicBool,
    pub(crate) group: Mutex<PendingFrames>,
    pending_bytes: AtomicU64,
    /// How often a non-empty group was taken, by any thread.
    groups_taken: AtomicU64,
    io: Mutex<Io>,
    /// Held while spares are written and flushed; readers never take it.
    pub(crate) pool: Mutex<Pool>,
    pool_figures: Mutex<PoolFigures>,
    /// The flag of the pool's figures, for each commit to check.
    is_short: AtomicBool,
    marks: Watermarks,
    pub(crate) timing: GroupTiming,
    /// The error while writing waits for space.
    no_space: Mutex<Option<FileError>>,
    starved: AtomicBool,
    listeners: Listeners,
    counters: Counters,
    thread: Mutex<Option<JoinHandle<()>>>,
    closed: AtomicBool,
}

/// The parts of a journal: `create` starts from nothing, recovery from what it found.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) dir: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) spares: Vec<PreparedFile>,
    pub(crate) next_number: u64,
    pub(crate) rest: Option<Rest>,
}

impl Journal {
    pub(crate) fn assemble(
        parts: Parts,
        clock: Arc<dyn Clock>,
        options: JournalOptions,
        poison: Arc<Poison>,
    ) -> Arc<Self> {
        let reach = Reach { seq: parts.origin.last_seq, next_event_id: parts.origin.next_event_id };
        let file = parts.origin.current.as_ref().map(|(file, _)| Arc::clone(file));
        let pool = Pool::new(parts.vfs, &parts.dir, parts.spares, parts.next_number, parts.rest);
        Arc::new(Self {
            pool_figures: Mutex::new(pool.figures()),
            is_short: AtomicBool::new(false),
            pool: Mutex::new(pool),
            dir: parts.dir,
            clock,
            options,
            poison,
            poison_announced: AtomicBool::new(false),
            group: Mutex::new(PendingFrames::new(parts.origin)),
            pending_bytes: AtomicU64::new(0),
            groups_taken: AtomicU64::new(0),
            io: Mutex::new(Io::new(file, reach)),
            marks: Watermarks::new(reach),
            timing: GroupTiming::new(),
            no_space: Mutex::new(None),
            starved: AtomicBool::new(false),
            listeners: Listeners::default(),
            counters: Counters::new(),
            thread: Mutex::new(None),
            closed: AtomicBool::new(false),
        })
    }

    /// A journal for a new store, without frames. [`Error::Corrupt`] when a journal exists already.
    pub fn create(
        vfs: Arc<dyn Vfs>,
        clock: Arc<dyn Clock>,
        dir: &Path,
        store_id: StoreId,
        options: JournalOptions,
        poison: Arc<Poison>,
    ) -> Result<Arc<Self>> {
        vfs.create_dir_all(dir)?;
        if let Some((_, file)) = journal_files(&*vfs, dir)?.into_iter().next() {
            return Err(Error::Corrupt { file, offset: 0, what: "a journal is there already".to_owned() });
        }
        remove_unfinished(&*vfs, dir)?;
        let origin = Origin {
            store_id,
            last_seq: 0,
            next_event_id: 1,
            last_crc: 0,
            position: None,
            current: None,
            files: Vec::new(),
            salt_base: vfs.random(),
        };
        let parts = Parts { vfs, dir: dir.to_path_buf(), origin, spares: Vec::new(), next_number: 1, rest: None };
        Ok(Self::assemble(parts, clock, options, poison))
    }

    /// The last seq that is Written.
    pub fn written(&self) -> u64 {
        self.marks.written()
    }

    /// The last seq that is Durable.
    pub fn durable(&self) -> u64 {
        self.marks.durable()
    }

    /// Every event below this one is Written.
    pub fn written_events(&self) -> u64 {
        self.marks.written_events()
    }

    /// Every event below this one is Durable.
    pub fn durable_events(&self) -> u64 {
        self.marks.durable_events()
    }

    /// Why commits are refused for lack of space, while they are.
    pub fn no_space(&self) -> Option<FileError> {
        self.no_space.lock().clone()
    }

    /// Whether applied commits wait for space.
    pub fn is_starved(&self) -> bool {
        self.starved.load(Ordering::Acquire)
    }

    /// Calls `listener` on every advance from now on.
    pub fn add_listener(&self, listener: Arc<dyn Listener>) -> ListenerId {
        self.listeners.add(listener)
    }

    /// A call that has already begun may still arrive.
    pub fn remove_listener(&self, id: ListenerId) {
        self.listeners.remove(id);
    }

    pub(crate) fn groups_taken(&self) -> u64 {
        self.groups_taken.load(Ordering::Relaxed)
    }

    pub(crate) fn set_thread(&self, thread: JoinHandle<()>) {
        *self.thread.lock() = Some(thread);
    }

    pub(crate) fn has_thread(&self) -> bool {
        self.thread.lock().is_some()
    }

    /// Wakes all waiters, once, after the store was poisoned. The part that sets the shared [`Poison`] calls it, without
    /// holding a lock.
    pub fn announce_poison(&self) {
        if self.poison.get().is_some() && !self.poison_announced.swap(true, Ordering::AcqRel) {
            self.timing.write_now();
            self.listeners.advanced(None);
        }
    }

    pub(crate) fn poison_with(&self, error: Error) {
        self.poison.set(error);
        self.announce_poison();
    }

    pub(crate) fn check_poison(&self) -> Result<()> {
        let checked = self.poison.check();
        if checked.is_err() {
            self.announce_poison();
        }
        checked
    }

    fn check_open(&self) -> Result<()> {
        self.check_poison()?;
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    /// The result of an operation on files: fatal failures poison.
    fn judge<T>(&self, outcome: std::result::Result<T, Failure>) -> Result<T> {
        match outcome {
            Ok(value) => Ok(value),
            Err(Failure::Refused(error)) => Err(error),
            Err(Failure::Fatal(error)) => {
                self.poison_with(error);
                self.poison.check().and(Err(Error::Closed))
            }
        }
    }

    /// Everything that touches the disk for commits. A failure or panic in here has poisoned the store before the mutex is
    /// released; listeners are called after that.
    fn round(&self, mut io: MutexGuard<'_, Io>, flushing: Flushing) -> Result<Round> {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            self.poison.check()?;
            let take = || {
                let mut group = self.group.lock();
                if self.pending_bytes.swap(0, Ordering::AcqRel) > 0 {
                    self.groups_taken.fetch_add(1, Ordering::Relaxed);
                }
                group.take()
            };
            let check = || self.poison.check();
            let tools = Tools { marks: &self.marks, counters: &self.counters, clock: &*self.clock, check: &check };
            io.round(&take, flushing, &tools)
        }));
        let outcome = outcome.unwrap_or(Err(Error::Internal("a panic while writing")));
        let outcome = outcome.or_else(|error| {
            self.poison.set(error);
            self.poison.check().map(|()| Round::default())
        });
        let mut starving = false;
        if let Ok(round) = &outcome {
            starving = !io.is_drained();
            starving &= !self.starved.swap(starving, Ordering::AcqRel);
            self.no_space.lock().clone_from(&round.no_space);
        }
        MutexGuard::unlock_fair(io);
        match &outcome {
            Ok(round) if round.progress || starving => self.listeners.advanced(round.group.as_ref()),
            Ok(_) => {}
            Err(_) => self.announce_poison(),
        }
        outcome
    }
}
