//! Bug: a store that was killed between two parts of a flush was judged damaged ("keys of an unknown collection"), and for ever
//! when the collection was dropped before the next flush. Mechanism: the keys of a new collection come with the first parts,
//! its catalogue entry with the last; a collection that was made and dropped between two flushes was assumed to have nothing
//! written. Fix: the record of an unfinished flush covers both.

use std::{path::Path, sync::Arc};

use crate::copies::copy;
use crate::support::TempDir;
use ledgerstone_canonical_store::{
    FlushStage, GateEntry, Level, OpenOptions, Owner, Part, Store,
    testing::{Engine, WriteSet, close_stepped, open_in_parts},
    verify_closed,
};

fn open(dir: &Path) -> Arc<Store> {
    open_in_parts(dir, &OpenOptions::default(), Engine::Stepped, 2).unwrap()
}

fn commit(store: &Store, name: &str, set: &WriteSet) {
    let slots = [store.collection(name, "utf8", "json").unwrap()];
    store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &slots).unwrap();
}

fn flush(store: &Store) {
    store.want(Level::Flushed, store.marks().applied);
    while store.step().unwrap() {}
}

/// The store that a kill leaves after the first part of a flush that makes a collection.
fn killed_between_parts(dir: &Path) {
    let (whole, killed) = (dir.join("whole"), dir.join("killed"));
    let store = open(&whole);
    commit(&store, "state", &WriteSet::default().put(0, b"key", b"1"));
    flush(&store);
    commit(&store, "job", &WriteSet::default().put(0, b"a", b"1").put(0, b"b", b"2").put(0, b"c", b"3"));
    let from = whole.clone();
    store.probe_flushes(Some(Arc::new(move |stage| {
        if stage == FlushStage::StateWritten(Part::State(0)) {
            copy(&from, &killed);
        }
    })));
    flush(&store);
    close_stepped(&store).unwrap();
}

fn assert_sound(dir: &Path) {
    let report = verify_closed(dir, &|| false).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
}

#[test]
fn a_store_that_was_killed_between_two_parts_of_a_flush_is_sound() {
    let dir = TempDir::new("unfinished-verified");
    killed_between_parts(dir.path());
    assert_sound(&dir.path().join("killed"));
}

#[test]
fn what_an_unfinished_flush_wrote_of_a_collection_goes_with_it() {
    let dir = TempDir::new("unfinished-dropped");
    killed_between_parts(dir.path());
    let killed = dir.path().join("killed");
    let store = open(&killed);
    commit(&store, "job", &WriteSet::default().drop_collection(0));
    flush(&store);
    let report = store.verify(&|| false).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
    close_stepped(&store).unwrap();
    drop(store);
    assert_sound(&killed);
}
