//! The coordinator with a delta and a flusher that only count: when it freezes and flushes, what it reports to whom, and that
//! nothing is lost in between.
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

use ledgerstone_vfs::sim::SimClock;
use ledgerstone_write_coordinator::{Coordinator, Delta, FlushFailure, Flusher, Pacing, Step};
use parking_lot::Mutex;
use support::Counted;

type Error = String;

/// The callers' side and the flusher's.
struct Store {
    coordinator: Arc<Coordinator<Counted, Error>>,
    /// The commit lock: the last number, and the delta that takes writes.
    writing: Mutex<(u64, Arc<Counted>)>,
    /// The last numbers of the flushed deltas.
    flushed: Mutex<Vec<u64>>,
    fails: Mutex<Option<FlushFailure<Error>>>,
    panics: AtomicBool,
    chores: AtomicU64,
    /// A write and a request for a flush come after the flusher has decided that nothing is due.
    late_write: AtomicBool,
    failures: AtomicU64,
}

impl Store {
    fn new(clock: &SimClock, pacing: Pacing) -> Arc<Self> {
        let active = Arc::new(Counted::default());
        let coordinator = Coordinator::new(Arc::new(clock.clone()), pacing, Arc::clone(&active), 1, 0);
        Arc::new(Self {
            coordinator: Arc::new(coordinator),
            writing: Mutex::new((0, active)),
            flushed: Mutex::default(),
            fails: Mutex::default(),
            panics: AtomicBool::new(false),
            chores: AtomicU64::new(0),
            late_write: AtomicBool::new(false),
            failures: AtomicU64::new(0),
        })
    }

    fn write(&self) -> u64 {
        let mut writing = self.writing.lock();
        writing.0 += 1;
        let first = writing.1.last_seq() == 0;
        writing.1.bytes.fetch_add(1, Ordering::Release);
        writing.1.last_seq.store(writing.0, Ordering::Release);
        self.coordinator.note_write(1, first);
        writing.0
    }

    fn step(&self) -> Step {
        self.coordinator.step(self)
    }
}

impl Flusher<Counted> for Store {
    type Error = Error;

    fn freeze(&self, swap: &mut dyn FnMut(Arc<Counted>) -> Arc<Counted>) {
        let mut writing = self.writing.lock();
        writing.1 = Arc::new(Counted::default());
        swap(Arc::clone(&writing.1));
    }

    fn flush(&self, frozen: &Arc<Counted>) -> Result<(), FlushFailure<Error>> {
        assert!(!self.panics.load(Ordering::Relaxed), "planned");
        // No mark announces the flush before it is done, and the view still shows the delta that is being flushed.
        assert!(self.coordinator.flushed_seq() < frozen.last_seq());
        let view = self.coordinator.view();
        assert!(view.frozen.as_ref().is_some_and(|shown| Arc::ptr_eq(shown, frozen)));
        if let Some(failure) = &*self.fails.lock() {
            return Err(failure.clone());
        }
        self.flushed.lock().push(frozen.last_seq());
        Ok(())
    }

    fn published(&self, frozen: Arc<Counted>) {
        // The view comes before the mark that promises it (I8).
        assert!(self.coordinator.view().frozen.is_none());
        assert_eq!(self.coordinator.flushed_seq(), frozen.last_seq());
    }

    fn chore(&self) -> Result<bool, FlushFailure<Error>> {
        if self.late_write.swap(false, Ordering::Relaxed) {
            self.coordinator.request(self.write());
            return Ok(false);
        }
        Ok(self.chores.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok())
    }

    fn failed(&self, why: Option<Error>, what: &str) -> Error {
        self.failures.fetch_add(1, Ordering::Relaxed);
        why.unwrap_or_else(|| what.to_owned())
    }
}

const PACING: Pacing = Pacing { flush_bytes: 100, flush_interval: Duration::from_secs(1) };

#[test]
fn a_delta_is_flushed_by_size_by_age_or_on_request_and_not_before() {
    let clock = SimClock::new(0);
    let store = Store::new(&clock, PACING);
    assert_eq!(store.step(), Step::Idle(None));
    store.write();
    assert_eq!(store.step(), Step::Idle(Some(Duration::from_secs(1))));
    clock.advance(Duration::from_millis(400));
    store.write();
    assert_eq!(store.step(), Step::Idle(Some(Duration::from_millis(600))), "the age is that of the first write");
    clock.advance(Duration::from_millis(600));
    assert_eq!(store.step(), Step::Worked);
    assert_eq!(store.step(), Step::Idle(None));
    for _ in 0..100 {
        assert_ne!(store.step(), Step::Worked);
        store.write();
    }
    assert_eq!(store.step(), Step::Worked);
    let seq = store.write();
    store.coordinator.request(seq);
    assert_eq!(store.step(), Step::Worked);
    assert_eq!(*store.flushed.lock(), [2, 102, 103]);
    assert_eq!((store.coordinator.flushed_seq(), store.coordinator.pending_bytes()), (103, 0));
    assert_eq!(store.coordinator.view().epoch, 4);
}

