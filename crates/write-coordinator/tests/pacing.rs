//! Writers that saturate the flusher enter as it drains: in slices, never beyond the hard bound, and never blocked for the
//! length of a flush. Time is the simulated clock's: a flush takes as long as the test says, and writers run during it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests, also outside of their functions")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use ledgerstone_vfs::{Clock as _, sim::SimClock};
use ledgerstone_write_coordinator::{Coordinator, Crowding, Delta, FlushFailure, Flusher, Full, Pacing, Step};
use parking_lot::Mutex;
use support::Counted;

const FLUSH_BYTES: u64 = 100_000;
const WRITE_BYTES: u64 = 100;
const PACING: Pacing = Pacing { flush_bytes: FLUSH_BYTES, flush_interval: Duration::from_secs(1) };
/// How long a flush of a full delta takes, in slices.
const FLUSH_SLICES: u64 = 50;

/// The experience of a producer that never stops, in slices.
#[derive(Debug, Default)]
struct Met {
    /// Slices in which it entered at least once.
    let_in: u64,
    /// The longest sequence of slices in which it did not.
    longest_wait: u64,
    waits: u64,
    most_pending: u64,
}

struct Rig {
    clock: SimClock,
    coordinator: Arc<Coordinator<Counted, String>>,
    writing: Mutex<(u64, Arc<Counted>)>,
    met: Mutex<Met>,
    slices_per_flush: u64,
    fails: AtomicBool,
}

impl Rig {
    fn new(slices_per_flush: u64) -> Arc<Self> {
        let clock = SimClock::new(0);
        let active = Arc::new(Counted::default());
        let coordinator = Coordinator::new(Arc::new(clock.clone()), PACING, Arc::clone(&active), 1, 0);
        Arc::new(Self {
            clock,
            coordinator: Arc::new(coordinator),
            writing: Mutex::new((0, active)),
            met: Mutex::default(),
            slices_per_flush,
            fails: AtomicBool::new(false),
        })
    }

    fn write(&self) {
        let mut writing = self.writing.lock();
        writing.0 += 1;
        let first = writing.1.last_seq() == 0;
        writing.1.bytes.fetch_add(WRITE_BYTES, Ordering::Release);
        writing.1.last_seq.store(writing.0, Ordering::Release);
        self.coordinator.note_write(WRITE_BYTES, first);
    }

    /// One slice of a producer that writes as long as it may enter, at most `most` times.
    fn produce(&self, most: u64) -> u64 {
        let mut written = 0;
        while written < most && self.coordinator.crowding() == Crowding::None {
            self.write();
            written += 1;
        }
        written
    }
}

impl Flusher<Counted> for Rig {
    type Error = String;

    fn freeze(&self, swap: &mut dyn FnMut(Arc<Counted>) -> Arc<Counted>) {
        let mut writing = self.writing.lock();
        writing.1 = Arc::new(Counted::default());
        swap(Arc::clone(&writing.1));
    }

    /// The producer continues during the flush, as fast as it can.
    fn flush(&self, frozen: &Arc<Counted>) -> Result<(), FlushFailure<String>> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(FlushFailure::Retry("full".into()));
        }
        let mut met = self.met.lock();
        let mut wait = 0;
        for _ in 0..self.slices_per_flush * frozen.bytes() / FLUSH_BYTES {
            if self.produce(u64::MAX) > 0 {
                met.let_in += 1;
                met.longest_wait = met.longest_wait.max(wait);
                wait = 0;
            } else {
                met.waits += u64::from(wait == 0);
                wait += 1;
            }
            met.most_pending = met.most_pending.max(self.coordinator.pending_bytes());
            self.clock.advance(Pacing::SLICE);
        }
        met.longest_wait = met.longest_wait.max(wait);
        Ok(())
    }

    fn published(&self, _frozen: Arc<Counted>) {}

    fn chore(&self) -> Result<bool, FlushFailure<String>> {
        Ok(false)
    }

    fn failed(&self, why: Option<String>, what: &str) -> String {
        why.unwrap_or_else(|| what.to_owned())
    }
}

