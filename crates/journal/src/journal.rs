//! The journal of one open store: where commits are appended, waited for and taken to the disk.
//!
//! Lock order: the caller's gate, the caller's commit lock, then the group; the I/O mutex, then the group. The group and the
//! pool are innermost. Nobody waits for the I/O mutex while holding a commit lock. Listeners are called outside of all.

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

use ledgerstone_format::{Durability, StoreId};
use ledgerstone_vfs::{Clock, FileError, Vfs};
use parking_lot::{Mutex, MutexGuard};

use crate::{
    Error, Frame, FrameBuilder, JournalOptions, JournalStats, Listener, ListenerId, Poison, Position, Result, Stamp,
    bell::Bell,
    error::Failure,
    file_name::journal_path,
    group::{Group, Origin, Room},
    listeners::Listeners,
    prepared_file::{Pool, PreparedFile},
    stats::Counters,
    watermarks::Watermarks,
    writer::{Flushing, Io, Round, Tools},
};

/// How long a write that failed for lack of space is left alone.
pub(crate) const SPACE_RETRY: Duration = Duration::from_millis(50);

/// What [`Journal::append`] made.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The frame, in memory for as long as somebody refers to it.
    pub frame: Arc<Frame>,
    /// Behind the frame.
    pub position: Position,
}

/// Whether [`Journal::try_lead`] did the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Led {
    /// The seq is durable.
    Done,
    /// Somebody else is at it, or space is lacking; the journal thread has been called.
    Busy,
}

/// Where the journal ends in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The last seq appended, 0 before the first.
    pub seq: u64,
    /// Behind its frame; `None` if this journal never had a frame.
    pub position: Option<Position>,
}

/// A write-ahead journal, shared as `Arc<Journal>`.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    clock: Arc<dyn Clock>,
    options: JournalOptions,
    poison: Arc<Poison>,
    poison_announced: AtomicBool,
    group: Mutex<Group>,
    pending_bytes: AtomicU64,
    io: Mutex<Io>,
    pool: Mutex<Pool>,
    marks: Watermarks,
    pub(crate) bell: Bell,
    /// Why writing waits for space, while it does.
    no_space: Mutex<Option<FileError>>,
    starved: AtomicBool,
    listeners: Listeners,
    counters: Counters,
    thread: Mutex<Option<JoinHandle<()>>>,
    closed: AtomicBool,
}

/// What a journal is made from: by `create` of nothing, by recovery of what it found.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) dir: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) spares: Vec<PreparedFile>,
    pub(crate) next_number: u64,
}

impl Journal {
    pub(crate) fn assemble(
        parts: Parts,
        clock: Arc<dyn Clock>,
        options: JournalOptions,
        poison: Arc<Poison>,
    ) -> Arc<Self> {
        let last_seq = parts.origin.last_seq;
        let file = parts.origin.current.as_ref().map(|(file, _)| Arc::clone(file));
        Arc::new(Self {
            pool: Mutex::new(Pool::new(parts.vfs, &parts.dir, parts.spares, parts.next_number)),
            dir: parts.dir,
            clock,
            options,
            poison,
            poison_announced: AtomicBool::new(false),
            group: Mutex::new(Group::new(parts.origin)),
            pending_bytes: AtomicU64::new(0),
            io: Mutex::new(Io::new(file, last_seq)),
            marks: Watermarks::new(last_seq),
            bell: Bell::new(),
            no_space: Mutex::new(None),
            starved: AtomicBool::new(false),
            listeners: Listeners::default(),
            counters: Counters::new(),
            thread: Mutex::new(None),
            closed: AtomicBool::new(false),
        })
    }

    /// A journal for a new store: no frames yet. Leftovers of a store that was never finished are removed.
    pub fn create(
        vfs: Arc<dyn Vfs>,
        clock: Arc<dyn Clock>,
        dir: &Path,
        store_id: StoreId,
        options: JournalOptions,
        poison: Arc<Poison>,
    ) -> Result<Arc<Self>> {
        vfs.create_dir_all(dir)?;
        crate::recovery::remove_leftovers(&*vfs, dir)?;
        let origin = Origin { store_id, last_seq: 0, last_crc: 0, position: None, current: None, files: Vec::new() };
        let parts = Parts { vfs, dir: dir.to_path_buf(), origin, spares: Vec::new(), next_number: 1 };
        Ok(Self::assemble(parts, clock, options, poison))
    }

    /// Makes sure that a frame of `frame_len` bytes has a place, preparing a file here if none is ready. By the gate's
    /// owner, before [`append`](Self::append). [`Error::NoSpace`] also while an earlier commit still waits for space.
    pub fn reserve(&self, frame_len: u64) -> Result<()> {
        self.check_open()?;
        if self.starved.load(Ordering::Acquire)
            && let Some(error) = self.no_space()
        {
            return Err(Error::NoSpace(error));
        }
        let (need_bytes, used_bytes, unfit) = {
            let mut group = self.group.lock();
            match group.room(frame_len) {
                Room::Ready => return Ok(()),
                Room::NeedsFile { need_bytes, used_bytes } => (need_bytes, used_bytes, group.take_reserved()),
            }
        };
        let taken = {
            let mut pool = self.pool.lock();
            if let Some(unfit) = unfit {
                let path = journal_path(&self.dir, unfit.number);
                drop(unfit.handle);
                self.judge(pool.adopt(&path, unfit.capacity))?;
            }
            pool.take(need_bytes, self.options.next_file_bytes(used_bytes))
        };
        let file = self.judge(taken)?;
        self.group.lock().reserve(file);
        Ok(())
    }

