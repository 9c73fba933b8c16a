//! Openings at once, openings that hang, and folders that are exchanged during an opening.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ledgerstone_vfs::Vfs;

use super::{Change, Found, Place, check_place, find, ground, open, open_on};
use crate::{OpenOptions, options::Settings, recovery::Ground};

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ledgerstone-registry-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn change(place: &Place) -> Change {
    match find(place, &OpenOptions::default(), Duration::ZERO).unwrap() {
        Found::Nothing(change) => change,
        Found::Joined(_) => panic!("nothing is open there"),
    }
}

/// Bug: an opening that hung (a dead disk, a FIFO) stopped every other store of the process. Mechanism: it ran under the
/// registry's lock. Fix: the lock is held to look only; a place that changes is marked.
#[test]
fn a_store_that_is_being_opened_for_ever_holds_up_nobody_else_and_its_own_waiters_for_so_long() {
    let (stuck, other) = (folder("stuck"), folder("other"));
    let place = Place::of(&stuck).unwrap();
    let opening = change(&place);
    let options = OpenOptions { create: true, event_codec: "json".into(), ..OpenOptions::default() };
    open(&other, &options).unwrap().close().unwrap();
    let refused = find(&place, &options, Duration::from_millis(5)).err().unwrap();
    assert_eq!(refused.code(), "ERR_BUSY");
    // It fails, and the place is free.
    drop(opening);
    open(&stuck, &options).unwrap().close().unwrap();
    drop(change(&place));
    for path in [stuck, other] {
        std::fs::remove_dir_all(path).unwrap();
    }
}

/// Puts another folder in the place of `path`.
#[cfg(unix)]
#[allow(clippy::disallowed_methods, reason = "somebody else moves the folder")]
fn exchange(path: &Path, other: &Path) {
    let aside = path.with_extension("aside");
    std::fs::rename(path, &aside).unwrap();
    std::fs::rename(other, path).unwrap();
    std::fs::rename(&aside, other).unwrap();
}

/// Bug: a folder that was exchanged while an opening waited for another one was registered as the one before: a later
/// opening of that one, moved elsewhere, got this store. Mechanism: the place was looked up once, before the wait. Fix: it is looked at again behind the opening.
#[test]
#[cfg(unix)]
fn a_folder_that_is_exchanged_during_an_opening_is_not_taken_for_the_one_before() {
    let options = OpenOptions { create: true, event_codec: "json".into(), ..OpenOptions::default() };
    // Before the folder is looked at, behind that, and both: there and back again.
    for (before, behind) in [(true, false), (false, true), (true, true)] {
        let (path, other) = (folder("exchanged"), folder("other-one"));
        let exchanged_behind = {
            let (path, other) = (path.clone(), other.clone());
            move || {
                if before {
                    exchange(&path, &other);
                }
                let Ground { open_checkpoint, .. } = ground();
                let open_checkpoint = Arc::new(move |vfs: &Arc<dyn Vfs>, dir: &Path, settings: &Settings| {
                    let opened = open_checkpoint(vfs, dir, settings);
                    if behind {
                        exchange(&path, &other);
                    }
                    opened
                });
                Ground { open_checkpoint, ..ground() }
            }
        };
        let outcome = open_on(exchanged_behind, &path, &options);
        let error = outcome.err().unwrap_or_else(|| panic!("{before} {behind}: a store that is not there"));
        assert_eq!(error.code(), "ERR_IO");
        // Nothing holds either of them.
        let stores = [&path, &other].map(|path| open(path, &options).unwrap());
        assert_ne!(stores[0].key(), stores[1].key());
        for (store, path) in stores.iter().zip([&path, &other]) {
            assert_eq!(store.path(), path.canonicalize().unwrap());
            assert_eq!(store.place, Place::of(path).unwrap());
            store.close().unwrap();
        }
        for path in [path, other] {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
}

/// There and back again, so late that nothing in the opening itself looks any more.
#[test]
#[cfg(unix)]
fn a_store_that_was_opened_in_another_folder_is_not_at_the_place_that_is_back() {
    let options = OpenOptions { create: true, event_codec: "json".into(), ..OpenOptions::default() };
    let (path, other) = (folder("back"), folder("back-other"));
    let place = Place::of(&path).unwrap();
    exchange(&path, &other);
    let store = ground().open(&path, &options).unwrap();
    exchange(&path, &other);
    assert_eq!(check_place(&path, &place, &store).unwrap_err().code(), "ERR_IO");
    // It was ended.
    open(&other, &options).unwrap().close().unwrap();
    for path in [path, other] {
        std::fs::remove_dir_all(path).unwrap();
    }
}

#[test]
fn openings_of_one_place_at_once_join_and_the_last_handle_closes() {
    let path = folder("joined");
    let options = OpenOptions { create: true, event_codec: "json".into(), ..OpenOptions::default() };
    for _ in 0..5 {
        let handles: Vec<_> = std::thread::scope(|scope| {
            let openings: Vec<_> = (0..4).map(|_| scope.spawn(|| open(&path, &options).unwrap())).collect();
            openings.into_iter().map(|opening| opening.join().unwrap()).collect()
        });
        assert!(handles.iter().all(|handle| handle.key() == handles[0].key()));
        assert_eq!(handles.iter().filter(|handle| handle.is_first()).count(), 1);
        std::thread::scope(|scope| {
            for handle in &handles {
                scope.spawn(|| handle.close().unwrap());
            }
        });
    }
    std::fs::remove_dir_all(path).unwrap();
}
