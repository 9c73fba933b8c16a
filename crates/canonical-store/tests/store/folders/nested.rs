//! Bug: an event log that was opened in the folder `events` of a store replaced the store's segment, and the store never opened
//! again. Mechanism: one folder with two owners, neither of which checked for the other. Fix: `IDENTITY` shows the owner, also
//! that of the surrounding folder.

use std::{collections::BTreeSet, ffi::OsString, path::Path};

use ledgerstone_canonical_store::{OpenOptions, open, verify_closed};
use ledgerstone_event_log::{Ground, Opening, OwnedLog, OwnedLogOptions};

use crate::{
    folders::tree::{commit, put, tree},
    support::TempDir,
};

fn open_log(path: &Path) -> Result<OwnedLog, ledgerstone_event_log::Error> {
    OwnedLog::open(&Ground::system(), path, OwnedLogOptions::default())
}

/// What is in a folder of a store, whose journal goes on preparing files while it is open.
///
/// Bug: on a busy machine a file was listed and then gone. Mechanism: what is being prepared was looked at, and gets another name at any
/// moment. Fix: names alone are read, and those of the journal do not count while somebody gives them.
fn names_in(path: &Path, is_open: bool) -> BTreeSet<OsString> {
    let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| !is_open || !name.as_encoded_bytes().starts_with(b"journal-")).collect()
}

#[test]
fn a_store_stays_whole_whatever_is_opened_in_its_folders() {
    for (is_open, events) in [(true, 2), (true, 0), (false, 2), (false, 0)] {
        let dir = TempDir::new("nested");
        let store = open(dir.path(), &OpenOptions::default()).unwrap();
        for key in 0..events {
            commit(&store, &key.to_string()).unwrap();
        }
        let store = if is_open {
            Some(store)
        } else {
            store.close().unwrap();
            None
        };
        let files = |path: &Path| names_in(path, store.is_some());
        for part in ["events", "journal", "state"] {
            let path = dir.path().join(part);
            let before = files(&path);
            let error = open_log(&path).unwrap_err();
            assert_eq!(error.code(), "ERR_FORMAT", "{part}: {error}");
            assert!(error.to_string().contains("of a store"), "{error}");
            let error = open(&path, &OpenOptions::default()).unwrap_err();
            assert_eq!(error.code(), "ERR_FORMAT", "{part}: {error}");
            assert_eq!(files(&path), before);
        }
        let error = open_log(dir.path()).unwrap_err();
        assert_eq!(error.code(), "ERR_FORMAT", "{error}");
        assert!(error.to_string().contains("found a store"), "{error}");
        // In a separate folder there may be anything.
        open(&dir.path().join("sub"), &OpenOptions::default()).unwrap().close().unwrap();
        open_log(&dir.path().join("log")).unwrap().close().unwrap();
        if let Some(store) = store {
            commit(&store, "more").unwrap();
            store.close().unwrap();
        }
        let report = verify_closed(dir.path(), &|| false).unwrap();
        assert!(report.is_ok(), "{report:?}");
        open(dir.path(), &OpenOptions::default()).unwrap().close().unwrap();
    }
}

#[test]
fn a_log_stays_whole_when_a_store_is_opened_in_or_around_it() {
    let dir = TempDir::new("around");
    let path = dir.path().join("events");
    let log = open_log(&path).unwrap();
    log.append_with_id(1, b"one").unwrap();
    for is_open in [true, false] {
        if !is_open {
            log.close().unwrap();
        }
        let before = tree(dir.path());
        for folder in [&path, dir.path()] {
            let error = open(folder, &OpenOptions::default()).unwrap_err();
            assert_eq!(error.code(), "ERR_FORMAT", "{error}");
            assert!(error.to_string().contains("an event log on its own"), "{error}");
        }
        let error = verify_closed(&path, &|| false).unwrap_err();
        assert_eq!(error.code(), "ERR_FORMAT", "{error}");
        assert!(tree(dir.path()) == before);
    }
    let log = open_log(&path).unwrap();
    assert_eq!(log.get(1).unwrap().unwrap().1, b"one");
    log.close().unwrap();
}

#[test]
fn a_log_reads_what_a_store_has_archived_and_spares_what_is_not_ours() {
    let dir = TempDir::new("log-foreign");
    for (name, is_refused) in [
        ("events-00000000000000000001.log", true),
        ("horizon", true),
        ("CLEAN", true),
        ("IDENTITY", true),
        ("IDENTITY.tmp", false),
        ("horizon.tmp", false),
        ("events-00000000000000000001.log.tmp", false),
        ("LOCK.owner", false),
        ("main.ts", false),
    ] {
        let path = dir.path().join(name.replace('.', "-"));
        put(&path, name, b"the only copy");
        let before = tree(&path);
        match open_log(&path) {
            Err(error) => {
                assert!(is_refused && error.code() == "ERR_FORMAT", "{name}: {error}");
                assert!(tree(&path) == before, "{name}");
            }
            Ok(log) => {
                assert!(!is_refused, "{name}");
                log.append_with_id(1, b"one").unwrap();
                log.delete_range(0, 1).unwrap();
                log.close().unwrap();
                assert_eq!(tree(&path)[Path::new(name)].as_deref(), Some(b"the only copy".as_slice()), "{name}");
            }
        }
    }
    // Read-only opening changes nothing and needs no lock: it may look at a store's events.
    let store_dir = dir.path().join("store");
    let store = open(&store_dir, &OpenOptions::default()).unwrap();
    commit(&store, "a").unwrap();
    store.close().unwrap();
    let before = tree(&store_dir);
    let options = OwnedLogOptions { opening: Opening::ReadOnly, ..OwnedLogOptions::default() };
    let log = OwnedLog::open(&Ground::system(), &store_dir.join("events"), options).unwrap();
    assert_eq!(log.get(1).unwrap().unwrap().1, b"a");
    drop(log);
    assert!(tree(&store_dir) == before);
}
