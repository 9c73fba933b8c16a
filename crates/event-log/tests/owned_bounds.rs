//! A log on its own at its bounds: the last id, shared file systems, cancelled verifications.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{path::Path, sync::Arc, time::Duration};

use ledgerstone_event_log::{Error, Ground, Opening, OwnedLog, OwnedLogOptions, Result};
use ledgerstone_format::StoreId;
use ledgerstone_vfs::{
    FileSystem, Vfs,
    sim::{SimClock, SimDisk},
};

const LONG: Duration = Duration::from_secs(60);

fn open(disk: &SimDisk, options: OwnedLogOptions) -> Result<OwnedLog> {
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let ground = Ground { vfs, clock: Arc::new(SimClock::new(1_000)), new_id: |_| StoreId::from_random([7; 16]) };
    OwnedLog::open(&ground, Path::new("/log"), options)
}

/// Bug: the last event of a log could have the id 2^53 - 1. Mechanism: the next id was then 2^53, which is no safe integer in
/// JavaScript, where it is the same number as 2^53 + 1. Fix: the last event's id is 2^53 - 2.
#[test]
fn the_id_after_the_last_possible_one_is_a_safe_integer() {
    let first_event_id = (1 << 53) - 2;
    let disk = SimDisk::new(1);
    let log = open(&disk, OwnedLogOptions { first_event_id, ..OwnedLogOptions::default() }).unwrap();
    log.append_with_id(first_event_id, b"last").unwrap();
    assert_eq!(log.next_event_id(), (1 << 53) - 1);
    let refused = log.append_with_id(log.next_event_id(), b"one more");
    assert!(matches!(refused, Err(Error::Limit { limit: "eventId", .. })), "{refused:?}");
    log.rotate().unwrap();
    log.close().unwrap();
    let log = open(&disk, OwnedLogOptions::default()).unwrap();
    assert_eq!((log.next_event_id(), log.get(first_event_id).unwrap().unwrap().1), ((1 << 53) - 1, b"last".to_vec()));
}

#[test]
fn a_network_file_system_is_refused_before_anything_is_made_there_unless_it_is_allowed_or_only_read() {
    let disk = SimDisk::new(1);
    let network = || disk.set_file_system(FileSystem::Network { kind: "nfs".to_owned() });
    network();
    let refused = open(&disk, OwnedLogOptions::default());
    assert!(matches!(&refused, Err(Error::FileSystem { kind, .. }) if kind == "nfs"), "{refused:?}");
    assert!(!disk.exists(Path::new("/log")).unwrap());
    let allowed = OwnedLogOptions { allow_network_file_system: true, ..OwnedLogOptions::default() };
    let log = open(&disk, allowed).unwrap();
    log.append_with_id(1, b"first").unwrap();
    log.close().unwrap();
    let archive = open(&disk, OwnedLogOptions { opening: Opening::ReadOnly, ..OwnedLogOptions::default() }).unwrap();
    assert_eq!(archive.next_event_id(), 2);
}

#[test]
fn a_verification_tells_what_it_found_and_after_its_end_only_that_it_was_ended() {
    let disk = SimDisk::new(1);
    let log = Arc::new(open(&disk, OwnedLogOptions::default()).unwrap());
    for id in 1..=100 {
        log.append_with_id(id, &[7; 1_000]).unwrap();
    }
    let verification = log.start_verification().unwrap();
    let report = verification.wait(LONG).unwrap().unwrap();
    assert_eq!((report.damages.len(), report.omitted, report.verified.events), (0, 0, 100));
    verification.end();

    let path = log.rotate().unwrap().unwrap();
    disk.flip(&path, 5_000, 1);
    let verification = log.start_verification().unwrap();
    let report = verification.wait(LONG).unwrap().unwrap();
    assert_eq!(report.damages[0].file, path);

    let verification = log.start_verification().unwrap();
    verification.end();
    let ended = verification.wait(LONG).unwrap();
    assert!(matches!(ended, Err(Error::Closed) | Ok(_)), "{ended:?}");
    log.close().unwrap();
    assert!(matches!(log.start_verification(), Err(Error::Closed)));
}

/// Bug: a verification of a log kept reading its files after the log was closed and its lock released. Mechanism: a store kept
/// a list of its verifications to end, a log did not. Fix: the same code runs and ends both.
#[test]
fn closing_ends_what_is_under_way_and_lets_none_begin() {
    let disk = SimDisk::new(1);
    let log = Arc::new(open(&disk, OwnedLogOptions::default()).unwrap());
    for id in 1..=2_000 {
        log.append_with_id(id, &[7; 2_000]).unwrap();
    }
    let running: Vec<_> = (0..3).map(|_| log.start_verification().unwrap()).collect();
    log.close().unwrap();
    for verification in running {
        match verification.wait(Duration::ZERO).expect("its thread was joined") {
            Ok(report) => assert!(report.damages.is_empty(), "it had ended before"),
            Err(error) => assert!(matches!(error, Error::Closed), "{error:?}"),
        }
    }
    assert!(matches!(log.start_verification(), Err(Error::Closed)));
}
