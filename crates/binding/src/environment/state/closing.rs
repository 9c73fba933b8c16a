//! Closing a store, in two steps between which its waiters are still served; and closing everything at the environment's end.

use std::{rc::Rc, sync::Arc};

use ledgerstone_canonical_store::StoreHandle;

use crate::{
    environment::{
        slab::Handle,
        state::EnvState,
        store::{StoreEntry, observation::Happenings},
        verification::Verified,
    },
    error::Failure,
};

impl EnvState {
    /// Ends all use of a store but the waiting, and returns the handle that is to be closed off this thread.
    pub(crate) fn begin_close(&self, id: Handle) -> Result<Arc<StoreHandle>, Failure> {
        let entry = self.with_store(id, |entry| Ok(Rc::clone(entry)))?;
        entry.let_others_in(self.owner);
        self.verifications.borrow_mut().remove_where(|running| running.of == Verified::Store(id));
        self.backups.borrow_mut().remove_where(|backup| backup.of == Some(id));
        let its_readers: Vec<_> = self
            .readers
            .borrow()
            .iter()
            .filter(|(_, reader)| Rc::ptr_eq(reader.entry(), &entry))
            .map(|(id, _)| id)
            .collect();
        for reader in its_readers {
            self.drop_reader(reader);
        }
        let its_locks = self.locks.borrow_mut().remove_where(|locks| locks.store == Some(id));
        drop(its_locks);
        let handle = Arc::clone(entry.handle());
        self.closing.borrow_mut().push((id, entry));
        Ok(handle)
    }

    /// The handle has been closed: the last news of it is what was observed to the end.
    pub(crate) fn finish_close(&self, id: Handle) -> Happenings {
        let mut last = Happenings::default();
        let mut closing = self.closing.borrow_mut();
        closing.retain(|(closed, entry)| {
            if *closed == id {
                entry.detach();
                last = entry.take_happenings();
            }
            *closed != id
        });
        drop(closing);
        self.settle_keep_alive();
        last
    }

    /// An open store, or one that is closing.
    pub(crate) fn with_waiting_store<R>(
        &self,
        id: Handle,
        work: impl FnOnce(&Rc<StoreEntry>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        if let Some((_, entry)) = self.closing.borrow().iter().find(|(closing, _)| *closing == id) {
            return work(entry);
        }
        self.with_store(id, work)
    }

    /// The same, when it is known.
    pub(crate) fn waiting_store(&self, id: Handle) -> Option<Rc<StoreEntry>> {
        self.with_waiting_store(id, |entry| Ok(Rc::clone(entry))).ok()
    }

    /// The order matters: first nothing calls in any more; then what others wait for goes back; then the stores close.
    pub(crate) fn end(&self) {
        self.completion.detach();
        let entries = self.entries();
        for entry in &entries {
            entry.detach();
            entry.let_others_in(self.owner);
        }
        let locks = self.locks.borrow_mut().remove_where(|_| true);
        drop(locks);
        self.cursors.borrow_mut().remove_where(|_| true);
        self.verifications.borrow_mut().remove_where(|_| true);
        self.backups.borrow_mut().remove_where(|_| true);
        for reader in self.readers.borrow_mut().remove_where(|_| true) {
            reader.release();
        }
        for log in self.logs.borrow_mut().remove_where(|_| true) {
            // Nobody is left to hear of a failure: what was appended is at its durability already.
            let _ = log.close();
        }
        for set in self.snapshot_sets.borrow_mut().remove_where(|_| true) {
            set.close();
        }
        self.closing.borrow_mut().clear();
        for entry in entries {
            // Nobody is left to hear of a failure; what was not stored is found at the next open.
            let _ = entry.handle().close();
        }
    }
}