    /// Gives a frame its place and queues it. Under the caller's commit lock, after [`reserve`](Self::reserve) of its
    /// length; then it cannot fail. A breach of that is a defect: it poisons the store and nothing is appended.
    pub fn append(&self, builder: FrameBuilder, stamp: Stamp) -> Result<Appended> {
        let mut group = self.group.lock();
        match group.append(builder, stamp, self.marks.durable(), || self.time()) {
            Ok((frame, position)) => {
                self.pending_bytes.store(group.pending_bytes(), Ordering::Release);
                Ok(Appended { frame, position })
            }
            Err(what) => {
                drop(group);
                self.poison.set(Error::Internal(what));
                // Announced by the thread: the caller holds a lock.
                self.bell.ring();
                Err(Error::Internal(what))
            }
        }
    }

    fn time(&self) -> [u64; 2] {
        [self.clock.wall_ms(), u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or(u64::MAX)]
    }

    /// Calls the journal thread, soon, for what was appended. After [`append`](Self::append), outside the commit lock.
    pub fn after_append(&self) {
        match self.pending_bytes.load(Ordering::Acquire) {
            0 => {}
            bytes if bytes >= self.options.group_wake_bytes => self.bell.ring_for_size(),
            _ => self.bell.arm(),
        }
    }

    /// The last seq that is Written.
    pub fn written(&self) -> u64 {
        self.marks.written()
    }

    /// The last seq that is Durable.
    pub fn durable(&self) -> u64 {
        self.marks.durable()
    }

    /// Where the journal ends, what is pending included.
    pub fn end(&self) -> End {
        let group = self.group.lock();
        End { seq: group.last_seq(), position: group.position() }
    }

    /// Why commits are refused for lack of space, while they are.
    pub fn no_space(&self) -> Option<FileError> {
        self.no_space.lock().clone()
    }

    /// Somebody waits for `seq` to reach `level`: the thread is called at once.
    pub fn want(&self, level: Durability, seq: u64) {
        if self.marks.reached(level, seq) {
            return;
        }
        if level == Durability::Durable {
            self.marks.want_durable(seq);
        }
        self.bell.ring();
    }

    /// Waits until `seq` has reached `level`, doing the work on this thread if nobody else is at it. While space is
    /// lacking it waits for that too.
    pub fn wait(&self, level: Durability, seq: u64) -> Result<()> {
        if level == Durability::Durable && !self.marks.reached(level, seq) {
            self.marks.want_durable(seq);
        }
        while !self.marks.reached(level, seq) {
            self.check_open()?;
            if seq > self.group.lock().last_seq() {
                return Err(Error::Internal("a wait for a seq that was never appended"));
            }
            let round = self.round(self.io.lock(), Flushing::IfWanted)?;
            if round.no_space.is_some() {
                std::thread::sleep(SPACE_RETRY);
            }
        }
        Ok(())
    }

    /// Makes `seq` durable on this thread. Unlike in [`wait`](Self::wait) lack of space is an answer: [`Error::NoSpace`].
    pub fn flush_to(&self, seq: u64) -> Result<()> {
        if self.marks.reached(Durability::Durable, seq) {
            return Ok(());
        }
        self.check_open()?;
        self.marks.want_durable(seq);
        let round = self.round(self.io.lock(), Flushing::IfWanted)?;
        match round.no_space {
            _ if self.marks.reached(Durability::Durable, seq) => Ok(()),
            Some(error) => Err(Error::NoSpace(error)),
            None => Err(Error::Internal("a flush of a seq that was never appended")),
        }
    }

    /// Makes `seq` durable on this thread if nobody else is at it; never blocks for the I/O mutex.
    pub fn try_lead(&self, seq: u64) -> Result<Led> {
        if self.marks.reached(Durability::Durable, seq) {
            return Ok(Led::Done);
        }
        self.check_open()?;
        self.marks.want_durable(seq);
        if let Some(io) = self.io.try_lock() {
            self.round(io, Flushing::IfWanted)?;
            if self.marks.reached(Durability::Durable, seq) {
                return Ok(Led::Done);
            }
        }
        self.bell.ring();
        Ok(Led::Busy)
    }

    /// Whether the device flushes fast enough to lead on a thread that has other things to do. False until measured.
    pub fn flush_is_fast(&self) -> bool {
        self.counters.flush_is_fast()
    }

