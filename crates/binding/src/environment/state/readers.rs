//! Stores and snapshots by the id that reads name, and the ranges that are open on them.

use std::{rc::Rc, sync::Arc};

use ledgerstone_canonical_store::StoreHandle;

use crate::{
    environment::{
        reader::{Cursor, Reader},
        slab::Handle,
        state::{EnvState, too_many},
        store::StoreEntry,
    },
    error::{ErrorRecord, Failure},
};

impl EnvState {
    /// Takes in an opened store.
    pub(crate) fn adopt(&self, handle: Arc<StoreHandle>) -> Result<Handle, Failure> {
        let cache = handle.new_read_cache();
        let entry = Rc::new(StoreEntry::new(handle, Arc::clone(&self.completion)));
        let added = self.add_reader(Reader::Store { entry: Rc::clone(&entry), cache });
        if added.is_err() {
            entry.detach();
        }
        added
    }

    pub(crate) fn add_reader(&self, reader: Reader) -> Result<Handle, Failure> {
        self.readers.borrow_mut().insert(reader).ok_or_else(|| too_many("too many readers are open"))
    }

    #[inline]
    pub(crate) fn with_reader<R>(
        &self,
        id: Handle,
        work: impl FnOnce(&Reader) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        work(self.readers.borrow().get(id).ok_or_else(|| ErrorRecord::closed("the reader"))?)
    }

    /// An open store; a snapshot's id is none.
    pub(crate) fn with_store<R>(
        &self,
        id: Handle,
        work: impl FnOnce(&Rc<StoreEntry>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        match self.readers.borrow().get(id) {
            Some(Reader::Store { entry, .. }) => work(entry),
            _ => Err(ErrorRecord::closed("the store")),
        }
    }

    /// The handle of an open store, for work off this thread.
    pub(crate) fn store_handle(&self, id: Handle) -> Result<Arc<StoreHandle>, Failure> {
        self.with_store(id, |entry| Ok(Arc::clone(entry.handle())))
    }

    /// Releases a snapshot with its cursors; a stale id and a store's id are left alone.
    pub(crate) fn release_snapshot(&self, id: Handle) {
        if matches!(self.readers.borrow().get(id), Some(Reader::Snapshot { .. })) {
            self.drop_reader(id);
        }
    }

    pub(crate) fn drop_reader(&self, id: Handle) {
        self.cursors.borrow_mut().remove_where(|cursor| cursor.reader == id);
        let reader = self.readers.borrow_mut().remove(id);
        if let Some(reader) = reader {
            reader.release();
        }
    }

    pub(crate) fn entries(&self) -> Vec<Rc<StoreEntry>> {
        let readers = self.readers.borrow();
        let open = readers.iter().filter_map(|(_, reader)| match reader {
            Reader::Store { entry, .. } => Some(Rc::clone(entry)),
            Reader::Snapshot { .. } => None,
        });
        open.chain(self.closing.borrow().iter().map(|(_, entry)| Rc::clone(entry))).collect()
    }

    pub(crate) fn add_cursor(&self, cursor: Cursor) -> Result<Handle, Failure> {
        self.cursors.borrow_mut().insert(cursor).ok_or_else(|| too_many("too many ranges are open"))
    }
}
