//! The snapshot sets of an environment.

use std::sync::Arc;

use ledgerstone_snapshot_set::FileSnapshotSet;

use crate::{
    environment::{
        slab::Handle,
        state::{EnvState, too_many},
    },
    error::{ErrorRecord, Failure},
};

impl EnvState {
    /// Takes in an opened snapshot set, until [`take_snapshot_set`](Self::take_snapshot_set).
    pub(crate) fn add_snapshot_set(&self, set: Arc<FileSnapshotSet>) -> Result<Handle, Failure> {
        self.snapshot_sets.borrow_mut().insert(set).ok_or_else(|| too_many("too many snapshot sets are open"))
    }

    pub(crate) fn snapshot_set(&self, id: Handle) -> Result<Arc<FileSnapshotSet>, Failure> {
        self.snapshot_sets.borrow().get(id).map(Arc::clone).ok_or_else(|| ErrorRecord::closed("the snapshot set"))
    }

    /// Ends all use of a snapshot set, which is to be closed off this thread.
    pub(crate) fn take_snapshot_set(&self, id: Handle) -> Result<Arc<FileSnapshotSet>, Failure> {
        self.snapshot_sets.borrow_mut().remove(id).ok_or_else(|| ErrorRecord::closed("the snapshot set"))
    }
}
