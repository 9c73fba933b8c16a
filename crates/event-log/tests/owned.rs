//! A log on its own: one owner, exact figures, the right events after every kind of end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{path::Path, sync::Arc, time::Duration};

use ledgerstone_event_log::{Error, Event, Ground, Opening, OwnedLog, OwnedLogOptions, Result, RetentionPolicy};
use ledgerstone_format::{Durability, StoreId, compression::Compression};
use ledgerstone_vfs::{
    Taken,
    sim::{Fault, SimClock, SimDisk, SimOp},
};
use support::{event, vfs};

const SMALL: OwnedLogOptions = OwnedLogOptions {
    opening: Opening::CreateOrOpen,
    segment_bytes: 16 << 10,
    max_event_bytes: 100_000,
    first_event_id: 1,
    durability: Durability::Written,
    compression: Compression::Lz4,
    retention: RetentionPolicy { max_events: None, max_age_ms: None, max_bytes: None },
    allow_network_file_system: false,
};

fn dir() -> &'static Path {
    Path::new("/log")
}

fn ground(disk: &SimDisk) -> Ground {
    Ground { vfs: vfs(disk), clock: Arc::new(SimClock::new(1_000)), new_id: |_| StoreId::from_random([5; 16]) }
}

fn open(disk: &SimDisk, options: OwnedLogOptions) -> Result<OwnedLog> {
    OwnedLog::open(&ground(disk), dir(), options)
}

fn bytes(id: u64) -> Vec<u8> {
    event(id, 40 + usize::try_from(id % 7).unwrap() * 90).1
}

/// Appends events up to `last` one by one.
fn append_upto(log: &OwnedLog, last: u64) {
    for id in log.next_event_id()..=last {
        log.append_with_id(id, &bytes(id)).unwrap();
    }
}

fn assert_holds(log: &OwnedLog, oldest: u64, next: u64) {
    let stats = log.stats();
    assert_eq!((stats.oldest_event_id, stats.newest_event_id + 1, stats.event_count), (oldest, next, next - oldest));
    assert_eq!((log.oldest_event_id(), log.next_event_id(), log.newest_event_id()), (oldest, next, next - 1));
    let found: Vec<Event> = log.iter_range(0, None).map(Result::unwrap).collect();
    assert_eq!(found.len() as u64, next - oldest);
    for (event, id) in found.iter().zip(oldest..) {
        assert!(event.id == id && event.bytes == bytes(id), "event {id}");
        assert_eq!(log.get(id).unwrap(), Some((event.timestamp_ms, event.bytes.clone())));
    }
    assert!(found.is_sorted_by_key(|event| event.timestamp_ms));
}

#[test]
fn a_log_is_made_appended_to_closed_and_opened_again() {
    let disk = SimDisk::new(1);
    let log = open(&disk, OwnedLogOptions { first_event_id: 7, ..SMALL }).unwrap();
    assert_eq!(log.stats().file_count, 1);
    assert_holds(&log, 7, 7);
    append_upto(&log, 200);
    assert_holds(&log, 7, 201);
    assert_eq!(log.iter_range(20, Some(25)).map(|event| event.unwrap().id).collect::<Vec<_>>(), [20, 21, 22, 23, 24]);
    log.close().unwrap();
    log.close().unwrap();
    assert!(matches!(log.append_with_id(201, b""), Err(Error::Closed)));
    assert!(matches!(log.get(7), Err(Error::Closed)));
    assert!(matches!(log.iter_range(0, None).next(), Some(Err(Error::Closed))));
    // The option for the first id counts only when a log is made.
    let log = open(&disk, SMALL).unwrap();
    assert_eq!((log.recovery().was_closed, log.recovery().torn.as_ref()), (true, None));
    assert_holds(&log, 7, 201);
    assert_eq!(log.id(), StoreId::from_random([5; 16]));
}

#[test]
fn one_owner_at_a_time_and_the_second_is_told_who() {
    let disk = SimDisk::new(1);
    let log = open(&disk, SMALL).unwrap();
    let refused = open(&disk, SMALL);
    assert!(matches!(&refused, Err(Error::Locked { by: Taken::Here, .. })), "{refused:?}");
    log.close().unwrap();
    open(&disk, SMALL).unwrap();
}

