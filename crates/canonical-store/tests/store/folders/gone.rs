//! Bug: a store followed paths: after its folder was renamed and another one put there it wrote into that one, and a store
//! whose folder was deleted acknowledged durable commits for ever. Mechanism: each call resolved the path anew, without a
//! check. Fix: names are relative to the locked folder, and each group of commits checks once, before it is acknowledged,
//! whether the path still leads to its file.

use std::{fs, path::Path};

use ledgerstone_canonical_store::{FlushStage, OpenOptions, StoreHandle, open, verify_closed};
use ledgerstone_event_log::{Ground, OwnedLog, OwnedLogOptions};

use crate::{
    folders::tree::{commit, tree},
    support::TempDir,
};

fn opened(path: &Path) -> StoreHandle {
    let store = open(path, &OpenOptions::default()).unwrap();
    commit(&store, "before").unwrap();
    store
}

/// The journal's thread may make a file in it at the same time.
fn delete(folder: &Path) {
    let is_deleted = || fs::remove_dir_all(folder).is_ok() || !folder.exists();
    assert!((0..1_000).any(|_| is_deleted()), "{} keeps being filled", folder.display());
}

fn assert_gone(store: &StoreHandle) {
    let error = commit(store, "ghost").unwrap_err();
    assert!(error.starts_with("ERR_POISONED"), "{error}");
    // The journal's thread may be the first to notice, by a spare file that it cannot make in a deleted folder.
    let notices = ["was removed, renamed or replaced while it was open", "journal-spare.tmp No such file"];
    assert!(notices.iter().any(|notice| error.contains(notice)), "{error}");
}

#[test]
fn a_deleted_folder_is_noticed_by_the_next_commit_and_made_anew_in_the_same_process() {
    let dir = TempDir::new("deleted");
    let path = dir.path().join("store");
    let store = opened(&path);
    delete(&path);
    assert_gone(&store);
    assert_eq!(store.close().unwrap_err().code(), "ERR_POISONED");
    assert!(!path.exists());
    let again = opened(&path);
    assert_eq!(again.stats().event_count, 1);
    again.close().unwrap();
}

#[test]
fn a_store_in_the_place_of_another_one_is_not_touched_by_that() {
    let dir = TempDir::new("replaced");
    let (path, elsewhere) = (dir.path().join("store"), dir.path().join("elsewhere"));
    for is_moved in [true, false] {
        let ghost = opened(&path);
        let _ = fs::remove_dir_all(&elsewhere);
        if is_moved {
            fs::rename(&path, &elsewhere).unwrap();
        } else {
            delete(&path);
        }
        let store = opened(&path);
        assert_gone(&ghost);
        commit(&store, "after").unwrap();
        assert_eq!(ghost.close().unwrap_err().code(), "ERR_POISONED");
        assert_eq!(store.stats().event_count, 2, "moved: {is_moved}");
        store.close().unwrap();
        assert!(verify_closed(&path, &|| false).unwrap().is_ok());
        if is_moved {
            let moved = open(&elsewhere, &OpenOptions::default()).unwrap();
            assert_eq!(moved.stats().event_count, 1, "what was acknowledged is where the folder went");
            moved.close().unwrap();
        }
        delete(&path);
    }
}

#[test]
fn the_loss_of_a_part_is_noticed_too() {
    for part in ["journal", "events", "state"] {
        let dir = TempDir::new("part");
        let store = opened(dir.path());
        fs::remove_dir_all(dir.path().join(part)).unwrap();
        let mut failure = None;
        for number in 0..3 {
            let done = commit(&store, &number.to_string()).and_then(|seq| {
                let flushed = store.wait(ledgerstone_canonical_store::Level::Flushed, seq);
                flushed.map_err(|error| format!("{} {error}", error.code()))
            });
            failure = failure.or(done.err());
        }
        assert!(failure.as_ref().is_some_and(|failure| failure.starts_with("ERR_POISONED")), "{part}: {failure:?}");
        assert_eq!(store.close().unwrap_err().code(), "ERR_POISONED");
    }
}

/// A close that has nothing to write must not report success.
#[test]
fn closing_an_idle_store_whose_folder_is_gone_fails() {
    let dir = TempDir::new("idle");
    let path = dir.path().join("store");
    opened(&path).close().unwrap();
    let store = open(&path, &OpenOptions::default()).unwrap();
    fs::rename(&path, dir.path().join("elsewhere")).unwrap();
    assert_eq!(store.close().unwrap_err().code(), "ERR_POISONED");
    open(&dir.path().join("elsewhere"), &OpenOptions::default()).unwrap().close().unwrap();
}

#[test]
fn a_log_on_its_own_notices_it_as_well() {
    use ledgerstone_format::Durability;

    for durability in [Durability::Durable, Durability::Written] {
        let dir = TempDir::new("gone-log");
        let path = dir.path().join("log");
        let options = OwnedLogOptions { durability, ..OwnedLogOptions::default() };
        let log = OwnedLog::open(&Ground::system(), &path, options).unwrap();
        log.append_with_id(1, b"one").unwrap();
        fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        let other = OwnedLog::open(&Ground::system(), &path, options).unwrap();
        let files = tree(&path);
        let error = log.append_with_id(2, b"two").unwrap_err();
        assert!(error.to_string().contains("was removed, renamed or replaced"), "{error}");
        assert_eq!(log.append_with_id(log.next_event_id(), b"three").unwrap_err().code(), "ERR_POISONED");
        assert_eq!(log.close().unwrap_err().code(), "ERR_POISONED");
        assert!(tree(&path) == files);
        other.append_with_id(1, b"another").unwrap();
        other.close().unwrap();
    }
}

/// Bug: a store whose folder was replaced by another one kept that one from being opened while it flushed (`ERR_IO`: the
/// environment is open with other options). Mechanism: LMDB's environment ends with its last user, and the opening waited only
/// a second for that. Fix: it waits as long as for any other opening or closing, and then returns `ERR_BUSY`.
#[test]
fn a_flush_that_lasts_keeps_nobody_from_opening_what_took_the_stores_place() {
    let dir = TempDir::new("lasting");
    let path = dir.path().join("store");
    let store = opened(&path);
    let (answered, is_answered) = std::sync::mpsc::channel::<()>();
    let is_answered = std::sync::Mutex::new(is_answered);
    let (begun, has_begun) = std::sync::mpsc::channel::<()>();
    store.probe_flushes(Some(std::sync::Arc::new(move |stage| {
        if matches!(stage, FlushStage::StateWritten(_)) {
            let _ = begun.send(());
            // Longer than the earlier wait.
            let _ = is_answered.lock().unwrap().recv_timeout(std::time::Duration::from_millis(1_500));
        }
    })));
    let seq = commit(&store, "1").unwrap();
    store.want(ledgerstone_canonical_store::Level::Flushed, seq);
    has_begun.recv().unwrap();
    fs::rename(&path, dir.path().join("elsewhere")).unwrap();
    let other = open(&path, &OpenOptions::default());
    let _ = answered.send(());
    let other = other.unwrap_or_else(|error| panic!("{}: {error}", error.code()));
    commit(&other, "2").unwrap();
    other.close().unwrap();
    assert_eq!(store.close().unwrap_err().code(), "ERR_POISONED");
}
