//! What a closed journal leaves: no more than its first file took, whatever its size before; and a crash at any step loses nothing.
//!
//! Bug: after a clean close the journal kept its files and two spares, 192 MiB of a store that had once been busy. Mechanism:
//! nothing freed them. Fix: closing keeps only the place after the last frame.

use std::sync::Arc;

use ledgerstone_format::Durability;
use ledgerstone_journal::{Error, JournalOptions};
use ledgerstone_vfs::{
    Vfs,
    sim::{Fault, SimDisk, SimOp},
};

use crate::rig::{Commit, DIR, Rig, small_files};

fn bare(disk: &SimDisk) -> Arc<dyn Vfs> {
    Arc::new(disk.clone())
}

/// Last values of this length end within the first 16 KiB of a file, and after that.
const SHORT: usize = 12_000;
const LONG: usize = 24_000;

/// A closed journal of several files and spares, all of it in the checkpoint. `last` is the length of the last value.
fn closed(last: usize) -> Rig {
    let mut rig = Rig::new(1);
    for n in 1..=12 {
        rig.append(Commit::numbered(n, 9000)).unwrap();
    }
    rig.checkpoint().unwrap();
    rig.append(Commit::numbered(13, 9000)).unwrap();
    rig.append(Commit::numbered(14, last)).unwrap();
    rig.durable().unwrap();
    // The newest two files are both in use, as after a flush that could not recycle.
    let end = rig.journal.end();
    rig.from.applied_seq = end.seq;
    rig.from.next_event_id = rig.event_id_behind(end.seq);
    rig.from.position = end.position;
    rig.from.promised.seq = end.seq;
    rig.journal.reserve(9000).unwrap();
    rig.journal.close().unwrap();
    rig
}

/// Opens, keeps writing, and opens again.
fn goes_on(rig: &mut Rig) {
    rig.reopen(14).unwrap();
    rig.append_many(3).unwrap();
    rig.durable().unwrap();
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(17).unwrap();
    rig.checkpoint().unwrap();
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    rig.checkpoint().unwrap();
    assert!(rig.journal.stats().files <= 1, "{:?}", rig.journal.stats());
}

#[test]
fn a_closed_journal_takes_no_more_than_its_first_file_and_goes_on() {
    for last in [10, 9000, SHORT, LONG] {
        let mut rig = closed(last);
        assert!(rig.disk.used_bytes() > 64 << 10);
        rig.journal.shrink().unwrap();
        assert!(rig.disk.used_bytes() <= small_files().first_file_bytes, "{last}: {:?}", rig.disk.list());
        assert_eq!(rig.disk.list().len(), 1);
        rig.move_to(rig.disk.power_cut(), bare);
        // Opening and closing it without a commit changes nothing.
        rig.from.promised.is_end = true;
        for _ in 0..3 {
            rig.reopen(14).unwrap();
            rig.journal.close().unwrap();
            rig.journal.shrink().unwrap();
            assert_eq!(rig.disk.list().len(), 1);
        }
        rig.from.promised.is_end = false;
        goes_on(&mut rig);
    }
}

#[test]
fn a_newest_file_that_is_short_enough_costs_no_flush() {
    for (last, flushes) in [(SHORT, 0), (LONG, 1)] {
        let rig = closed(last);
        let before = rig.disk.counts();
        rig.journal.shrink().unwrap();
        let after = rig.disk.counts();
        assert_eq!((after.syncs - before.syncs, after.dir_syncs - before.dir_syncs), (flushes, flushes), "{last}");
    }
}

#[test]
fn cut_off_at_any_step_nothing_is_lost() {
    let mut cuts = 0;
    for last in [SHORT, LONG] {
        for step in 0.. {
            let rig = closed(last);
            rig.disk.cut_after(step);
            let _ = rig.journal.shrink();
            if !rig.disk.is_cut() {
                break;
            }
            cuts += 1;
            for seed in 0..40 {
                let mut rig = closed(last);
                rig.disk.cut_after(step);
                let _ = rig.journal.shrink();
                rig.move_to(rig.disk.power_cut_seeded(seed), bare);
                goes_on(&mut rig);
            }
        }
    }
    assert!(cuts > 8, "{cuts}");
}

#[test]
fn what_fails_leaves_files_that_open() {
    let ops = [SimOp::Create, SimOp::Write, SimOp::Sync, SimOp::Rename, SimOp::SyncDir, SimOp::SetLen, SimOp::Remove];
    for last in [SHORT, LONG] {
        for op in ops {
            for fault in [Fault::NoSpace, Fault::Io] {
                let mut rig = closed(last);
                rig.disk.fail_from("", op, 1, fault);
                let outcome = rig.journal.shrink();
                let is_flush = last == LONG && matches!(op, SimOp::Sync | SimOp::SyncDir);
                assert_eq!(matches!(outcome, Err(Error::Poisoned(_))), is_flush, "{op:?}");
                assert!(is_flush || outcome.is_ok(), "{op:?}");
                rig.disk.clear_faults();
                let unfinished = |path: &&std::path::PathBuf| path.extension().is_some_and(|it| it == "tmp");
                assert!(op == SimOp::Remove || rig.disk.list().iter().find(unfinished).is_none(), "{op:?}");
                rig.move_to(if op == SimOp::SyncDir { rig.disk.power_cut() } else { rig.disk.crash() }, bare);
                goes_on(&mut rig);
            }
        }
    }
}

/// The file that continues the journal is a witness: its removal is detected.
#[test]
fn without_the_file_that_is_left_the_journal_is_damaged() {
    let mut rig = closed(LONG);
    rig.journal.shrink().unwrap();
    let left = rig.disk.list().pop().unwrap();
    rig.move_to(rig.disk.crash(), bare);
    ledgerstone_vfs::Vfs::remove_file(&rig.disk, &left).unwrap();
    assert!(crate::rig::is_corrupt(&rig.scan()));
}

#[test]
fn where_more_is_to_be_kept_only_spares_go() {
    let options = JournalOptions { keep_bytes: 40 << 10, max_file_bytes: 16 << 10, ..small_files() };
    let mut rig = Rig::with(1, options);
    for n in 1..=10 {
        rig.append(Commit::numbered(n, 9000)).unwrap();
    }
    rig.checkpoint().unwrap();
    let files = rig.journal.stats().files;
    rig.journal.close().unwrap();
    rig.journal.shrink().unwrap();
    assert_eq!(rig.disk.list().len() as u64, files, "{DIR}");
    rig.reopen(10).unwrap();
    rig.journal.wait(Durability::Durable, 10).unwrap();
}
