//! A log that was closed: its newest segment has a footer, so opening neither reads nor flushes it; the next append continues it.
//!
//! Bug: after a clean close the newest segment was read through at opening, and flushed. Mechanism: only a full segment got a
//! footer. Fix: closing writes one, which the next append cuts off, durably, before it writes there.

#![allow(clippy::unwrap_used, clippy::missing_docs_in_private_items, reason = "a test that cannot go on has failed")]

mod support;

use ledgerstone_event_log::{Error, EventLogOptions};
use ledgerstone_format::compression::Compression;
use ledgerstone_vfs::sim::{Fault, SimCounts, SimDisk, SimOp};
use support::{Event, SMALL, append, append_made, assert_holds, create, event, open, scan_of, segments};

const LARGE: EventLogOptions =
    EventLogOptions { segment_bytes: 64 << 20, max_event_bytes: 1 << 20, compression: Compression::None };

/// A closed log with this many events.
fn closed(options: EventLogOptions, events: u64) -> (SimDisk, Vec<Event>) {
    let disk = SimDisk::new(1);
    let log = create(&disk, options).unwrap();
    let made = append_made(&log, events, 200);
    log.rest().unwrap();
    (disk, made)
}

fn spent(disk: &SimDisk, before: SimCounts) -> (u64, u64, u64) {
    let now = disk.counts();
    (now.syncs - before.syncs, now.dir_syncs - before.dir_syncs, now.bytes_read - before.bytes_read)
}

#[test]
fn opening_a_closed_log_flushes_nothing_and_reads_as_much_whatever_it_holds() {
    let mut reads = Vec::new();
    for events in [10, 100_000] {
        let (disk, made) = closed(LARGE, events);
        let before = disk.counts();
        let log = open(&disk, LARGE, None).unwrap();
        let (syncs, dir_syncs, bytes_read) = spent(&disk, before);
        assert_eq!((syncs, dir_syncs), (0, 0), "{events}");
        reads.push(bytes_read);
        assert_eq!(log.next_event_id(), events + 1);
        assert_eq!(log.get(events).unwrap().as_ref(), made.last());
    }
    assert!(reads.iter().all(|bytes| *bytes == reads[0] && *bytes <= 256), "{reads:?}");
}

#[test]
fn a_log_without_events_opens_without_a_flush_where_a_mark_says_that_it_was_closed() {
    let disk = SimDisk::new(1);
    create(&disk, SMALL).unwrap().rest().unwrap();
    for (closed, flushes) in [(false, 1), (true, 0)] {
        let before = disk.counts();
        let mut scan = scan_of(&disk).unwrap();
        if closed {
            scan.was_closed_at(1);
        }
        scan.open(SMALL, None).unwrap();
        assert_eq!(spent(&disk, before).0, flushes);
    }
}

#[test]
fn closing_costs_one_flush_more_and_going_on_one() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    append_made(&log, 10, 200);
    log.sync().unwrap();
    let before = disk.counts();
    log.rest().unwrap();
    log.rest().unwrap();
    assert_eq!(spent(&disk, before).0, 1);
    let log = open(&disk, SMALL, None).unwrap();
    let before = disk.counts();
    append_made(&log, 1, 200);
    assert_eq!(spent(&disk, before).0, 1);
    append_made(&log, 1, 200);
    log.sync().unwrap();
    assert_eq!(spent(&disk, before).0, 2);
}

/// Each session continues the segment that the one before it has left, until it is full.
#[test]
fn sessions_fill_one_segment_after_the_other() {
    let (disk, mut model) = closed(SMALL, 20);
    for session in 0..40 {
        let log = open(&disk, SMALL, None).unwrap();
        // An open reader keeps reading.
        assert_eq!(log.get(1).unwrap().as_ref(), model.first());
        model.extend(append_made(&log, 1 + session % 5, 200));
        assert_holds(&log, 1, &model);
        log.rest().unwrap();
        if session % 3 == 0 {
            // It may also continue without being reopened.
            model.extend(append_made(&log, 1, 200));
            log.rest().unwrap();
        }
        assert_holds(&log, 1, &model);
    }
    // Each append that follows a close begins on a new page, of which a segment has six.
    assert!(segments(&disk).len() <= 53 / 6 + 4, "{:?}", segments(&disk));
    assert_holds(&open(&disk.power_cut(), SMALL, None).unwrap(), 1, &model);
}

