//! The power is cut at every operation of making, publishing and pruning, and again during the recovery: what opens is the
//! whole set before the operation or after it, with every published byte. Also any call fails: the same holds, and the set
//! reports the failure.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod support;

use ledgerstone_format::{PlantedFault, plant};
use ledgerstone_snapshot_set::Error;
use ledgerstone_vfs::sim::{Fault, Seeds, SimDisk, SimOp};
use support::{Diff, Full, Model, Numbers, Op, Pending, carry_out, full, holds, open, reopened};

const OPERATIONS: u64 = 7;

/// How a life ended.
struct Ended {
    /// Before and after the operation under way.
    models: [Model; 2],
    finished: bool,
}

/// A set that is used until it fails.
fn live(disk: &SimDisk, seed: u64, cut_after: Option<u64>) -> Ended {
    let mut numbers = Numbers(seed);
    let mut model = Model::default();
    let set = open(disk).unwrap();
    if let Some(operations) = cut_after {
        disk.cut_after(operations);
    }
    for _ in 0..OPERATIONS {
        let op = Op::draw(&mut numbers);
        let (after, published) = model.after(op);
        if carry_out(disk, &set, &model, op, published).is_err() {
            return Ended { models: [model, after], finished: false };
        }
        model = after;
    }
    Ended { models: [model.clone(), model], finished: true }
}

/// Cuts the power at this operation, and possibly once more in the recovery; then the set continues. Returns how many models matched.
fn cut(seed: u64, at: u64, outcome: u64) -> Result<(bool, usize), String> {
    let disk = SimDisk::new(seed);
    let Ended { models: [before, after], finished } = live(&disk, seed, Some(at));
    assert_eq!(finished, !disk.is_cut());
    let chance = seed.wrapping_mul(1_009).wrapping_add(at * 3 + outcome);
    let mut disk = disk.power_cut_seeded(chance);
    if outcome == 2 {
        disk.cut_after(chance % 5);
        drop(open(&disk));
        disk = if disk.is_cut() { disk.power_cut() } else { disk.crash() };
    }
    let (set, place) = reopened(&disk, &[&before, &after])?;
    let mut model = if place == 0 { before } else { after };
    // It continues, and the new data is durable. The number of an undone snapshot may be used up.
    let made = full(&disk, &set, 2).ordinal;
    model.add_full(made, 2)?;
    holds(&disk, &set, &model)?;
    drop(set);
    reopened(&disk.power_cut(), &[&model])?;
    Ok((finished, place))
}

