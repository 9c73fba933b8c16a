//! A lock client as JavaScript knows it, and the store that it ends with, if there is one.

use std::{cell::RefCell, sync::Arc};

use ledgerstone_lock_manager::{Listener, LockClient, LockManager, LockSet};

use crate::environment::{completion::Completion, slab::Handle};

pub(crate) struct LockEntry {
    pub(crate) client: LockClient,
    /// The set of the running call.
    pub(crate) set: RefCell<LockSet>,
    /// The handle whose `store.locks` it is.
    pub(crate) store: Option<Handle>,
}

/// A grant that came from elsewhere wakes the environment.
struct Wake(Arc<Completion>);

impl Listener for Wake {
    fn granted(&self) {
        self.0.wake();
    }
}

impl LockEntry {
    pub(crate) fn new(manager: &Arc<LockManager>, completion: Arc<Completion>, store: Option<Handle>) -> Self {
        Self { client: manager.client(Arc::new(Wake(completion))), set: RefCell::default(), store }
    }
}