#[test]
fn what_does_not_fit_is_refused_whole() {
    let disk = SimDisk::new(1);
    let log = open(&disk, SMALL).unwrap();
    append_upto(&log, 3);
    let gap = log.append_with_id(5, b"x");
    assert!(matches!(gap, Err(Error::EventIdGap { expected: 4, actual: 5 })), "{gap:?}");
    let again = log.append_batch_with_ids(3, &[b"x"]);
    assert!(matches!(again, Err(Error::EventIdGap { expected: 4, actual: 3 })), "{again:?}");
    // The large one comes last: those before it are not appended either.
    let limit = log.append_batch_with_ids(4, &[vec![1; 90_000], vec![1; 100_001]]);
    assert!(matches!(limit, Err(Error::Limit { limit: "eventBytes", size: 100_001, max: 100_000 })), "{limit:?}");
    assert_holds(&log, 1, 4);
    for options in [
        OwnedLogOptions { segment_bytes: 10, ..SMALL },
        OwnedLogOptions { max_event_bytes: 0, ..SMALL },
        OwnedLogOptions { max_event_bytes: (1 << 30) + 1, ..SMALL },
        OwnedLogOptions { first_event_id: 1 << 53, ..SMALL },
    ] {
        let refused = open(&SimDisk::new(1), options);
        assert!(matches!(refused, Err(Error::InvalidArgument { .. })), "{refused:?}");
    }
    let codes = [&gap, &limit].map(|refused| refused.as_ref().unwrap_err().code());
    assert_eq!(codes, ["ERR_EVENT_ID_GAP", "ERR_LIMIT"]);
}

#[test]
fn nothing_is_made_where_a_log_was_expected() {
    let disk = SimDisk::new(1);
    for opening in [Opening::Existing, Opening::ReadOnly] {
        let missing = open(&disk, OwnedLogOptions { opening, ..SMALL });
        assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");
    }
    assert_eq!(disk.operations(), 0);
    append_upto(&open(&disk, SMALL).unwrap(), 1);
    assert_holds(&open(&disk.crash(), OwnedLogOptions { opening: Opening::Existing, ..SMALL }).unwrap(), 1, 2);
}

#[test]
fn a_batch_has_one_time_and_time_never_goes_back() {
    let disk = SimDisk::new(1);
    let clock = SimClock::new(5_000);
    let ground = Ground { clock: Arc::new(clock.clone()), ..ground(&disk) };
    let log = OwnedLog::open(&ground, dir(), SMALL).unwrap();
    log.append_batch_with_ids(1, &[bytes(1), bytes(2)]).unwrap();
    clock.set_wall_ms(4_000);
    log.append_with_id(3, &bytes(3)).unwrap();
    log.close().unwrap();
    let log = OwnedLog::open(&ground, dir(), SMALL).unwrap();
    log.append_with_id(4, &bytes(4)).unwrap();
    clock.set_wall_ms(5_000);
    clock.advance(Duration::from_millis(9));
    log.append_with_id(5, &bytes(5)).unwrap();
    let times: Vec<u64> = log.iter_range(0, None).map(|event| event.unwrap().timestamp_ms).collect();
    assert_eq!(times, [5_000, 5_000, 5_000, 5_000, 5_009]);
    assert_eq!(log.first_at(5_001).unwrap(), 5);
    assert_holds(&log, 1, 6);
}

#[test]
fn durable_is_flushed_before_the_append_returns_and_written_survives_a_kill() {
    for (durability, flushed) in
        [(Durability::Durable, true), (Durability::Written, false), (Durability::Applied, false)]
    {
        let disk = SimDisk::new(1);
        let log = open(&disk, OwnedLogOptions { durability, ..SMALL }).unwrap();
        append_upto(&log, 10);
        assert_holds(&open(&disk.crash(), SMALL).unwrap(), 1, 11);
        let left: Vec<u64> =
            (0..20).map(|seed| open(&disk.power_cut_seeded(seed), SMALL).unwrap().next_event_id()).collect();
        assert_eq!(left.iter().all(|next| *next == 11), flushed, "{durability:?}: {left:?}");
        log.sync().unwrap();
        assert_holds(&open(&disk.power_cut(), SMALL).unwrap(), 1, 11);
    }
}

