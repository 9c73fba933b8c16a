//! Each call on the disk fails once, in every way: acknowledged commits stay, others are never acknowledged later, and the
//! error says what happened.

use std::sync::Arc;

use ledgerstone_format::Durability;
use ledgerstone_journal::{Error, Led};
use ledgerstone_vfs::{
    Vfs,
    sim::{Fault, SimDisk, SimOp},
};

use crate::rig::{Commit, Rig, is_poisoned};

fn bare(disk: &SimDisk) -> Arc<dyn Vfs> {
    Arc::new(disk.clone())
}

/// Durable commits over several files, with a checkpoint in between; stops at the first refusal. Returns the last acknowledged seq.
fn script(rig: &mut Rig) -> Result<u64, (u64, Error)> {
    for n in 1..=12 {
        let acknowledged = rig.journal.durable();
        let outcome = rig.append(Commit::numbered(n, 3000)).and_then(|()| rig.journal.try_lead(n)).and_then(|led| {
            rig.journal.step()?;
            if n == 6 && led == Led::Done { rig.checkpoint() } else { Ok(()) }
        });
        if let Err(error) = outcome {
            return Err((acknowledged, error));
        }
    }
    Ok(rig.journal.durable())
}

#[test]
fn every_call_failing_in_every_way_loses_nothing_acknowledged() {
    let mut poisoned = 0;
    for op in [SimOp::Write, SimOp::Sync, SimOp::Rename, SimOp::SyncDir, SimOp::Create, SimOp::Open, SimOp::Remove] {
        for fault in [Fault::Io, Fault::NoSpace, Fault::ShortWrite, Fault::SyncFails] {
            for nth in 1..=40 {
                let mut rig = Rig::new(nth);
                rig.disk.fail_nth(op, nth, fault);
                let context = format!("{op:?} {nth} {fault:?}");
                let mut acknowledged = match script(&mut rig) {
                    Ok(acknowledged) => acknowledged,
                    Err((acknowledged, _)) => acknowledged.max(rig.journal.durable()),
                };
                if rig.poison.get().is_some() {
                    poisoned += 1;
                    let durable = rig.journal.durable();
                    assert!(is_poisoned(&rig.append(Commit::numbered(99, 1))), "{context}");
                    assert!(is_poisoned(&rig.journal.step()) && is_poisoned(&rig.journal.close()), "{context}");
                    assert_eq!(rig.journal.durable(), durable, "{context}: nothing more is acknowledged");
                } else if rig.journal.close().is_ok() {
                    acknowledged = acknowledged.max(rig.next_seq() - 1);
                }
                rig.disk.clear_faults();
                let after = [rig.disk.power_cut(), rig.disk.crash()];
                let (commits, from) = (rig.commits.clone(), rig.from);
                for disk in after {
                    (rig.commits, rig.from) = (commits.clone(), from);
                    rig.move_to(disk, bare);
                    rig.reopen(acknowledged).unwrap_or_else(|error| panic!("{context}: {error:?}"));
                    rig.append_many(2).unwrap();
                    rig.durable().unwrap();
                }
            }
        }
    }
    assert!(poisoned >= 60, "{poisoned}");
}

/// The kernel may drop the pages of a failed flush and report success the second time (I5).
#[test]
fn a_failed_flush_is_never_repeated() {
    for fault in [Fault::Io, Fault::NoSpace, Fault::SyncFails] {
        let mut rig = Rig::new(1);
        rig.append_many(3).unwrap();
        rig.durable().unwrap();
        rig.append_many(3).unwrap();
        rig.disk.fail_nth(SimOp::Sync, 1, fault);
        let syncs = rig.disk.counts().syncs;
        assert!(is_poisoned(&rig.durable()), "{fault:?}");
        assert!(is_poisoned(&rig.durable()) && is_poisoned(&rig.journal.try_lead(6)));
        rig.journal.want(Durability::Durable, 6);
        rig.journal.hand_over();
        assert!(is_poisoned(&rig.journal.step()) && is_poisoned(&rig.journal.close()));
        assert_eq!((rig.disk.counts().syncs, rig.journal.durable()), (syncs + 1, 3), "{fault:?}");
        assert!(matches!(rig.poison.get(), Some(Error::Io(_))));
    }
}

