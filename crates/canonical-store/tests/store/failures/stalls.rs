//! A device that stands still in the middle of a call, like one that is a thousand times slower: readers of all kinds and the
//! statistics continue, writers stop at the bound and wait no longer than their limit, and everything continues in order when
//! the device does. The simulated disk blocks the flush of one kind of file until the test releases it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use ledgerstone_canonical_store::{
    Direction, Error, FlushStage, GateEntry, Level, OpenOptions, Owner, Part, Stall, Store,
    testing::{self, Engine, WriteSet, open_in_parts},
};
use parking_lot::{Condvar, Mutex};

use crate::{
    failures::rig::{Rig, key},
    support::TempDir,
};

const FLUSH_BYTES: u64 = 64 << 10;
/// The files whose flush stands still.
const FILES: [&str; 3] = ["journal-0", "events-", "twin.tmp"];

/// Returns the result of `work`, which must not wait for the device.
fn at_once<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let _ = thread::Builder::new().spawn(move || done.send(work())).unwrap();
    result.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("{what} waits for the device"))
}

/// Every kind of read, from several threads, while the device stands still.
fn read_everything(store: &Arc<Store>, commits: u64) {
    let readers = (0..3).map(|_| {
        let store = Arc::clone(store);
        move || {
            let slot = store.collection("state", "utf8", "json").unwrap();
            let cache = store.new_read_cache();
            let snapshot = store.snapshot().unwrap();
            for number in 1..=commits {
                let expected = Some(number.to_le_bytes().to_vec());
                assert_eq!(store.get(&cache, &slot, &key(number), <[u8]>::to_vec).unwrap(), expected);
                assert_eq!(snapshot.get(&slot, &key(number), <[u8]>::to_vec).unwrap(), expected);
            }
            let all = ledgerstone_canonical_store::KeyBounds {
                lower: std::ops::Bound::Unbounded,
                upper: std::ops::Bound::Unbounded,
                reverse: true,
                limit: None,
            };
            assert_eq!(store.range(&slot, all).unwrap().count().unwrap(), commits);
            let mut events = 0;
            let visit = &mut |_, _, _: &[u8]| {
                events += 1;
                std::ops::ControlFlow::Continue(())
            };
            store.read_events(0, u64::MAX, Direction::Backward, visit).unwrap();
            assert_eq!(events, commits);
            store.first_event_at(0).unwrap();
            snapshot.release();
        }
    });
    for reader in readers {
        at_once("a reader", reader);
    }
    let store = Arc::clone(store);
    at_once("a call that only tells", move || {
        let stats = store.stats();
        assert_eq!((stats.marks.applied, stats.event_count), (commits, commits));
        (store.meta(), store.collections().unwrap(), store.failure().is_none(), store.next_event_id())
    });
}

#[test]
fn readers_and_statistics_go_on_while_a_flush_stands_still() {
    for file in FILES {
        let rig = Rig::threaded();
        rig.commits(4);
        rig.store.wait(Level::Flushed, 4).unwrap();
        rig.commits(1);
        let held = rig.disk.hold_syncs(file);
        rig.commits(1);
        rig.store.want(Level::Durable, 6);
        rig.store.want(Level::Flushed, 6);
        assert!(held.wait_for(1), "nothing of {file} is flushed");
        read_everything(&rig.store, 6);
        // A write that no caller awaits needs nothing of the device.
        let store = Arc::clone(&rig.store);
        at_once("a commit", move || {
            let set = WriteSet::default().delete(0, b"nothing");
            store.commit(
                Owner::new(),
                GateEntry::Blind,
                set.bytes(),
                &[store.collection("state", "utf8", "json").unwrap()],
            )
        })
        .unwrap();
        drop(held);
        rig.store.wait(Level::Flushed, 7).unwrap();
        rig.close().0.unwrap();
    }
}

/// Bug: `stats()` blocked with the device, and with it the JavaScript thread. Mechanism: the journal's figures were read under
/// the lock that is held while a spare file is written and flushed. Fix: the pool copies its figures to where they are read
/// without the lock.
/// Bug: a commit that needed a file waited for the device without a limit. Fix: it gives up after five seconds.
#[test]
fn a_spare_that_is_being_prepared_stops_no_reader_and_a_commit_only_so_long() {
    let rig = Rig::stepped();
    rig.commits(3);
    rig.store.wait(Level::Durable, 3).unwrap();
    let (disk, clock) = (rig.disk.crash(), rig.clock.clone());
    drop(rig);
    let held = disk.hold_syncs("journal-spare.tmp");
    let rig = Rig::open(disk.clone(), clock.clone(), true).unwrap();
    assert!(held.wait_for(1), "no spare is being prepared");
    read_everything(&rig.store, 3);
    let (store, slots) = (Arc::clone(&rig.store), rig.slots.clone());
    let refused = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&refused);
    let writer = thread::Builder::new().spawn(move || {
        let set = WriteSet::default().put(0, b"large", &[1; 8_000]);
        loop {
            if let Err(error) = store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &slots) {
                told.store(true, Ordering::Release);
                return error;
            }
        }
    });
    while !refused.load(Ordering::Acquire) {
        clock.advance(Duration::from_millis(100));
        thread::yield_now();
    }
    let error = writer.unwrap().join().unwrap();
    assert_eq!(error.code(), "ERR_BACKPRESSURE", "{error}");
    drop(held);
    let set = WriteSet::default().put(0, b"large", &[2; 8_000]);
    for _ in 0..10 {
        rig.store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &rig.slots).unwrap();
    }
    rig.store.wait(Level::Flushed, rig.store.marks().applied).unwrap();
    rig.close().0.unwrap();
}