const NEWEST: &str = "/log/events-00000000000000000001.log";

fn is_corrupt<T>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(Error::Corrupt { file, offset, .. }) if file == Path::new(NEWEST) && *offset > 4_096)
}

#[test]
fn after_a_kill_a_torn_end_is_cut_and_told() {
    let disk = SimDisk::new(1);
    let log = open(&disk, SMALL).unwrap();
    append_upto(&log, 5);
    let disk = disk.crash();
    let len = disk.read_file(NEWEST).unwrap().len() as u64;
    disk.flip(NEWEST, len - 20, 1);
    let log = open(&disk, SMALL).unwrap();
    assert!(log.recovery().torn.as_ref().is_some_and(|torn| torn.file == Path::new(NEWEST) && torn.bytes > 0));
    assert_holds(&log, 1, 5);
}

/// The footer says where the segment ends, so opening does not read it through: reading the frame reports the damage, and so
/// does verifying. Without a footer the frames must still reach what the mark promises.
#[test]
fn after_a_close_a_torn_end_is_damage() {
    let disk = SimDisk::new(1);
    let log = open(&disk, SMALL).unwrap();
    append_upto(&log, 5);
    let frames_end = disk.read_file(NEWEST).unwrap().len();
    log.close().unwrap();
    let whole = disk.read_file(NEWEST).unwrap();

    disk.flip(NEWEST, frames_end as u64 - 20, 1);
    let log = open(&disk.crash(), SMALL).unwrap();
    assert_eq!((log.next_event_id(), log.get(4).unwrap().map(|(_, event)| event)), (6, Some(bytes(4))));
    assert!(is_corrupt(&log.get(5)));
    let mut damages = Vec::new();
    log.verify(&mut |damage| damages.push(damage), &|| false).unwrap();
    assert_eq!(damages.len(), 1, "{damages:?}");

    for len in [frames_end - 20, 5_000] {
        disk.write_file(NEWEST, &whole[..len]);
        let disk = disk.crash();
        let operations = disk.operations();
        assert!(is_corrupt(&open(&disk, SMALL)), "cut to {len}");
        assert!(disk.operations() <= operations + 2, "nothing but the hint of who asks was written");
    }
    // A damaged or partial footer: the frames are read, and all exist.
    for len in [whole.len(), whole.len() - 1, frames_end] {
        disk.write_file(NEWEST, &whole[..len]);
        disk.flip(NEWEST, whole.len() as u64 - 10, 1);
        let log = open(&disk.crash(), SMALL).unwrap();
        assert_holds(&log, 1, 6);
        append_upto(&log, 9);
        assert_holds(&log, 1, 10);
    }
}

#[test]
fn what_is_missing_from_a_log_is_noticed() {
    let disk = SimDisk::new(1);
    let log = open(&disk, SMALL).unwrap();
    append_upto(&log, 300);
    log.delete_range(0, 200).unwrap();
    log.close().unwrap();
    let original = disk.crash();
    for name in ["IDENTITY", "horizon"] {
        let disk = original.crash();
        for at in [0, 20, 45] {
            disk.flip(dir().join(name), at, 1);
            let refused = open(&disk, SMALL);
            assert!(matches!(&refused, Err(Error::Corrupt { file, .. }) if *file == dir().join(name)), "{refused:?}");
            disk.flip(dir().join(name), at, 1);
        }
        let bytes = disk.read_file(dir().join(name)).unwrap();
        assert_holds(&open(&disk, SMALL).unwrap(), 201, 301);
        vfs(&disk).remove_file(&dir().join(name)).unwrap();
        let refused = open(&disk, SMALL);
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "{name}: {refused:?}");
        disk.write_file(dir().join(name), &bytes);
        assert_holds(&open(&disk, SMALL).unwrap(), 201, 301);
    }
}

