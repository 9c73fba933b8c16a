//! The bytes written per byte of data: to the journal and the event log by their counts, to LMDB by the operating system's
//! count of what the flusher's thread writes (on Linux). One test, so that its process has one such thread.

#![allow(clippy::unwrap_used, clippy::missing_docs_in_private_items, reason = "a test fails by panicking")]

mod support;

use std::{path::PathBuf, sync::Arc};

use ledgerstone_canonical_store::{
    CollectionRef, GateEntry, Level, OpenOptions, Owner, Stats, StoreHandle, open, testing::WriteSet,
};
use support::TempDir;

const PAGE: u64 = 4_096;
const VALUE: [u8; 100] = [7; 100];
const EVENT: [u8; 200] = [9; 200];
/// As docs/FORMATS.md draws it: head, an event's length and bytes, an operation's head, key and value, to a multiple of 8.
const FRAME: u64 = (56 + 4 + 200 + 11 + 16 + 100_u64).next_multiple_of(8);
const BULK: u64 = 100_000;

/// Bytes that the flusher's thread has written according to the operating system; `None` if that is not counted.
fn written_by_flusher() -> Option<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let is_flusher = |task: &PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim_end() == "ledgerstone-flu")
    };
    let flusher = tasks.filter_map(|task| Some(task.ok()?.path())).find(is_flusher)?;
    let counts = std::fs::read_to_string(flusher.join("io")).ok()?;
    counts.lines().find_map(|line| line.strip_prefix("wchar: "))?.parse().ok()
}

struct Rig {
    store: StoreHandle,
    slots: [Arc<CollectionRef>; 1],
}

/// What an operation has written.
#[derive(Debug)]
struct Written {
    journal: u64,
    preparation: u64,
    groups: u64,
    log: u64,
    state: Option<u64>,
}

impl Rig {
    fn commit(&self, number: u64) -> u64 {
        let key = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes();
        let set = WriteSet::default().put(0, &key, &VALUE).event(&EVENT);
        self.store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &self.slots).unwrap().seq
    }

    fn during(&self, work: impl FnOnce()) -> Written {
        let (before, flusher_before) = (self.store.stats(), written_by_flusher());
        work();
        let (after, flusher_after) = (self.store.stats(), written_by_flusher());
        let of = |count: fn(&Stats) -> u64| count(&after) - count(&before);
        let log = of(|stats| stats.event_bytes);
        Written {
            journal: of(|stats| stats.journal.bytes_written),
            preparation: of(|stats| stats.journal.preparation_bytes),
            groups: of(|stats| stats.journal.groups),
            log,
            state: flusher_before.zip(flusher_after).map(|(before, after)| after - before - log),
        }
    }
}

#[test]
fn bytes_written_for_each_byte_of_data() {
    let dir = TempDir::new("written");
    let options =
        OpenOptions { flush_bytes: Some(1 << 30), flush_interval_ms: Some(86_400_000), ..OpenOptions::default() };
    let store = open(dir.path(), &options).unwrap();
    let slots = [store.collection("state", "utf8", "json").unwrap()];
    let rig = Rig { store, slots };
    let durable = |seq| rig.store.wait(Level::Durable, seq).unwrap();
    durable(rig.commit(0));

    // A lone commit is a page, since no page is written twice. The first frame of a file is written with the file's header.
    let lone = rig.during(|| (1..=100).for_each(|n| durable(rig.commit(n))));
    assert_eq!((lone.journal, lone.groups, lone.log), (100 * PAGE, 100, 0));

    // A group is its frames, in whole pages. A commit that no caller waits for within 10 ms is a separate group.
    let grouped = rig.during(|| {
        for turn in 1..=20 {
            durable((0..256).map(|n| rig.commit(turn * 256 + n)).last().unwrap_or_default());
        }
    });
    assert!(grouped.groups <= 30, "20 turns were {} groups", grouped.groups);
    assert!(grouped.journal <= 20 * 256 * FRAME + (grouped.groups + 2) * PAGE, "{grouped:?}");

    // A load that is flushed once, of new keys and again: journal, log and LMDB get each byte about once.
    rig.store.wait(Level::Flushed, rig.store.marks().applied).unwrap();
    let mut tree_bytes = 0;
    for keys in ["new", "known"] {
        let bulk = rig.during(|| {
            let last = (0..BULK).map(|n| rig.commit(10_000 + n)).last().unwrap_or_default();
            durable(last); // so that the flusher finds nothing to do there
            rig.store.wait(Level::Flushed, last).unwrap();
        });
        assert!(bulk.journal <= BULK * FRAME + (bulk.groups + 10) * PAGE, "{keys}: {bulk:?}");
        // Files double until they are 64 MiB, and one is ready before it is needed.
        assert!(bulk.preparation <= bulk.journal + (128 << 20), "{keys}: {bulk:?}");
        // Frames of 19 events, each with a head, and for each event a length and a time; and a page for each frame.
        assert!(bulk.log <= BULK * (200 + 8) + BULK * 8, "{keys}: {bulk:?}");
        // Every page of the tree once: each leaf has keys of the load, and is written when all of them are in it. (A file with
        // all pages written anew is a quarter larger.)
        if keys == "new" {
            tree_bytes = rig.store.stats().state_bytes;
        }
        match bulk.state {
            Some(state) => assert!(state <= tree_bytes + tree_bytes / 20, "{keys}: {bulk:?}, a tree of {tree_bytes}"),
            None => eprintln!("skipped: nobody counts what a thread writes here"),
        }
    }
    rig.store.close().unwrap();
}
