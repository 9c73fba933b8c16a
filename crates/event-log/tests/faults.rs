//! Every call on the write path fails once: a full disk heals, anything else poisons, reads continue, and flushed events exist
//! after reopening.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod support;

use ledgerstone_event_log::{Direction, Error, EventLog, EventLogOptions, Result};
use ledgerstone_format::compression::Compression;
use ledgerstone_vfs::sim::{Fault, SimDisk, SimOp};
use support::{Event, append, append_made, assert_holds, create, event, file_bytes, open, read, segments};

const OPTIONS: EventLogOptions =
    EventLogOptions { segment_bytes: 14_000, max_event_bytes: 1 << 20, compression: Compression::None };

fn made(from: usize, to: usize) -> Vec<Event> {
    (from..to).map(|position| event(position as u64 + 1, (position * 611) % 3_000)).collect()
}

/// As a flusher: appends the missing events of `model`, in pieces, and flushes. Stops at the first error.
fn flush_to(log: &EventLog, model: &[Event], flushed: &mut usize) -> Result<()> {
    while *flushed < model.len() {
        let next = usize::try_from(log.next_event_id()).unwrap() - 1;
        let to = model.len().min((*flushed + 9).max(next));
        append(log, &model[next..to])?;
        log.sync()?;
        *flushed = to;
    }
    Ok(())
}

fn assert_reads(log: &EventLog, model: &[Event], what: &str) {
    let next = usize::try_from(log.next_event_id()).unwrap();
    let found = read(log, 0, u64::MAX, Direction::Forward).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(found.len() + 1, next, "{what}");
    assert!(found.iter().zip(model).all(|((_, event), expected)| event == expected), "{what}");
}

/// Repeats the same work with the `nth` call of a kind failing, for every n until none fails; returns the errors.
fn each_failing(
    op: SimOp,
    fault: Fault,
    mut check: impl FnMut(&SimDisk, &EventLog, usize, Option<Error>, &str),
) -> u64 {
    let model = made(0, 60);
    let mut errors = 0;
    for nth in 1.. {
        let what = format!("{op:?} {nth} fails with {fault:?}");
        let disk = SimDisk::new(nth);
        let log = create(&disk, OPTIONS).unwrap();
        let calls_before = disk.operations();
        disk.fail_nth(op, nth, fault);
        let mut flushed = 0;
        let error = flush_to(&log, &model, &mut flushed).err();
        errors += u64::from(error.is_some());
        assert_reads(&log, &model, &what);
        let struck = error.is_some();
        check(&disk, &log, flushed, error, &what);
        if nth > disk.operations() - calls_before {
            assert!(!struck, "{what}");
            return errors;
        }
    }
    errors
}

