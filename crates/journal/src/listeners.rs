//! Who is told when the watermarks advance.

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;

/// Told of progress. Called from whichever thread made it, outside all locks of the journal; it must not block.
pub trait Listener: Send + Sync {
    /// The watermarks may have advanced, or the store was poisoned. Once per group, whatever the group's size.
    fn advanced(&self);
    /// A group was written. Before the [`advanced`](Self::advanced) that it causes.
    fn wrote(&self, _group: &WrittenGroup) {}
}

/// A group on its way to the disk: one write, and one flush if anybody waited for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrittenGroup {
    /// The last seq in it.
    pub last_seq: u64,
    /// How many commits it has.
    pub commits: u64,
    /// What was written: headers, frames and the padding of pages.
    pub bytes: u64,
    /// How long flushing took; zero when it was not flushed.
    pub flush: Duration,
    /// Whether it is on the device now; otherwise with the operating system.
    pub is_durable: bool,
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

    /// Tells of an advance, and before it of the group that caused it.
    pub(crate) fn advanced(&self, group: Option<&WrittenGroup>) {
        let listeners = Arc::clone(&self.state.lock().listeners);
        for (_, listener) in listeners.iter() {
            if let Some(group) = group {
                listener.wrote(group);
            }
            listener.advanced();
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listeners({})", self.state.lock().listeners.len())
    }
}
