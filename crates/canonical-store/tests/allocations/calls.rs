//! What commits and reads allocate on the native heap, counted on the calling thread: the engine's threads allocate per group
//! or flush. Each bound names what it pays for, and one more allocation fails the test.

use std::{
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use crate::support::TempDir;
use allocation_counter::{AllocationInfo, measure};
use ledgerstone_canonical_store::{
    CollectionRef, Direction, Fill, GateEntry, KeyBatch, KeyBounds, Level, OpenOptions, Owner, StoreHandle, open,
    testing::WriteSet,
};

const ROUNDS: u64 = 2_000;
const VALUE: [u8; 100] = [7; 100];
const EVENT: [u8; 200] = [9; 200];

struct Rig {
    store: StoreHandle,
    slots: Vec<Arc<CollectionRef>>,
    owner: Owner,
    _dir: TempDir,
}

impl Rig {
    fn new() -> Self {
        let dir = TempDir::new("allocations");
        let options = OpenOptions { flush_interval_ms: Some(86_400_000), ..OpenOptions::default() };
        let store = open(dir.path(), &options).unwrap();
        let slots = vec![store.collection("state", "utf8", "json").unwrap()];
        let rig = Self { store, slots, owner: Owner::new(), _dir: dir };
        rig.commit_all(&put_and_event(0..16)); // the names of the codecs, the first of everything
        rig
    }

    fn commit(&self, set: &WriteSet) {
        self.store.commit(self.owner, GateEntry::Blind, set.bytes(), &self.slots).unwrap();
    }

    fn commit_all(&self, sets: &[WriteSet]) {
        for set in sets {
            self.commit(set);
        }
    }

    /// Flushes to LMDB and the event log.
    fn flush(&self) {
        self.store.wait(Level::Flushed, self.store.marks().applied).unwrap();
    }
}

/// Far apart, like random keys.
fn key(number: u64) -> [u8; 16] {
    u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes()
}

/// The transaction of the benchmarks.
fn put_and_event(numbers: std::ops::Range<u64>) -> Vec<WriteSet> {
    numbers.map(|number| WriteSet::default().put(0, &key(number), &VALUE).event(&EVENT)).collect()
}

/// The median number of allocations per commit, and the mean in hundredths, which shows occasional growth.
fn cost_of(rig: &Rig, sets: &[WriteSet]) -> (u64, u64) {
    let mut counts: Vec<_> = sets.iter().map(|set| measure(|| rig.commit(set)).count_total).collect();
    counts.sort_unstable();
    let sum: u64 = counts.iter().sum();
    (counts[counts.len() / 2], sum * 100 / counts.len() as u64)
}

#[test]
fn a_commit_allocates_nothing() {
    let rig = Rig::new();
    let puts = |keys: u64| -> Vec<WriteSet> {
        (0..ROUNDS).map(|n| WriteSet::default().put(0, &key(n % keys), &VALUE)).collect()
    };
    let events: Vec<_> = (0..ROUNDS).map(|_| WriteSet::default().event(&EVENT)).collect();
    // A piece of memory for the frames of a hundred commits or more, and the growth of the delta's index.
    for (what, sets) in [
        ("new keys", puts(u64::MAX)),
        ("the same key", puts(1)),
        ("events", events),
        ("both", put_and_event(10_000..10_000 + ROUNDS)),
    ] {
        let (median, mean) = cost_of(&rig, &sets);
        assert!(median == 0 && mean <= 5, "{what}: {median}, {mean} hundredths");
    }
}

#[test]
fn a_commit_of_many_records_allocates_no_more_for_each() {
    let rig = Rig::new();
    let mut set = WriteSet::default();
    for n in 0..1_000 {
        set = set.put(0, &key(n), &VALUE).event(&EVENT);
    }
    let info = measure(|| rig.commit(&set));
    // Nodes of the index, one for six to eleven keys, and a few for the commit.
    assert!(info.count_total <= 1_000 / 6 + 16, "{info:?}");
    // The frame, and about 80 bytes for each entry, some of them twice as the log grows, and 4 for each event's end.
    let payload = 1_000 * (16 + 100 + 200 + 4 + 11);
    assert!(info.bytes_total <= payload + 1_000 * 136, "{info:?}");
}

#[test]
fn a_read_of_a_key_allocates_nothing() {
    let rig = Rig::new();
    rig.commit_all(&put_and_event(1_000..1_000 + ROUNDS));
    let cache = rig.store.new_read_cache();
    let get = |number: u64| rig.store.get(&cache, &rig.slots[0], &key(number), <[u8]>::len).unwrap();
    let mut batch = KeyBatch::default();
    let mut get_together = |from: u64| {
        batch.clear();
        (0..KeyBatch::KEYS as u64).for_each(|n| batch.push(&key(from + n)));
        let mut found = 0;
        let mut show = |value: Option<&[u8]>| {
            found += usize::from(value.is_some());
            ControlFlow::Continue(())
        };
        rig.store.get_many(&cache, &rig.slots[0], &mut batch, &mut show).unwrap();
        found
    };
    get_together(0); // the batch's own memory
    for flushed in [false, true] {
        if flushed {
            rig.flush();
        }
        get(0); // the view
        get(5_000_000); // the checkpoint's transaction
        let info = measure(|| {
            for number in 1_000..1_000 + ROUNDS {
                assert_eq!(get(number), Some(VALUE.len()));
                assert_eq!(get(number + 1_000_000), None);
                assert!(rig.store.has(&cache, &rig.slots[0], &key(number)).unwrap());
            }
            for batch in 0..ROUNDS / KeyBatch::KEYS as u64 {
                assert_eq!(get_together(1_000 + batch * KeyBatch::KEYS as u64), KeyBatch::KEYS);
            }
        });
        assert_eq!(info, AllocationInfo::default(), "flushed: {flushed}");
    }
}

#[test]
fn a_range_allocates_for_itself_and_not_for_its_entries() {
    let rig = Rig::new();
    rig.commit_all(&put_and_event(1_000..1_000 + ROUNDS));
    for flushed in [false, true] {
        if flushed {
            rig.flush();
        }
        let bounds = KeyBounds { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse: false, limit: None };
        // The first scan sorts the delta.
        let first = KeyBounds { limit: Some(1), ..bounds.clone() };
        assert_eq!(rig.store.range(&rig.slots[0], first).unwrap().count().unwrap(), 1);
        let mut seen = 0;
        let info = measure(|| {
            let mut cursor = rig.store.range(&rig.slots[0], bounds).unwrap();
            let mut take = |_: &[u8], _: &[u8]| {
                seen += 1;
                Fill::Taken
            };
            while !cursor.fill(&mut take).unwrap() {}
        });
        assert_eq!(seen, ROUNDS + 16);
        // A delta is read in chunks of keys that are held; LMDB in place.
        let most = if flushed { 16 } else { 16 + ROUNDS / 64 };
        assert!(info.count_total <= most, "flushed: {flushed}, {info:?}");
    }
}

#[test]
fn events_are_read_through_one_buffer() {
    let rig = Rig::new();
    rig.commit_all(&put_and_event(1_000..1_000 + ROUNDS));
    let next = rig.store.next_event_id();
    for flushed in [false, true] {
        if flushed {
            rig.flush();
        }
        let mut seen = 0;
        let mut read = |from: u64, to: u64| {
            let mut visit = |_: u64, _: u64, _: &[u8]| {
                seen += 1;
                ControlFlow::Continue(())
            };
            rig.store.read_events(from, to, Direction::Forward, &mut visit).unwrap();
        };
        read(1, next); // handles and indexes
        let pass = measure(|| read(1, next));
        // The buffer, which doubles, or the list of the frames in memory.
        assert!(pass.count_total <= 6, "flushed: {flushed}, {pass:?}");
        let single = measure(|| (1..next).for_each(|id| read(id, id + 1)));
        // A buffer of one frame, or a list of one.
        let events = next - 1;
        assert!(single.count_total <= events, "flushed: {flushed}, {single:?}");
        assert!(single.bytes_total <= events * if flushed { 64 * 1024 } else { 72 }, "flushed: {flushed}, {single:?}");
        assert_eq!(seen, events * 3);
    }
}