/// All cuts of one life.
fn cuts_of(seed: u64, found: &mut [u64; 2]) -> Result<(), String> {
    for at in 0.. {
        for outcome in 0..3 {
            let (finished, place) = cut(seed, at, outcome)
                .map_err(|what| format!("seed {seed}, cut at {at}, outcome {outcome}: {what}"))?;
            found[place] += 1;
            if finished {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[test]
fn a_power_cut_at_any_operation_leaves_the_set_before_it_or_after_it() {
    let seeds = Seeds::new(60, 60);
    let mut found = [0; 2];
    for seed in seeds.iter() {
        cuts_of(seed, &mut found).unwrap_or_else(|what| panic!("{what}"));
    }
    println!("{found:?} power cuts before and after the operation");
    assert!(seeds.is_one() || found.iter().all(|count| *count > 500), "{found:?}");
}

#[test]
fn planted_faults_are_found() {
    for fault in
        [PlantedFault::ShardsNotFlushed, PlantedFault::RenamedBeforeManifest, PlantedFault::PurgedBeforePublished]
    {
        plant(Some(fault));
        let found = (0..200).find_map(|seed| cuts_of(seed, &mut [0; 2]).err());
        plant(None);
        println!("{fault:?}: {found:?}");
        assert!(found.is_some(), "{fault:?} was not found");
    }
}

/// Fails the call with this number; `None`: there are fewer calls.
fn fail(seed: u64, nth: u64, fault: Fault) -> Option<Result<bool, String>> {
    let disk = SimDisk::new(seed);
    drop(open(&disk).unwrap());
    let mut numbers = Numbers(seed);
    let mut model = Model::default();
    let set = open(&disk).unwrap();
    let calls = disk.counts().calls;
    disk.fail_nth(SimOp::Any, nth, fault);
    for _ in 0..OPERATIONS {
        let op = Op::draw(&mut numbers);
        let (after, published) = model.after(op);
        let done = carry_out(&disk, &set, &model, op, published);
        if done.is_ok() && set.recovery().damaged.is_empty() && holds(&disk, &set, &after).is_ok() {
            model = after;
            continue;
        }
        disk.clear_faults();
        if done.is_ok() && set.recovery().damaged.is_empty() && holds(&disk, &set, &after).is_ok() {
            // The failed call was the listing's.
            return Some(Ok(true));
        }
        if done.is_ok() {
            // A file that could not be read counted as damaged: a diff was not continued, or nothing was pruned.
            let is_explained = matches!(op, Op::Make { reuse: true, .. }) || !set.recovery().damaged.is_empty();
            assert!(is_explained && matches!(fault, Fault::Io), "seed {seed}, {fault:?} in call {nth}, {op:?}");
            drop(set);
            let found = open(&disk.crash()).map_err(|error| error.to_string()).map(|set| set.recovery().damaged);
            return Some(if found == Ok(Vec::new()) {
                Ok(true)
            } else {
                Err(format!("seed {seed}, call {nth}: {found:?}"))
            });
        }
        let judged = judge(&disk, set, [model, after], op, published);
        return Some(
            judged.map_err(|what| format!("seed {seed}, {fault:?} in call {nth}, {op:?}: {what}, after {done:?}")),
        );
    }
    (disk.counts().calls - calls > nth).then_some(Ok(false))
}

/// After a failed call of `op`: checks whether the set continues.
fn judge(
    disk: &SimDisk,
    set: ledgerstone_snapshot_set::FileSnapshotSet,
    models: [Model; 2],
    op: Op,
    published: Option<u64>,
) -> Result<bool, String> {
    let [mut before, mut after] = models;
    let goes_on = match set.list() {
        Err(Error::Poisoned(_)) => false,
        Err(other) => return Err(format!("list: {other}")),
        Ok(_) => {
            let at_once =
                holds(disk, &set, &before).map(|()| &before).or_else(|_| holds(disk, &set, &after).map(|()| &after))?;
            if *at_once == before && published.is_some() && disk.counts().syncs > 0 {
                // Repeated: it is done; or a flush had failed, and then it never is.
                match carry_out(disk, &set, &before, op, published) {
                    Ok(()) => holds(disk, &set, &after)?,
                    Err(Error::Corrupt { .. }) => holds(disk, &set, &before)?,
                    Err(other) => return Err(format!("again: {other}")),
                }
            }
            let made = full(disk, &set, 1).ordinal;
            // Only one of the two still applies.
            before.add_full(made, 1).or(after.add_full(made, 1))?;
            after.add_full(made, 1).ok();
            true
        }
    };
    drop(set);
    reopened(&disk.power_cut(), &[&before, &after])?;
    reopened(&disk.crash(), &[&before, &after])?;
    Ok(goes_on)
}

#[test]
fn any_call_that_fails_leaves_the_set_before_the_operation_or_after_it() {
    let seeds = Seeds::new(25, 25);
    let mut ended = [0; 2];
    for seed in seeds.iter() {
        for fault in [Fault::Io, Fault::NoSpace, Fault::NoHandles, Fault::SyncFails] {
            for nth in 1.. {
                match fail(seed, nth, fault) {
                    None => break,
                    Some(Ok(goes_on)) => ended[usize::from(goes_on)] += 1,
                    Some(Err(what)) => panic!("{what}"),
                }
            }
        }
    }
    println!("{ended:?} failures that ended the set and that it went on after");
    assert!(seeds.is_one() || ended.iter().all(|count| *count > 100), "{ended:?}");
}

// Bug: a diff that was made before a kill, returned again after it and written, was lost by a later power cut. Mechanism: the
// manifest that lists it had its name, but the folder was not flushed when the process died; the older manifest came back, in
// which the diff was still being made. Fix: opening flushes the folder from which it read the manifest.
#[test]
fn what_an_opening_relies_on_is_durable() {
    let mut given = 0;
    for seed in 0..40 {
        for at in 0.. {
            let disk = SimDisk::new(seed);
            let set = open(&disk).unwrap();
            disk.cut_after(at);
            let done = set.create_or_get(Diff, 2, false).is_ok();
            let disk = disk.crash();
            let set = open(&disk).unwrap();
            if let Some((ordinal, _)) = support::listed(&set).first().copied() {
                let diff = set.create_or_get(Diff, 2, true).unwrap();
                assert_eq!(diff.ordinal, ordinal);
                support::write(&disk, &diff.shard_paths[1], b"acknowledged", 0, true).unwrap();
                for outcome in 0..4 {
                    let disk = disk.power_cut_seeded(seed * 31 + outcome);
                    let set = open(&disk).unwrap();
                    assert_eq!(
                        support::ordinals(&set.snapshots_to_restore().unwrap()),
                        [ordinal],
                        "seed {seed} at {at}"
                    );
                    assert_eq!(disk.read_file(&diff.shard_paths[1]).as_deref(), Some(b"acknowledged".as_slice()));
                }
                given += 1;
            }
            if done {
                break;
            }
        }
    }
    assert!(given >= 80, "{given}");
}

// In other implementations opening a full device needed space, and so did the pruning that was to free some.
#[test]
fn pruning_works_on_a_full_device() {
    let disk = SimDisk::new(3);
    let set = open(&disk).unwrap();
    for _ in 0..4 {
        full(&disk, &set, 3);
    }
    disk.set_capacity(Some(disk.used_bytes()));
    assert!(matches!(set.create_or_get(Pending, 1, false), Err(Error::NoSpace(_))));
    let gone = set.prune(ledgerstone_snapshot_set::Prune { keep_full: Some(1), pendings: false }).unwrap();
    assert_eq!(support::ordinals(&gone), [1, 2, 3]);
    drop(set);
    // It opens there too, also with a step under way.
    let disk = disk.power_cut();
    disk.set_capacity(Some(disk.used_bytes()));
    let set = open(&disk).unwrap();
    assert_eq!(support::listed(&set), [(4, Full)]);
    assert!(set.create_or_get(Pending, 1, false).is_err());
    disk.set_capacity(None);
    // The number that was tried is not used again.
    assert!(set.create_or_get(Pending, 1, false).unwrap().ordinal > 4);
}

/// Bug: a set lost what it had published with the power. Mechanism: the process that made its folder was killed before it flushed the folder's name, and the next opening flushed
/// only the names in it. Fix: an opening that finds no manifest flushes the folder's own name first, and a folder is not made below one whose name may not be durable.
#[test]
fn the_name_of_a_folder_that_nobody_flushed_is_flushed_before_anything_is_promised() {
    for nth in 1..=2 {
        let disk = SimDisk::new(9);
        disk.fail_nth(SimOp::SyncDir, nth, Fault::NoHandles);
        open(&disk).unwrap_err();
        let disk = disk.crash();
        let set = open(&disk).unwrap();
        let mut model = Model::default();
        let made = full(&disk, &set, 2).ordinal;
        model.add_full(made, 2).unwrap();
        drop(set);
        for seed in 0..20 {
            reopened(&disk.power_cut_seeded(seed), &[&model]).unwrap_or_else(|error| panic!("{nth} {seed}: {error}"));
        }
    }
}
