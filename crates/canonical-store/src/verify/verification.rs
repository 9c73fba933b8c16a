//! Verifying a store on a separate thread.

use std::sync::Arc;

use ledgerstone_vfs::{NotBegun, Plan};

use super::Report;
use crate::{Error, Store, error::Result};

/// A verification under way, or its outcome: `ERR_CLOSED` if it was cancelled.
pub type Verification = ledgerstone_vfs::Verification<Result<Report>>;

impl Store {
    /// Starts to [`verify`](Self::verify) on a separate thread. Closing the store cancels it, and waits for its end.
    pub fn start_verification(self: &Arc<Self>) -> Result<Arc<Verification>> {
        let closed = || Error::Closed { what: "the store" };
        let store = Arc::clone(self);
        let plan = Plan {
            verify: move |is_cancelled: &dyn Fn() -> bool| store.verify(is_cancelled),
            when_cancelled: || Err(Error::Closed { what: "the store" }),
            when_panicked: || Err(Error::internal("a panic while verifying")),
        };
        self.verifications.begin(plan).map(Arc::new).map_err(|not_begun| match not_begun {
            NotBegun::Ended => closed(),
            NotBegun::NoThread(error) => Error::Io(error),
        })
    }
}
