//! The first failure that stopped writing, shared by all parts of one store (I5). Set once, never cleared.

use std::sync::{Arc, OnceLock};

use crate::{Error, Result};

/// Shared by all parts of one store: the first failure that stopped writing. A part that sets it then calls
/// [`Journal::announce_poison`](crate::Journal::announce_poison), without holding a lock, to wake the waiters.
#[derive(Debug, Default)]
pub struct Poison {
    first: OnceLock<Arc<Error>>,
}

impl Poison {
    /// No failure yet.
    pub const fn new() -> Self {
        Self { first: OnceLock::new() }
    }

    /// Records a failure. True if it was the first; later ones change nothing.
    pub fn set(&self, error: Error) -> bool {
        let cause = match error {
            Error::Poisoned(cause) => cause,
            error => Arc::new(error),
        };
        self.first.set(cause).is_ok()
    }

    /// The first failure.
    pub fn get(&self) -> Option<Error> {
        self.first.get().map(|cause| Error::clone(cause))
    }

    /// Fails with [`Error::Poisoned`] once there was a failure.
    pub fn check(&self) -> Result<()> {
        match self.first.get() {
            Some(cause) => Err(Error::Poisoned(Arc::clone(cause))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Poison;
    use crate::Error;

    #[test]
    fn the_first_failure_stays_the_cause() {
        let poison = Poison::new();
        assert!(poison.check().is_ok() && poison.get().is_none());
        assert!(poison.set(Error::Internal("first")));
        assert!(!poison.set(Error::Closed));
        assert!(matches!(poison.get(), Some(Error::Internal("first"))));
        assert!(matches!(poison.check(), Err(Error::Poisoned(cause)) if matches!(*cause, Error::Internal("first"))));
    }
}
