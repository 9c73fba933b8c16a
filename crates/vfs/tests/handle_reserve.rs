//! The engine can open files in the middle of its work although the rest of the process has used up its handles.
//!
//! Bug: readers used up the handles that the journal needed, and the store was poisoned. Mechanism: a shortage of handles was
//! treated as a failing device. Fix: some are kept in a reserve for the engine alone, and an opening that could not work is refused.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

use std::{env, fs::File, path::PathBuf, process};

use ledgerstone_vfs::{OpenHow, OsVfs, Vfs};
use rustix::process::{Resource, getrlimit, setrlimit};

/// Takes all handles that are left, as the rest of the process.
fn all_that_are_left() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// Only one test: the limit is the process's.
#[test]
fn the_engine_opens_what_it_needs_when_others_have_taken_all_handles() {
    let folder: PathBuf = env::temp_dir().join(format!("ledgerstone-reserve-{}", process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(100);
    setrlimit(Resource::Nofile, limit).unwrap();

    let lock = OsVfs.try_lock(&folder.join("LOCK")).unwrap().unwrap();
    let taken = all_that_are_left();
    assert!(taken.len() > 40, "{}", taken.len());
    let mut opened = Vec::new();
    for number in 0..4 {
        opened.push(OsVfs.open(&folder.join(number.to_string()), OpenHow::CreateNew).unwrap());
        OsVfs.sync_dir(&folder).unwrap();
    }
    // Without a separate reserve no other store begins.
    let other = folder.join("other");
    drop(taken);
    OsVfs.create_dir_all(&other).unwrap();
    let mut taken = all_that_are_left();
    // Enough for its share of the reserve, but not for the files that it would open.
    taken.truncate(taken.len() - 10);
    let refused = OsVfs.try_lock(&other.join("LOCK")).unwrap_err();
    assert!(refused.is_shortage(), "{refused}");
    drop(taken);
    let second = OsVfs.try_lock(&other.join("LOCK")).unwrap().unwrap();

    // The used part of the reserve is refilled.
    let taken = all_that_are_left();
    for number in 4..8 {
        opened.push(OsVfs.open(&folder.join(number.to_string()), OpenHow::CreateNew).unwrap());
    }
    drop((taken, opened, second, lock));
    let _ = std::fs::remove_dir_all(&folder);
}