    /// One round of the thread's work: what is pending is written, and flushed if somebody wants it; if nothing was, a
    /// piece of a spare is prepared. False: there was nothing to do, or it waits for space.
    pub fn step(&self) -> Result<bool> {
        if self.round(self.io.lock(), Flushing::IfWanted)?.progress {
            return Ok(true);
        }
        if !self.wants_spare() {
            return Ok(false);
        }
        let used_bytes = self.group.lock().files().iter().map(|file| file.capacity).sum();
        let outcome = self.pool.lock().prepare_in_advance(self.options.next_file_bytes(used_bytes));
        match self.judge(outcome) {
            Ok(()) => Ok(true),
            Err(_) => self.check_poison().map(|()| false),
        }
    }

    pub(crate) fn wants_spare(&self) -> bool {
        self.pool.lock().is_low()
    }

    pub(crate) fn is_starved(&self) -> bool {
        self.starved.load(Ordering::Acquire)
    }

    /// For the exit of the process: all that is pending is Written when this returns. Waits for at most one flush.
    pub fn hand_over(&self) {
        if self.check_open().is_ok() {
            // A failure has poisoned the store, and there is nobody left to tell.
            let _ = self.round(self.io.lock(), Flushing::Never);
        }
    }

    /// Tells `listener` of every advance from now on.
    pub fn add_listener(&self, listener: Arc<dyn Listener>) -> ListenerId {
        self.listeners.add(listener)
    }

    /// A call that has begun already may still come.
    pub fn remove_listener(&self, id: ListenerId) {
        self.listeners.remove(id);
    }

    /// Gives up the files that end at or below `upto_seq`: they become spares or are removed (I7). `upto_seq` must be
    /// durable elsewhere, and no backup may need what is at or below it.
    pub fn recycle(&self, upto_seq: u64) -> Result<()> {
        self.check_open()?;
        let released = self.group.lock().release(upto_seq, self.marks.durable(), self.options.keep_bytes);
        for file in released {
            let outcome = self.pool.lock().adopt(&journal_path(&self.dir, file.number), file.capacity);
            self.judge(outcome)?;
        }
        Ok(())
    }

    /// A moment's figures.
    pub fn stats(&self) -> JournalStats {
        let mut stats = JournalStats::default();
        self.counters.fill(&mut stats);
        {
            let group = self.group.lock();
            stats.files = group.files().len() as u64;
            stats.bytes = group.files().iter().map(|file| file.capacity).sum();
        }
        let pool = self.pool.lock();
        for capacity in pool.spare_capacities() {
            stats.spares += 1;
            stats.bytes += capacity;
        }
        stats.preparation_flushes = pool.counts().flushes;
        stats.preparation_bytes = pool.counts().bytes;
        stats
    }

    /// Writes and flushes what is pending, ends the thread and refuses everything from then on. Once poisoned, or when
    /// space is lacking, it ends the thread too and says why not everything was kept.
    pub fn close(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return self.poison.check();
        }
        let drained = self.round(self.io.lock(), Flushing::Always);
        self.closed.store(true, Ordering::Release);
        self.bell.stop();
        if let Some(thread) = self.thread.lock().take() {
            // The thread catches its own panics.
            let _ = thread.join();
        }
        match drained?.no_space {
            Some(error) => Err(Error::NoSpace(error)),
            None => Ok(()),
        }
    }

    pub(crate) fn set_thread(&self, thread: JoinHandle<()>) {
        *self.thread.lock() = Some(thread);
    }

    pub(crate) fn has_thread(&self) -> bool {
        self.thread.lock().is_some()
    }

    /// Wakes whoever waits, once, after the store was poisoned. Whoever sets the shared [`Poison`] calls it, holding no lock.
    pub fn announce_poison(&self) {
        if self.poison.get().is_some() && !self.poison_announced.swap(true, Ordering::AcqRel) {
            self.bell.ring();
            self.listeners.advanced();
        }
    }

    pub(crate) fn poison_with(&self, error: Error) {
        self.poison.set(error);
        self.announce_poison();
    }

    fn check_poison(&self) -> Result<()> {
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

    /// A failure of an operation on files: the fatal ones poison.
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

    /// Everything that touches the disk for commits. Whatever fails or panics in here has poisoned the store before the
    /// mutex is released; listeners are called after that.
    fn round(&self, mut io: MutexGuard<'_, Io>, flushing: Flushing) -> Result<Round> {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            self.poison.check()?;
            let group = {
                let mut group = self.group.lock();
                self.pending_bytes.store(0, Ordering::Release);
                group.take()
            };
            let check = || self.poison.check();
            let tools = Tools { marks: &self.marks, counters: &self.counters, clock: &*self.clock, check: &check };
            io.round(group, flushing, &tools)
        }));
        let outcome = outcome.unwrap_or(Err(Error::Internal("a panic while writing")));
        let outcome = outcome.or_else(|error| {
            self.poison.set(error);
            self.poison.check().map(|()| Round::default())
        });
        if let Ok(round) = &outcome {
            self.starved.store(!io.is_drained(), Ordering::Release);
            self.no_space.lock().clone_from(&round.no_space);
        }
        MutexGuard::unlock_fair(io);
        match &outcome {
            Ok(round) if round.progress => self.listeners.advanced(),
            Ok(_) => {}
            Err(_) => self.announce_poison(),
        }
        outcome
    }
}
