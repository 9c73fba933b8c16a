//! The event logs of an environment that belong to no store.

use std::sync::Arc;

use ledgerstone_event_log::OwnedLog;

use crate::{
    environment::{
        slab::Handle,
        state::{EnvState, too_many},
        verification::Verified,
    },
    error::{ErrorRecord, Failure},
};

impl EnvState {
    /// Takes in an opened event log, until [`take_log`](Self::take_log).
    pub(crate) fn add_log(&self, log: Arc<OwnedLog>) -> Result<Handle, Failure> {
        self.logs.borrow_mut().insert(log).ok_or_else(|| too_many("too many event logs are open"))
    }

    pub(crate) fn log(&self, id: Handle) -> Result<Arc<OwnedLog>, Failure> {
        self.logs.borrow().get(id).map(Arc::clone).ok_or_else(|| ErrorRecord::closed("the event log"))
    }

    /// Ends all use of an event log, which is to be closed off this thread.
    pub(crate) fn take_log(&self, id: Handle) -> Result<Arc<OwnedLog>, Failure> {
        let log = self.logs.borrow_mut().remove(id).ok_or_else(|| ErrorRecord::closed("the event log"))?;
        let verified = self.verifications.borrow_mut().remove_where(|running| running.of == Verified::Log(id));
        drop(verified);
        Ok(log)
    }
}