#[test]
fn an_archive_is_read_and_nothing_in_it_changes() {
    let disk = SimDisk::new(1);
    let log = open(&disk, SMALL).unwrap();
    append_upto(&log, 300);
    log.rotate().unwrap();
    let closed = log.sealed_segments();
    assert!(closed.len() > 3);
    let archive = SimDisk::new(2);
    for segment in &closed[1..3] {
        let bytes = disk.read_file(&segment.path).unwrap();
        assert_eq!(bytes.len() as u64, segment.bytes);
        archive.write_file(&segment.path, &bytes);
    }
    let read_only = OwnedLogOptions { opening: Opening::ReadOnly, ..SMALL };
    let opened = [open(&archive, read_only).unwrap(), open(&archive, read_only).unwrap()];
    for log in &opened {
        assert_holds(log, closed[1].first_id, closed[2].last_id + 1);
        assert_eq!((log.stats().file_count, log.stats().total_bytes), (2, closed[1].bytes + closed[2].bytes));
        let refused = log.append_with_id(log.next_event_id(), b"x");
        assert!(matches!(refused, Err(Error::InvalidArgument { .. })), "{refused:?}");
        assert!(log.delete_range(0, u64::MAX).is_err() && log.rotate().is_err());
        log.close().unwrap();
    }
    assert_eq!(archive.operations(), 0);
    // Segments with one missing in between are no log.
    archive.write_file(&closed[0].path, &disk.read_file(&closed[0].path).unwrap());
    vfs(&archive).remove_file(&closed[1].path).unwrap();
    assert!(matches!(open(&archive, read_only), Err(Error::Corrupt { .. })));
}

#[test]
fn a_full_disk_heals_and_a_failed_flush_does_not() {
    let disk = SimDisk::new(1);
    let log = open(&disk, OwnedLogOptions { durability: Durability::Durable, ..SMALL }).unwrap();
    append_upto(&log, 30);
    disk.set_capacity(Some(disk.used_bytes() + 1_000));
    let full = (0..10).find_map(|_| {
        let next = log.next_event_id();
        log.append_with_id(next, &bytes(next)).err()
    });
    assert!(matches!(full, Some(Error::NoSpace(_))), "{full:?}");
    let next = log.next_event_id();
    assert_holds(&log, 1, next);
    disk.set_capacity(None);
    append_upto(&log, next + 20);
    assert_holds(&open(&disk.power_cut(), SMALL).unwrap(), 1, next + 21);
    disk.fail_nth_named("events-", SimOp::Sync, 1, Fault::SyncFails);
    let next = log.next_event_id();
    assert!(matches!(log.append_with_id(next, &bytes(next)), Err(Error::Io(_))));
    let syncs = disk.syncs_of("events-");
    for refused in
        [log.append_with_id(next + 1, b"x"), log.sync(), log.rotate().map(drop), log.delete_range(1, 2).map(drop)]
    {
        assert!(matches!(&refused, Err(error @ Error::Poisoned(_)) if error.code() == "ERR_POISONED"), "{refused:?}");
    }
    assert_eq!(disk.syncs_of("events-"), syncs, "no flush is repeated");
    assert_eq!(log.get(1).unwrap().unwrap().1, bytes(1));
    assert!(matches!(log.close(), Err(Error::Poisoned(_))));
    let log = open(&disk.power_cut(), SMALL).unwrap();
    assert!(!log.recovery().was_closed && log.next_event_id() >= next);
}

#[test]
fn retention_keeps_what_it_says_by_whole_segments() {
    let disk = SimDisk::new(1);
    let keep = OwnedLogOptions { retention: RetentionPolicy { max_events: Some(100), ..SMALL.retention }, ..SMALL };
    let log = open(&disk, keep).unwrap();
    append_upto(&log, 1_000);
    let stats = log.stats();
    assert!(stats.event_count >= 100 && stats.event_count < 250, "{stats:?}");
    assert!(stats.file_count < 6, "{stats:?}");
    assert_holds(&log, stats.oldest_event_id, 1_001);
    log.close().unwrap();
    let fewer = OwnedLogOptions { retention: RetentionPolicy { max_events: Some(1), ..SMALL.retention }, ..SMALL };
    let log = open(&disk, fewer).unwrap();
    assert!(log.stats().file_count == 1 && log.stats().event_count > 0);
}

