//! Torn frames that recovery leaves in place must never become whole.
//!
//! Bug: a file ended inside a frame whose missing bytes were zeros. Recovery left the torn bytes, since they did not verify and
//! their page held flushed frames; the file grew, the gap read as zeros, the old frame verified, and events that were flushed
//! after the recovery were hidden.
//! Mechanism: the remaining bytes were judged as they were read then, and not as they would be read later.
//! Fix: bytes that would verify with zeros after them are destroyed: the segment is rewritten without them, before anything follows.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ledgerstone_event_log::Direction;
use ledgerstone_format::{PlantedFault, plant};
use ledgerstone_vfs::sim::SimDisk;
use support::{Event, SMALL, append, create, open, read, scan_of, segments};

/// The events of a separate append after a frame that was flushed.
fn tails() -> Vec<Vec<Event>> {
    let zeros = |count: usize, len: usize| vec![(10, vec![0; len]); count];
    let mixed = |len: usize, zeros: usize| vec![(10, [vec![7; len], vec![0; zeros]].concat())];
    vec![
        zeros(6, 0),
        zeros(1, 40),
        zeros(30, 3),
        mixed(100, 1),
        mixed(1_000, 900),
        // Past the end of its page, and over several pages; the bytes in its first page may be the only ones that are not zero.
        zeros(1, 5_000),
        mixed(10, 9_000),
        mixed(5_000, 6_000),
        vec![(10, vec![9; 300]); 3],
    ]
}

/// A log with flushed events of `first` bytes, and `tail` after them in the same page, written only.
fn written(first: usize, tail: &[Event]) -> (SimDisk, u64) {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    append(&log, &[(5, vec![1; first])]).unwrap();
    append(&log, tail).unwrap();
    let next = log.next_event_id();
    (disk.crash(), next)
}

/// Opens it, writes three events of `len` bytes durably, and checks that the next opening finds them as the next events.
fn goes_on(disk: &SimDisk, next: u64, len: usize, what: &str) {
    let log = open(disk, SMALL, None).unwrap_or_else(|error| panic!("{what}: {error}"));
    let first = log.next_event_id();
    assert!((2..=next).contains(&first), "{what}: {first}");
    let later: Vec<Event> = b"abc".map(|byte| (20, vec![byte; len])).to_vec();
    append(&log, &later).unwrap();
    for outcome in 0..20 {
        // The file has grown, and possibly nothing else of them arrived.
        let log = open(&disk.power_cut_seeded(outcome), SMALL, None).unwrap_or_else(|error| panic!("{what}: {error}"));
        let found = read(&log, first, u64::MAX, Direction::Forward).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(found.into_iter().eq((first..log.next_event_id()).zip(later.clone())), "{what}, outcome {outcome}");
    }
    log.sync().unwrap();
    drop(log);
    for disk in [disk.crash(), disk.power_cut()] {
        let log = open(&disk, SMALL, None).unwrap_or_else(|error| panic!("{what}: {error}"));
        let found = read(&log, first, u64::MAX, Direction::Forward).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(found, (first..).zip(later.clone()).collect::<Vec<_>>(), "{what}");
    }
}

#[test]
fn a_log_cut_anywhere_in_what_was_not_flushed_goes_on_and_keeps_what_comes() {
    for (number, tail) in tails().into_iter().enumerate() {
        for first in [8, 3_000] {
            let (disk, next) = written(first, &tail);
            let file = segments(&disk).pop().unwrap();
            let bytes = disk.read_file(&file).unwrap();
            let flushed = 4_096 + 44 + 8 + first;
            for len in (flushed.next_multiple_of(8)..=bytes.len()).rev().take(4_500) {
                // Every length near the end, and some of the many others.
                if bytes.len() - len > 64 && !len.is_multiple_of(61) && !len.is_multiple_of(512) {
                    continue;
                }
                let disk = SimDisk::new(2);
                disk.write_file(&file, &bytes[..len]);
                goes_on(&disk, next, 1, &format!("tail {number} behind {first} bytes, cut to {len}"));
            }
        }
    }
}