#[test]
fn writers_stop_at_the_bound_and_at_their_limit_and_closing_ends_when_the_device_goes_on() {
    for file in FILES {
        let rig = Rig::threaded();
        let held = rig.disk.hold_syncs(file);
        let set = WriteSet::default().put(0, b"large", &[1; 8_000]).event(&[2; 500]);
        let refused = loop {
            let owner = Owner::new();
            let (entered, clock) = (Arc::new(AtomicBool::new(false)), rig.clock.clone());
            let outcome = thread::scope(|scope| {
                let entering = scope.spawn(|| {
                    let outcome = rig.store.begin(owner, Stall::Yes);
                    entered.store(true, Ordering::Release);
                    outcome
                });
                while !entered.load(Ordering::Acquire) {
                    // Time advances only for a writer that is crowded out; otherwise the flusher would find an old delta.
                    if rig.store.marks().crowded {
                        clock.advance(Duration::from_millis(500));
                        rig.store.want(Level::Room, 0);
                    }
                    thread::yield_now();
                }
                entering.join().unwrap()
            });
            match outcome {
                Ok(_) => rig.store.commit(owner, GateEntry::Held, set.bytes(), &rig.slots).unwrap(),
                Err(error) => break error,
            };
            let stats = rig.store.stats();
            let bytes = stats.delta_bytes + stats.pinned_bytes;
            assert!(bytes < 2 * FLUSH_BYTES + 20_000, "{file}: {bytes} bytes in memory");
        };
        assert_eq!(refused.code(), "ERR_BACKPRESSURE", "{file}: {refused}");
        let applied = rig.store.marks().applied;
        assert!(applied > 8, "{file}: only {applied} commits found room");
        let store = Arc::clone(&rig.store);
        let closing = thread::Builder::new().spawn(move || testing::close_threaded(&store)).unwrap();
        for _ in 0..5_000 {
            assert!(!closing.is_finished(), "{file}: closed while the device stood still");
            thread::yield_now();
        }
        drop(held);
        closing.join().unwrap().unwrap();
        let marks = rig.store.marks();
        assert_eq!((marks.durable, marks.flushed), (applied, applied), "{file}");
        let clock = rig.clock.clone();
        assert_eq!(Rig::open(rig.disk.power_cut(), clock, false).unwrap().store.marks().applied, applied);
    }
}

/// Writers that wait for the gate while the device stands still enter in the order of arrival.
#[test]
fn transactions_that_waited_run_in_order() {
    let rig = Rig::threaded();
    let held = rig.disk.hold_syncs("journal-0");
    let inside = Owner::new();
    rig.store.begin(inside, Stall::No).unwrap();
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..4 {
            let (store, order) = (&rig.store, &order);
            scope.spawn(move || {
                let owner = Owner::new();
                store.begin(owner, Stall::No).unwrap();
                order.lock().push(number);
                let set = WriteSet::default().event(b"in order");
                store.commit(owner, GateEntry::Held, set.bytes(), &[]).unwrap();
            });
            while testing::waiting_writers(&rig.store) <= number {
                thread::yield_now();
            }
        }
        rig.store.abort(inside);
    });
    assert_eq!(*order.lock(), [0, 1, 2, 3]);
    drop(held);
    rig.store.wait(Level::Flushed, 4).unwrap();
    rig.close().0.unwrap();
}

/// LMDB does its I/O itself: here the flusher stands still between two of its commits, and after the last.
#[test]
fn readers_go_on_while_lmdb_is_being_written() {
    let dir = TempDir::new("stalls");
    let options = OpenOptions { flush_interval_ms: Some(86_400_000), ..OpenOptions::default() };
    let store = open_in_parts(dir.path(), &options, Engine::Threads, 2).unwrap();
    let slots = [store.collection("state", "utf8", "json").unwrap()];
    let gate = Arc::new((Mutex::new((None, false)), Condvar::new()));
    let stopped = Arc::clone(&gate);
    store.probe_flushes(Some(Arc::new(move |stage| {
        let (state, changed) = &*stopped;
        let mut state = state.lock();
        state.0 = Some(stage);
        changed.notify_all();
        changed.wait_while(&mut state, |state| state.0.is_some() && !state.1);
    })));
    for number in 1..=6_u64 {
        let set = WriteSet::default().put(0, &key(number), &number.to_le_bytes()).event(b"event");
        store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &slots).unwrap();
    }
    store.want(Level::Flushed, 6);
    let stages = [
        FlushStage::Begun,
        FlushStage::Frozen,
        FlushStage::EventsWritten,
        FlushStage::StateWritten(Part::State(0)),
        FlushStage::StateWritten(Part::State(1)),
        FlushStage::StateWritten(Part::Last),
        FlushStage::Published,
    ];
    for expected in stages {
        let (state, changed) = &*gate;
        let mut guard = state.lock();
        changed.wait_while(&mut guard, |state| state.0.is_none());
        assert_eq!(guard.0, Some(expected));
        drop(guard);
        read_everything(&store, 6);
        state.lock().0 = None;
        changed.notify_all();
    }
    gate.0.lock().1 = true;
    gate.1.notify_all();
    store.wait(Level::Flushed, 6).unwrap();
    let closed: Result<(), Error> = testing::close_threaded(&store);
    closed.unwrap();
}
