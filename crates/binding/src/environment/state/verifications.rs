//! The verifications that JavaScript has begun.

use crate::{
    environment::{
        slab::Handle,
        state::{EnvState, too_many},
        verification::RunningVerification,
    },
    error::{ErrorRecord, Failure},
};

impl EnvState {
    pub(crate) fn add_verification(&self, running: RunningVerification) -> Result<Handle, Failure> {
        self.verifications.borrow_mut().insert(running).ok_or_else(|| too_many("too many verifications are running"))
    }

    /// One that runs; those of a store end when it begins to close.
    pub(crate) fn with_verification<R>(
        &self,
        id: Handle,
        look: impl FnOnce(&RunningVerification) -> R,
    ) -> Result<R, Failure> {
        self.verifications.borrow().get(id).map(look).ok_or_else(|| ErrorRecord::closed("the store"))
    }

    pub(crate) fn end_verification(&self, id: Handle) {
        self.verifications.borrow_mut().remove(id);
    }
}
