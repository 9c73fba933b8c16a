//! Behind the mark of a clean close an opening takes every name for durable. So nothing may get a name that matters while the mark is
//! there: here a session that began behind the mark is killed anywhere, the next one promises something, and the power goes.

use std::path::Path;

use ledgerstone_canonical_store::{
    GateEntry, Level, OpenOptions, Owner, Store,
    testing::{WriteSet, close_stepped, open_simulated},
};
use ledgerstone_vfs::sim::{SimClock, SimDisk};

/// What a session does until it is killed.
type Session = fn(&Store);

const SESSIONS: [(&str, Session); 7] = [
    ("rotates", |store| drop(store.rotate_events())),
    ("does only what the engine does by itself", |_| ()),
    ("trims", |store| drop(store.trim_events(3))),
    ("seals", |store| drop(store.seal())),
    ("commits", |store| drop(commit(store))),
    ("commits much", |store| drop(commit_bytes(store, 40 << 10))),
    ("drops a collection", |store| {
        let Ok(state) = store.collection("state", "utf8", "json") else { return };
        let set = WriteSet::default().drop_collection(0);
        drop(store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &[state]));
    }),
];

fn open(disk: &SimDisk) -> ledgerstone_canonical_store::Result<std::sync::Arc<Store>> {
    open_simulated(disk, &SimClock::new(1_000), Path::new("/store"), &OpenOptions::default())
}

fn commit_bytes(store: &Store, bytes: usize) -> ledgerstone_canonical_store::Result<u64> {
    let state = store.collection("state", "utf8", "json")?;
    let value = vec![b'1'; bytes];
    let set = WriteSet::default().put(0, b"key", &value).event(b"1");
    Ok(store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &[state])?.seq)
}

fn commit(store: &Store) -> ledgerstone_canonical_store::Result<u64> {
    commit_bytes(store, 1)
}

/// Everything is flushed that there is.
fn flush(store: &Store) {
    store.want(Level::Flushed, store.marks().applied);
    rest(store);
}

/// The engine does what is due, as its threads would.
fn rest(store: &Store) {
    for _ in 0..100 {
        if !store.step().unwrap_or_default() {
            return;
        }
    }
}

/// Several segments and journal files, closed cleanly.
fn closed_store(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed);
    let store = open(&disk).unwrap();
    for _ in 0..2 {
        commit(&store).unwrap();
        commit(&store).unwrap();
        flush(&store);
        store.rotate_events().unwrap();
    }
    commit(&store).unwrap();
    close_stepped(&store).unwrap();
    assert!(disk.list().contains(&Path::new("/store/CLEAN").to_path_buf()));
    disk.crash()
}

/// Bug: a store was refused for ever, its newest event's segment was missing, after a kill in `rotateEvents` and a power cut in a later
/// session; a commit could be lost in the same way by a kill while a journal file was prepared. Mechanism: both give a name while the mark
/// of the last close is there, behind which an opening flushes no names. Fix: rotating takes the mark away first, and an opening that finds
/// spare journal files flushes their names, which a clean close leaves none of.
#[test]
fn a_session_behind_the_mark_that_is_killed_anywhere_leaves_no_name_that_the_power_takes_away() {
    let mut lived = 0;
    for (what, session) in SESSIONS {
        for cut in 0.. {
            let disk = closed_store(cut);
            let Ok(store) = open(&disk) else { unreachable!("it was closed cleanly") };
            disk.cut_after(cut);
            session(&store);
            rest(&store);
            let is_whole = !disk.is_cut();
            let disk = disk.crash();
            let store = open(&disk).unwrap_or_else(|error| panic!("{what}, killed after {cut}: {error}"));
            let sealed = store.unseal().map(|_| ());
            assert!(sealed.is_ok(), "{what}, killed after {cut}: {sealed:?}");
            let seq = commit(&store).unwrap();
            store.wait(Level::Durable, seq).unwrap();
            if cut % 2 == 0 {
                flush(&store);
            }
            for outcome in 0..12 {
                let again = open(&disk.power_cut_seeded(outcome))
                    .unwrap_or_else(|error| panic!("{what}, killed after {cut}, power cut {outcome}: {error}"));
                assert!(
                    again.marks().applied >= seq,
                    "{what}, killed after {cut}, power cut {outcome}: a commit is lost"
                );
                lived += 1;
            }
            if is_whole {
                break;
            }
        }
    }
    assert!(lived > 500, "{lived}");
}