#[test]
fn a_flush_without_room_keeps_its_delta_and_is_done_later_with_nothing_lost() {
    let clock = SimClock::new(0);
    let store = Store::new(&clock, PACING);
    let seq = store.write();
    store.coordinator.request(seq);
    *store.fails.lock() = Some(FlushFailure::Retry("full".into()));
    for _ in 0..2 {
        assert_eq!(store.step(), Step::Blocked);
        assert_eq!(store.coordinator.blocked_by().as_deref(), Some("full"));
        store.write();
    }
    assert_eq!(store.coordinator.pending_bytes(), 3);
    *store.fails.lock() = None;
    assert_eq!(store.step(), Step::Worked);
    assert_eq!((store.coordinator.flushed_seq(), store.coordinator.pending_bytes()), (1, 2));
    assert_eq!(store.coordinator.blocked_by(), None);
    store.coordinator.request(3);
    assert_eq!(store.step(), Step::Worked);
    assert_eq!(*store.flushed.lock(), [1, 3]);
    assert_eq!(store.failures.load(Ordering::Relaxed), 0);
}

#[test]
fn what_readers_hold_counts_until_they_let_go() {
    let clock = SimClock::new(0);
    let store = Store::new(&clock, PACING);
    let mut held = Vec::new();
    for turn in 1..=4 {
        held.push(store.coordinator.view());
        for _ in 0..100 {
            store.write();
        }
        assert_eq!(store.step(), Step::Worked);
        assert_eq!(store.coordinator.pinned_bytes(), turn * 100);
    }
    assert!(store.coordinator.is_crowded());
    assert!(!store.coordinator.wait_for_room(Duration::ZERO, &|| false));
    held.clear();
    assert!(store.coordinator.wait_for_room(Duration::ZERO, &|| false), "it looks for itself");
    assert_eq!(store.coordinator.pinned_bytes(), 0);
}

#[test]
fn a_failed_flush_and_a_panic_reach_everybody_who_waits() {
    for panics in [false, true] {
        let clock = SimClock::new(0);
        let store = Store::new(&clock, PACING);
        store.panics.store(panics, Ordering::Relaxed);
        *store.fails.lock() = Some(FlushFailure::Fatal("broken".into()));
        store.coordinator.spawn(Arc::clone(&store) as Arc<dyn Flusher<Counted, Error = Error>>).unwrap();
        let seq = store.write();
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..3).map(|_| scope.spawn(|| store.coordinator.wait_flushed(seq))).collect();
            for waiter in waiters {
                let told = waiter.join().unwrap().unwrap_err();
                assert!(if panics { told.contains("planned") } else { told == "broken" }, "{told}");
            }
        });
        assert!(store.coordinator.wait_flushed(store.write()).is_err());
        assert!(store.coordinator.failure().is_some());
        assert_eq!(store.failures.load(Ordering::Relaxed), 1, "it is told once");
        store.coordinator.close();
    }
}

#[test]
fn closing_flushes_what_is_left_and_does_the_chores() {
    let clock = SimClock::new(0);
    let store = Store::new(&clock, PACING);
    store.chores.store(5, Ordering::Relaxed);
    store.coordinator.spawn(Arc::clone(&store) as Arc<dyn Flusher<Counted, Error = Error>>).unwrap();
    let seq = store.write();
    store.coordinator.close();
    assert_eq!(store.coordinator.flushed_seq(), seq);
    assert_eq!(store.chores.load(Ordering::Relaxed), 0);
    store.coordinator.close();
}

#[test]
fn closing_a_store_without_room_comes_to_an_end() {
    let clock = SimClock::new(0);
    let store = Store::new(&clock, PACING);
    *store.fails.lock() = Some(FlushFailure::Retry("full".into()));
    store.coordinator.spawn(Arc::clone(&store) as Arc<dyn Flusher<Counted, Error = Error>>).unwrap();
    store.write();
    store.coordinator.close();
    assert_eq!(store.coordinator.flushed_seq(), 0);
}

#[test]
fn what_comes_between_the_flushers_last_look_and_its_sleep_is_not_slept_over() {
    let clock = SimClock::new(0);
    let store = Store::new(&clock, PACING);
    store.late_write.store(true, Ordering::Relaxed);
    store.coordinator.spawn(Arc::clone(&store) as Arc<dyn Flusher<Counted, Error = Error>>).unwrap();
    let mut patience = 10_000;
    while store.coordinator.flushed_seq() == 0 {
        patience -= 1;
        assert!(patience > 0, "the flusher sleeps");
        thread::sleep(Duration::from_millis(1));
    }
    store.coordinator.close();
}

/// Time stands still: a waiter that is not woken sleeps for ever.
#[test]
fn no_wake_up_is_lost_between_many_writers_and_the_flusher() {
    let clock = SimClock::new(0);
    let store = Store::new(&clock, PACING);
    store.coordinator.spawn(Arc::clone(&store) as Arc<dyn Flusher<Counted, Error = Error>>).unwrap();
    thread::scope(|scope| {
        for writer in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for turn in 0..2_000 {
                    assert!(store.coordinator.wait_for_room(Duration::from_secs(5), &|| false));
                    let seq = store.write();
                    if turn % 50 == writer {
                        store.coordinator.wait_flushed(seq).unwrap();
                    }
                }
            });
        }
    });
    store.coordinator.close();
    assert_eq!((store.coordinator.flushed_seq(), store.coordinator.pending_bytes()), (8_000, 0));
    let flushed = store.flushed.lock();
    assert!(flushed.is_sorted() && flushed.last() == Some(&8_000), "{flushed:?}");
}
