//! A restored store is the store at the backup's last commit: state, events, ids and times, while writers go on.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use ledgerstone_canonical_store::{
    BackupGround, BackupInfo, BackupJob, BackupOptions, Error, Level, StoreHandle, open, restore, verify_closed,
};
use parking_lot::Mutex;

use super::contents::{Contents, Deed, carry_out, deeds, slots, small};
use crate::{chance::Chance, support::TempDir};

fn back_up(store: &StoreHandle, dir: &Path, options: BackupOptions) -> Result<BackupInfo, Error> {
    store.backup_to(&BackupGround::system(), dir, options, &BackupJob::default()).map(Option::unwrap)
}

/// Everything that was committed, in order.
type Story = Mutex<Vec<(u64, Told)>>;

enum Told {
    Commit(Vec<Deed>, (u64, u64)),
    Trim(u64),
}

/// However a writer ends, nobody goes on waiting for it.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn at(told_so_far: &Story, seq: u64) -> Contents {
    let mut all = told_so_far.lock();
    all.sort_by_key(|(seq, _)| *seq);
    let mut contents = Contents::new();
    for (at, told) in all.iter().take_while(|(at, _)| *at <= seq) {
        match told {
            Told::Commit(deeds, info) => contents.add(deeds, *info),
            Told::Trim(before) => contents.trim(*before, *at),
        }
    }
    contents
}

#[test]
fn a_restored_store_is_the_store_at_the_backups_last_commit_while_writers_go_on() {
    let dir = TempDir::new("backup");
    let [path, backups, restored] = ["store", "backups", "restored"].map(|name| dir.path().join(name));
    let store = open(&path, &small()).unwrap();
    let (told_so_far, stop) = (Story::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (store, told_so_far, stop) = (&store, &told_so_far, &stop);
            scope.spawn(move || {
                let _ended = Ended(stop);
                let (mut chance, slots) = (Chance::new(writer), slots(store));
                while !stop.load(Ordering::Relaxed) {
                    let mut deeds = deeds(&mut chance, 3_000, true);
                    let told = carry_out(store, &slots, &mut deeds);
                    told_so_far.lock().push((told.0, Told::Commit(deeds, told)));
                    if chance.below(500) == 0 {
                        let before = store.next_event_id().saturating_sub(2_000).max(1);
                        let trimmed = store.trim_events(before).unwrap();
                        if trimmed.outcome.dropped > 0 {
                            told_so_far.lock().push((trimmed.seq, Told::Trim(trimmed.outcome.oldest_event_id)));
                        }
                    }
                    store.wait(Level::Written, told.0).unwrap();
                }
            });
        }
        for round in 0..12_u32 {
            while store.marks().applied < u64::from(round + 1) * 1_000 {
                assert!(!stop.load(Ordering::Relaxed), "a writer has failed");
                std::thread::yield_now();
            }
            let before = store.marks().applied;
            let shards = [None, Some(1), Some(3), Some(12)][round as usize % 4];
            let options = BackupOptions { shards, keep_full: Some(2), threads: None };
            let made = back_up(&store, &backups, options).unwrap();
            assert!(made.seq >= before && made.seq <= store.marks().applied);
            assert_eq!(made.ordinal, u64::from(round) + 1);
            assert_eq!(made.bytes, made.files.iter().map(|path| path.metadata().unwrap().len()).sum::<u64>());
            if round > 6 && shards == Some(12) {
                assert!(made.files.len() > 12, "{}", made.files.len());
            }
            // All that the backup holds is acknowledged by now: it was durable before it was published.
            let expected = loop {
                let expected = at(&told_so_far, made.seq);
                if told_so_far.lock().iter().filter(|(seq, _)| *seq <= made.seq).count() as u64 == made.seq {
                    break expected;
                }
                assert!(!stop.load(Ordering::Relaxed), "a writer has failed");
                std::thread::yield_now();
            };
            let target = restored.join(round.to_string());
            let info = restore(&backups, &target, false, &BackupJob::default()).unwrap().unwrap();
            assert_eq!((info.seq, info.next_event_id), (made.seq, made.next_event_id));
            assert_eq!((info.entries, info.events), (made.entries, made.events));
            let report = verify_closed(&target, &|| false).unwrap();
            assert!(report.problems.is_empty(), "{:?}", report.problems);
            let copy = open(&target, &small()).unwrap();
            assert!(Contents::of(&copy) == expected, "round {round}: the contents differ at {}", made.seq);
            assert_eq!(copy.stats().recovery.frames, 0);
            let (meta, source) = (copy.meta(), store.meta());
            assert_eq!(Some(&meta.store_id), info.store_id.as_ref());
            assert_eq!((info.source_store_id, meta.created_at_ms), (source.store_id.clone(), source.created_at_ms));
            assert_ne!(meta.store_id, source.store_id);
            // It goes on by itself.
            let mut on = expected;
            let mut deeds = deeds(&mut Chance::new(9), 100, false);
            let told = carry_out(&copy, &slots(&copy), &mut deeds);
            on.add(&deeds, told);
            assert_eq!(told.0, made.seq + 1);
            copy.close().unwrap();
            let copy = open(&target, &small()).unwrap();
            assert!(Contents::of(&copy) == on, "round {round}: it does not go on");
            copy.close().unwrap();
            assert!(!target.with_extension("restoring").exists());
        }
        stop.store(true, Ordering::Relaxed);
    });
    let left = std::fs::read_dir(&backups)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("_0-of-"));
    assert_eq!(left.count(), 2, "more than keep_full has stayed");
    store.close().unwrap();
}

