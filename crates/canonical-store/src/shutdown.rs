//! The end of a store: it is closed, its opening fails at the last step, or its folder is no longer in place. Everything is
//! released in each case.

use std::{sync::atomic::Ordering, time::Duration};

use ledgerstone_format::CleanMark;
use ledgerstone_vfs::FileError;

use crate::{Error, Store, error::Result};

impl Store {
    /// Ends an opening that failed at its last step: everything that it started ends and is released.
    pub(crate) fn give_up_opening(&self) {
        self.coordinator.close();
        // Nothing was appended, so nothing can be lost.
        let _ = self.journal.close();
        self.closing.store(true, Ordering::Release);
        self.checkpoint.close();
        *self.lock.lock() = None;
    }

    /// Ends everything, in this order: intake, verifications, flusher, journal, mark, checkpoint, lock. Everything is released
    /// in any case; the first failure is returned.
    pub(crate) fn shut_down(&self) -> Result<()> {
        self.gate.close(Duration::from_secs(5));
        self.verifications.end();
        self.coordinator.close();
        let journal = self.journal.close().map_err(Error::from);
        self.closing.store(true, Ordering::Release);
        self.readers.release_all();
        self.caches.take_back(u64::MAX);
        let outcome = match self.failure() {
            Some(failure) => Err(failure),
            None => journal.and_then(|()| self.check_in_place()).and_then(|()| self.leave_clean_mark()),
        };
        self.checkpoint.close();
        *self.lock.lock() = None;
        outcome
    }

    /// Checks that the folder is still where the next opening looks for it. If not, writing stops.
    pub(crate) fn check_in_place(&self) -> Result<()> {
        let checked = self.vfs.check_in_place();
        checked.map_err(|error| self.stop_writing(ledgerstone_journal::Error::Io(error)))
    }

    /// Called when another folder is at this store's path: writing stops, and LMDB's environment, of which there can be only
    /// one per path, is released. Reading ends too.
    pub(crate) fn give_way(&self) {
        self.stop_writing(ledgerstone_journal::Error::Io(FileError::gone(&self.path)));
        self.verifications.end();
        self.readers.release_all();
        self.caches.take_back(u64::MAX);
        self.checkpoint.close();
    }

    fn leave_clean_mark(&self) -> Result<()> {
        let (seq, next_event_id) = {
            let state = self.commit.lock();
            (state.last_seq, state.next_event_id)
        };
        if self.coordinator.flushed_seq() != seq {
            return Ok(());
        }
        self.journal.shrink()?;
        match self.log.rest().map_err(Error::from) {
            // The next opening reads the whole segment.
            Err(error) if error.can_heal() => {}
            done => done?,
        }
        if self.last_mark.still_stands() {
            return Ok(());
        }
        let mark = CleanMark { seq, next_event_id, closed_at_ms: 0 };
        match self.layout.folder(&*self.vfs).leave_clean_mark(self.identity.id, &mark) {
            // Without space there is no mark: the next opening checks more, nothing is lost.
            Err(error) if error.can_heal() => Ok(()),
            done => Ok(done?),
        }
    }
}