#[test]
fn a_segment_that_has_no_room_is_left_as_it_is() {
    let (disk, mut model) = closed(SMALL, 80);
    let before = segments(&disk);
    let newest = disk.read_file(before.last().unwrap()).unwrap();
    let log = open(&disk, SMALL, None).unwrap();
    let large = event(log.next_event_id(), 23_000);
    append(&log, std::slice::from_ref(&large)).unwrap();
    model.push(large);
    assert_eq!(segments(&disk).len(), before.len() + 1);
    assert_eq!(disk.read_file(before.last().unwrap()).unwrap(), newest);
    assert_holds(&log, 1, &model);
}

/// Rotating closes it for good, unchanged.
#[test]
fn a_segment_with_a_footer_is_rotated_without_writing_it_again() {
    let (disk, model) = closed(SMALL, 20);
    let newest = segments(&disk).pop().unwrap();
    let bytes = disk.read_file(&newest).unwrap();
    let log = open(&disk, SMALL, None).unwrap();
    assert!(log.sealed_segments().is_empty(), "nothing is closed for good by closing the log");
    assert_eq!(log.rotate().unwrap().as_ref(), Some(&newest));
    assert_eq!((disk.read_file(&newest).unwrap(), log.sealed_segments().len()), (bytes, 1));
    assert_holds(&log, 1, &model);
}

#[test]
fn the_power_goes_at_any_step_of_closing_and_going_on() {
    let (mut cuts, mut lost) = (0, 0);
    for step in 0.. {
        let (disk, mut model) = closed(SMALL, 20);
        let log = open(&disk, SMALL, None).unwrap();
        disk.cut_after(step);
        let more: Vec<Event> = (21..24).map(|id| event(id, 300)).collect();
        let outcome = append(&log, &more).and_then(|()| log.sync());
        let flushed = outcome.is_ok();
        model.extend(more);
        let _ = log.rest();
        if !disk.is_cut() {
            break;
        }
        cuts += 1;
        for seed in 0..50 {
            let disk = disk.power_cut_seeded(seed);
            let log = open(&disk, SMALL, None).unwrap();
            let found = usize::try_from(log.next_event_id() - 1).unwrap();
            assert!(found == model.len() || (found >= 20 && !flushed), "step={step} seed={seed} found={found}");
            lost += u64::from(found < model.len());
            let mut model = model[..found].to_vec();
            assert_holds(&log, 1, &model);
            model.extend(append_made(&log, 2, 100));
            log.rest().unwrap();
            assert_holds(&open(&disk.power_cut_seeded(seed), SMALL, None).unwrap(), 1, &model);
        }
    }
    assert!(cuts >= 5 && lost > 0, "{cuts} {lost}");
}

#[test]
fn without_room_for_a_footer_nothing_is_left_of_it() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    let mut model = append_made(&log, 20, 200);
    log.sync().unwrap();
    let before = disk.read_file(segments(&disk).pop().unwrap()).unwrap();
    disk.fail_from("events-", SimOp::Write, 1, Fault::NoSpace);
    assert!(matches!(log.rest(), Err(Error::NoSpace(_))));
    disk.clear_faults();
    assert_eq!(disk.read_file(segments(&disk).pop().unwrap()).unwrap(), before);
    assert_holds(&open(&disk.crash(), SMALL, None).unwrap(), 1, &model);
    model.extend(append_made(&log, 1, 200));
    log.rest().unwrap();
    assert_holds(&log, 1, &model);
}

/// A reader that got the segment before its footer was removed still finds its events, and a verification finds no damage.
#[test]
fn reading_and_verifying_beside_the_first_append_find_everything() {
    for _ in 0..20 {
        let (disk, made) = closed(SMALL, 60);
        let log = open(&disk, SMALL, None).unwrap();
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                for _ in 0..5 {
                    for (id, event) in (1..).zip(&made) {
                        assert_eq!(log.get(id).unwrap().as_ref(), Some(event));
                    }
                    let mut damages = Vec::new();
                    log.verify(&mut |damage| damages.push(damage), &|| false);
                    assert!(damages.is_empty(), "{damages:?}");
                }
            });
            for _ in 0..10 {
                append_made(&log, 2, 200);
                log.rest().unwrap();
            }
            reading.join().unwrap();
        });
    }
}