#[test]
fn a_new_store_a_sealed_one_and_one_whose_events_are_gone_are_backed_up_too() {
    let dir = TempDir::new("backup-edges");
    let [path, backups, restored] = ["store", "backups", "restored"].map(|name| dir.path().join(name));
    let store = open(&path, &small()).unwrap();
    let again = |name: &str, expected: &Contents| {
        let made = back_up(&store, &backups, BackupOptions::default()).unwrap();
        let target = restored.join(name);
        restore(&backups, &target, false, &BackupJob::default()).unwrap().unwrap();
        let copy = open(&target, &small()).unwrap();
        assert_eq!(&Contents::of(&copy), expected, "{name}");
        assert_eq!((copy.sealed(), copy.is_paused(), made.seq), (None, false, expected.seq), "{name}");
        carry_out(&copy, &slots(&copy), &mut vec![Deed::Event(b"on".to_vec())]);
        copy.close().unwrap();
        assert!(verify_closed(&target, &|| false).unwrap().problems.is_empty(), "{name}");
    };
    let mut expected = Contents::new();
    again("new", &expected);
    let mut deed = vec![Deed::Event(b"first".to_vec())];
    let told = carry_out(&store, &slots(&store), &mut deed);
    expected.add(&deed, told);
    again("one event", &expected);
    let trimmed = store.trim_events(u64::MAX).unwrap();
    expected.trim(trimmed.outcome.oldest_event_id, trimmed.seq);
    again("no events left", &expected);
    let pause = store.pause().unwrap();
    expected.seq = store.seal().unwrap().seq;
    again("sealed and paused", &expected);
    store.resume(pause);
    store.close().unwrap();
}

