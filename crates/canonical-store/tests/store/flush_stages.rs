//! What readers see during a flush: at each of its stages a snapshot is taken, and it stays exact across three more flushes. A
//! commit's number determines its content, so that any number of writers may run at the same time.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use crate::chance::Chance;
use crate::history::{Change, Entries, NAMES, codecs, write_set};
use crate::reading::{Source, check_key, check_range, everything};
use crate::support::TempDir;
use ledgerstone_canonical_store::{
    CollectionRef, Direction, FlushStage, GateEntry, Level, OpenOptions, Owner, Part, Snapshot, Stall, Store,
    testing::{self, Engine, open_in_parts},
};
use parking_lot::Mutex;

/// Small, so that a flush of a few dozen keys has several parts.
const PART_OPERATIONS: u32 = 8;
/// For how many flushes a snapshot is held.
const FLUSHES_HELD: u64 = 3;

fn key(number: u64) -> Vec<u8> {
    format!("key {:02}", number % 40).into_bytes()
}

/// The commit `seq`: one event, so that ids and numbers are the same, a put and a deletion.
fn changes(seq: u64) -> Vec<Change> {
    let slot = usize::try_from(seq % 2).unwrap();
    vec![
        Change::Event(seq.to_le_bytes().to_vec()),
        Change::Put(slot, key(seq), seq.to_le_bytes().to_vec()),
        Change::Delete(slot, key(seq * 7 + 1)),
        Change::Put(0, b"last".to_vec(), seq.to_le_bytes().to_vec()),
    ]
}

/// The content of a collection after the commit `seq`.
fn entries(slot: usize, seq: u64) -> Entries {
    let mut entries = Entries::new();
    for change in (1..=seq).flat_map(changes) {
        match change {
            Change::Put(at, key, value) if at == slot => drop(entries.insert(key, value)),
            Change::Delete(at, key) if at == slot => drop(entries.remove(&key)),
            _ => {}
        }
    }
    entries
}

fn slots(store: &Store) -> Vec<Arc<CollectionRef>> {
    (0..2).map(|slot| store.collection(NAMES[slot], codecs(slot).0, codecs(slot).1).unwrap()).collect()
}

fn commit_next(store: &Store, owner: Owner, slots: &[Arc<CollectionRef>]) {
    let next = store.begin(owner, Stall::No).unwrap();
    let info = store.commit(owner, GateEntry::Held, write_set(&changes(next)).bytes(), slots).unwrap();
    assert_eq!(info.seq, next);
}

