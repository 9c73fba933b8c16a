//! The process has no file handles for a while: operations that need one wait or are refused, nothing is poisoned, and it heals.
//!
//! Bug: EMFILE from opening a file or folder in the middle of the engine's work stopped the store for good. Mechanism: every
//! failure except a full device was treated as a failing device. Fix: a shortage of shared resources is distinguished, and
//! waited for like a full device.

use ledgerstone_canonical_store::{
    Level,
    testing::{Step, step_flusher, step_journal},
};
use ledgerstone_vfs::sim::{Fault, SimOp};

use crate::failures::rig::Rig;

/// Lives through enough commits to begin journal files, segments and checkpoints; returns the number of applied commits.
fn live(rig: &Rig, rounds: u64) -> u64 {
    for round in 0..rounds {
        for _ in 0..12 {
            // Refused if it needs a file that cannot be opened at present.
            let _ = rig.commit();
            step_journal(&rig.store).unwrap();
        }
        let applied = rig.store.marks().applied;
        rig.store.want(Level::Flushed, applied);
        while step_journal(&rig.store).unwrap() {}
        for _ in 0..4 {
            let step = step_flusher(&rig.store);
            assert!(!matches!(step, Step::Failed), "round {round}: {:?}", rig.store.failure());
        }
        let marks = rig.store.marks();
        assert!(!marks.failed && !marks.no_space, "round {round}: {marks:?}");
    }
    rig.store.marks().applied
}

/// Every name and every way of opening: the n-th call fails, and then all of them for a while.
#[test]
fn no_opening_that_finds_no_handle_stops_the_store() {
    for op in [SimOp::Open, SimOp::Create, SimOp::SyncDir, SimOp::List] {
        for lasting in [false, true] {
            for nth in 1..=30 {
                let rig = Rig::stepped();
                rig.commits(1);
                rig.flush();
                if lasting {
                    rig.disk.fail_from("", op, nth, Fault::NoHandles);
                } else {
                    rig.disk.fail_nth_named("", op, nth, Fault::NoHandles);
                }
                let applied = live(&rig, 6);
                rig.assert_known(applied);
                rig.disk.clear_faults();
                rig.commits(1);
                rig.flush();
                rig.assert_content(applied + 1);
                rig.kill_and_reopen().assert_content(applied + 1);
            }
        }
    }
}

#[test]
fn a_store_without_handles_closes_and_keeps_everything() {
    let rig = Rig::threaded();
    rig.commits(3);
    rig.store.wait(Level::Durable, 3).unwrap();
    rig.disk.fail_from("", SimOp::Any, 1, Fault::NoHandles);
    let clock = rig.clock.clone();
    let (closed, disk) = rig.close();
    closed.unwrap();
    disk.clear_faults();
    Rig::open(disk, clock, false).unwrap().assert_content(3);
}
