//! Wakes the journal thread: at once for what somebody waits for, soon for what nobody does, never for nothing.
//!
//! A flag is set before the sleeper is woken and taken before the work is looked for, so no call is lost. Setting a flag
//! that is set already costs one load: a stream of commits wakes the thread once per patience, not once per commit.

use std::time::Duration;

use crate::sync::{AtomicU8, Monitor, Ordering};

/// Something is pending: to be written when the patience is over.
const ARMED: u8 = 1;
/// To be done now.
const RUNG: u8 = 2;
/// The thread is to end.
const STOPPED: u8 = 4;

/// What the bell has called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Work,
    Stop,
}

#[derive(Debug)]
pub(crate) struct Bell {
    flags: AtomicU8,
    monitor: Monitor,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self { flags: AtomicU8::new(0), monitor: Monitor::new() }
    }

    /// Something is pending that nobody waits for. The caller has taken the group's mutex to append it, as the thread
    /// does to take it: so a flag seen set here is one that the thread has still to take.
    pub(crate) fn arm(&self) {
        if self.flags.load(Ordering::Acquire) & ARMED == 0 {
            self.set(ARMED);
        }
    }

    /// The group has grown large. The same holds as for `arm`.
    pub(crate) fn ring_for_size(&self) {
        if self.flags.load(Ordering::Acquire) & RUNG == 0 {
            self.set(RUNG);
        }
    }

    /// Somebody waits. Always an atomic exchange: the thread that takes the flag sees what was wanted before.
    pub(crate) fn ring(&self) {
        self.set(RUNG);
    }

    /// For good.
    pub(crate) fn stop(&self) {
        self.set(STOPPED);
    }

    fn set(&self, flag: u8) {
        let before = self.flags.fetch_or(flag, Ordering::AcqRel);
        if before & flag == 0 {
            self.monitor.wake();
        }
    }

    fn is_set(&self, flags: u8) -> bool {
        self.flags.load(Ordering::Acquire) & flags != 0
    }

    /// What has been called for until now, without waiting.
    pub(crate) fn poll(&self) -> Call {
        let flags = self.flags.fetch_and(STOPPED, Ordering::AcqRel);
        if flags & STOPPED == 0 { Call::Work } else { Call::Stop }
    }

    /// Sleeps until there is something to do, at most `idle` (`None`: as long as it takes); once armed, waits up to
    /// `patience` for somebody to ring.
    pub(crate) fn wait(&self, idle: Option<Duration>, patience: Duration) -> Call {
        self.monitor.sleep_until(idle, || self.is_set(ARMED | RUNG | STOPPED));
        if self.is_set(ARMED) {
            self.monitor.sleep_until(Some(patience), || self.is_set(RUNG | STOPPED));
        }
        self.poll()
    }
}
