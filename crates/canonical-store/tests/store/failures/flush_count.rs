//! A commit costs one flush, and so do all commits that are awaited together.

use ledgerstone_canonical_store::{GateEntry, Level, OpenOptions, Owner, open, testing::WriteSet};

use crate::support::TempDir;

/// No flush of the state comes in between.
fn options() -> OpenOptions {
    OpenOptions { flush_interval_ms: Some(86_400_000), ..OpenOptions::default() }
}

#[test]
fn durable_commits_one_after_another_cost_one_flush_each() {
    let dir = TempDir::new("sequential");
    let store = open(dir.path(), &options()).unwrap();
    let slots = [store.collection("state", "utf8", "json").unwrap()];
    for number in 1..=40_u64 {
        let set = WriteSet::default().put(0, b"key", &number.to_le_bytes()).event(b"event");
        let seq = store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &slots).unwrap().seq;
        store.wait(Level::Durable, seq).unwrap();
        store.wait(Level::Durable, seq).unwrap();
        assert_eq!(store.stats().journal.flushes, number);
    }
    assert_eq!(store.stats().flush_runs, 0);
    store.close().unwrap();
}

#[test]
fn commits_that_wait_together_cost_one_flush() {
    let dir = TempDir::new("together");
    let store = open(dir.path(), &options()).unwrap();
    let flushes = || store.stats().journal.flushes;
    let turns: Vec<_> = (0..16)
        .map(|_| {
            let before = flushes();
            let mut last = 0;
            for _ in 0..256 {
                let set = WriteSet::default().event(b"event");
                last = store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &[]).unwrap().seq;
            }
            store.wait(Level::Durable, last).unwrap();
            flushes() - before
        })
        .collect();
    assert!(turns.iter().all(|flushes| *flushes == 1), "{turns:?}");
    // The flush of the state finds the journal durable already: it does not flush it.
    let before = flushes();
    store.wait(Level::Flushed, store.marks().applied).unwrap();
    assert_eq!(flushes(), before);
    store.close().unwrap();
}
