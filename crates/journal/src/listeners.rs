//! Listeners of the watermarks.

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;

/// Hears of progress. Called on whichever thread made it, outside all locks of the journal; it must not block.
pub trait Listener: Send + Sync {
    /// The watermarks may have advanced, or the store was poisoned. Once per group, whatever the group's size.
    fn advanced(&self);
    /// A group was written. Called before the [`advanced`](Self::advanced) that it causes.
    fn wrote(&self, _group: &WrittenGroup) {}
}

/// A group that was written: one write, and one flush if a caller waited for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrittenGroup {
    /// The last seq in it.
    pub last_seq: u64,
    /// Its number of commits.
    pub commits: u64,
    /// Bytes written: headers, frames and the padding of pages.
    pub bytes: u64,
    /// How long the flush took; zero without a flush.
    pub flush: Duration,
    /// Whether it is on the device; otherwise the operating system has it.
    pub is_durable: bool,
}

/// Identifies a listener for its removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

#[derive(Default)]
pub(crate) struct Listeners {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_id: u64,
    /// Replaced, never changed in place: a call continues with the list it began with.
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

    /// Announces the group, if there is one, and then the advance.
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
