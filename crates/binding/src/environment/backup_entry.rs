//! A backup or a restore that JavaScript has begun.

use std::sync::Arc;

use ledgerstone_canonical_store::BackupJob;

use crate::environment::slab::Handle;

/// Dropping it gives the work up: nobody waits for it any more.
pub(crate) struct BackupEntry {
    /// The store that is backed up, as this environment knows it; `None`: it is a restore.
    pub(crate) of: Option<Handle>,
    pub(crate) job: Arc<BackupJob>,
}

impl Drop for BackupEntry {
    fn drop(&mut self) {
        self.job.cancel();
    }
}