#[test]
fn places_that_are_taken_and_sets_of_others_are_refused_and_left_alone() {
    let dir = TempDir::new("backup-places");
    let [path, other, backups] = ["store", "other", "backups"].map(|name| dir.path().join(name));
    let store = open(&path, &small()).unwrap();
    let code = |error: Error| error.code();
    for inside in [path.clone(), path.join("backups"), path.join("events"), path.join("../store/x")] {
        let error = back_up(&store, &inside, BackupOptions::default()).unwrap_err();
        assert_eq!(code(error), "ERR_INVALID_ARGUMENT", "{}", inside.display());
        assert!(!path.join("backups").exists() && !path.join("x").exists());
    }
    #[cfg(unix)]
    {
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let error = back_up(&store, &link.join("deep/er"), BackupOptions::default()).unwrap_err();
        assert_eq!(code(error), "ERR_INVALID_ARGUMENT");
    }
    for options in [
        BackupOptions { shards: Some(0), ..BackupOptions::default() },
        BackupOptions { shards: Some(1_025), ..BackupOptions::default() },
        BackupOptions { keep_full: Some(0), ..BackupOptions::default() },
    ] {
        assert_eq!(code(back_up(&store, &backups, options).unwrap_err()), "ERR_INVALID_ARGUMENT");
    }
    assert!(!backups.exists(), "nothing is made for a call that is wrong");
    back_up(&store, &backups, BackupOptions::default()).unwrap();
    // While somebody has the set, nobody else does.
    let set = ledgerstone_snapshot_set::FileSnapshotSet::open(
        &BackupGround::system(),
        &backups,
        ledgerstone_snapshot_set::SnapshotSetOptions::default(),
    )
    .unwrap();
    assert_eq!(code(back_up(&store, &backups, BackupOptions::default()).unwrap_err()), "ERR_LOCKED");
    // Reading needs no lock.
    restore(&backups, &dir.path().join("restored"), true, &BackupJob::default()).unwrap().unwrap();
    assert!(!dir.path().join("restored").exists());
    drop(set);
    let foreign = open(&other, &small()).unwrap();
    let error = back_up(&foreign, &backups, BackupOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("reason=other-store"), "{error}");
    let theirs = dir.path().join("theirs");
    let set = ledgerstone_snapshot_set::FileSnapshotSet::open(
        &BackupGround::system(),
        &theirs,
        ledgerstone_snapshot_set::SnapshotSetOptions::default(),
    )
    .unwrap();
    let kind = ledgerstone_snapshot_set::SnapshotType::Pending;
    let pending = set.create_or_get(kind, 1, false).unwrap();
    std::fs::write(&pending.shard_paths[0], "mine").unwrap();
    set.close();
    let error = back_up(&foreign, &theirs, BackupOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("reason=format"), "{error}");
    assert_eq!(std::fs::read(&pending.shard_paths[0]).unwrap(), b"mine");
    // Into the backup, into a store, into a part of one, and where something is.
    for (place, reason) in [(backups.join("in"), "target"), (path.clone(), "target"), (path.join("events"), "target")] {
        let error = restore(&backups, &place, false, &BackupJob::default()).unwrap_err();
        assert!(error.to_string().ends_with(&format!("reason={reason}")), "{error}");
    }
    let missing = dir.path().join("nowhere");
    let error = restore(&missing, &dir.path().join("x/y"), false, &BackupJob::default()).unwrap_err();
    assert!(error.to_string().ends_with("reason=missing"), "{error}");
    assert!(!missing.exists() && !dir.path().join("x").exists(), "nothing is made by looking");
    foreign.close().unwrap();
    store.close().unwrap();
}

#[test]
fn a_cancelled_backup_or_restore_leaves_nothing_and_the_next_one_works() {
    let dir = TempDir::new("backup-cancelled");
    let [path, backups, restored] = ["store", "backups", "restored"].map(|name| dir.path().join(name));
    let store = open(&path, &small()).unwrap();
    let (mut chance, all) = (Chance::new(1), slots(&store));
    for _ in 0..2_000 {
        carry_out(&store, &all, &mut deeds(&mut chance, 5_000, false));
    }
    let cancelled = || {
        let job = BackupJob::default();
        job.cancel();
        job
    };
    let ground = BackupGround::system();
    assert_eq!(store.backup_to(&ground, &backups, BackupOptions::default(), &cancelled()).unwrap(), None);
    let names = || {
        let entries = std::fs::read_dir(&backups).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert!(names().iter().all(|name| !name.starts_with("snapshot_")), "{:?}", names());
    back_up(&store, &backups, BackupOptions { shards: Some(4), ..BackupOptions::default() }).unwrap();
    assert_eq!(restore(&backups, &restored, false, &cancelled()).unwrap(), None);
    let around: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!restored.exists() && around.len() == 2, "{around:?}");
    restore(&backups, &restored, false, &BackupJob::default()).unwrap().unwrap();
    let copy = open(&restored, &small()).unwrap();
    assert_eq!(Contents::of(&copy), Contents::of(&store));
    copy.close().unwrap();
    store.close().unwrap();
    // A store that was closed makes no more backups.
    let error = back_up(&store, &backups, BackupOptions::default()).unwrap_err();
    assert_eq!(error.code(), "ERR_CLOSED");
}