/// The lives of a store never meet it: every opening cuts what its log holds beyond the last flush, which ended with a page.
#[test]
fn a_left_over_that_is_kept_is_found() {
    let (disk, next) = written(8, &vec![(10, Vec::new()); 6]);
    let file = segments(&disk).pop().unwrap();
    let bytes = disk.read_file(&file).unwrap();
    let ends = || {
        let disk = SimDisk::new(2);
        disk.write_file(&file, &bytes[..bytes.len() - 5]);
        catch_unwind(AssertUnwindSafe(|| goes_on(&disk, next, 1, "a left-over"))).is_ok()
    };
    plant(Some(PlantedFault::LeftOverKept));
    let kept = ends();
    plant(None);
    assert_eq!((kept, ends()), (false, true));
}

/// Bug: a store on a full device did not open when its last flush had ended within a frame. Mechanism: the left-over was
/// destroyed, which takes a copy of the segment, although all of that flush was to be cut off. Fix: bytes that are cut off
/// anyway are not copied before.
#[test]
fn a_left_over_behind_what_is_cut_off_anyway_needs_no_room() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    append(&log, &[(5, vec![1; 8])]).unwrap();
    log.sync().unwrap();
    append(&log, &[(5, vec![2; 8])]).unwrap();
    append(&log, &vec![(10, Vec::new()); 6]).unwrap();
    let next = log.next_event_id();
    let file = segments(&disk).pop().unwrap();
    let bytes = disk.crash().read_file(&file).unwrap();
    let disk = SimDisk::new(2);
    disk.write_file(&file, &bytes[..bytes.len() - 5]);
    assert_eq!(scan_of(&disk).unwrap().next_event_id(), 3);
    disk.set_capacity(Some(disk.used_bytes()));
    assert!(open(&disk, SMALL, None).is_err(), "here it has to be destroyed");
    assert_eq!(open(&disk, SMALL, Some(2)).unwrap().next_event_id(), 2);
    disk.set_capacity(None);
    goes_on(&disk, next, 1, "behind the cut");
}

/// The bytes after the page are cut off, so zeros replace the bytes that made the frame torn.
#[test]
fn garbage_behind_the_page_does_not_hide_a_frame_that_zeros_would_make_whole() {
    for (number, tail) in tails().into_iter().enumerate() {
        let (disk, next) = written(8, &tail);
        let file = segments(&disk).pop().unwrap();
        let mut bytes = disk.read_file(&file).unwrap();
        if bytes.len() <= 2 * 4_096 {
            continue;
        }
        for at in (2 * 4_096..bytes.len()).step_by(512) {
            bytes[at] ^= 0x55;
            let disk = SimDisk::new(2);
            disk.write_file(&file, &bytes);
            goes_on(&disk, next, 3_000, &format!("tail {number}, garbage at {at}"));
            bytes[at] ^= 0x55;
        }
    }
}

#[test]
fn a_power_cut_while_the_left_over_is_destroyed_loses_nothing() {
    let (disk, next) = written(8, &vec![(10, Vec::new()); 6]);
    let file = segments(&disk).pop().unwrap();
    let bytes = disk.read_file(&file).unwrap();
    let cut = &bytes[..bytes.len() - 5];
    for operation in 0.. {
        let disk = SimDisk::new(operation);
        disk.write_file(&file, cut);
        disk.cut_after(operation);
        let opened = open(&disk, SMALL, None).is_ok();
        assert_eq!(opened, !disk.is_cut(), "operation {operation}");
        for outcome in 0..4 {
            let disk = disk.power_cut_seeded(outcome);
            assert_eq!(scan_of(&disk).unwrap().next_event_id(), 2, "operation {operation}");
            goes_on(&disk, next, 1, &format!("operation {operation}, outcome {outcome}"));
        }
        if opened {
            assert!(operation > 3, "nothing was destroyed");
            break;
        }
    }
}
