//! Files that LMDB writes are found sound.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use ledgerstone_canonical_store::{
    GateEntry, Level, OpenOptions, Owner,
    testing::{Engine, WriteSet, close_threaded, open_in_parts, verify_checkpoint, verify_state_file},
};
use ledgerstone_vfs::OsVfs;

use crate::{
    page_walk::history::{History, Random},
    support::TempDir,
};

const SEEDS: u64 = 6;
const ROUNDS: u64 = 30;

#[test]
fn a_store_with_any_history_is_found_sound_open_and_closed() {
    let mut pages = 0;
    for seed in 0..SEEDS {
        let dir = TempDir::new("sound");
        let mut history = History::open(dir.path(), seed);
        let mut snapshots = Vec::new();
        for round in 0..ROUNDS {
            history.change(2_500);
            history.flush();
            let report = verify_checkpoint(&history.store).unwrap();
            assert!(report.is_ok(), "seed {seed} round {round}: {:?}", report.problems);
            let entries: usize = history.expected.iter().map(std::collections::BTreeMap::len).sum();
            assert!(report.checked.entries > entries as u64, "seed {seed} round {round}: {:?}", report.checked);
            pages += report.checked.bytes / 4_096;
            // Held old states keep their pages from being reused.
            if round % 3 == 0 {
                snapshots.push(history.store.snapshot().unwrap());
            } else if round % 7 == 0 {
                snapshots.clear();
            }
        }
        drop(snapshots);
        let (random, expected) = history.close();
        let report = verify_state_file(&OsVfs, &dir.path().join("state/data.mdb")).unwrap();
        assert!(report.is_ok(), "seed {seed}: {:?}", report.problems);
        let history = History::reopen(dir.path(), random, expected);
        assert_eq!(history.read().unwrap(), history.expected);
    }
    assert!(pages > 2_000, "{pages}");
}

/// The last page according to the newer meta page, and the number of pages in the file.
fn last_page_and_length(path: &Path) -> (u64, u64) {
    let bytes = std::fs::read(path).unwrap();
    let word = |offset: usize| u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap());
    let meta = |page: usize| (word(page * 4_096 + 144), word(page * 4_096 + 136));
    let (_, last_page) = meta(0).max(meta(1));
    (last_page, bytes.len() as u64 / 4_096)
}

/// Bug: a sound store was refused with `ERR_CORRUPT` after a flush that deleted much.
/// Mechanism: a transaction may take pages at the file's end and free them unused; LMDB counts them and never writes them, and
/// the check before opening required every counted page in the file.
/// Fix: the file may be shorter by pages in the list of free pages.
#[test]
fn a_file_that_lacks_free_pages_at_its_end_is_sound() {
    let dir = TempDir::new("unwritten");
    let path = dir.path().join("state/data.mdb");
    let mut history = History::open(dir.path(), 0);
    let lacks_pages = (0..60).any(|_| {
        history.change(600);
        history.flush();
        let (last_page, pages) = last_page_and_length(&path);
        last_page >= pages
    });
    assert!(lacks_pages, "the history does not show what it should");
    assert!(verify_checkpoint(&history.store).unwrap().is_ok());
    let (random, expected) = history.close();
    let history = History::reopen(dir.path(), random, expected);
    assert_eq!(history.read().unwrap(), history.expected);
}

#[test]
fn a_store_is_found_sound_while_it_is_written() {
    let dir = TempDir::new("live");
    let options = OpenOptions { flush_interval_ms: Some(1), ..OpenOptions::default() };
    let store = open_in_parts(dir.path(), &options, Engine::Threads, 50).unwrap();
    let slots = [store.collection("state", "utf8", "json").unwrap()];
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random(1);
            while !done.load(Ordering::Acquire) {
                let mut set = WriteSet::default();
                for _ in 0..200 {
                    let key = random.below(5_000).to_be_bytes();
                    let value = vec![7; random.index(3_000)];
                    set = if random.below(3) == 0 { set.delete(0, &key) } else { set.put(0, &key, &value) };
                }
                let commit = store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &slots);
                store.wait(Level::Flushed, commit.unwrap().seq).unwrap();
            }
        });
        let first = store.marks().flushed;
        let mut verified = 0;
        while verified < 50 || store.marks().flushed < first + 20 {
            let report = verify_checkpoint(&store).unwrap();
            if !report.is_ok() {
                done.store(true, Ordering::Release);
                panic!("{:?}", report.problems);
            }
            verified += 1;
        }
        done.store(true, Ordering::Release);
    });
    close_threaded(&store).unwrap();
    assert!(verify_checkpoint(&store).is_err(), "it is closed");
}
