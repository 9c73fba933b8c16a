//! Commits that change the condition of the store and none of its data: sealing, unsealing, trimming. Each is a frame of a
//! separate kind with a number like any commit, and recovery follows it. Also pauses, which no file records.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::atomic::Ordering,
    time::Duration,
};

use ledgerstone_format::{PlantedFault, planted};
use ledgerstone_journal::{FrameBuilder, FrameKind, OpKind};

use super::{
    GateError, Owner, Pause,
    commit::{CommitState, PATIENCE},
    gate::Rank,
};
use crate::{Error, Store, error::Result};

/// The name of the field by which a trim frame records the oldest kept event.
pub(crate) const OLDEST_EVENT_KEY: &[u8] = b"oldest-event-id";

/// An applied change of the store's condition; wait for `seq` to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controlled<T> {
    /// Its result.
    pub outcome: T,
    /// The commit that holds it, or an earlier one on which it depends.
    pub seq: u64,
}

/// The result of a trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// The number of dropped events.
    pub dropped: u64,
    /// The oldest event that is kept now.
    pub oldest_event_id: u64,
}

/// The change to make, once the gate is held.
enum Change<T> {
    /// The condition is as requested already.
    None(T),
    /// A frame with at most one field records it.
    Frame(FrameKind, Option<(&'static [u8], u64)>, T),
}

impl Store {
    /// Forbids later commits and trims until [`unseal`](Self::unseal), also after opening again. Returns the newest event, 0
    /// for none; sealing again returns the same.
    pub fn seal(&self) -> Result<Controlled<u64>> {
        self.control(Rank::Control, |state| {
            if let Some(id) = state.sealed_event_id {
                return Ok(Change::None(id));
            }
            let id = state.next_event_id.saturating_sub(1);
            state.sealed_event_id = Some(id);
            Ok(Change::Frame(FrameKind::Seal, None, id))
        })
    }

    /// Allows writes again. Harmless when not sealed.
    pub fn unseal(&self) -> Result<Controlled<()>> {
        self.control(Rank::Control, |state| match state.sealed_event_id.take() {
            Some(_) => Ok(Change::Frame(FrameKind::Unseal, None, ())),
            None => Ok(Change::None(())),
        })
    }

    /// Drops the events below `before`. Their space is freed by segments, once this is durable: see
    /// [`free_trimmed`](Self::free_trimmed).
    pub fn trim_events(&self, before: u64) -> Result<Controlled<Trimmed>> {
        let trimmed = self.control(Rank::Writer, |state| match state.sealed_event_id {
            Some(event_id) => Err(Error::Sealed { event_id }),
            None => Ok(trim(state, before)),
        })?;
        if planted(PlantedFault::UnlinkedBeforeDurable) {
            self.free_trimmed(trimmed.outcome.oldest_event_id)?;
        }
        Ok(trimmed)
    }

    /// The same for retention: `None` when the gate is taken, the store sealed or paused, or there is nothing to drop.
    pub(crate) fn try_trim_events(&self, before: u64) -> Result<Option<Controlled<Trimmed>>> {
        let owner = Owner::new();
        if self.sealed().is_some() || self.oldest_event_id() >= before || !self.gate.try_acquire(owner) {
            return Ok(None);
        }
        self.change(owner, |state| match state.sealed_event_id {
            // Changed since that check.
            Some(_) => Ok(Change::None(Trimmed { dropped: 0, oldest_event_id: state.oldest_event_id })),
            None => Ok(trim(state, before)),
        })
        .map(Some)
    }

    /// Frees the space of trimmed events, by whole segments and as far as the checkpoint has them, without waiting for a flush.
    /// `durable_oldest`: the result of a durable trim, not the requested id, which may lie beyond the end.
    pub fn free_trimmed(&self, durable_oldest: u64) -> Result<()> {
        let flushed_events = match self.flushed_events.load(Ordering::Acquire) {
            _ if planted(PlantedFault::UnlinkedBeforeCheckpoint) => durable_oldest,
            flushed_events => flushed_events,
        };
        match self.log.drop_below(durable_oldest, flushed_events) {
            // Tried again after the next flush.
            Ok(()) => Ok(()),
            Err(error) if error.can_heal() => Ok(()),
            Err(error) => Err(self.stop_writing_for(Error::from(error))),
        }
    }

    /// Drops the events that retention allows to drop. Called on the flusher's thread, before each attempt to flush: the
    /// attempt may fail only because the device is full.
    pub(crate) fn retain(&self) -> Result<()> {
        let retention = &self.settings.retention;
        let now_ms = self.retention_clock.now_ms(&*self.clock, retention.max_age_ms.unwrap_or(u64::MAX));
        let Some(oldest) = self.log.horizon_for(retention, now_ms) else { return Ok(()) };
        let trimmed = match self.try_trim_events(oldest) {
            Ok(Some(trimmed)) => trimmed,
            Ok(None) => return Ok(()),
            Err(error) if error.can_heal() => return Ok(()),
            Err(error) => return Err(error),
        };
        match self.journal.flush_to(trimmed.seq).map_err(Error::from) {
            Ok(()) => self.free_trimmed(trimmed.outcome.oldest_event_id),
            Err(error) if error.can_heal() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Closes the newest segment of the event log, so that its file no longer changes, and returns its path; if nothing was
    /// appended since the last one was closed, that one's; `None` when no closed segment has an event. Blocks until everything
    /// applied is flushed.
    pub fn rotate_events(&self) -> Result<Option<PathBuf>> {
        self.check_whole()?;
        self.coordinator.wait_flushed(self.applied_seq())?;
        self.forget_clean_mark()?;
        self.log.rotate().map_err(|error| match Error::from(error) {
            failure @ (Error::Io(_) | Error::Poisoned(_)) => self.stop_writing_for(failure),
            other => other,
        })
    }

    /// The newest event when the store was sealed, 0 for none; `None` while it is not sealed.
    pub fn sealed(&self) -> Option<u64> {
        self.sealed.load(Ordering::Acquire).checked_sub(1)
    }

    /// From now on keeps writers of all threads out. Pauses are counted.
    pub fn pause(&self) -> Result<Pause> {
        self.check_open()?;
        let pause = self.gate.pause();
        self.listeners.advanced();
        Ok(pause)
    }

    /// Waits until no transaction is open; returns whether that is so and the pause still holds.
    pub fn wait_idle(&self, pause: Pause, patience: Duration) -> bool {
        self.gate.wait_idle(pause, patience)
    }

    /// Ends one pause; harmless when it has ended already.
    pub fn resume(&self, pause: Pause) {
        self.gate.resume(pause);
        self.listeners.advanced();
    }

    /// Ends all pauses.
    pub fn resume_all(&self) {
        self.gate.resume_all();
        self.listeners.advanced();
    }

    /// Whether writers are kept out.
    pub fn is_paused(&self) -> bool {
        self.gate.is_paused()
    }

    fn control<T>(
        &self,
        rank: Rank,
        decide: impl FnOnce(&mut CommitState) -> Result<Change<T>>,
    ) -> Result<Controlled<T>> {
        self.check_whole()?;
        let owner = Owner::new();
        self.enter(owner, rank)?;
        self.change(owner, decide)
    }

    /// Called by the gate's owner; releases the gate.
    fn change<T>(
        &self,
        owner: Owner,
        decide: impl FnOnce(&mut CommitState) -> Result<Change<T>>,
    ) -> Result<Controlled<T>> {
        let changing = AssertUnwindSafe(|| self.change_inside(decide));
        let outcome = catch_unwind(changing)
            .unwrap_or_else(|_| Err(self.stop_writing(ledgerstone_journal::Error::Internal("a commit panicked"))));
        self.gate.release(owner);
        if outcome.is_ok() {
            self.journal.after_append();
            self.listeners.advanced();
        }
        outcome
    }

    fn change_inside<T>(&self, decide: impl FnOnce(&mut CommitState) -> Result<Change<T>>) -> Result<Controlled<T>> {
        self.check_whole()?;
        self.forget_clean_mark()?;
        // The size of the largest of them: everything that can fail comes before the condition changes.
        let frame_bytes = FrameBuilder::frame_bytes(0, 0, 1, OLDEST_EVENT_KEY.len() + 8);
        self.journal.reserve(frame_bytes)?;
        let mut state = self.commit.lock();
        match decide(&mut state)? {
            Change::None(outcome) => Ok(Controlled { outcome, seq: state.last_seq }),
            Change::Frame(kind, field, outcome) => {
                let mut builder = self.journal.frame(kind, frame_bytes, std::iter::empty())?;
                if let Some((key, value)) = field {
                    builder.op(OpKind::SetMeta, 0, key, &value.to_le_bytes())?;
                }
                let placed = self.place(&mut state, builder, 0)?;
                self.sealed.store(state.sealed_event_id.map_or(0, |id| id + 1), Ordering::Release);
                self.oldest_event_id.fetch_max(state.oldest_event_id, Ordering::AcqRel);
                self.log.set_horizon(state.oldest_event_id);
                self.publish(&state, &placed);
                Ok(Controlled { outcome, seq: placed.seq })
            }
        }
    }

    /// Checks that the store is neither closed nor failed; it may be sealed.
    pub(super) fn check_whole(&self) -> Result<()> {
        self.check_open()?;
        // Every write asks: the error is built only when there is one.
        if self.poison.check().is_ok() {
            return Ok(());
        }
        self.failure().map_or(Ok(()), Err)
    }

    pub(super) fn enter(&self, owner: Owner, rank: Rank) -> Result<()> {
        self.gate.acquire(owner, rank, PATIENCE, &*self.clock).map_err(|error| match error {
            GateError::Held => Error::TransactionOpen,
            GateError::Closed => Error::Closed { what: "the store" },
            GateError::Paused => Error::Paused,
            GateError::TimedOut(waited) => {
                Error::Busy { waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX) }
            }
        })
    }
}

fn trim(state: &mut CommitState, before: u64) -> Change<Trimmed> {
    // Future events are not trimmed.
    let before = before.min(state.next_event_id);
    let dropped = before.saturating_sub(state.oldest_event_id);
    if dropped == 0 {
        return Change::None(Trimmed { dropped: 0, oldest_event_id: state.oldest_event_id });
    }
    state.oldest_event_id = before;
    Change::Frame(FrameKind::Trim, Some((OLDEST_EVENT_KEY, before)), Trimmed { dropped, oldest_event_id: before })
}
