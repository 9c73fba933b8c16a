//! The event logs of an environment that belong to no store.

use std::sync::Arc;

use ledgerstone_event_log::OwnedLog;

use crate::{
    environment::{
        log_syncs::LogSyncs,
        slab::Handle,
        state::{EnvState, too_many},
        verification::Verified,
    },
    error::{ErrorRecord, Failure},
};

/// An open log, and who asks for flushes of it.
pub(super) struct LogEntry {
    log: Arc<OwnedLog>,
    syncs: Arc<LogSyncs>,
}

impl LogEntry {
    /// Does what was asked for, then closes the log. Blocks.
    pub(super) fn close(&self) -> ledgerstone_event_log::Result<()> {
        self.syncs.finish();
        self.log.close()
    }
}

impl EnvState {
    /// Takes in an opened event log, until [`take_log`](Self::take_log).
    pub(crate) fn add_log(&self, log: Arc<OwnedLog>) -> Result<Handle, Failure> {
        let entry = LogEntry { syncs: LogSyncs::new(Arc::clone(&log)), log };
        self.logs.borrow_mut().insert(entry).ok_or_else(|| too_many("too many event logs are open"))
    }

    pub(crate) fn log(&self, id: Handle) -> Result<Arc<OwnedLog>, Failure> {
        self.logs.borrow().get(id).map(|entry| Arc::clone(&entry.log)).ok_or_else(no_log)
    }

    /// Where flushes of an event log are asked for.
    pub(crate) fn log_syncs(&self, id: Handle) -> Result<Arc<LogSyncs>, Failure> {
        self.logs.borrow().get(id).map(|entry| Arc::clone(&entry.syncs)).ok_or_else(no_log)
    }

    /// Ends all use of an event log. What is returned closes it, off this thread.
    pub(crate) fn take_log(&self, id: Handle) -> Result<impl FnOnce() -> Result<(), Failure> + Send + use<>, Failure> {
        let entry = self.logs.borrow_mut().remove(id).ok_or_else(no_log)?;
        let verified = self.verifications.borrow_mut().remove_where(|running| running.of == Verified::Log(id));
        drop(verified);
        Ok(move || Ok(entry.close()?))
    }
}

fn no_log() -> Failure {
    ErrorRecord::closed("the event log")
}
