//! When the journal thread writes a group: at once when a caller waits for one of its commits or the group is large, otherwise
//! [`UNAWAITED_WAIT`] after its first commit. With nothing pending the thread sleeps.
//!
//! A commit sets a flag and then wakes the thread; the thread takes the flag and then looks for work, so no call is lost. Setting a
//! flag that is set already costs one load: a stream of commits wakes the thread once per wait, not once per commit.

use std::time::Duration;

use crate::sync::{AtomicU8, Monitor, Ordering};

/// How long a group that no caller waits for stays unwritten; up to twice as long while waiters write for themselves.
pub(crate) const UNAWAITED_WAIT: Duration = Duration::from_millis(10);

/// A group is pending: write it after its wait.
const SOON: u8 = 1;
/// Write it now.
const NOW: u8 = 2;
/// End the thread.
const STOPPED: u8 = 4;

/// What the journal thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Work,
    Nothing,
    Stop,
}

#[derive(Debug)]
pub(crate) struct GroupTiming {
    flags: AtomicU8,
    monitor: Monitor,
}

impl GroupTiming {
    pub(crate) fn new() -> Self {
        Self { flags: AtomicU8::new(0), monitor: Monitor::new() }
    }

    /// A commit is pending that no caller waits for. The committer held the group's mutex to append it, and the thread holds it
    /// to take it: so a flag that is already set here is still to be taken by the thread.
    pub(crate) fn write_soon(&self) {
        if self.flags.load(Ordering::Acquire) & SOON == 0 {
            self.set(SOON);
        }
    }

    /// The group has grown large. The reasoning of [`write_soon`](Self::write_soon) applies.
    pub(crate) fn write_large_group(&self) {
        if self.flags.load(Ordering::Acquire) & NOW == 0 {
            self.set(NOW);
        }
    }

    /// A caller waits. Always an atomic exchange, so that the thread that takes the flag sees what was wanted before.
    pub(crate) fn write_now(&self) {
        self.set(NOW);
    }

    /// Ends the thread.
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

    /// Takes the flags set so far.
    fn take(&self) -> Call {
        let flags = self.flags.fetch_and(STOPPED, Ordering::AcqRel);
        if flags & STOPPED == 0 { Call::Work } else { Call::Stop }
    }

    /// What to do now, without waiting. A group that may still wait does so while `is_led`: see [`wait`](Self::wait).
    pub(crate) fn poll(&self, is_led: impl FnOnce() -> bool) -> Call {
        if self.is_set(NOW | STOPPED) || (self.is_set(SOON) && !is_led()) { self.take() } else { Call::Nothing }
    }

    /// Sleeps until a group is pending, at most `idle` (`None`: no limit), then up to `patience` until it must be written. Then
    /// it asks `is_led`: whether a waiter has since written the group itself. If so, what is pending is younger and waits once
    /// more, so that the thread does not get in the leader's way.
    pub(crate) fn wait(&self, idle: Option<Duration>, patience: Duration, mut is_led: impl FnMut() -> bool) -> Call {
        self.monitor.sleep_until(idle, || self.is_set(SOON | NOW | STOPPED));
        while self.is_set(SOON) {
            self.monitor.sleep_until(Some(patience), || self.is_set(NOW | STOPPED));
            if self.is_set(NOW | STOPPED) || !is_led() {
                break;
            }
        }
        self.take()
    }
}

/// Every interleaving of committers and the journal thread: no commit is slept over, and nothing is published before it is
/// done. A lost wake-up shows as a deadlock.
#[cfg(all(test, loom))]
mod loom_tests {
    use std::time::Duration;

    use loom::{
        sync::{Arc, Mutex},
        thread,
    };

    use super::{Call, GroupTiming};
    use crate::watermarks::{Reach, Watermarks};

    struct Kernel {
        /// The last seq appended; represents the group.
        group: Mutex<u64>,
        marks: Watermarks,
        timing: GroupTiming,
    }

    impl Kernel {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                group: Mutex::new(0),
                marks: Watermarks::new(Reach::default()),
                timing: GroupTiming::new(),
            })
        }

        fn append(&self) -> u64 {
            let mut last_seq = self.group.lock().unwrap();
            *last_seq += 1;
            *last_seq
        }

        /// The journal thread, until stopped or `done`.
        fn run(&self, patience: Duration, done: impl Fn(&Watermarks) -> bool) {
            while !done(&self.marks) && self.timing.wait(None, patience, || false) == Call::Work {
                let reach = Reach { seq: *self.group.lock().unwrap(), next_event_id: 0 };
                self.marks.publish_written(reach);
                if self.marks.durable() < self.marks.wanted_durable().min(self.marks.written()) {
                    self.marks.publish_durable(reach);
                }
                assert!(self.marks.durable() <= self.marks.written());
            }
        }
    }

    #[test]
    fn what_nobody_waits_for_is_written() {
        loom::model(|| {
            let kernel = Kernel::new();
            let writer = Arc::clone(&kernel);
            let writer = thread::spawn(move || writer.run(Duration::ZERO, |marks| marks.written() == 2));
            for _ in 0..2 {
                kernel.append();
                kernel.timing.write_soon();
            }
            writer.join().unwrap();
        });
    }

    #[test]
    fn two_waiters_are_both_served() {
        // Three threads: every interleaving with at most three preemptions; more would take hours.
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let kernel = Kernel::new();
            let committer = |kernel: Arc<Kernel>| {
                move || {
                    let seq = kernel.append();
                    kernel.marks.want_durable(seq);
                    kernel.timing.write_now();
                }
            };
            let other = thread::spawn(committer(Arc::clone(&kernel)));
            let writer = Arc::clone(&kernel);
            let writer = thread::spawn(move || writer.run(Duration::MAX, |marks| marks.durable() == 2));
            committer(Arc::clone(&kernel))();
            other.join().unwrap();
            writer.join().unwrap();
        });
    }

    /// The wait never ends by itself here: the call must end it.
    #[test]
    fn a_call_reaches_a_thread_that_waits_for_stragglers() {
        loom::model(|| {
            let kernel = Kernel::new();
            let writer = Arc::clone(&kernel);
            let writer = thread::spawn(move || writer.run(Duration::MAX, |marks| marks.durable() == 1));
            let seq = kernel.append();
            kernel.timing.write_soon();
            kernel.marks.want_durable(seq);
            kernel.timing.write_now();
            writer.join().unwrap();
        });
    }

    #[test]
    fn a_stop_reaches_the_thread_whatever_it_does() {
        loom::model(|| {
            let kernel = Kernel::new();
            let writer = Arc::clone(&kernel);
            let writer = thread::spawn(move || writer.run(Duration::MAX, |_| false));
            kernel.append();
            kernel.timing.write_soon();
            kernel.timing.stop();
            writer.join().unwrap();
        });
    }
}
