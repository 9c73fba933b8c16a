//! Whether the next transaction may enter, and the waiting for it. Two bounds: on unflushed bytes, and on those together with
//! flushed bytes that readers still hold.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{Coordinator, Delta, Pacing};

/// Whether the next transaction may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowding {
    /// It may enter.
    None,
    /// Not now, but room comes gradually while the flusher works: look again after a [`Pacing::SLICE`].
    Paced,
    /// Not before something is flushed or released.
    Full(Full),
}

/// What fills the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Unflushed bytes: a flush must finish.
    Pending,
    /// Flushed bytes that are still held: readers must release them.
    Pinned,
}

impl<D: Delta, E: Clone + Send + Sync + 'static> Coordinator<D, E> {
    /// Whether too much is pending for the next transaction to enter.
    pub fn is_crowded(&self) -> bool {
        self.crowding() != Crowding::None
    }

    /// Whether the next transaction may enter, and if not, when to ask again.
    pub fn crowding(&self) -> Crowding {
        self.crowding_at(|| self.clock.monotonic(), self.pinned.load(Ordering::Relaxed))
    }

    /// The same for a caller that itself holds flushed bytes: it does not wait for their release.
    pub fn crowding_for_holder(&self) -> Crowding {
        self.crowding_at(|| self.clock.monotonic(), 0)
    }

    /// What fills the room so that no transaction may enter; `None` if there is room.
    pub fn full(&self) -> Option<Full> {
        self.full_with(self.pending_bytes(), self.pinned.load(Ordering::Relaxed))
    }

    fn full_with(&self, pending: u64, pinned: u64) -> Option<Full> {
        if pending >= self.pacing.pending_bound_bytes() {
            Some(Full::Pending)
        } else if pending.saturating_add(pinned) >= self.pacing.total_bound_bytes() {
            Some(Full::Pinned)
        } else {
            None
        }
    }

    /// Asks the clock only when it matters: every commit comes through here.
    fn crowding_at(&self, now: impl FnOnce() -> Duration, pinned: u64) -> Crowding {
        let pending = self.pending_bytes();
        if let Some(full) = self.full_with(pending, pinned) {
            return Crowding::Full(full);
        }
        // A full device drains nothing: the room that is left up to the bound is its reserve.
        if pending < self.pacing.paced_from_bytes() || self.is_blocked() {
            return Crowding::None;
        }
        let bound = self.throttle.lock().bound_bytes(now());
        if pending < bound { Crowding::None } else { Crowding::Paced }
    }

    /// Blocks until there is room, at most for `patience`; returns whether there is. `holds` tells whether the caller itself
    /// holds flushed bytes: then it does not wait for their release.
    pub fn wait_for_room(&self, patience: Duration, holds: &dyn Fn() -> bool) -> bool {
        let deadline = self.clock.monotonic().saturating_add(patience);
        let mut state = self.state.lock();
        loop {
            let now = self.clock.monotonic();
            if self.crowding_at(|| now, self.pinned.load(Ordering::Relaxed)) == Crowding::None {
                return true;
            }
            // What readers hold is counted anew: a reader that released it may not have been able to report that.
            let mut crowding = self.crowding_at(|| now, self.pinned_bytes());
            if crowding == Crowding::Full(Full::Pinned) && holds() {
                crowding = self.crowding_at(|| now, 0);
            }
            if crowding == Crowding::None {
                return true;
            }
            let left = deadline.saturating_sub(now);
            if left.is_zero() || self.failure.get().is_some() || self.blocked.load(Ordering::Acquire) {
                return false;
            }
            self.work.notify_all();
            self.progress
                .wait_for(&mut state, if crowding == Crowding::Paced { left.min(Pacing::SLICE) } else { left });
        }
    }
}
