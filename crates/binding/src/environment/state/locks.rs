//! The lock clients of an environment: of a store's locks, or of a lock manager outside of a store.

use std::sync::Arc;

use ledgerstone_lock_manager::LockManager;

use crate::{
    environment::{
        lock_entry::LockEntry,
        slab::Handle,
        state::{EnvState, too_many},
    },
    error::Failure,
};

impl EnvState {
    /// Takes in a lock client, until [`drop_locks`](Self::drop_locks) or the end of `store`.
    pub(crate) fn add_locks(&self, manager: &Arc<LockManager>, store: Option<Handle>) -> Result<Handle, Failure> {
        let entry = LockEntry::new(manager, Arc::clone(&self.completion), store);
        self.locks.borrow_mut().insert(entry).ok_or_else(|| too_many("too many lock managers are open"))
    }

    /// `None` when it has ended.
    pub(crate) fn with_locks<R>(&self, id: Handle, work: impl FnOnce(&LockEntry) -> R) -> Option<R> {
        self.locks.borrow().get(id).map(work)
    }

    /// All that it holds is given back, and nothing is waited for any more. Harmless twice.
    pub(crate) fn drop_locks(&self, id: Handle) {
        let entry = self.locks.borrow_mut().remove(id);
        drop(entry);
    }
}
