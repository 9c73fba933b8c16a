//! The power is cut at every operation of a backup and of a restore, or any call fails: the set has the backup or has it not, the place has the store
//! or is as free as it was, and the next try works.

use std::{path::Path, sync::Arc};

use ledgerstone_canonical_store::{
    BackupGround, BackupInfo, BackupJob, BackupOptions, Error, Store,
    testing::{close_stepped, open_simulated, restore_simulated},
};
use ledgerstone_format::{PlantedFault, plant};
use ledgerstone_vfs::sim::{Fault, Seeds, SimClock, SimDisk, SimOp};

use super::contents::{Contents, carry_out, deeds, slots, small};
use crate::chance::Chance;

const STORE: &str = "/data/store";
const BACKUPS: &str = "/backups/of it";
const TARGET: &str = "/restored/store";

fn back_up(disk: &SimDisk, store: &Arc<Store>) -> Result<BackupInfo, Error> {
    let ground = BackupGround { vfs: Arc::new(disk.clone()), clock: Arc::new(SimClock::new(5_000)) };
    let options = BackupOptions { shards: Some(2), keep_full: Some(1), threads: Some(1) };
    store.backup_to(&ground, Path::new(BACKUPS), options, &BackupJob::default()).map(Option::unwrap)
}

fn try_restore(disk: &SimDisk, target: &str) -> Result<u64, Error> {
    let clock = SimClock::new(9_000);
    let (from, to) = (Path::new(BACKUPS), Path::new(target));
    restore_simulated(disk, &clock, from, to, false, &BackupJob::default()).map(|info| info.unwrap().seq)
}

/// A store with some commits, and what it holds.
fn store(disk: &SimDisk, clock: &SimClock, chance: &mut Chance) -> (Arc<Store>, Contents) {
    let store = open_simulated(disk, clock, Path::new(STORE), &small()).unwrap();
    let contents = write(&store, Contents::new(), chance);
    (store, contents)
}

fn write(store: &Arc<Store>, mut contents: Contents, chance: &mut Chance) -> Contents {
    let slots = slots(store);
    for _ in 0..=chance.below(20) {
        let mut deeds = deeds(chance, 12, false);
        let told = carry_out(store, &slots, &mut deeds);
        contents.add(&deeds, told);
        if chance.below(5) == 0 {
            store.step().unwrap();
        }
    }
    contents
}

fn contents_at(disk: &SimDisk, path: &str) -> Contents {
    let store = open_simulated(disk, &SimClock::new(20_000), Path::new(path), &small()).unwrap();
    let contents = Contents::of(&store);
    close_stepped(&store).unwrap();
    contents
}

/// Cuts the power at that operation of the second backup; `true`: it had ended before.
fn cut_backup(seed: u64, at: u64) -> bool {
    let mut chance = Chance::new(seed);
    let (disk, clock) = (SimDisk::new(seed), SimClock::new(1_000));
    let (source, first) = store(&disk, &clock, &mut chance);
    back_up(&disk, &source).unwrap();
    let second = write(&source, first.clone(), &mut chance);
    disk.cut_after(at);
    let made = back_up(&disk, &source);
    assert_eq!(made.is_ok(), !disk.is_cut(), "seed {seed}, cut at {at}: {made:?}");
    let finished = made.is_ok();
    let disk = disk.power_cut();
    drop(source);
    // Whatever the store has kept, the set has the first backup or the second, whole.
    let found = try_restore(&disk, TARGET).unwrap_or_else(|error| panic!("seed {seed}, cut at {at}: {error}"));
    let restored = contents_at(&disk, TARGET);
    assert!(restored == first || restored == second, "seed {seed}, cut at {at}: another state");
    assert!(found == restored.seq && (!finished || restored == second), "seed {seed}, cut at {at}");
    // What the backup holds the store has too, and the next backup goes on from there.
    let source = open_simulated(&disk, &SimClock::new(30_000), Path::new(STORE), &small()).unwrap();
    assert!(source.marks().applied >= restored.seq, "seed {seed}, cut at {at}: the backup is ahead of its store");
    let expected = Contents::of(&source);
    back_up(&disk, &source).unwrap_or_else(|error| panic!("seed {seed}, cut at {at}: {error}"));
    let left = disk.list().into_iter().filter(|path| path.to_string_lossy().contains("_0-of-")).count();
    assert_eq!(left, 1, "seed {seed}, cut at {at}: something is left of the one that died");
    try_restore(&disk, "/restored/again").unwrap();
    assert_eq!(contents_at(&disk, "/restored/again"), expected, "seed {seed}, cut at {at}");
    finished
}

