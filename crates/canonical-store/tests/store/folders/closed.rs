//! What a closed store leaves of its journal, on a real disk.
//!
//! Bug: a store that had once been busy kept up to 192 MiB of journal for ever. Mechanism: closing left files and spares. Fix:
//! it keeps only the place after the last frame.

use std::{fs, path::Path};

use ledgerstone_canonical_store::{GateEntry, Level, OpenOptions, Owner, StoreHandle, open, testing::WriteSet};

use crate::{folders::tree::commit, support::TempDir};

fn journal_bytes(root: &Path) -> u64 {
    fs::read_dir(root.join("journal")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

fn options() -> OpenOptions {
    OpenOptions { create: true, event_codec: "json".into(), ..OpenOptions::default() }
}

/// This many commits of 256 KiB.
fn write(store: &StoreHandle, commits: u64) {
    let state = [store.collection("state", "utf8", "json").unwrap()];
    let value = vec![7; 256 << 10];
    let mut last = 0;
    for _ in 0..commits {
        let set = WriteSet::default().put(0, b"large", &value);
        store.wait(Level::Room, 0).unwrap();
        last = store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &state).unwrap().seq;
        store.wait(Level::Written, last).unwrap();
    }
    store.wait(Level::Durable, last).unwrap();
}

#[test]
fn after_a_clean_close_the_journal_takes_a_mebibyte_at_most() {
    let dir = TempDir::new("closed");
    let root = dir.path();
    let store = open(root, &options()).unwrap();
    // Files double up to 64 MiB.
    write(&store, 300);
    assert!(journal_bytes(root) > 64 << 20, "{}", journal_bytes(root));
    store.close().unwrap();
    assert!(journal_bytes(root) <= 1 << 20, "{}", journal_bytes(root));
    for session in 0..3 {
        let store = open(root, &options()).unwrap();
        let state = store.collection("state", "utf8", "json").unwrap();
        let cache = store.new_read_cache();
        assert_eq!(store.get(&cache, &state, b"large", <[u8]>::len).unwrap(), Some(256 << 10));
        if session > 0 {
            commit(&store, "small").unwrap();
        }
        store.close().unwrap();
        assert!(journal_bytes(root) <= 1 << 20, "{session}: {}", journal_bytes(root));
    }
}
