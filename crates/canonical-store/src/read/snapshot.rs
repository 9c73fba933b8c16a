//! A point in time that is held. Costs no flush and stops no writer; pins the generations and the LMDB pages it reads.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;

use super::Capture;
use crate::{CollectionRef, Error, Store, error::Result};

/// Why a capture is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// The user asked for a snapshot.
    Snapshot,
    /// An iteration over the store needs one.
    Iteration,
}

#[derive(Debug, Default)]
struct Registry {
    next: u64,
    open: BTreeMap<u64, (Duration, Holder, Weak<Snapshot>)>,
}

/// Everything that holds a capture, for the statistics and for the end.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    registry: Mutex<Registry>,
}

impl Readers {
    fn leave(&self, number: u64) {
        self.registry.lock().open.remove(&number);
    }

    /// How many snapshots and iterations are open, and since when the oldest.
    pub(crate) fn open(&self) -> (u64, Option<Duration>) {
        let registry = self.registry.lock();
        let snapshots = registry.open.values().filter(|(_, holder, _)| *holder == Holder::Snapshot).count();
        (snapshots as u64, registry.open.values().next().map(|(since, ..)| *since))
    }

    /// Ends them all.
    pub(crate) fn release_all(&self) {
        let open: Vec<_> = self.registry.lock().open.values().filter_map(|(.., held)| held.upgrade()).collect();
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
    /// Holds what is applied now.
    pub fn snapshot(self: &Arc<Self>) -> Result<Arc<Snapshot>> {
        self.hold(Holder::Snapshot)
    }

    pub(super) fn hold(self: &Arc<Self>, holder: Holder) -> Result<Arc<Snapshot>> {
        self.check_open()?;
        let capture = self.capture()?;
        let mut registry = self.readers.registry.lock();
        registry.next += 1;
        let snapshot = Arc::new(Snapshot {
            store: Arc::clone(self),
            seq: capture.seq,
            next_event_id: capture.next_event_id,
            oldest_event_id: self.oldest_event_id(),
            catalog_version: capture.catalog_version,
            number: registry.next,
            capture: Mutex::new(Some(capture)),
        });
        let number = registry.next;
        registry.open.insert(number, (self.clock.monotonic(), holder, Arc::downgrade(&snapshot)));
        Ok(snapshot)
    }
}

impl Snapshot {
    /// The newest commit in it.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The id that the next event had.
    pub fn next_event_id(&self) -> u64 {
        self.next_event_id
    }

    /// The oldest event that there was.
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

    /// Shows the value of `key` to `take`; `None` when there is none.
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

    /// Lets go of it. Harmless when it was done before.
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
