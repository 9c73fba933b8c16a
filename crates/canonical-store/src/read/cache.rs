//! What one environment keeps between two single reads: the view and a checkpoint transaction. The flusher takes back those
//! older than its flush, so that an environment that has stopped reading pins neither memory nor pages.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use ledgerstone_write_coordinator::View;
use parking_lot::Mutex;

use crate::{
    Store,
    checkpoint::{CheckpointRead, Idle},
    delta::StoreDelta,
    error::Result,
};

#[derive(Debug, Default)]
pub(super) struct Cached {
    view: Option<Arc<View<StoreDelta>>>,
    read: CachedRead,
}

/// See the module. One per environment and store.
#[derive(Debug, Default)]
pub struct ReadCache {
    pub(super) cached: Mutex<Cached>,
}

/// All caches of a store.
#[derive(Debug, Default)]
pub(crate) struct ReadCaches {
    all: Mutex<Vec<Weak<ReadCache>>>,
}

impl ReadCaches {
    pub(crate) fn add(&self) -> Arc<ReadCache> {
        let cache = Arc::new(ReadCache::default());
        let mut all = self.all.lock();
        all.retain(|cache| cache.strong_count() > 0);
        all.push(Arc::downgrade(&cache));
        cache
    }

    fn living(&self) -> Vec<Arc<ReadCache>> {
        self.all.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// Takes back a capture of any view but `version`.
    pub(crate) fn take_back(&self, version: u64) {
        for cache in self.living() {
            let mut slot = cache.cached.lock();
            if slot.view.as_ref().is_some_and(|view| view.version != version) {
                let old = std::mem::take(&mut *slot);
                drop(slot);
                drop(old);
            }
        }
    }
}

impl Idle for ReadCaches {
    /// Waits for those in use, as long as a read takes. Skips one that is just being begun: it has no transaction yet.
    fn take_back(&self) {
        const A_READ: Duration = Duration::from_millis(5);
        for cache in self.living() {
            if let Some(mut slot) = cache.cached.try_lock_for(A_READ) {
                slot.read = CachedRead::default();
            }
        }
    }
}

impl Cached {
    /// The current view, from the cache if it is still current, and the slot for a transaction. Borrowed: counting one more
    /// holder would cost every read two writes to memory that all threads share.
    pub(super) fn view(&mut self, store: &Store) -> (&Arc<View<StoreDelta>>, &mut CachedRead) {
        let version = store.coordinator.version();
        if self.view.as_ref().is_some_and(|view| view.version != version) {
            self.view = None;
        }
        (self.view.get_or_insert_with(|| store.coordinator.view()), &mut self.read)
    }
}

/// A transaction of the checkpoint, with the generation of the view under which it was begun.
#[derive(Debug, Default)]
pub(super) struct CachedRead(Option<(u64, Box<dyn CheckpointRead>)>);

impl CachedRead {
    /// A transaction begun under `view`'s generation.
    pub(super) fn under(&mut self, view: &View<StoreDelta>, store: &Store) -> Result<&dyn CheckpointRead> {
        if self.0.as_ref().is_none_or(|(generation, _)| *generation != view.generation) {
            self.0 = None;
        }
        let (_, read) = match self.0.take() {
            Some(cached) => self.0.insert(cached),
            None => self.0.insert((view.generation, store.checkpoint.begin()?)),
        };
        Ok(&**read)
    }
}
