//! Who wants to know when a mark has moved, room has come or writing has stopped. Called outside all locks of the engine.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::RwLock;

/// Somebody who looks at [`Store::marks`](crate::Store::marks) when told to.
pub trait Listener: Send + Sync {
    /// Something has moved. Comes from an engine thread; must not block.
    fn advanced(&self);
}

/// Names a listener for its removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerId(u64);

#[derive(Default)]
pub(crate) struct Listeners {
    next: AtomicU64,
    all: RwLock<Vec<(ListenerId, Arc<dyn Listener>)>>,
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listeners").field("count", &self.all.read().len()).finish_non_exhaustive()
    }
}

impl Listeners {
    pub(crate) fn add(&self, listener: Arc<dyn Listener>) -> ListenerId {
        let id = ListenerId(self.next.fetch_add(1, Ordering::Relaxed));
        self.all.write().push((id, listener));
        id
    }

    pub(crate) fn remove(&self, id: ListenerId) {
        self.all.write().retain(|(known, _)| *known != id);
    }

    pub(crate) fn advanced(&self) {
        let all: Vec<_> = self.all.read().iter().map(|(_, listener)| Arc::clone(listener)).collect();
        for listener in all {
            listener.advanced();
        }
    }
}

/// Passes on what the journal says.
impl ledgerstone_journal::Listener for Listeners {
    fn advanced(&self) {
        Self::advanced(self);
    }
}
