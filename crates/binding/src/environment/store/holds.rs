//! What this environment holds in a store until it lets go: pauses, and closed segments of the event log.

use std::sync::Arc;

use ledgerstone_canonical_store::{HeldSegments, Owner, Pause};

use crate::{
    environment::{slab::Handle, store::StoreEntry},
    error::{ErrorRecord, Failure},
};

impl StoreEntry {
    /// Keeps writers out; the number stands for this pause.
    pub(crate) fn pause(&self) -> Result<Pause, Failure> {
        let pause = self.handle.pause()?;
        self.pauses.borrow_mut().push(pause);
        Ok(pause)
    }

    /// Ends a pause of this handle; harmless when it has ended.
    pub(crate) fn resume(&self, pause: Pause) {
        let mut pauses = self.pauses.borrow_mut();
        let known = pauses.len();
        pauses.retain(|other| *other != pause);
        if pauses.len() < known {
            self.handle.resume(pause);
        }
    }

    /// Holds the closed segments; the handle stands for them.
    pub(crate) fn hold_segments(&self) -> Result<(Handle, Arc<HeldSegments>), Failure> {
        let held = Arc::new(self.handle.hold_segments()?);
        let number = self.held_segments.borrow_mut().insert(Arc::clone(&held));
        let number = number.ok_or_else(|| ErrorRecord::closed("the store"))?;
        Ok((number, held))
    }

    pub(crate) fn held_segments(&self, number: Handle) -> Result<Arc<HeldSegments>, Failure> {
        let held = self.held_segments.borrow().get(number).cloned();
        held.ok_or_else(|| ErrorRecord::closed("the list of segments"))
    }

    /// Harmless when done before.
    pub(crate) fn release_segments(&self, number: Handle) {
        let released = self.held_segments.borrow_mut().remove(number);
        if released.is_some() {
            drop(released);
            self.handle.reclaim_segments();
        }
    }

    /// Gives back what keeps others out: the gate and the pauses.
    pub(crate) fn let_others_in(&self, owner: Owner) {
        self.abort(owner);
        for pause in self.pauses.take() {
            self.handle.resume(pause);
        }
        self.held_segments.borrow_mut().remove_where(|_| true);
    }
}
