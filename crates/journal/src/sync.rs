//! The primitives under the two kernels that loom checks (watermarks, group timing): the real ones, or loom's.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// A mutex without data and its condition variable: all that the timing of groups needs.
#[cfg(not(loom))]
#[derive(Debug, Default)]
pub(crate) struct Monitor {
    mutex: parking_lot::Mutex<()>,
    condition: parking_lot::Condvar,
}

#[cfg(not(loom))]
impl Monitor {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Wakes the sleeper. Taking the mutex orders this after the sleeper's last check of its condition.
    pub(crate) fn wake(&self) {
        drop(self.mutex.lock());
        self.condition.notify_one();
    }

    /// Sleeps until `ready`, at most `patience`.
    pub(crate) fn sleep_until(&self, patience: Option<std::time::Duration>, mut ready: impl FnMut() -> bool) {
        let mut guard = self.mutex.lock();
        match patience {
            None => self.condition.wait_while(&mut guard, |()| !ready()),
            Some(patience) => drop(self.condition.wait_while_for(&mut guard, |()| !ready(), patience)),
        }
    }
}

#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct Monitor {
    mutex: loom::sync::Mutex<()>,
    condition: loom::sync::Condvar,
}

#[cfg(loom)]
#[allow(clippy::unwrap_used, reason = "a model, run only by tests")]
impl Monitor {
    pub(crate) fn new() -> Self {
        Self { mutex: loom::sync::Mutex::new(()), condition: loom::sync::Condvar::new() }
    }

    pub(crate) fn wake(&self) {
        drop(self.mutex.lock().unwrap());
        self.condition.notify_one();
    }

    /// Time does not pass in the model: patience runs out at once, or never (`None` and `Duration::MAX`).
    pub(crate) fn sleep_until(&self, patience: Option<std::time::Duration>, mut ready: impl FnMut() -> bool) {
        if patience.is_some_and(|patience| patience < std::time::Duration::MAX) {
            return;
        }
        let mut guard = self.mutex.lock().unwrap();
        while !ready() {
            guard = self.condition.wait(guard).unwrap();
        }
    }
}
