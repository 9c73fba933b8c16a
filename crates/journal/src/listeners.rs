//! Who is told when the watermarks advance.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;

/// Told of progress. Called from whichever thread made it, outside all locks of the journal; it must not block.
pub trait Listener: Send + Sync {
    /// The watermarks may have advanced, or the store was poisoned. Once per group, whatever the group's size.
    fn advanced(&self);
}

/// Names a listener for its removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

#[derive(Default)]
pub(crate) struct Listeners {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_id: u64,
    /// Replaced, never changed in place: calls go on with the list they began with.
    listeners: Arc<Vec<(ListenerId, Arc<dyn Listener>)>>,
}

impl Listeners {
    pub(crate) fn add(&self, listener: Arc<dyn Listener>) -> ListenerId {
        let mut state = self.state.lock();
        state.last_id += 1;
        let id = ListenerId(state.last_id);
        Arc::make_mut(&mut state.listeners).push((id, listener));
        id
    }

    pub(crate) fn remove(&self, id: ListenerId) {
        let mut state = self.state.lock();
        Arc::make_mut(&mut state.listeners).retain(|(other, _)| *other != id);
    }

    pub(crate) fn advanced(&self) {
        let listeners = Arc::clone(&self.state.lock().listeners);
        for (_, listener) in listeners.iter() {
            listener.advanced();
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listeners({})", self.state.lock().listeners.len())
    }
}
