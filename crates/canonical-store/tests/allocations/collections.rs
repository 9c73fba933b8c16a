//! Collections that are made and dropped again, for example one per job: nothing is left of them, and the cost of a change or a
//! flush depends on what changed, not on the number of collections. Counted in allocated bytes.

use std::{path::Path, sync::Arc};

use crate::support::TempDir;
use allocation_counter::measure;
use ledgerstone_canonical_store::{
    GateEntry, Level, OpenOptions, Owner, Store,
    testing::{WriteSet, close_stepped, known_collections, open_stepped},
};

fn open(dir: &Path) -> Arc<Store> {
    open_stepped(dir, &OpenOptions::default()).unwrap()
}

fn commit(store: &Store, name: &str, set: &WriteSet) {
    let slots = [store.collection(name, "utf8", "json").unwrap()];
    store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &slots).unwrap();
}

fn put(store: &Store, name: &str) {
    commit(store, name, &WriteSet::default().put(0, b"key", b"value"));
}

fn drop_collection(store: &Store, name: &str) {
    commit(store, name, &WriteSet::default().drop_collection(0));
}

/// Until nothing is left to do.
fn flush(store: &Store) {
    store.want(Level::Flushed, store.marks().applied);
    while store.step().unwrap() {}
}

/// Bug: each collection that was ever dropped stayed in memory, and each later one cost more. Mechanism: each change copied the
/// catalogue, which never forgot. Fix: it is changed in place, and forgets what no reader can reach.
#[test]
fn nothing_is_left_of_dropped_collections() {
    let dir = TempDir::new("collections");
    let store = open(dir.path());
    for number in 0..1_000 {
        let name = format!("job {number}");
        put(&store, &name);
        if number % 100 == 0 {
            flush(&store);
        }
        drop_collection(&store, &name);
        if number % 50 == 0 {
            flush(&store);
        }
    }
    flush(&store);
    // The last cleared ones are forgotten in the next round of work.
    put(&store, "state");
    flush(&store);
    assert_eq!(known_collections(&store), 1);
    assert_eq!(store.collections().unwrap(), ["state"]);
    close_stepped(&store).unwrap();
    drop(store);
    let again = open(dir.path());
    assert_eq!(known_collections(&again), 1);
    close_stepped(&again).unwrap();
}

#[test]
fn whoever_reads_at_a_time_when_a_collection_lived_finds_it() {
    let dir = TempDir::new("collections-held");
    let store = open(dir.path());
    put(&store, "job");
    flush(&store);
    let snapshot = store.snapshot().unwrap();
    drop_collection(&store, "job");
    flush(&store);
    put(&store, "state");
    flush(&store);
    let job = store.collection("job", "utf8", "json").unwrap();
    assert_eq!(snapshot.get(&job, b"key", <[u8]>::to_vec).unwrap().as_deref(), Some(b"value".as_slice()));
    assert_eq!(store.get(&store.new_read_cache(), &job, b"key", <[u8]>::to_vec).unwrap(), None);
    assert_eq!(known_collections(&store), 2);
    snapshot.release();
    put(&store, "state");
    flush(&store);
    assert_eq!(known_collections(&store), 1);
    close_stepped(&store).unwrap();
}

/// Bug: a flush examined every collection, and making one copied them all. Mechanism: the stored state was compared with the
/// whole catalogue. Fix: a flush takes the changes since the last one.
#[test]
fn a_flush_and_a_change_cost_the_same_beside_three_thousand_unchanged_collections() {
    let costs = [10u32, 3_000].map(|count| {
        let dir = TempDir::new("collections-many");
        let store = open(dir.path());
        for number in 0..count {
            put(&store, &format!("collection {number}"));
        }
        flush(&store);
        let flushed = (0..5).map(|_| {
            put(&store, "state");
            measure(|| flush(&store)).bytes_total
        });
        let flushed = flushed.min().unwrap();
        let made = (0..5).map(|number| measure(|| put(&store, &format!("another {number}"))).bytes_total);
        let made = made.min().unwrap();
        close_stepped(&store).unwrap();
        (flushed, made)
    });
    let [few, many] = costs;
    assert!(many.0 < few.0 + few.0 / 4 + 8_192 && many.1 < few.1 * 2 + 4_096, "{costs:?}");
}
