//! Listeners for marks that advance, room, and the end of writing. Called outside all locks of the engine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ledgerstone_journal::WrittenGroup;
use parking_lot::{Condvar, Mutex, RwLock};

use crate::FlushReport;

/// Reads [`Store::marks`](crate::Store::marks) when called.
pub trait Listener: Send + Sync {
    /// Something has changed. Called on an engine thread; must not block.
    fn advanced(&self);
    /// A group of commits was written. Called before the `advanced` for it, and only while a listener observes (see below).
    fn wrote(&self, _group: &WrittenGroup) {}
    /// A delta was flushed.
    fn flushed(&self, _flush: &FlushReport) {}
}

/// Identifies a listener for its removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerId(u64);

/// Up to where listeners have been notified of progress. The marks move first, so this may be behind them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub(crate) written: u64,
    pub(crate) flushed: u64,
}

#[derive(Default)]
pub(crate) struct Listeners {
    next: AtomicU64,
    /// How many want reports of what was done, and not only a notification.
    observers: AtomicU64,
    all: RwLock<Vec<(ListenerId, Arc<dyn Listener>)>>,
    told: Mutex<Told>,
    more_is_told: Condvar,
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
        self.each(|listener| listener.advanced());
    }

    pub(crate) fn flushed(&self, flush: &FlushReport) {
        if self.is_observed() {
            self.each(|listener| listener.flushed(flush));
        }
        self.tell(|told| told.flushed = flush.seq);
    }

    pub(crate) fn is_observed(&self) -> bool {
        self.observers.load(Ordering::Acquire) > 0
    }

    /// Waits until listeners have been notified of everything up to `until`: at most for `patience`, and no longer once
    /// `is_over`, when there may be nothing more to report.
    pub(crate) fn wait_until_told(&self, until: Told, patience: Duration, is_over: impl Fn() -> bool) {
        let is_untold = |told: &mut Told| (told.written < until.written || told.flushed < until.flushed) && !is_over();
        self.more_is_told.wait_while_for(&mut self.told.lock(), is_untold, patience);
    }

    /// Also called when a store begins, for what earlier ones did.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock());
        self.more_is_told.notify_all();
    }

    pub(crate) fn begin_observing(&self) {
        self.observers.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn end_observing(&self) {
        self.observers.fetch_sub(1, Ordering::AcqRel);
    }

    fn each(&self, tell: impl Fn(&dyn Listener)) {
        let all: Vec<_> = self.all.read().iter().map(|(_, listener)| Arc::clone(listener)).collect();
        for listener in all {
            tell(&*listener);
        }
    }
}

/// Passes on the journal's notifications.
impl ledgerstone_journal::Listener for Listeners {
    fn advanced(&self) {
        self.more_is_told.notify_all(); // the end of writing comes this way too
        Self::advanced(self);
    }

    fn wrote(&self, group: &WrittenGroup) {
        if self.is_observed() {
            self.each(|listener| listener.wrote(group));
        }
        self.tell(|told| told.written = group.last_seq);
    }
}
