//! Trimming: the oldest events are removed, logically at once and exactly, on disk by whole segments.
//!
//! Order: the horizon becomes durable, then the log's beginning moves, then segments that end at or below it are unlinked.
//! Unlinking needs no flush: a segment that comes back after power loss is below the horizon, is ignored, and is removed at opening.

use std::sync::{Arc, atomic::Ordering};

use crate::{Error, EventLog, Result, horizon::Horizon, segment::Segment};

/// Locked while trimming.
#[derive(Debug, Default)]
pub(crate) struct Trim {
    /// Segments that left the log, but whose files could not be removed yet.
    doomed: Vec<Arc<Segment>>,
}

impl EventLog {
    /// Removes the events `start..=end` and returns how many there were. For a log on its own: durable when this returns. An
    /// `end` beyond the newest event removes everything; the next event's id does not change.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless the range begins at or below the oldest event. [`Error::NoSpace`]: nothing was
    /// removed. Every other failure poisons.
    pub fn delete_range(&self, start: u64, end: u64) -> Result<u64> {
        let mut trim = self.trim.lock();
        let oldest = self.oldest_event_id();
        if start > end || start > oldest {
            let message =
                format!("events can be deleted from the oldest end only: start={start} end={end} oldest={oldest}");
            return Err(Error::InvalidArgument { argument: "start", message });
        }
        let (next_id, last_timestamp_ms) = {
            let mut appender = self.ready_appender()?;
            // The horizon must not be durable beyond events that are not: the log would end below it.
            appender.sync()?;
            (appender.next_id, appender.last_timestamp_ms)
        };
        let id = end.saturating_add(1).min(next_id);
        if id <= oldest {
            return Ok(0);
        }
        self.persist(Horizon { id, unlinkable: id, next_id, last_timestamp_ms })?;
        self.set_horizon(id);
        self.begin_anew(id)?;
        self.unlink(&mut trim);
        Ok(id - oldest)
    }

    /// Moves the log's beginning up to `id`, in memory and at once; never down. For a log inside a store, whose journal records
    /// the trim; `id` may lie beyond the log's current end.
    pub fn set_horizon(&self, id: u64) {
        self.horizon.fetch_max(id, Ordering::AcqRel);
    }

    /// Frees the space of events below `id`, whose trim is durable in the journal, as far as the store's checkpoint has them
    /// (`checkpoint_next_id`: recovery truncates to it and no lower). Also moves the log's beginning up to `id`. Leaves the
    /// disk unchanged as long as no whole segment can be removed.
    ///
    /// # Errors
    /// [`Error::NoSpace`]: no space was freed; try again. Other failed writes poison. A file that cannot be removed is no
    /// error: it is tried again with the next one.
    pub fn drop_below(&self, id: u64, checkpoint_next_id: u64) -> Result<()> {
        let mut trim = self.trim.lock();
        self.set_horizon(id);
        let (next_id, last_timestamp_ms) = {
            let appender = self.ready_appender()?;
            (appender.next_id, appender.last_timestamp_ms)
        };
        let unlinkable = id.min(checkpoint_next_id);
        if unlinkable > self.unlinkable.load(Ordering::Acquire) && self.would_free(unlinkable) {
            let horizon = Horizon { id, unlinkable, next_id, last_timestamp_ms };
            match self.persist(horizon) {
                // On a full device there is room for the horizon only after a removal.
                Err(error) if error.can_heal() && self.unlink_oldest(&mut trim, unlinkable) => self.persist(horizon)?,
                done => done?,
            }
            self.begin_anew(unlinkable)?;
        }
        self.unlink(&mut trim);
        Ok(())
    }

    /// Removes the oldest segment before the horizon is written: the journal's record is enough, and the rest is a log whether
    /// power loss brings this file back or not. Returns whether there was a segment to remove.
    fn unlink_oldest(&self, trim: &mut Trim, limit: u64) -> bool {
        let oldest = self.pins.with_lowest(|pinned| {
            let mut segments = self.segments.write();
            let goes =
                segments.len() > 1 && segments.first().is_some_and(|oldest| oldest.end().id <= limit.min(pinned));
            goes.then(|| segments.remove(0))
        });
        let Some(oldest) = oldest else { return false };
        trim.doomed.push(oldest);
        self.remove_doomed(trim);
        true
    }

    /// Unlinks segments that were pinned when they were trimmed, or could not be removed then. Cheap when there are none.
    pub fn reclaim(&self) {
        // A trim under way does it anyway.
        if let Some(mut trim) = self.trim.try_lock() {
            self.unlink(&mut trim);
        }
    }

    fn persist(&self, horizon: Horizon) -> Result<()> {
        if let Err(failure) = horizon.write(&*self.vfs, &self.dir, self.store_id) {
            return Err(self.appender.lock().failed(failure));
        }
        self.unlinkable.fetch_max(horizon.unlinkable, Ordering::AcqRel);
        Ok(())
    }

    /// Whether a whole segment ends at or below `id`.
    fn would_free(&self, id: u64) -> bool {
        self.segments.read().first().is_some_and(|oldest| oldest.end().id <= id && oldest.end().id > oldest.first_id())
    }

    /// When everything is trimmed, an empty segment keeps the next id, so that all others can be removed.
    fn begin_anew(&self, id: u64) -> Result<()> {
        let mut appender = self.ready_appender()?;
        if appender.next_id > id {
            return Ok(());
        }
        match self.close_newest(&mut appender) {
            // Then the newest segment stays for the time being.
            Err(error) if error.can_heal() => Ok(()),
            done => done,
        }
    }

    fn unlink(&self, trim: &mut Trim) {
        self.pins.with_lowest(|pinned| {
            let limit = self.unlinkable.load(Ordering::Acquire).min(pinned);
            let mut segments = self.segments.write();
            let closed = segments.len().saturating_sub(1);
            let gone = segments.iter().take(closed).take_while(|segment| segment.end().id <= limit).count();
            trim.doomed.extend(segments.drain(..gone));
            self.doomed_segments.store(trim.doomed.len() as u64, Ordering::Release);
        });
        self.remove_doomed(trim);
    }

    fn remove_doomed(&self, trim: &mut Trim) {
        if trim.doomed.is_empty() {
            return;
        }
        let mut removed_bytes = 0_u64;
        trim.doomed.retain(|segment| {
            self.readers.forget(segment.first_id());
            let bytes = segment.file_bytes(&*self.vfs);
            let removed = self.vfs.remove_file(&segment.path).map_or_else(|error| error.is_not_found(), |()| true);
            removed_bytes = removed_bytes.saturating_add(bytes.ok().filter(|_| removed).unwrap_or_default());
            !removed
        });
        self.doomed_segments.store(trim.doomed.len() as u64, Ordering::Release);
        let mut appender = self.appender.lock();
        appender.sealed_bytes = appender.sealed_bytes.saturating_sub(removed_bytes);
        self.publish(&appender);
    }
}
