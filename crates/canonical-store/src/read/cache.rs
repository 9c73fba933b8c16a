//! What one environment keeps between two single reads: the view and a checkpoint transaction. The flusher takes back what
//! is older than its flush, so that an environment that has stopped reading pins neither memory nor pages.

use std::sync::{Arc, Weak};

use ledgerstone_write_coordinator::View;
use parking_lot::Mutex;

use crate::{Store, checkpoint::CheckpointRead, delta::StoreDelta, error::Result};

#[derive(Debug, Default)]
pub(super) struct Cached {
    pub(super) view: Option<Arc<View<StoreDelta>>>,
    /// With the generation of the view that it was begun under.
    pub(super) read: Option<(u64, Box<dyn CheckpointRead>)>,
}

/// See the module. One for each environment and store.
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

    /// Takes back what was captured under another view than `version`.
    pub(crate) fn take_back(&self, version: u64) {
        let caches: Vec<_> = self.all.lock().iter().filter_map(Weak::upgrade).collect();
        for cache in caches {
            let mut slot = cache.cached.lock();
            if slot.view.as_ref().is_some_and(|view| view.version != version) {
                let old = std::mem::take(&mut *slot);
                drop(slot);
                drop(old);
            }
        }
    }
}

impl Cached {
    /// The view of now, from the cache when it is still that.
    pub(super) fn view(&mut self, store: &Store) -> Arc<View<StoreDelta>> {
        let version = store.coordinator.version();
        match &self.view {
            Some(view) if view.version == version => Arc::clone(view),
            _ => {
                let view = store.coordinator.view();
                self.view = Some(Arc::clone(&view));
                view
            }
        }
    }

    /// A transaction begun under `view`'s generation.
    pub(super) fn read(&mut self, store: &Store, view: &View<StoreDelta>) -> Result<&dyn CheckpointRead> {
        if self.read.as_ref().is_none_or(|(generation, _)| *generation != view.generation) {
            self.read = None;
        }
        let (_, read) = match self.read.take() {
            Some(cached) => self.read.insert(cached),
            None => self.read.insert((view.generation, store.checkpoint.begin()?)),
        };
        Ok(&**read)
    }
}