/// I5: EIO and a failed rename stop the store; a lack of space, or a call that never began, does not.
#[test]
fn what_poisons_and_what_is_merely_refused() {
    for (op, fault, poisons) in [
        (SimOp::Write, Fault::Io, true),
        (SimOp::Write, Fault::NoSpace, false),
        (SimOp::Sync, Fault::Io, true),
        (SimOp::Sync, Fault::NoSpace, true),
        (SimOp::SyncDir, Fault::Io, true),
        (SimOp::SyncDir, Fault::NoSpace, true),
        (SimOp::Rename, Fault::Io, true),
        (SimOp::Rename, Fault::NoSpace, false),
        (SimOp::Create, Fault::Io, false),
        (SimOp::Create, Fault::NoSpace, false),
    ] {
        let mut rig = Rig::new(1);
        // A full device has no space for a smaller file either.
        match fault {
            Fault::NoSpace => rig.disk.fail_from("journal", op, 1, fault),
            _ => rig.disk.fail_nth(op, 1, fault),
        }
        let refused = rig.append(Commit::numbered(1, 10));
        assert_eq!(rig.poison.get().is_some(), poisons, "{op:?} {fault:?}: {refused:?}");
        match refused {
            Err(Error::Poisoned(_)) => assert!(poisons),
            Err(Error::NoSpace(_)) => assert!(!poisons && fault == Fault::NoSpace),
            Err(Error::Io(_)) => assert!(!poisons && fault == Fault::Io),
            other => panic!("{op:?} {fault:?}: {other:?}"),
        }
        rig.disk.clear_faults();
        if !poisons {
            rig.append_many(1).unwrap();
            rig.durable().unwrap();
        }
    }
}

#[test]
fn what_was_acknowledged_before_a_poisoning_stays_acknowledged() {
    let mut rig = Rig::new(1);
    rig.append_many(3).unwrap();
    rig.durable().unwrap();
    rig.poison.set(Error::Internal("elsewhere"));
    rig.journal.wait(Durability::Durable, 3).unwrap();
    assert!(is_poisoned(&rig.append(Commit::numbered(4, 1))));
}

#[test]
fn a_failed_read_is_an_error_and_not_the_end_of_the_journal() {
    let mut rig = Rig::new(1);
    rig.append_many(40).unwrap();
    rig.durable().unwrap();
    rig.move_to(rig.disk.crash(), bare);
    let mut failed = 0;
    for op in [SimOp::Read, SimOp::Open, SimOp::List] {
        for nth in 1..=30 {
            rig.disk.fail_nth(op, nth, Fault::Io);
            match rig.scan() {
                Ok(scan) => rig.check(&scan, 40).unwrap(),
                Err(Error::Io(_)) => failed += 1,
                Err(error) => panic!("{op:?} {nth}: {error}"),
            }
            rig.disk.clear_faults();
        }
    }
    assert!(failed >= 5, "{failed}");
    for nth in 1..=30 {
        rig.disk.fail_nth(SimOp::Read, nth, Fault::ShortWrite);
        rig.check(&rig.scan().unwrap(), 40).unwrap();
        rig.disk.clear_faults();
    }
}

/// A failed opening has changed nothing that matters: the next attempt finds the same.
#[test]
fn every_call_of_an_opening_may_fail() {
    for op in [SimOp::Write, SimOp::Sync, SimOp::Rename, SimOp::SyncDir, SimOp::Create, SimOp::Open, SimOp::Remove] {
        for fault in [Fault::Io, Fault::NoSpace] {
            for nth in 1..=8 {
                let mut rig = Rig::new(nth);
                rig.append_many(20).unwrap();
                rig.durable().unwrap();
                rig.append_many(9).unwrap();
                rig.journal.hand_over();
                rig.move_to(rig.disk.crash(), bare);
                rig.disk.fail_nth(op, nth, fault);
                let context = format!("{op:?} {nth} {fault:?}");
                let first = rig.reopen(29);
                rig.disk.clear_faults();
                // The same process, a new one, and one after a power cut.
                let after = [rig.disk.crash(), rig.disk.power_cut()];
                let durable = if first.is_ok() { 29 } else { 20 };
                let commits = rig.commits.clone();
                for (disk, at_least) in after.into_iter().zip([29, durable]) {
                    rig.commits.clone_from(&commits);
                    rig.move_to(disk, bare);
                    rig.reopen(at_least).unwrap_or_else(|error| panic!("{context}: {error:?}"));
                }
            }
        }
    }
}
