//! A held point in time. Costs no flush and blocks no writer; pins the generations and the LMDB pages that it reads.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    thread::{self, ThreadId},
    time::Duration,
};

use parking_lot::Mutex;

use super::Capture;
use crate::{
    CollectionRef, Error, Store,
    checkpoint::MAX_READERS,
    error::{Result, too_many_readers},
};

/// The maximum number of open snapshots. The remaining readers are for reading beside them: iterations, and the store's
/// transactions, one per environment and one for a verification.
pub(crate) const MAX_SNAPSHOTS: usize = 1_024;
const OF_THE_STORE: usize = 64;

/// Why a capture is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The user asked for a snapshot.
    Snapshot,
    /// An iteration over the store needs one, or a backup.
    Iteration,
}

#[derive(Debug)]
struct Held {
    since: Duration,
    holder: Holder,
    /// The thread that took it: it never waits for something that only the release would free.
    thread: ThreadId,
    /// At most the seq that it shows.
    seq: u64,
    /// Empty while it is being made.
    snapshot: Weak<Snapshot>,
}

#[derive(Debug, Default)]
struct Registry {
    next: u64,
    open: BTreeMap<u64, Held>,
}

/// All holders of captures, for the statistics, for the bounds and for the end.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    registry: Mutex<Registry>,
}

impl Readers {
    /// Takes a place, before anything is captured.
    fn enter(&self, since: Duration, holder: Holder, seq: u64) -> Result<u64> {
        let mut registry = self.registry.lock();
        let max = match holder {
            Holder::Snapshot => MAX_SNAPSHOTS,
            Holder::Iteration => usize::try_from(MAX_READERS).unwrap_or(usize::MAX).saturating_sub(OF_THE_STORE),
        };
        if registry.open.len() >= max {
            return Err(too_many_readers(max as u64));
        }
        registry.next += 1;
        let number = registry.next;
        let held = Held { since, holder, thread: thread::current().id(), seq, snapshot: Weak::new() };
        registry.open.insert(number, held);
        Ok(number)
    }

    fn made(&self, number: u64, snapshot: &Arc<Snapshot>) {
        if let Some(held) = self.registry.lock().open.get_mut(&number) {
            held.snapshot = Arc::downgrade(snapshot);
        }
    }

    fn leave(&self, number: u64) {
        self.registry.lock().open.remove(&number);
    }

    /// How many snapshots and iterations are open, and since when the oldest.
    pub(crate) fn open(&self) -> (u64, Option<Duration>) {
        let registry = self.registry.lock();
        let snapshots = registry.open.values().filter(|held| held.holder == Holder::Snapshot).count();
        (snapshots as u64, registry.open.values().next().map(|held| held.since))
    }

    /// No reader's point in time is earlier; `None`: all readers read the current state.
    pub(crate) fn oldest_seq(&self) -> Option<u64> {
        self.registry.lock().open.values().map(|held| held.seq).min()
    }

    /// Whether this thread holds one.
    pub(crate) fn held_here(&self) -> bool {
        let here = thread::current().id();
        self.registry.lock().open.values().any(|held| held.thread == here)
    }

    /// Releases them all.
    pub(crate) fn release_all(&self) {
        let open: Vec<_> = self.registry.lock().open.values().filter_map(|held| held.snapshot.upgrade()).collect();
        for held in open {
            held.release();
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Snapshot {
    store: Arc<Store>,
    seq: u64,
    next_event_id: u64,
    oldest_event_id: u64,
    catalog_version: u64,
    number: u64,
    /// `None` once released.
    capture: Mutex<Option<Capture>>,
}

impl Store {
    /// Holds the current state.
    pub fn snapshot(self: &Arc<Self>) -> Result<Arc<Snapshot>> {
        self.hold(Holder::Snapshot)
    }

    pub(crate) fn hold(self: &Arc<Self>, holder: Holder) -> Result<Arc<Snapshot>> {
        self.check_open()?;
        let number = self.readers.enter(self.clock.monotonic(), holder, self.applied_seq())?;
        let capture = self.capture().inspect_err(|_| self.readers.leave(number))?;
        let snapshot = Arc::new(Snapshot {
            store: Arc::clone(self),
            seq: capture.seq,
            next_event_id: capture.next_event_id,
            oldest_event_id: self.oldest_event_id(),
            catalog_version: capture.catalog_version,
            number,
            capture: Mutex::new(Some(capture)),
        });
        self.readers.made(number, &snapshot);
        Ok(snapshot)
    }
}

impl Snapshot {
    /// Its newest commit.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The id of the next event at that time.
    pub fn next_event_id(&self) -> u64 {
        self.next_event_id
    }

    /// The oldest event at that time.
    pub fn oldest_event_id(&self) -> u64 {
        self.oldest_event_id
    }

    /// Its store.
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(crate) fn with<R>(&self, look: impl FnOnce(&Capture) -> Result<R>) -> Result<R> {
        self.store.check_open()?;
        match &*self.capture.lock() {
            Some(capture) => look(capture),
            None => Err(Error::Closed { what: "the snapshot" }),
        }
    }

    pub(crate) fn id_of(&self, collection: &CollectionRef) -> Result<Option<u32>> {
        collection.id_at(&self.store.catalog, self.catalog_version, self.seq)
    }

    /// Calls `take` with the value of `key`; `None` when there is none.
    pub fn get<R>(&self, collection: &CollectionRef, key: &[u8], take: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        let id = self.id_of(collection)?;
        self.with(|capture| match id {
            Some(id) if self.store.can_be_key(key) => capture.get(id, key, take),
            _ => Ok(None),
        })
    }

    /// Whether `key` has a value.
    pub fn has(&self, collection: &CollectionRef, key: &[u8]) -> Result<bool> {
        Ok(self.get(collection, key, |_| ())?.is_some())
    }

    /// Releases it. A second call does nothing.
    pub fn release(&self) {
        let capture = self.capture.lock().take();
        if capture.is_some() {
            drop(capture);
            self.store.readers.leave(self.number);
            self.store.coordinator.nudge();
            self.store.listeners.advanced();
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.release();
    }
}
