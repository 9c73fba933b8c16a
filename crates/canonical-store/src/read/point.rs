//! Reads of one key in the current state.

use super::{
    ReadCache,
    capture::{look_in_checkpoint, look_in_deltas},
};
use crate::{CollectionRef, Store, error::Result};

impl Store {
    /// A cache for an environment, used between its reads.
    pub fn new_read_cache(&self) -> std::sync::Arc<ReadCache> {
        self.caches.add()
    }

    /// Calls `take` with the value of `key`; `None` when there is none. Empty and overlong keys never exist.
    pub fn get<R>(
        &self,
        cache: &ReadCache,
        collection: &CollectionRef,
        key: &[u8],
        take: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>> {
        self.check_open()?;
        let Some(id) = collection.id_now(&self.catalog)? else { return Ok(None) };
        if !self.can_be_key(key) {
            return Ok(None);
        }
        let mut cached = cache.cached.lock();
        let mut take = take;
        loop {
            let (view, read) = cached.view(self);
            let seq = self.applied_seq();
            take = match look_in_deltas(view, id, key, seq, take) {
                Ok(found) => return Ok(found),
                Err(take) => take,
            };
            let read = read.under(view, self)?;
            if self.coordinator.version() == view.version {
                return look_in_checkpoint(read, id, key, take);
            }
        }
    }

    /// Whether `key` has a value.
    pub fn has(&self, cache: &ReadCache, collection: &CollectionRef, key: &[u8]) -> Result<bool> {
        Ok(self.get(cache, collection, key, |_| ())?.is_some())
    }

    pub(crate) fn can_be_key(&self, key: &[u8]) -> bool {
        !key.is_empty() && key.len() as u64 <= self.settings.limits.key_bytes
    }
}
