//! The event logs of an environment that belong to no store.

use std::sync::Arc;

use ledgerstone_event_log::OwnedLog;

use crate::{
    environment::{
        log_syncs::{LogEntry, LogSyncs},
        slab::Handle,
        state::{EnvState, too_many},
        verification::Verified,
    },
    error::{ErrorRecord, Failure},
};

const A_LOG: &str = "the event log";

impl EnvState {
    /// Takes in an opened event log, until [`take_log`](Self::take_log).
    pub(crate) fn add_log(&self, log: Arc<OwnedLog>) -> Result<Handle, Failure> {
        let entry = LogEntry { syncs: LogSyncs::new(Arc::clone(&log)), log };
        self.logs.borrow_mut().insert(entry).ok_or_else(|| too_many("too many event logs are open"))
    }

    pub(crate) fn log(&self, id: Handle) -> Result<Arc<OwnedLog>, Failure> {
        self.log_entry(id, |entry| Arc::clone(&entry.log))
    }

    /// Where flushes of an event log are asked for.
    pub(crate) fn log_syncs(&self, id: Handle) -> Result<Arc<LogSyncs>, Failure> {
        self.log_entry(id, |entry| Arc::clone(&entry.syncs))
    }

    fn log_entry<R>(&self, id: Handle, take: impl FnOnce(&LogEntry) -> R) -> Result<R, Failure> {
        self.logs.borrow().get(id).map(take).ok_or_else(|| ErrorRecord::closed(A_LOG))
    }

    /// Ends all use of an event log. What is returned closes it, off this thread.
    pub(crate) fn take_log(&self, id: Handle) -> Result<impl FnOnce() -> Result<(), Failure> + Send + use<>, Failure> {
        let entry = self.logs.borrow_mut().remove(id).ok_or_else(|| ErrorRecord::closed(A_LOG))?;
        let verified = self.verifications.borrow_mut().remove_where(|running| running.of == Verified::Log(id));
        drop(verified);
        Ok(move || Ok(entry.close()?))
    }
}
