//! Verifying a store on its own thread.

use std::sync::Arc;

use ledgerstone_vfs::{NotBegun, Plan};

use super::Report;
use crate::{Error, Store, error::Result};

/// A verification under way, or its outcome: `ERR_CLOSED` once it was ended.
pub type Verification = ledgerstone_vfs::Verification<Result<Report>>;

impl Store {
    /// Begins to [`verify`](Self::verify) on its own thread. Closing the store ends it, and waits for that.
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
