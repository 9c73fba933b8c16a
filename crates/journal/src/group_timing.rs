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
    Nothing,
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

    /// Takes what has been called for until now.
    fn take(&self) -> Call {
        let flags = self.flags.fetch_and(STOPPED, Ordering::AcqRel);
        if flags & STOPPED == 0 { Call::Work } else { Call::Stop }
    }

    /// What has been called for until now, without waiting. What is merely armed stays so while `is_led`: see
    /// [`wait`](Self::wait).
    pub(crate) fn poll(&self, is_led: impl FnOnce() -> bool) -> Call {
        if self.is_set(RUNG | STOPPED) || (self.is_set(ARMED) && !is_led()) { self.take() } else { Call::Nothing }
    }

    /// Sleeps until there is something to do, at most `idle` (`None`: as long as it takes); once armed, waits up to
    /// `patience` for somebody to ring. `is_led` is asked then: whether others have taken the group meanwhile, so that what
    /// is pending now is younger than that; then it may wait once more, and the thread does not get in a leader's way.
    pub(crate) fn wait(&self, idle: Option<Duration>, patience: Duration, mut is_led: impl FnMut() -> bool) -> Call {
        self.monitor.sleep_until(idle, || self.is_set(ARMED | RUNG | STOPPED));
        while self.is_set(ARMED) {
            self.monitor.sleep_until(Some(patience), || self.is_set(RUNG | STOPPED));
            if self.is_set(RUNG | STOPPED) || !is_led() {
                break;
            }
        }
        self.take()
    }
}

/// Every interleaving of committers and the journal thread: nobody's work is slept over, and nothing is published that was
/// not done. A lost wake-up shows as a deadlock.
#[cfg(all(test, loom))]
mod loom_tests {
    use std::time::Duration;

    use loom::{
        sync::{Arc, Mutex},
        thread,
    };

    use super::{Bell, Call};
    use crate::watermarks::{Reach, Watermarks};

    struct Kernel {
        /// The last seq appended: stands for the group.
        group: Mutex<u64>,
        marks: Watermarks,
        bell: Bell,
    }

    impl Kernel {
        fn new() -> Arc<Self> {
            Arc::new(Self { group: Mutex::new(0), marks: Watermarks::new(Reach::default()), bell: Bell::new() })
        }

        fn append(&self) -> u64 {
            let mut last_seq = self.group.lock().unwrap();
            *last_seq += 1;
            *last_seq
        }

        /// The journal thread, until stopped or `done`.
        fn run(&self, patience: Duration, done: impl Fn(&Watermarks) -> bool) {
            while !done(&self.marks) && self.bell.wait(None, patience, || false) == Call::Work {
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
                kernel.bell.arm();
            }
            writer.join().unwrap();
        });
    }

    #[test]
    fn two_waiters_are_both_served() {
        // Three threads: every interleaving with at most three preemptions, or it takes hours.
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let kernel = Kernel::new();
            let committer = |kernel: Arc<Kernel>| {
                move || {
                    let seq = kernel.append();
                    kernel.marks.want_durable(seq);
                    kernel.bell.ring();
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

    /// Patience never runs out here: the ring itself must cut it short.
    #[test]
    fn a_ring_reaches_a_thread_that_is_armed_and_waiting() {
        loom::model(|| {
            let kernel = Kernel::new();
            let writer = Arc::clone(&kernel);
            let writer = thread::spawn(move || writer.run(Duration::MAX, |marks| marks.durable() == 1));
            let seq = kernel.append();
            kernel.bell.arm();
            kernel.marks.want_durable(seq);
            kernel.bell.ring();
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
            kernel.bell.arm();
            kernel.bell.stop();
            writer.join().unwrap();
        });
    }
}
