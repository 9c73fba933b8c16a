//! The process is out of file handles for a while: what needs one waits or is refused, nothing is poisoned, and it heals.
//!
//! Bug: EMFILE from the opening of a file or folder in the middle of the engine's work stopped the store for good.
//! Mechanism: every failure but a full device was taken for a failing one. Fix: a shortage of what the process shares is told
//! apart, and waited for like a full device.

use ledgerstone_canonical_store::{
    Level,
    testing::{Step, step_flusher, step_journal},
};
use ledgerstone_vfs::sim::{Fault, SimOp};

use crate::failures::rig::Rig;

/// Lives through enough commits for journal files, segments and checkpoints to be begun; the number of commits that were applied.
fn live(rig: &Rig, rounds: u64) -> u64 {
    for round in 0..rounds {
        for _ in 0..12 {
            // Refused when it needs a file that cannot be opened now.
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

/// Every name and every way of opening: the n-th fails, and then every one for a while.
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
