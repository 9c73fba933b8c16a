//! Trimming and rotating with the power cut at every operation, and with every call failing once: the oldest id is the one
//! before or the one after, its count is exact, and no event from there on is missing.
//!
//! A failure names its seed; `LEDGERSTONE_SEED=<seed>` runs only that one; half of the seeds are fresh in each run (see `Seeds`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{path::PathBuf, sync::Arc};

use ledgerstone_event_log::{Direction, Error, EventLog, EventLogOptions, Result};
use ledgerstone_format::compression::Compression;
use ledgerstone_vfs::sim::{Fault, SimDisk, SimOp};
use support::{Event, Numbers, append, append_made, create, event, file_bytes, open, read, seeds};

const OPTIONS: EventLogOptions =
    EventLogOptions { segment_bytes: 10_000, max_event_bytes: 1 << 20, compression: Compression::Lz4 };

/// What must be found after any end.
struct Known {
    model: Vec<Event>,
    /// The number of events that are certainly flushed.
    flushed: u64,
    /// The oldest id before and after the operation under way.
    oldest: (u64, u64),
}

/// A log with some closed segments, on a disk with nothing unflushed except possibly the last batch.
fn prepared(seed: u64) -> (SimDisk, Known) {
    let mut numbers = Numbers(seed);
    let disk = SimDisk::new(seed);
    let log = create(&disk, OPTIONS).unwrap();
    let mut model = Vec::new();
    for _ in 0..=numbers.below(4) {
        model.extend(append_made(&log, 1 + numbers.below(8), usize::try_from(numbers.below(900)).unwrap()));
        log.sync().unwrap();
        if numbers.below(3) > 0 {
            log.rotate().unwrap();
        }
    }
    let mut oldest = 1;
    if numbers.below(3) == 0 {
        oldest += log.delete_range(1, numbers.below(model.len() as u64)).unwrap_or(0);
    }
    let flushed = model.len() as u64;
    if numbers.below(2) == 0 {
        model.extend(append_made(&log, 2, 100));
    }
    (disk, Known { model, flushed, oldest: (oldest, oldest) })
}

/// Trims, rotates, appends; updates `known`. Stops at an error.
fn go_on(log: &EventLog, known: &mut Known, seed: u64) -> Result<()> {
    let mut numbers = Numbers(seed ^ 0x5eed);
    for _ in 0..2 {
        let (oldest, next) = (log.oldest_event_id(), log.next_event_id());
        if numbers.below(4) == 0 {
            log.rotate()?;
        } else {
            let all = numbers.below(4) == 0;
            let end = if all { u64::MAX } else { oldest + numbers.below(1 + next - oldest) };
            known.oldest.1 = end.saturating_add(1).min(next).max(oldest);
            let count = log.delete_range(0, end)?;
            assert_eq!(count, known.oldest.1 - oldest);
            known.oldest.0 = known.oldest.1;
        }
        known.flushed = next - 1;
        let batch: Vec<Event> = (log.next_event_id()..log.next_event_id() + 2).map(|id| event(id, 60)).collect();
        known.model.extend(batch.iter().cloned());
        append(log, &batch)?;
    }
    Ok(())
}

fn check(log: &EventLog, known: &Known, what: &str) {
    let (oldest, next) = (log.oldest_event_id(), log.next_event_id());
    assert!(oldest == known.oldest.0 || oldest == known.oldest.1, "{what}: oldest={oldest} of {:?}", known.oldest);
    assert!(next > known.flushed && next <= known.model.len() as u64 + 1, "{what}: next={next}");
    assert!(next >= oldest, "{what}: next={next} oldest={oldest}");
    let expected: Vec<(u64, Event)> =
        (oldest..next).map(|id| (id, known.model[usize::try_from(id).unwrap() - 1].clone())).collect();
    assert!(read(log, 0, u64::MAX, Direction::Forward).unwrap() == expected, "{what}: events");
    assert_eq!(log.stats().count, next - oldest, "{what}");
}

fn reopened(disk: &SimDisk, known: &Known, what: &str) -> Arc<EventLog> {
    let log = open(disk, OPTIONS, None).unwrap_or_else(|error| panic!("{what}: {error}"));
    check(&log, known, what);
    let horizon = disk.read_file(support::dir().join("horizon")).map_or(0, |bytes| bytes.len() as u64);
    // A file in the making that a cut has garbled is not known to be ours, and stays.
    let in_the_making = |path: &&PathBuf| path.to_string_lossy().contains(".tmp");
    let garbage: u64 =
        disk.list().iter().filter(in_the_making).map(|path| disk.read_file(path).unwrap().len() as u64).sum();
    assert_eq!(log.stats().bytes + horizon + garbage, file_bytes(disk), "{what}: bytes");
    log
}