#[test]
fn a_write_that_finds_no_space_heals_and_nothing_is_lost_or_doubled() {
    let model = made(0, 60);
    for op in [SimOp::Write, SimOp::Create] {
        let errors = each_failing(op, Fault::NoSpace, |disk, log, mut flushed, error, what| {
            if let Some(error) = error {
                assert!(matches!(error, Error::NoSpace(_)), "{what}: {error}");
                assert!(flushed < model.len(), "{what}");
                log.restore_end().unwrap();
                assert_eq!(log.stats().bytes, file_bytes(disk), "{what}");
                flush_to(log, &model, &mut flushed).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            assert_holds(log, 1, &model);
            assert_eq!(log.stats().bytes, file_bytes(disk), "{what}");
            assert_holds(&open(&disk.power_cut(), OPTIONS, None).unwrap(), 1, &model);
        });
        assert!(errors > 3, "{op:?}: {errors}");
    }
}

#[test]
fn any_other_failure_poisons_the_log_and_reopening_has_what_was_flushed() {
    let model = made(0, 60);
    let failures = [
        (SimOp::Write, Fault::Io, 15),
        (SimOp::Create, Fault::Io, 3),
        (SimOp::Sync, Fault::SyncFails, 10),
        (SimOp::Sync, Fault::NoSpace, 10),
        (SimOp::SyncDir, Fault::SyncFails, 3),
        (SimOp::SyncDir, Fault::NoSpace, 3),
    ];
    for (op, fault, at_least) in failures {
        let errors = each_failing(op, fault, |disk, log, flushed, error, what| {
            if error.is_some() {
                let next = log.next_event_id();
                let again = append(log, &model[usize::try_from(next).unwrap() - 1..]);
                assert!(matches!(again, Err(Error::Poisoned(_))), "{what}: {again:?}");
                assert!(matches!(log.sync(), Err(Error::Poisoned(_))), "{what}");
                assert!(matches!(log.restore_end(), Err(Error::Poisoned(_))), "{what}");
                assert!(matches!(log.truncate_from(1), Err(Error::Poisoned(_))), "{what}");
            }
            for (after, power_went) in [(disk.crash(), false), (disk.power_cut(), true)] {
                let log =
                    open(&after, OPTIONS, Some(flushed as u64 + 1)).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_reads(&log, &model, what);
                let mut flushed = flushed;
                flush_to(&log, &model, &mut flushed).unwrap();
                drop(log);
                assert_holds(&open(&after, OPTIONS, None).unwrap(), 1, &model);
                // A kernel that failed to flush a folder stores no more names of that folder, whatever it reports.
                if op != SimOp::SyncDir || power_went {
                    assert_holds(&open(&after.power_cut(), OPTIONS, None).unwrap(), 1, &model);
                }
            }
        });
        assert!(errors >= at_least, "{op:?} {fault:?}: {errors}");
    }
}

#[test]
fn a_short_write_is_continued() {
    let model = made(0, 60);
    let errors = each_failing(SimOp::Write, Fault::ShortWrite, |disk, log, flushed, error, what| {
        assert!(error.is_none() && flushed == model.len(), "{what}: {error:?}");
        assert_holds(&open(&disk.power_cut(), OPTIONS, None).unwrap(), 1, &model);
        assert_holds(log, 1, &model);
    });
    assert_eq!(errors, 0);
}

#[test]
fn a_full_disk_is_an_error_until_there_is_room_and_reads_go_on() {
    for spare in (0..40_000).step_by(1_700) {
        let disk = SimDisk::new(1);
        let log = create(&disk, OPTIONS).unwrap();
        let mut model = append_made(&log, 7, 300);
        log.sync().unwrap();
        disk.set_capacity(Some(disk.used_bytes() + spare));
        let mut flushed = model.len();
        model.extend(made(model.len(), 40));
        for _ in 0..3 {
            let refused = flush_to(&log, &model, &mut flushed);
            assert!(matches!(refused, Err(Error::NoSpace(_))), "{spare}: {refused:?}");
            assert_reads(&log, &model, "full disk");
            // The rest of the failure is removed: the log keeps no more than it shows.
            log.restore_end().unwrap();
            assert_eq!(log.stats().bytes, file_bytes(&disk));
        }
        disk.set_capacity(None);
        flush_to(&log, &model, &mut flushed).unwrap();
        assert_holds(&log, 1, &model);
        assert_holds(&open(&disk.power_cut(), OPTIONS, None).unwrap(), 1, &model);
    }
}

#[test]
fn a_failed_read_is_an_error_and_never_the_end() {
    let disk = SimDisk::new(1);
    let log = create(&disk, OPTIONS).unwrap();
    let model = append_made(&log, 60, 500);
    drop(log);
    for op in [SimOp::Read, SimOp::Open, SimOp::List] {
        for nth in 1.. {
            disk.clear_faults();
            disk.fail_nth(op, nth, Fault::Io);
            let found = open(&disk, OPTIONS, None).and_then(|log| {
                read(&log, 0, u64::MAX, Direction::Backward)?;
                for id in [1, 30, 60] {
                    assert_eq!(log.get(id)?.as_ref(), Some(&model[usize::try_from(id).unwrap() - 1]));
                }
                log.first_at(model[20].0)?;
                read(&log, 0, u64::MAX, Direction::Forward)
            });
            match found {
                Err(Error::Io(_)) => {}
                Err(error) => panic!("{op:?} {nth}: {error}"),
                Ok(found) => {
                    assert!(nth > 1, "{op:?}");
                    assert_eq!(found.len(), model.len(), "{op:?} {nth}");
                    break;
                }
            }
        }
    }
}

#[test]
fn opening_that_fails_half_way_can_be_repeated() {
    let original = SimDisk::new(1);
    let log = create(&original, OPTIONS).unwrap();
    let model: Vec<Event> = (0..8).flat_map(|_| append_made(&log, 8, 500)).collect();
    log.sync().unwrap();
    drop(log);
    let newest = segments(&original).pop().unwrap();
    let mut torn = original.read_file(&newest).unwrap();
    torn.extend_from_slice(&[0x55; 10_000]);
    original.write_file(&newest, &torn);
    let keep = 19;
    for op in [SimOp::Any, SimOp::Sync] {
        for nth in 1.. {
            let disk = original.crash();
            disk.fail_nth(op, nth, Fault::Io);
            let failed = open(&disk, OPTIONS, Some(keep as u64 + 1)).is_err();
            disk.clear_faults();
            for (after, power_went) in [(disk.crash(), false), (disk.power_cut(), true)] {
                let log = open(&after, OPTIONS, Some(keep as u64 + 1)).unwrap();
                assert_holds(&log, 1, &model[..keep]);
                append(&log, &model[keep..]).unwrap();
                log.sync().unwrap();
                drop(log);
                assert_holds(&open(&after, OPTIONS, None).unwrap(), 1, &model);
                // The failed call may have been a flush of the folder: see above.
                if op == SimOp::Sync || power_went {
                    assert_holds(&open(&after.power_cut(), OPTIONS, None).unwrap(), 1, &model);
                }
            }
            if !failed {
                assert!(nth > if op == SimOp::Any { 20 } else { 3 }, "{nth}");
                break;
            }
        }
    }
}