/// Cuts the power at that operation of a restore, and once more in the next one; `true`: it had ended before.
fn cut_restore(seed: u64, at: u64) -> bool {
    let mut chance = Chance::new(seed);
    let (disk, clock) = (SimDisk::new(seed), SimClock::new(1_000));
    let (source, expected) = store(&disk, &clock, &mut chance);
    back_up(&disk, &source).unwrap();
    if chance.below(2) == 0 {
        ledgerstone_vfs::Vfs::create_dir_all(&disk, Path::new(TARGET)).unwrap();
    }
    disk.cut_after(at);
    let restored = try_restore(&disk, TARGET);
    let finished = !disk.is_cut();
    // The mark is removed last, when the store is there for good.
    let is_restored = restored.is_ok();
    assert!(is_restored || !finished, "seed {seed}, cut at {at}: {restored:?}");
    let mut disk = disk.power_cut();
    for again in 0..2 {
        let is_there = disk.list().iter().any(|path| path.starts_with(TARGET));
        assert!(is_there || !is_restored, "seed {seed}, cut at {at}: a store that was there is gone");
        if is_there {
            break;
        }
        if again == 0 {
            disk.cut_after(chance.below(at + 2));
        }
        let restored = try_restore(&disk, TARGET);
        if again == 0 && disk.is_cut() {
            disk = disk.power_cut();
        } else {
            restored.unwrap_or_else(|error| panic!("seed {seed}, cut at {at}: {error}"));
            break;
        }
    }
    if !disk.list().iter().any(|path| path.starts_with(TARGET)) {
        try_restore(&disk, TARGET).unwrap_or_else(|error| panic!("seed {seed}, cut at {at}: {error}"));
    }
    assert_eq!(contents_at(&disk, TARGET), expected, "seed {seed}, cut at {at}");
    assert!(!disk.list().iter().any(|path| path.to_string_lossy().contains(".restoring")), "seed {seed}, cut at {at}");
    finished
}

#[test]
fn a_power_cut_at_any_operation_of_a_backup_leaves_the_one_before_or_the_new_one() {
    let seeds = Seeds::new(4, 4);
    let mut cuts = 0;
    for seed in seeds.iter() {
        cuts += (0..10_000).position(|at| cut_backup(seed, at)).unwrap();
    }
    println!("{cuts} power cuts");
    assert!(seeds.is_one() || cuts > 150, "{cuts}");
}

#[test]
fn a_power_cut_at_any_operation_of_a_restore_leaves_the_whole_store_or_room_for_it() {
    let seeds = Seeds::new(4, 4);
    let mut cuts = 0;
    for seed in seeds.iter() {
        cuts += (0..10_000).position(|at| cut_restore(seed, at)).unwrap();
    }
    println!("{cuts} power cuts");
    assert!(seeds.is_one() || cuts > 150, "{cuts}");
}

/// The call with that number fails; `false`: there are not so many.
fn fail(seed: u64, nth: u64, fault: Fault) -> bool {
    let mut chance = Chance::new(seed);
    let (disk, clock) = (SimDisk::new(seed), SimClock::new(1_000));
    let (source, expected) = store(&disk, &clock, &mut chance);
    let begun = disk.counts().calls;
    disk.fail_nth(SimOp::Any, nth, fault);
    let made = back_up(&disk, &source);
    let in_backup = disk.counts().calls - begun >= nth;
    if !in_backup {
        let restored = try_restore(&disk, TARGET);
        let is_reached = disk.counts().calls - begun >= nth;
        disk.clear_faults();
        if restored.is_err() {
            let left: Vec<_> = disk.list().into_iter().filter(|path| path.starts_with("/restored")).collect();
            // What could not be removed either is removed by the next one.
            let is_marked = left.iter().all(|path| path.starts_with("/restored/store.restoring"));
            assert!(is_marked, "seed {seed}, {fault:?} in call {nth}: {left:?}");
            try_restore(&disk, TARGET).unwrap_or_else(|error| panic!("seed {seed}, {fault:?} in call {nth}: {error}"));
        }
        assert_eq!(contents_at(&disk, TARGET), expected, "seed {seed}, {fault:?} in call {nth}");
        return is_reached;
    }
    disk.clear_faults();
    if made.is_err() && source.failure().is_none() {
        back_up(&disk, &source).unwrap_or_else(|error| panic!("seed {seed}, {fault:?} in call {nth}: {error}"));
    }
    if source.failure().is_none() {
        try_restore(&disk, TARGET).unwrap_or_else(|error| panic!("seed {seed}, {fault:?} in call {nth}: {error}"));
        assert_eq!(contents_at(&disk, TARGET), expected, "seed {seed}, {fault:?} in call {nth}");
    }
    true
}

#[test]
fn any_call_may_fail_and_the_next_try_works() {
    for fault in [Fault::Io, Fault::NoSpace, Fault::NoHandles] {
        let calls = (1..10_000).position(|nth| !fail(7, nth, fault)).unwrap();
        println!("{fault:?}: {calls} calls");
        assert!(calls > 100, "{calls}");
    }
}

#[test]
fn planted_faults_are_found() {
    let found_by = |fault, cut: fn(u64, u64) -> bool| {
        plant(Some(fault));
        let lives = (0..40).find(|seed| {
            let life = || (0..10_000).find(|at| cut(*seed, *at));
            std::panic::catch_unwind(life).is_err()
        });
        plant(None);
        println!("{fault:?}: {lives:?}");
        assert!(lives.is_some(), "{fault:?} was not found");
    };
    found_by(PlantedFault::BackupAheadOfJournal, cut_backup);
    found_by(PlantedFault::RestoredNameNotFlushed, cut_restore);
}