#[test]
fn a_power_cut_at_any_operation_of_trimming_and_rotating_leaves_the_oldest_id_right() {
    let (mut cuts, mut both) = (0, [0, 0]);
    for seed in seeds(300) {
        for cut in 0.. {
            let (disk, mut known) = prepared(seed);
            // Reopened from the same bytes, so that operations are counted from here.
            let log = open(&disk, OPTIONS, None).unwrap();
            disk.cut_after(cut);
            let done = go_on(&log, &mut known, seed);
            let what = format!("seed {seed}, cut at operation {cut}");
            assert_eq!(done.is_err(), disk.is_cut(), "{what}: {done:?}");
            drop(log);
            for outcome in 0..2 {
                let what = format!("{what}, outcome {outcome}");
                let disk = disk.power_cut_seeded(seed * 1_009 + cut * 2 + outcome);
                let log = reopened(&disk, &known, &what);
                if known.oldest.0 != known.oldest.1 {
                    both[usize::from(log.oldest_event_id() == known.oldest.1)] += 1;
                }
                // It continues, trims again and is found again.
                let oldest = log.oldest_event_id();
                let next = log.next_event_id();
                assert_eq!(log.delete_range(0, oldest).unwrap(), u64::from(next > oldest), "{what}");
                append_made(&log, 1, 10);
                log.sync().unwrap();
                drop(log);
                let log = open(&disk.power_cut(), OPTIONS, None).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(log.oldest_event_id(), oldest + u64::from(next > oldest), "{what}");
                assert_eq!(log.next_event_id(), next + 1, "{what}");
                cuts += 1;
            }
            if done.is_ok() {
                break;
            }
        }
    }
    let alone = std::env::var("LEDGERSTONE_SEED").is_ok();
    assert!(alone || (cuts > 5_000 && both.iter().all(|count| *count > 100)), "{cuts} {both:?}");
}

#[test]
fn any_call_that_fails_while_trimming_or_rotating_leaves_a_log_that_reads_and_reopens() {
    let (mut failed, mut healed, mut poisoned) = (0, 0, 0);
    for seed in seeds(60) {
        for fault in [Fault::Io, Fault::NoSpace] {
            for nth in 1.. {
                let what = format!("seed {seed}, {fault:?} in call {nth}");
                let (disk, mut known) = prepared(seed);
                let log = open(&disk, OPTIONS, None).unwrap();
                disk.fail_nth(SimOp::Any, nth, fault);
                let before = disk.counts().calls;
                let done = go_on(&log, &mut known, seed);
                disk.clear_faults();
                check(&log, &known, &what);
                if let Err(error) = &done {
                    failed += 1;
                    // Every operation may be repeated, unless the log reports that it has stopped.
                    let oldest = log.oldest_event_id();
                    match log.delete_range(0, oldest) {
                        Ok(_) => healed += 1,
                        Err(Error::Poisoned(_)) => poisoned += 1,
                        Err(other) => panic!("{what}: {error}, then {other}"),
                    }
                    known.oldest.1 = known.oldest.1.max(log.oldest_event_id());
                    known.oldest.0 = known.oldest.0.max(oldest);
                }
                let calls = disk.counts().calls - before;
                drop(log);
                let killed = disk.crash();
                let log = open(&killed, OPTIONS, None).unwrap_or_else(|error| panic!("{what}: {error}"));
                let (low, high) = known.oldest;
                assert!(
                    (low..=high).contains(&log.oldest_event_id()),
                    "{what}: {} {low} {high}",
                    log.oldest_event_id()
                );
                if done.is_ok() && nth > calls {
                    break;
                }
            }
        }
    }
    assert!(std::env::var("LEDGERSTONE_SEED").is_ok() || (failed > 500 && healed > 50 && poisoned > 200));
}

#[test]
fn a_power_cut_while_a_store_gives_space_back_leaves_all_that_its_recovery_needs() {
    let (mut cuts, mut freed) = (0, 0);
    for seed in seeds(100) {
        for cut in 0.. {
            let (disk, known) = prepared(seed);
            let mut numbers = Numbers(seed ^ 0x570e);
            let log = open(&disk, OPTIONS, None).unwrap();
            log.sync().unwrap();
            let (oldest, next) = (log.oldest_event_id(), log.next_event_id());
            // The journal's trim, and the checkpoint's end of the events.
            let trimmed = oldest + numbers.below(next + 3 - oldest);
            let checkpoint = oldest + numbers.below(next + 1 - oldest);
            disk.cut_after(cut);
            let done = log.drop_below(trimmed, checkpoint);
            // A cut while a file is removed is no error: the file is removed another time.
            let cut_off = disk.is_cut();
            assert!(done.is_ok() || cut_off, "{done:?}");
            assert_eq!(log.oldest_event_id(), trimmed);
            drop(log);
            for outcome in 0..2 {
                let what = format!("seed {seed}, cut at operation {cut}, outcome {outcome}");
                let disk = disk.power_cut_seeded(seed * 1_013 + cut * 2 + outcome);
                let scan = support::scan_of(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(scan.next_event_id(), next, "{what}");
                assert!(scan.first_stored_id() <= trimmed.min(checkpoint).max(oldest), "{what}");
                assert!(scan.oldest_event_id() <= trimmed, "{what}");
                freed += u64::from(scan.first_stored_id() > oldest);
                // Recovery: back to the checkpoint, then everything again from the journal, including the trim.
                let log = scan.open(OPTIONS, Some(checkpoint)).unwrap_or_else(|error| panic!("{what}: {error}"));
                log.set_horizon(trimmed);
                append(&log, &known.model[usize::try_from(checkpoint).unwrap() - 1..]).unwrap();
                assert_eq!((log.oldest_event_id(), log.next_event_id()), (trimmed, next), "{what}");
                let left = (trimmed..next).map(|id| (id, known.model[usize::try_from(id).unwrap() - 1].clone()));
                assert!(read(&log, 0, u64::MAX, Direction::Forward).unwrap().into_iter().eq(left), "{what}");
                log.sync().unwrap();
                log.drop_below(trimmed, next).unwrap();
                let again = open(&disk.power_cut(), OPTIONS, None).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(again.next_event_id(), next, "{what}");
                cuts += 1;
            }
            if !cut_off {
                break;
            }
        }
    }
    assert!(std::env::var("LEDGERSTONE_SEED").is_ok() || (cuts > 400 && freed > 50), "{cuts} {freed}");
}
