//! Verification of an open store on a simulated disk: every flip in promised data is reported, also one that opening would
//! find; a store that stopped writing can still be verified; closing ends a verification under way.

use std::{cell::Cell, sync::Arc};

use ledgerstone_canonical_store::{Level, ProblemKind};
use ledgerstone_vfs::sim::{Fault, SimClock, SimOp};

use crate::failures::rig::Rig;

/// Three commits flushed, three more in the journal.
fn rig() -> Rig {
    let rig = Rig::stepped();
    rig.commits(3);
    rig.flush();
    for _ in 0..3 {
        let seq = rig.commit().unwrap();
        rig.store.wait(Level::Durable, seq).unwrap();
    }
    rig
}

#[test]
fn a_sound_store_is_counted_and_what_opening_meets_is_told_before() {
    let rig = rig();
    let report = rig.store.verify(&|| false).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
    assert_eq!((report.checked.events, report.checked.entries >= 3), (3, true));
    let (mut told, mut refused) = (0, 0);
    for path in rig.disk.list() {
        let Some(bytes) = rig.disk.read_file(&path) else { continue };
        let names = ["/journal/journal-0", "/events/", "/IDENTITY"];
        if !names.iter().any(|name| path.to_string_lossy().contains(name)) {
            continue;
        }
        for offset in (0..bytes.len()).filter(|offset| bytes[*offset] != 0 && offset % 3 == 0) {
            assert!(rig.disk.flip(&path, offset as u64, 1));
            let report = rig.store.verify(&|| false).unwrap();
            let opened = Rig::open(rig.disk.crash(), SimClock::new(3_000), false);
            let whole = opened.as_ref().is_ok_and(|rig| rig.store.marks().applied == 6);
            let whole = whole && opened.as_ref().is_ok_and(|rig| rig.try_content(6).is_ok());
            assert!(whole || !report.is_ok(), "{} byte {offset} was not told: {:?}", path.display(), opened.err());
            for problem in &report.problems {
                assert_eq!(problem.file, path, "{problem:?}");
            }
            let first = report.problems.first().and_then(|problem| problem.offset).unwrap_or(0);
            assert!(first <= offset as u64, "byte {offset}: {:?}", report.problems);
            told += usize::from(!report.is_ok());
            refused += usize::from(opened.is_err());
            assert!(rig.disk.flip(&path, offset as u64, 1));
        }
    }
    assert!(told >= refused && refused > 50, "told={told} refused={refused}");
}

#[test]
fn a_store_that_stopped_writing_is_verified_up_to_what_is_durable() {
    let rig = rig();
    rig.disk.fail_nth_named("journal-0", SimOp::Sync, 1, Fault::SyncFails);
    let seq = rig.commit().unwrap();
    assert!(rig.store.wait(Level::Durable, seq).is_err());
    assert!(rig.store.failure().is_some());
    let report = rig.store.verify(&|| false).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
    let journal = rig.disk.list().into_iter().find(|path| path.to_string_lossy().contains("journal-0")).unwrap();
    assert!(rig.disk.flip(&journal, 4096 * 2 + 60, 1));
    let kinds: Vec<_> = rig.store.verify(&|| false).unwrap().problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [ProblemKind::Checksum]);
}

#[test]
fn it_is_exact_while_commits_are_flushed_between_its_parts() {
    let rig = rig();
    let asked = Cell::new(0);
    let report = rig.store.verify(&|| {
        asked.set(asked.get() + 1);
        rig.commits(2);
        if asked.get() % 2 == 0 {
            rig.flush();
        }
        false
    });
    let report = report.unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
    assert!(asked.get() > 5, "{}", asked.get());
}

#[test]
fn closing_ends_what_is_under_way_and_lets_none_begin() {
    let rig = Rig::threaded();
    rig.commits(50);
    rig.store.wait(Level::Flushed, 50).unwrap();
    let running: Vec<_> = (0..3).map(|_| rig.store.start_verification().unwrap()).collect();
    let store = Arc::clone(&rig.store);
    let (closed, _disk) = rig.close();
    closed.unwrap();
    for verification in running {
        match verification.wait(std::time::Duration::ZERO).expect("its thread was joined") {
            Ok(report) => assert!(report.is_ok(), "it had ended before"),
            Err(error) => assert_eq!(error.code(), "ERR_CLOSED"),
        }
    }
    assert_eq!(store.start_verification().unwrap_err().code(), "ERR_CLOSED");
    assert_eq!(store.verify(&|| false).unwrap_err().code(), "ERR_CLOSED");
}
