//! The backups and restores that JavaScript has begun.

use std::sync::Arc;

use ledgerstone_canonical_store::BackupJob;

use crate::{
    environment::{
        backup_entry::BackupEntry,
        slab::Handle,
        state::{EnvState, too_many},
    },
    error::{ErrorRecord, Failure},
};

impl EnvState {
    pub(crate) fn add_backup(&self, of: Option<Handle>) -> Result<Handle, Failure> {
        let entry = BackupEntry { of, job: Arc::default() };
        self.backups.borrow_mut().insert(entry).ok_or_else(|| too_many("too many backups are running"))
    }

    /// One that was begun; those of a store end when it begins to close.
    pub(crate) fn backup(&self, id: Handle) -> Result<Arc<BackupJob>, Failure> {
        let backups = self.backups.borrow();
        backups.get(id).map(|entry| Arc::clone(&entry.job)).ok_or_else(|| ErrorRecord::closed("the store"))
    }

    pub(crate) fn end_backup(&self, id: Handle) {
        self.backups.borrow_mut().remove(id);
    }
}
