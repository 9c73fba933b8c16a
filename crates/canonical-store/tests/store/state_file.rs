//! LMDB's file, damaged where LMDB itself notices nothing.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use crate::copies::copy;
use crate::support::TempDir;
use ledgerstone_canonical_store::{
    Direction, Error, GateEntry, Level, OpenOptions, Owner, StoreHandle, open, testing::WriteSet,
};

const COMMITS: u64 = 24;

fn commit(store: &StoreHandle, n: u64) {
    let state = store.collection("state", "utf8", "json").unwrap();
    let value = format!("value {n}").repeat(20);
    let set = WriteSet::default()
        .put(0, format!("key {}", n % 17).as_bytes(), value.as_bytes())
        .delete(0, format!("key {}", (n + 5) % 17).as_bytes())
        .event(value.as_bytes());
    let info = store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &[Arc::clone(&state)]).unwrap();
    assert_eq!(info.seq, n);
    if n.is_multiple_of(6) {
        store.wait(Level::Flushed, n).unwrap();
    }
}

/// Opens, reads, commits once more, flushes, opens again: the first error, or the final data.
fn use_store(path: &Path, commits: u64) -> Result<(), Error> {
    let store = open(path, &OpenOptions::default())?;
    check(&store, commits)?;
    commit(&store, commits + 1);
    store.close()?;
    let store = open(path, &OpenOptions::default())?;
    check(&store, commits + 1)?;
    store.close()
}

fn check(store: &StoreHandle, commits: u64) -> Result<(), Error> {
    let state = store.collection("state", "utf8", "json")?;
    let cache = store.new_read_cache();
    let mut expected = std::collections::BTreeMap::new();
    for n in 1..=commits {
        expected.insert(n % 17, format!("value {n}").repeat(20));
        expected.remove(&((n + 5) % 17));
    }
    for n in 0..17 {
        let found = store.get(&cache, &state, format!("key {n}").as_bytes(), <[u8]>::to_vec)?;
        assert_eq!(found, expected.get(&n).map(|value| value.clone().into_bytes()), "key {n}");
    }
    let mut events = 0;
    store.read_events(0, u64::MAX, Direction::Forward, &mut |id, _, bytes| {
        assert_eq!(bytes, format!("value {id}").repeat(20).as_bytes());
        events += 1;
        ControlFlow::Continue(())
    })?;
    assert_eq!(events, commits);
    Ok(())
}

/// Bug: a flipped bit in a meta page aborted the process, opened an empty store, or was found only by the next flush, which
/// might also have overwritten used pages.
/// Mechanism: the check before LMDB maps its file trusted everything except magic, version, page size and length.
/// Fix: it checks flags, transactions and roots of both pages against each other and against the pages they name.
#[test]
fn a_flipped_bit_in_a_meta_page_is_noticed_at_open_or_harmless() {
    let dir = TempDir::new("meta-pages");
    let sound = dir.path().join("sound");
    let store = open(&sound, &OpenOptions::default()).unwrap();
    (1..=COMMITS).for_each(|n| commit(&store, n));
    store.close().unwrap();
    let bytes = std::fs::read(sound.join("state/data.mdb")).unwrap();
    // Magic and version, the records of both trees, last page and transaction; addresses and sizes have no meaning.
    let fields = [16..24, 40..48, 80..96, 112..152];
    let mut noticed = 0;
    for (page, offset) in (0..2).flat_map(|page| fields.iter().cloned().flatten().map(move |offset| (page, offset))) {
        for bit in 0..8 {
            let path = dir.path().join(format!("{page}-{offset}-{bit}"));
            copy(&sound, &path);
            let mut damaged = bytes.clone();
            damaged[page * 4096 + offset] ^= 1 << bit;
            std::fs::write(path.join("state/data.mdb"), damaged).unwrap();
            match open(&path, &OpenOptions::default()) {
                Err(error) => {
                    assert_eq!(error.code(), "ERR_CORRUPT", "page {page} offset {offset} bit {bit}: {error}");
                    noticed += 1;
                }
                Ok(store) => {
                    store.close().unwrap();
                    use_store(&path, COMMITS)
                        .unwrap_or_else(|error| panic!("page {page} offset {offset} bit {bit}: {error}"));
                }
            }
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    assert!(noticed > 400, "{noticed}");
}

/// Bug: a store on a full device ended the process (SIGBUS) when it was made or opened, or read by more readers than before.
/// Mechanism: LMDB makes its table of readers by setting a length and maps it; touching a page without blocks needs space.
/// Fix: the blocks are written before.
#[cfg(unix)]
#[test]
fn the_lock_file_has_blocks_of_its_own() {
    use std::os::unix::fs::MetadataExt as _;

    let dir = TempDir::new("lock-blocks");
    for _ in 0..2 {
        let store = open(dir.path(), &OpenOptions::default()).unwrap();
        let file = dir.path().join("state/lock.mdb").metadata().unwrap();
        assert!(file.blocks() * 512 >= file.len(), "{} blocks for {} bytes", file.blocks(), file.len());
        assert!(file.len() >= 1_023 * 64);
        store.close().unwrap();
        // An older version has left one without blocks.
        let sparse = std::fs::File::create(dir.path().join("state/lock.mdb")).unwrap();
        sparse.set_len(file.len()).unwrap();
    }
}