/// A snapshot holds the result of the commits up to its number.
fn check(snapshot: &Arc<Snapshot>, slots: &[Arc<CollectionRef>], chance: &mut Chance) {
    let seq = snapshot.seq();
    assert_eq!(snapshot.next_event_id(), seq + 1);
    let source = Source::Held(snapshot, 1);
    for (slot, collection) in slots.iter().enumerate() {
        let entries = entries(slot, seq);
        for reverse in [false, true] {
            check_range(&source, collection, &entries, everything(reverse), chance).unwrap();
        }
        for number in 0..40 {
            check_key(&source, collection, &entries, &key(number)).unwrap();
        }
    }
    for direction in [Direction::Forward, Direction::Backward] {
        let mut ids = Vec::new();
        snapshot
            .read_events(0, u64::MAX, direction, &mut |id, _, payload| {
                assert_eq!(payload, id.to_le_bytes());
                ids.push(id);
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        if direction == Direction::Backward {
            ids.reverse();
        }
        assert!(ids.iter().copied().eq(1..=seq), "{ids:?} of {seq}");
    }
}

/// Snapshots by the flush in which they were taken.
#[derive(Default)]
struct Held {
    all: Vec<(u64, Arc<Snapshot>)>,
    stages: BTreeSet<String>,
    checked: u64,
}

impl Held {
    /// At a stage of a flush: takes another snapshot, checks all.
    fn stop_at(&mut self, stage: FlushStage, store: &Arc<Store>, slots: &[Arc<CollectionRef>], chance: &mut Chance) {
        self.stages.insert(format!("{stage:?}"));
        let runs = store.stats().flush_runs;
        let snapshot = store.snapshot().unwrap();
        // The newest reader can read everything applied, too.
        let cache = store.new_read_cache();
        let last =
            store.get(&cache, &slots[0], b"last", |value| u64::from_le_bytes(value.try_into().unwrap())).unwrap();
        assert!(last.unwrap_or(0) >= snapshot.seq());
        self.all.push((runs, snapshot));
        self.all.retain(|(since, _)| since + FLUSHES_HELD >= runs);
        for (_, snapshot) in &self.all {
            check(snapshot, slots, chance);
            self.checked += 1;
        }
    }

    fn assert_complete(&self) {
        let all = [
            FlushStage::Begun,
            FlushStage::Frozen,
            FlushStage::EventsWritten,
            FlushStage::StateWritten(Part::State(0)),
            FlushStage::StateWritten(Part::State(1)),
            FlushStage::StateWritten(Part::Last),
            FlushStage::Published,
        ];
        for stage in all {
            assert!(self.stages.contains(&format!("{stage:?}")), "{stage:?} was never met: {:?}", self.stages);
        }
        assert!(self.checked > 50, "only {} snapshots were looked at", self.checked);
    }
}

#[test]
fn snapshots_of_every_stage_stay_exact_and_cost_no_flush() {
    let dir = TempDir::new("stages");
    let store = open_in_parts(dir.path(), &OpenOptions::default(), Engine::Stepped, PART_OPERATIONS).unwrap();
    let held = Arc::new(Mutex::new(Held::default()));
    let (probed, seen, slots) = (Arc::downgrade(&store), Arc::clone(&held), slots(&store));
    let inside = slots.clone();
    store.probe_flushes(Some(Arc::new(move |stage| {
        let store = probed.upgrade().unwrap();
        let before = store.stats();
        seen.lock().stop_at(stage, &store, &inside, &mut Chance::new(1));
        let after = store.stats();
        assert_eq!((before.journal.flushes, before.flush_runs), (after.journal.flushes, after.flush_runs));
        // The next stage follows other commits.
        commit_next(&store, Owner::new(), &inside);
    })));
    for _ in 0..8 {
        for _ in 0..30 {
            commit_next(&store, Owner::new(), &slots);
        }
        store.want(Level::Flushed, store.marks().applied);
        while store.step().unwrap() {}
    }
    store.probe_flushes(None);
    held.lock().assert_complete();
    held.lock().all.clear();
    testing::close_stepped(&store).unwrap();
}

#[test]
fn snapshots_of_every_stage_stay_exact_while_others_write() {
    let dir = TempDir::new("stages-threads");
    let store = open_in_parts(dir.path(), &OpenOptions::default(), Engine::Threads, PART_OPERATIONS).unwrap();
    let (slots, done) = (slots(&store), AtomicBool::new(false));
    let (stage_in, stage_out) = mpsc::sync_channel::<FlushStage>(0);
    let (ack_in, ack_out) = mpsc::sync_channel::<()>(0);
    let ack_out = Mutex::new(ack_out);
    // The flusher stops at each stage until the reader has checked.
    store.probe_flushes(Some(Arc::new(move |stage| {
        if stage_in.send(stage).is_ok() {
            let _ = ack_out.lock().recv();
        }
    })));
    thread::scope(|scope| {
        let (watched, known) = (&store, &slots);
        let reader = scope.spawn(move || {
            let (mut held, mut chance) = (Held::default(), Chance::new(2));
            while let Ok(stage) = stage_out.recv() {
                held.stop_at(stage, watched, known, &mut chance);
                ack_in.send(()).unwrap();
            }
            held.assert_complete();
        });
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let owner = Owner::new();
                    while !done.load(Ordering::Relaxed) {
                        // Never far ahead, so that there are few commits to compare.
                        let marks = store.marks();
                        if marks.applied < marks.flushed + 200 {
                            commit_next(&store, owner, &slots);
                        }
                        thread::yield_now();
                    }
                })
            })
            .collect();
        for _ in 0..8 {
            let enough = store.marks().flushed + 30;
            while store.marks().applied < enough && !reader.is_finished() {
                thread::yield_now();
            }
            store.wait(Level::Flushed, store.marks().applied).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().unwrap();
        }
        // Without the probe its sender is gone, which ends the reader's work.
        store.probe_flushes(None);
        reader.join().unwrap();
    });
    testing::close_threaded(&store).unwrap();
}
