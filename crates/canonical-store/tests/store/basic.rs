//! The store's behaviour through its public interface, on the real disk with LMDB.

use std::{
    ops::{Bound, ControlFlow},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::support::TempDir;
use ledgerstone_canonical_store::{
    Direction, Fill, GateEntry, KeyBatch, KeyBounds, Level, Listener, OpenOptions, Owner, ShowValue, Stall,
    StoreHandle, WrittenGroup, open, testing::WriteSet,
};
use parking_lot::Mutex;

fn all(reverse: bool) -> KeyBounds {
    KeyBounds { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse, limit: None }
}

fn read_range(store: &StoreHandle, name: &str, bounds: KeyBounds) -> Vec<(Vec<u8>, Vec<u8>)> {
    let collection = store.collection(name, "utf8", "json").unwrap();
    let mut cursor = store.range(&collection, bounds).unwrap();
    let mut entries = Vec::new();
    while !cursor
        .fill(&mut |key, value| {
            entries.push((key.to_vec(), value.to_vec()));
            Fill::Taken
        })
        .unwrap()
    {}
    entries
}

fn read_events(store: &StoreHandle, direction: Direction) -> Vec<(u64, Vec<u8>)> {
    let mut events = Vec::new();
    store
        .read_events(0, u64::MAX, direction, &mut |id, _, bytes| {
            events.push((id, bytes.to_vec()));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    events
}

#[test]
fn a_commit_is_seen_at_once_and_after_flushing_and_after_reopening() {
    let dir = TempDir::new("basic");
    let owner = Owner::new();
    let expected_events = vec![(1, b"one".to_vec()), (2, b"two".to_vec())];
    let expected_state = vec![(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), Vec::new())];
    {
        let store = open(dir.path(), &OpenOptions::default()).unwrap();
        let state = store.collection("state", "utf8", "json").unwrap();
        let other = store.collection("other", "utf8", "json").unwrap();
        let slots = [Arc::clone(&state), Arc::clone(&other)];
        let set =
            WriteSet::default().put(0, b"a", b"1").event(b"one").put(0, b"b", b"").event(b"two").put(1, b"x", b"y");
        let info = store.commit(owner, GateEntry::Blind, set.bytes(), &slots).unwrap();
        assert_eq!((info.seq, info.first_event_id, info.events_written, info.keys_written), (1, Some(1), 2, 3));
        for _ in 0..2 {
            assert_eq!(read_range(&store, "state", all(false)), expected_state);
            assert_eq!(read_range(&store, "other", all(false)), vec![(b"x".to_vec(), b"y".to_vec())]);
            assert_eq!(read_events(&store, Direction::Forward), expected_events);
            let mut reversed = read_events(&store, Direction::Backward);
            reversed.reverse();
            assert_eq!(reversed, expected_events);
            store.wait(Level::Flushed, 1).unwrap();
        }
        assert_eq!(store.collections().unwrap(), ["other", "state"]);
        store.close().unwrap();
    }
    let store = open(dir.path(), &OpenOptions { create: false, ..OpenOptions::default() }).unwrap();
    assert_eq!(read_range(&store, "state", all(false)), expected_state);
    assert_eq!(read_events(&store, Direction::Forward), expected_events);
    assert_eq!(store.stats().recovery.frames, 0);
    assert_eq!(store.next_event_id(), 3);
}

#[test]
fn the_gate_is_taken_once_and_given_back_by_commit_or_abort() {
    let dir = TempDir::new("gate");
    let store = open(dir.path(), &OpenOptions::default()).unwrap();
    let owner = Owner::new();
    assert_eq!(store.begin(owner, Stall::No).unwrap(), 1);
    assert_eq!(store.begin(owner, Stall::No).unwrap_err().code(), "ERR_TRANSACTION_OPEN");
    assert_eq!(store.commit(owner, GateEntry::Blind, &[], &[]).unwrap_err().code(), "ERR_TRANSACTION_OPEN");
    store.abort(owner);
    assert_eq!(store.commit(owner, GateEntry::Held, &[], &[]).unwrap_err().code(), "ERR_TRANSACTION_FINISHED");
    store.begin(owner, Stall::No).unwrap();
    let set = WriteSet::default().event(b"x");
    assert_eq!(store.commit(owner, GateEntry::Held, set.bytes(), &[]).unwrap().seq, 1);
    let empty = store.commit(owner, GateEntry::Blind, &[], &[]).unwrap();
    assert_eq!((empty.seq, empty.first_event_id), (1, None));
}

#[test]
fn a_dropped_collection_is_gone_at_once_but_not_from_an_older_snapshot() {
    let dir = TempDir::new("drop");
    let store = open(dir.path(), &OpenOptions::default()).unwrap();
    let owner = Owner::new();
    let slots = [store.collection("old", "utf8", "json").unwrap()];
    for flushed in [false, true] {
        let put = WriteSet::default().put(0, b"k", b"v");
        let seq = store.commit(owner, GateEntry::Blind, put.bytes(), &slots).unwrap().seq;
        if flushed {
            store.wait(Level::Flushed, seq).unwrap();
        }
        let snapshot = store.snapshot().unwrap();
        let cache = store.new_read_cache();
        let dropped = WriteSet::default().drop_collection(0);
        let seq = store.commit(owner, GateEntry::Blind, dropped.bytes(), &slots).unwrap().seq;
        for _ in 0..2 {
            assert_eq!(store.get(&cache, &slots[0], b"k", <[u8]>::to_vec).unwrap(), None);
            assert_eq!(snapshot.get(&slots[0], b"k", <[u8]>::to_vec).unwrap(), Some(b"v".to_vec()));
            store.wait(Level::Flushed, seq).unwrap();
        }
        let again = store.commit(owner, GateEntry::Blind, dropped.bytes(), &slots).unwrap_err();
        assert_eq!(again.code(), "ERR_NOT_FOUND");
    }
    assert_eq!(store.collections().unwrap(), ["state"]);
}

#[test]
fn a_snapshot_knows_the_collections_of_its_time_whatever_is_read_meanwhile() {
    let dir = TempDir::new("collections-of-its-time");
    let store = open(dir.path(), &OpenOptions::default()).unwrap();
    let owner = Owner::new();
    let slots = [store.collection("some", "utf8", "json").unwrap()];
    let cache = store.new_read_cache();
    let commit = |set: &WriteSet| store.commit(owner, GateEntry::Blind, set.bytes(), &slots).unwrap();
    let put = |value: &[u8]| commit(&WriteSet::default().put(0, b"k", value));
    let mut snapshots = vec![(store.snapshot().unwrap(), None)];
    for round in 0..3 {
        for value in [b"first", b"again"] {
            put(value);
            snapshots.push((store.snapshot().unwrap(), Some(value)));
        }
        commit(&WriteSet::default().drop_collection(0));
        snapshots.push((store.snapshot().unwrap(), None));
        // Each finds its own version, whether it is the newest or not, in any order of reading.
        for newest_first in [false, true] {
            for n in 0..snapshots.len() {
                let (snapshot, value) = &snapshots[if newest_first { snapshots.len() - 1 - n } else { n }];
                let found = snapshot.get(&slots[0], b"k", <[u8]>::to_vec).unwrap();
                assert_eq!(found.as_deref(), value.map(<[u8; 5]>::as_slice), "round {round}");
                assert_eq!(store.get(&cache, &slots[0], b"k", <[u8]>::to_vec).unwrap(), None);
            }
        }
    }
}

#[test]
fn keys_that_are_read_together_have_the_values_that_each_has() {
    let dir = TempDir::new("together");
    let owner = Owner::new();
    let store = open(dir.path(), &OpenOptions::default()).unwrap();
    let slots = [store.collection("state", "utf8", "json").unwrap()];
    let key = |n: u32| n.wrapping_mul(0x9e37_79b1).to_be_bytes();
    let put_all = |value: &[u8], numbers: &mut dyn Iterator<Item = u32>| {
        let set = numbers.fold(WriteSet::default(), |set, n| set.put(0, &key(n), &[value, &n.to_be_bytes()].concat()));
        store.commit(owner, GateEntry::Blind, set.bytes(), &slots).unwrap().seq
    };
    // Of each three keys one is in the checkpoint only, one is replaced or deleted in the delta, one is new there.
    let seq = put_all(b"old", &mut (0..3_000).filter(|n| n % 3 < 2));
    store.wait(Level::Flushed, seq).unwrap();
    let before = store.snapshot().unwrap();
    put_all(b"new", &mut (0..3_000).filter(|n| n % 3 > 0 && n % 5 > 0));
    let deleted = (0..3_000).filter(|n| n % 15 == 10).fold(WriteSet::default(), |set, n| set.delete(0, &key(n)));
    store.commit(owner, GateEntry::Blind, deleted.bytes(), &slots).unwrap();
    let after = store.snapshot().unwrap();
    let cache = store.new_read_cache();
    let nowhere = store.collection("nowhere", "utf8", "json").unwrap();

    let mut batch = KeyBatch::default();
    let mut together = |keys: &[Vec<u8>], read: &dyn Fn(&mut KeyBatch, &mut ShowValue<'_>)| {
        let mut values = Vec::new();
        for keys in keys.chunks(KeyBatch::KEYS - 1) {
            batch.clear();
            for key in keys {
                batch.push(key);
            }
            read(&mut batch, &mut |value| {
                values.push(value.map(<[u8]>::to_vec));
                ControlFlow::Continue(())
            });
        }
        values
    };
    let mut keys: Vec<_> = (0..3_100).map(|n| key(n).to_vec()).collect();
    keys.extend([vec![], vec![7; 5_000], b"k".to_vec()]);
    let get = |key: &Vec<u8>| store.get(&cache, &slots[0], key, <[u8]>::to_vec).unwrap();
    let many = together(&keys, &|keys, show| store.get_many(&cache, &slots[0], keys, show).unwrap());
    assert_eq!(many, keys.iter().map(get).collect::<Vec<_>>());
    assert_eq!(many.iter().flatten().count(), 2_600);
    for snapshot in [&before, &after] {
        let get = |key: &Vec<u8>| snapshot.get(&slots[0], key, <[u8]>::to_vec).unwrap();
        let many = together(&keys, &|keys, show| snapshot.get_many(&slots[0], keys, show).unwrap());
        assert_eq!(many, keys.iter().map(get).collect::<Vec<_>>());
    }
    let many = together(&keys, &|keys, show| store.get_many(&cache, &nowhere, keys, show).unwrap());
    assert_eq!(many, vec![None; keys.len()]);

    // It ends when the visitor has enough.
    let mut shown = 0;
    batch.clear();
    keys.iter().take(KeyBatch::KEYS).for_each(|key| batch.push(key));
    assert!(batch.is_full());
    let mut show = |_: Option<&[u8]>| {
        shown += 1;
        if shown < 5 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    store.get_many(&cache, &slots[0], &mut batch, &mut show).unwrap();
    assert_eq!(shown, 5);
}

#[test]
fn a_second_handle_is_the_same_store_and_the_last_one_closes_it() {
    let dir = TempDir::new("handles");
    let first = open(dir.path(), &OpenOptions::default()).unwrap();
    let second = open(dir.path(), &OpenOptions::default()).unwrap();
    assert_eq!(first.key(), second.key());
    first.close().unwrap();
    let set = WriteSet::default().event(b"x");
    assert_eq!(second.commit(Owner::new(), GateEntry::Blind, set.bytes(), &[]).unwrap().seq, 1);
    second.close().unwrap();
    let clash = OpenOptions { event_codec: "binary".into(), ..OpenOptions::default() };
    assert_eq!(open(dir.path(), &clash).unwrap_err().code(), "ERR_CODEC_MISMATCH");
    let third = open(dir.path(), &OpenOptions::default()).unwrap();
    assert_eq!(third.next_event_id(), 2);
}

/// Counts the commits of which it is notified, and may block the notifying thread.
#[derive(Default)]
struct Heard {
    commits: AtomicU64,
    reached: AtomicBool,
    held: Mutex<()>,
}

impl Listener for Heard {
    fn advanced(&self) {}

    fn wrote(&self, group: &WrittenGroup) {
        self.reached.store(true, Ordering::Release);
        let _held = self.held.lock();
        self.commits.fetch_add(group.commits, Ordering::Relaxed);
    }
}

// Bug: a thread that listened to commits and closed its store missed some that were already durable. Mechanism: the marks move
// before listeners are notified, and only the closing of the last handle waited for the notifications. Fix: every closing does.
#[test]
fn whoever_closes_has_been_told_of_all_that_was_durable() {
    let dir = TempDir::new("told");
    let store = open(dir.path(), &OpenOptions::default()).unwrap();
    let other = open(dir.path(), &OpenOptions::default()).unwrap();
    let (slow, listener) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
    store.add_listener(Arc::clone(&slow) as Arc<dyn Listener>);
    other.add_listener(Arc::clone(&listener) as Arc<dyn Listener>);
    other.begin_observing();
    let held = slow.held.lock();
    let owner = Owner::new();
    let set = WriteSet::default().event(b"one");
    let committed = store.commit(owner, GateEntry::Blind, set.bytes(), &[]).unwrap();
    store.want(Level::Durable, committed.seq);
    while !slow.reached.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    assert!(store.marks().durable >= committed.seq, "everybody can see it");
    let closing = std::thread::spawn(move || {
        other.close().unwrap();
        listener.commits.load(Ordering::Relaxed)
    });
    std::thread::sleep(Duration::from_millis(20)); // gives a closing that does not wait the time to show it
    drop(held);
    assert_eq!(closing.join().unwrap(), 1);
    store.close().unwrap();
}

#[test]
fn a_store_that_is_not_there_is_not_made_unless_asked_for() {
    let dir = TempDir::new("missing");
    let path = dir.path().join("nothing");
    let options = OpenOptions { create: false, ..OpenOptions::default() };
    assert_eq!(open(&path, &options).unwrap_err().code(), "ERR_NOT_FOUND");
    assert!(!path.exists());
}

/// Bug: with the first event segment missing a store opened, and reported the first event of the second segment as its oldest.
/// Mechanism: recovery compared the log's end with the meta record, and accepted its beginning as it was found.
/// Fix: the log begins no later than the meta record says.
#[test]
fn a_store_whose_oldest_events_are_gone_is_damaged() {
    let dir = TempDir::new("first-segment");
    let options = OpenOptions { segment_bytes: Some(64 * 1024), ..OpenOptions::default() };
    let event = vec![b'e'; 40_000];
    {
        let store = open(dir.path(), &options).unwrap();
        let owner = Owner::new();
        for _ in 0..4 {
            let info = store.commit(owner, GateEntry::Blind, WriteSet::default().event(&event).bytes(), &[]).unwrap();
            store.wait(Level::Flushed, info.seq).unwrap();
        }
        store.close().unwrap();
    }
    let mut segments: Vec<_> =
        std::fs::read_dir(dir.path().join("events")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    assert!(segments.len() > 1);
    std::fs::remove_file(&segments[0]).unwrap();
    assert_eq!(open(dir.path(), &options).unwrap_err().code(), "ERR_CORRUPT");
}
