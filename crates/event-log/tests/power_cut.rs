//! Power cuts at every operation: flushed events exist, others exist as a prefix or not at all, and removed events never come back.
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

use std::panic::{AssertUnwindSafe, catch_unwind};

use ledgerstone_event_log::{Direction, EventLog, EventLogOptions, Result};
use ledgerstone_format::{PlantedFault, compression::Compression, plant};
use ledgerstone_vfs::sim::SimDisk;
use support::{Event, Numbers, append, create, event, open, read, scan_of, seeds, segments};

const OPTIONS: EventLogOptions =
    EventLogOptions { segment_bytes: 14_000, max_event_bytes: 1 << 20, compression: Compression::None };

/// What is known of a log at the power cut.
#[derive(Default)]
struct Known {
    created: bool,
    /// Every event passed to an append, in order.
    asked: Vec<Event>,
    /// How many of them were flushed.
    flushed: usize,
}

impl Known {
    /// Appends and flushes according to `numbers`; ends early at the power cut. Events of another `history` differ.
    fn go_on(&mut self, log: &EventLog, numbers: &mut Numbers, steps: u64, history: u64) -> Result<()> {
        for _ in 0..steps {
            let frames_apart = numbers.below(3);
            for _ in 0..=frames_apart {
                let (count, len) = match numbers.below(8) {
                    0 => (1, 5_000 + numbers.below(10_000)),
                    1 => (1 + numbers.below(40), numbers.below(4)),
                    _ => (1 + numbers.below(4), numbers.below(1_500)),
                };
                let next = self.asked.len() as u64 + 1;
                let batch: Vec<Event> =
                    (next..next + count).map(|id| (id, event(id + history, usize::try_from(len).unwrap()).1)).collect();
                self.asked.extend(batch.iter().cloned());
                append(log, &batch)?;
            }
            match numbers.below(6) {
                0 | 1 => continue,
                // Closed, and continued.
                2 => log.rest()?,
                _ => log.sync()?,
            }
            self.flushed = self.asked.len();
        }
        Ok(())
    }

    /// The events that a log holds, which must be the flushed ones and possibly some that follow.
    fn check(&self, log: &EventLog, what: &str) -> usize {
        let found = read(log, 0, u64::MAX, Direction::Forward).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(found.len() >= self.flushed, "{what}: {} of {} flushed events are left", found.len(), self.flushed);
        assert!(found.len() <= self.asked.len(), "{what}: events came from nowhere");
        for ((id, event), (expected_id, expected)) in found.iter().zip((1..).zip(&self.asked)) {
            assert!(*id == expected_id && event == expected, "{what}: event {id} is not {expected_id}");
        }
        found.len()
    }
}