#[test]
fn a_producer_that_saturates_the_flusher_is_let_in_in_nearly_every_slice() {
    let rig = Rig::new(FLUSH_SLICES);
    let flushes = 20;
    for flush in 0..flushes {
        rig.produce(FLUSH_BYTES / WRITE_BYTES * 10);
        assert_eq!(rig.coordinator.step(&*rig), Step::Worked);
        if flush == 9 {
            // The coordinator has measured the first flushes.
            *rig.met.lock() = Met::default();
        }
    }
    let met = rig.met.lock();
    assert!(met.most_pending <= PACING.pending_bound_bytes(), "{met:?}");
    assert!(met.most_pending > PACING.paced_from_bytes() + FLUSH_BYTES / 2, "the room is used: {met:?}");
    // Without pacing it enters at once, and then not for the rest of each flush: 49 slices.
    assert!(met.longest_wait <= 2, "{met:?}");
    assert!(met.let_in >= 10 * (FLUSH_SLICES - 4), "{met:?}");
}

#[test]
fn a_flush_that_takes_far_longer_than_expected_never_shuts_the_door_and_one_that_is_short_opens_it() {
    let rig = Rig::new(FLUSH_SLICES);
    for _ in 0..10 {
        rig.produce(u64::MAX);
        rig.coordinator.step(&*rig);
    }
    // Ten times slower than before: what may enter halves again and again, down to single writes.
    let start = rig.clock.monotonic();
    rig.produce(u64::MAX);
    assert_eq!(rig.coordinator.crowding(), Crowding::Paced);
    let mut by_flush = Vec::new();
    for _ in 0..4 {
        let before = rig.coordinator.pending_bytes();
        for _ in 0..FLUSH_SLICES {
            rig.clock.advance(Pacing::SLICE);
            rig.produce(u64::MAX);
        }
        by_flush.push(rig.coordinator.pending_bytes() - before);
    }
    assert!(by_flush.iter().all(|bytes| *bytes > 0) && by_flush.is_sorted_by(|a, b| a > b), "{by_flush:?}");
    assert!(rig.coordinator.pending_bytes() < PACING.pending_bound_bytes());
    assert_eq!(rig.clock.monotonic(), start + Pacing::SLICE * 4 * u32::try_from(FLUSH_SLICES).unwrap());
    // In any case: after the flush, writers enter freely.
    rig.coordinator.step(&*rig);
    assert!(rig.coordinator.pending_bytes() < PACING.paced_from_bytes());
    assert_eq!(rig.coordinator.crowding(), Crowding::None);
}

#[test]
fn a_full_device_leaves_its_reserve_to_whoever_comes() {
    let rig = Rig::new(FLUSH_SLICES);
    rig.produce(u64::MAX);
    assert_eq!(rig.coordinator.crowding(), Crowding::Paced);
    rig.fails.store(true, Ordering::Relaxed);
    assert_eq!(rig.coordinator.step(&*rig), Step::Blocked);
    assert_eq!(rig.coordinator.crowding(), Crowding::None, "nothing drains that one could wait for");
    rig.produce(u64::MAX);
    assert_eq!(rig.coordinator.crowding(), Crowding::Full(Full::Pending));
    assert_eq!(rig.coordinator.pending_bytes(), PACING.pending_bound_bytes());
}

/// A waiting thread enters by the clock alone: no flush ends here, and nothing wakes it.
#[test]
fn threads_that_wait_for_room_share_the_pace_and_lose_nothing() {
    let rig = Rig::new(FLUSH_SLICES);
    rig.produce(u64::MAX);
    assert!(!rig.coordinator.wait_for_room(Duration::ZERO, &|| false), "paced");
    let before = rig.coordinator.pending_bytes();
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert!(rig.coordinator.wait_for_room(Duration::from_secs(3_600), &|| false));
                    rig.write();
                }
                done.fetch_add(1, Ordering::Release);
            });
        }
        while done.load(Ordering::Acquire) < 3 {
            rig.clock.advance(Duration::from_millis(1));
            thread::yield_now();
        }
    });
    assert_eq!(rig.coordinator.pending_bytes() - before, 3 * 20 * WRITE_BYTES);
    assert!(rig.coordinator.pending_bytes() < PACING.pending_bound_bytes() + 3 * WRITE_BYTES);
}