#[test]
fn a_cut_at_any_operation_of_a_life_keeps_what_was_promised() {
    let durable = OwnedLogOptions { durability: Durability::Durable, ..SMALL };
    for cut in 0.. {
        let disk = SimDisk::new(cut);
        disk.cut_after(cut);
        let (mut asked, mut promised, mut horizon) = (0, 0, (1, 1));
        let mut life = || -> Result<()> {
            for round in 1..=2 {
                let log = open(&disk, durable)?;
                for _ in 0..4 {
                    let next = log.next_event_id();
                    asked = next + 2;
                    log.append_batch_with_ids(next, &[bytes(next), bytes(next + 1), bytes(next + 2)])?;
                    promised = asked;
                }
                log.rotate()?;
                horizon.1 = round * 5;
                log.delete_range(0, round * 5 - 1)?;
                horizon.0 = round * 5;
                log.close()?;
            }
            Ok(())
        };
        let done = life();
        for outcome in 0..3 {
            let what = format!("cut at operation {cut}, outcome {outcome}");
            let disk = disk.power_cut_seeded(cut * 3 + outcome);
            let log = open(&disk, durable).unwrap_or_else(|error| panic!("{what}: {error}"));
            let (oldest, next) = (log.oldest_event_id(), log.next_event_id());
            assert!(next > promised && next <= asked + 1, "{what}: {next} {promised} {asked}");
            assert!(oldest == horizon.0 || oldest == horizon.1, "{what}: {oldest} {horizon:?}");
            assert_holds(&log, oldest, next);
            append_upto(&log, next);
            log.close().unwrap();
            assert_holds(&open(&disk.power_cut(), durable).unwrap(), oldest, next + 1);
        }
        if done.is_ok() {
            assert!(cut > 60, "{cut}");
            break;
        }
    }
}

#[test]
fn verification_tells_of_the_small_files_too() {
    let disk = SimDisk::new(1);
    let log = open(&disk, SMALL).unwrap();
    append_upto(&log, 100);
    log.delete_range(0, 60).unwrap();
    let verify = || {
        let mut files = Vec::new();
        let verified = log.verify(&mut |damage| files.push(damage.file), &|| false).unwrap();
        assert_eq!(verified.next_event_id, 101);
        files
    };
    assert!(verify().is_empty());
    for name in ["IDENTITY", "horizon"] {
        let path = dir().join(name);
        disk.flip(&path, 30, 1);
        assert_eq!(verify(), std::slice::from_ref(&path));
        disk.flip(&path, 30, 1);
    }
    disk.flip(&log.sealed_segments()[0].path, 4_100, 1);
    assert_eq!(verify(), [log.sealed_segments()[0].path.clone()]);
}

/// Bug: a log's maker was killed at its last step, and a power cut then lost the log's events. Mechanism: the next process saw
/// the identity's name, which was never flushed. Fix: an opening without a clean mark flushes it first.
#[test]
fn the_name_of_an_identity_that_nobody_flushed_is_flushed_before_anything_is_promised() {
    let durable = OwnedLogOptions { durability: Durability::Durable, ..SMALL };
    let disk = SimDisk::new(5);
    disk.fail_nth_named("log", SimOp::SyncDir, 3, Fault::NoHandles);
    open(&disk, durable).unwrap_err();
    assert!(disk.list().contains(&dir().join("IDENTITY")), "{:?}", disk.list());
    let disk = disk.crash();
    append_upto(&open(&disk, durable).unwrap(), 3);
    for seed in 0..20 {
        assert_holds(&open(&disk.power_cut_seeded(seed), durable).unwrap(), 1, 4);
    }
}