fn opened(disk: &SimDisk, truncate_from: Option<usize>, what: &str) -> std::sync::Arc<EventLog> {
    let truncate_from = truncate_from.map(|len| len as u64 + 1);
    open(disk, OPTIONS, truncate_from).unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn first_life(disk: &SimDisk, seed: u64) -> Known {
    let mut known = Known::default();
    let Ok(log) = create(disk, OPTIONS) else { return known };
    known.created = true;
    // An error is the power cut.
    let _ = known.go_on(&log, &mut Numbers(seed), 7, 0);
    known
}

/// As a store does: truncates to what it was promised, continues with other events, loses power again.
fn second_life(disk: &SimDisk, mut known: Known, seed: u64, what: &str) {
    known.asked.truncate(known.flushed);
    let mut numbers = Numbers(seed ^ 0xabcd);
    disk.cut_after(numbers.below(30));
    if let Ok(log) = open(disk, OPTIONS, Some(known.flushed as u64 + 1)) {
        let _ = known.go_on(&log, &mut numbers, 4, 1 << 40);
    } else {
        // Cut during recovery: what it was about to remove may still exist.
        let disk = disk.power_cut();
        let scan = scan_of(&disk).unwrap_or_else(|error| panic!("{what}, in recovery: {error}"));
        assert!(scan.next_event_id() > known.flushed as u64, "{what}, in recovery");
        known.check(&opened(&disk, Some(known.flushed), what), &format!("{what}, in recovery"));
        return;
    }
    let disk = disk.power_cut();
    let what = format!("{what}, second life");
    known.check(&opened(&disk, None, &what), &what);
    let log = opened(&disk, Some(known.flushed), &what);
    assert_eq!(known.check(&log, &what), known.flushed);
}

/// The number of power cuts, and of those after which more was left than had been flushed.
fn cut_everywhere(seed: u64) -> (u64, u64) {
    let (mut cuts, mut kept_more) = (0, 0);
    let disk = SimDisk::new(seed);
    first_life(&disk, seed);
    for cut in 0..disk.operations() {
        let what = format!("seed {seed}, cut at operation {cut}");
        let disk = SimDisk::new(seed);
        disk.cut_after(cut);
        let known = first_life(&disk, seed);
        assert!(disk.is_cut(), "{what}: the power was not cut");
        for outcome in 0..2 {
            let what = format!("{what}, outcome {outcome}");
            let disk = disk.power_cut_seeded(seed.wrapping_mul(1_000_003) + cut * 2 + outcome);
            let scan = scan_of(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
            if scan.oldest_event_id() == 0 {
                assert!(!known.created, "{what}: the log is gone");
                create(&disk, OPTIONS).unwrap();
                continue;
            }
            for sealed in segments(&disk).iter().filter(|path| path.extension().unwrap() == "log").rev().skip(1) {
                let bytes = disk.read_file(sealed).unwrap();
                assert!(
                    bytes[bytes.len() - 80..].starts_with(b"LGST-EVF"),
                    "{what}: {} is not sealed",
                    sealed.display()
                );
            }
            let (next, torn) = (scan.next_event_id(), scan.torn_bytes());
            let log = scan.open(OPTIONS, None).unwrap_or_else(|error| panic!("{what}: {error}"));
            let left = known.check(&log, &what);
            assert_eq!(next, left as u64 + 1, "{what}");
            kept_more += u64::from(left > known.flushed && torn > 0);
            // The removal of the torn tail may be interrupted too; and the log continues.
            append(&log, &vec![(1 << 40, vec![7; 100]); 3]).unwrap();
            log.sync().unwrap();
            drop(log);
            let again = disk.power_cut();
            let log = opened(&again, None, &what);
            assert_eq!(log.next_event_id(), left as u64 + 4, "{what}");
            cuts += 1;
        }
        let rerun = Known { asked: known.asked.clone(), ..known };
        if known.created {
            second_life(&disk.power_cut(), rerun, seed + cut, &what);
        }
    }
    (cuts, kept_more)
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_that_was_flushed_and_invents_nothing() {
    let (mut cuts, mut kept_more) = (0, 0);
    for seed in seeds(60) {
        let lived = cut_everywhere(seed);
        (cuts, kept_more) = (cuts + lived.0, kept_more + lived.1);
    }
    // A single seed may lack such a moment.
    assert!(std::env::var("LEDGERSTONE_SEED").is_ok() || (cuts > 1_000 && kept_more > 20), "{cuts} {kept_more}");
}

#[test]
fn a_power_cut_while_truncating_anywhere_keeps_every_event_below_the_cut() {
    let mut rewritten = 0;
    for seed in seeds(40) {
        let mut numbers = Numbers(seed);
        let original = SimDisk::new(seed);
        let log = create(&original, OPTIONS).unwrap();
        let mut known = Known { created: true, ..Known::default() };
        known.go_on(&log, &mut numbers, 6, 0).unwrap();
        log.sync().unwrap();
        drop(log);
        let total = known.asked.len();
        let keep = usize::try_from(numbers.below(total as u64)).unwrap();
        known.flushed = keep;
        let original = original.crash();
        for cut in 0.. {
            let what = format!("seed {seed}, truncated from {total} to {keep}, cut at operation {cut}");
            let disk = original.crash();
            disk.cut_after(cut);
            let done = open(&disk, OPTIONS, Some(keep as u64 + 1));
            let cut_off = disk.is_cut();
            assert_eq!(done.is_err(), cut_off, "{what}");
            rewritten += u64::from(disk.counts().renames > 0);
            for outcome in 0..3 {
                let disk = disk.power_cut_seeded(seed.wrapping_mul(77) + cut * 3 + outcome);
                let left = known.check(&opened(&disk, None, &what), &what);
                assert!(cut_off || left == keep, "{what}: {left} events are left");
                let log = opened(&disk, Some(keep), &what);
                assert_eq!(known.check(&log, &what), keep, "{what}");
                append(&log, &vec![(1 << 40, vec![7; 10]); 2]).unwrap();
            }
            if !cut_off {
                break;
            }
        }
    }
    assert!(std::env::var("LEDGERSTONE_SEED").is_ok() || rewritten > 20, "{rewritten}");
}

/// `left_overs.rs` explains bug and fix. The lives of a store never meet it, because every opening cuts what its log holds
/// beyond the last flush; those of a log do.
#[test]
fn a_left_over_that_is_kept_is_found() {
    let finds = |seed| catch_unwind(AssertUnwindSafe(|| cut_everywhere(seed))).is_err();
    plant(Some(PlantedFault::LeftOverKept));
    // One in two thousand meets it; the first one that does is here.
    let found = (1750..1757).find(|seed| finds(*seed));
    plant(None);
    assert!(!finds(found.unwrap()));
}

#[test]
fn the_same_seed_gives_the_same_operations_on_the_disk() {
    let traces = [5, 5, 6].map(|seed| {
        let disk = SimDisk::new(seed);
        first_life(&disk, seed);
        disk.trace_hash()
    });
    assert_eq!(traces[0], traces[1]);
    assert_ne!(traces[0], traces[2]);
}
