//! What an event log does, one claim per test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{collections::BTreeMap, ops::ControlFlow};

use ledgerstone_event_log::{Direction, Error, EventIn, EventLog, EventLogOptions, holds_events};
use ledgerstone_vfs::sim::SimDisk;
use support::{
    SMALL, STORE, append, append_made, assert_holds, create, dir, event, file_bytes, frames, open, read, scan_of,
    segments, vfs,
};

#[test]
fn what_was_appended_is_read_in_every_way_before_and_after_reopening() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    assert_holds(&log, 1, &[]);
    let mut model = Vec::new();
    for (count, len) in [(1, 0), (700, 10), (3, 9_000), (1, 200_000), (40, 3_000), (2, 0)] {
        model.extend(append_made(&log, count, len));
        assert_holds(&log, 1, &model);
    }
    assert!(log.stats().segments > 3);
    assert_eq!(log.stats().bytes, file_bytes(&disk));
    drop(log);
    let scan = scan_of(&disk).unwrap();
    assert_eq!((scan.next_event_id(), scan.oldest_event_id(), scan.torn_bytes()), (748, 1, 0));
    assert_eq!((scan.last_timestamp_ms(), scan.is_empty()), (model.last().unwrap().0, false));
    let log = scan.open(SMALL, None).unwrap();
    assert_holds(&log, 1, &model);
    assert_eq!(log.stats().bytes, file_bytes(&disk));
    assert_eq!(log.stats().segments, segments(&disk).len() as u64);
    model.extend(append_made(&log, 300, 100));
    assert_holds(&log, 1, &model);
}

#[test]
fn a_log_may_start_at_any_id_up_to_the_limit() {
    let disk = SimDisk::new(1);
    let first_id = (1 << 53) - 3;
    let log = EventLog::create(vfs(&disk), dir(), STORE, SMALL, first_id).unwrap();
    let model = append_made(&log, 2, 5);
    assert_holds(&log, first_id, &model);
    let refused = append(&log, &[event(1 << 53, 1), event(1 << 53, 1)]);
    assert!(matches!(refused, Err(Error::Limit { limit: "eventId", .. })), "{refused:?}");
    drop(log);
    assert_holds(&open(&disk, SMALL, None).unwrap(), first_id, &model);
    let too_high = EventLog::create(vfs(&SimDisk::new(1)), dir(), STORE, SMALL, 1 << 53);
    assert!(matches!(too_high, Err(Error::Limit { limit: "eventId", .. })), "{too_high:?}");
}

#[test]
fn an_append_that_does_not_continue_the_log_is_refused() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    let model = append_made(&log, 5, 10);
    for actual in [0, 1, 5, 7] {
        let refused = log.append(&mut [EventIn { timestamp_ms: 99, bytes: b"x" }].into_iter(), actual);
        assert!(
            matches!(refused, Err(Error::EventIdGap { expected: 6, actual: found }) if found == actual),
            "{refused:?}"
        );
    }
    assert_holds(&log, 1, &model);
}

#[test]
fn an_oversized_event_and_one_from_the_past_are_refused_and_change_nothing() {
    let disk = SimDisk::new(1);
    let log = create(&disk, EventLogOptions { max_event_bytes: 100, ..SMALL }).unwrap();
    append(&log, &[(50, vec![1; 100])]).unwrap();
    let refused = append(&log, &[(50, vec![1; 101])]);
    assert!(matches!(refused, Err(Error::Limit { limit: "eventBytes", size: 101, max: 100 })), "{refused:?}");
    let refused = append(&log, &[(51, vec![]), (49, vec![])]);
    assert!(matches!(refused, Err(Error::TimestampOrder { event_id: 3, last_ms: 51, actual_ms: 49 })), "{refused:?}");
    let refused = append(&log, &[(49, vec![])]);
    assert!(matches!(refused, Err(Error::TimestampOrder { event_id: 2, last_ms: 50, actual_ms: 49 })), "{refused:?}");
    assert_holds(&log, 1, &[(50, vec![1; 100])]);
    append(&log, &[(50, vec![2])]).unwrap();
    assert_holds(&log, 1, &[(50, vec![1; 100]), (50, vec![2])]);
}

#[test]
fn timestamps_further_apart_than_a_frame_can_say_are_kept() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    let times = [0, u64::from(u32::MAX), u64::from(u32::MAX) + 1, 1 << 60, u64::MAX - 1];
    let model: Vec<_> = times.into_iter().map(|timestamp_ms| (timestamp_ms, vec![7; 3])).collect();
    append(&log, &model).unwrap();
    assert_holds(&log, 1, &model);
    drop(log);
    assert_holds(&open(&disk, SMALL, None).unwrap(), 1, &model);
}

#[test]
fn a_visit_takes_what_lies_between_its_bounds_until_it_breaks_off() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    append_made(&log, 500, 200);
    for (from, to) in [(0, 1), (1, 2), (100, 100), (200, 100), (17, 333), (499, 900), (501, 900)] {
        let ids: Vec<u64> = (from.max(1)..to.clamp(from.max(1), 501)).collect();
        let forward = read(&log, from, to, Direction::Forward).unwrap();
        assert_eq!(forward.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
        let backward = read(&log, from, to, Direction::Backward).unwrap();
        assert_eq!(backward.iter().rev().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
    }
    for (direction, expected) in [(Direction::Forward, [40, 41, 42]), (Direction::Backward, [449, 448, 447])] {
        let mut seen = Vec::new();
        let mut visit = |id, _, _: &[u8]| {
            seen.push(id);
            if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        log.read(40, 450, direction, &mut visit).unwrap();
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_flush_is_one_flush_and_none_when_there_is_nothing_new() {
    let disk = SimDisk::new(1);
    let log = create(&disk, EventLogOptions { segment_bytes: 1 << 30, ..SMALL }).unwrap();
    let before = disk.counts();
    append_made(&log, 1_000, 300);
    assert_eq!(disk.counts().syncs, before.syncs);
    log.sync().unwrap();
    log.sync().unwrap();
    assert_eq!((disk.counts().syncs, disk.counts().dir_syncs), (before.syncs + 1, before.dir_syncs));
}

#[test]
fn no_page_with_flushed_events_is_written_again() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    let mut flushed = BTreeMap::new();
    for flush in 0..40 {
        append_made(&log, 1 + flush % 5, 150);
        append_made(&log, 2, 700);
        log.sync().unwrap();
        for path in segments(&disk) {
            for (number, page) in disk.read_file(&path).unwrap().chunks(4096).enumerate() {
                let mut page = page.to_vec();
                page.resize(4096, 0);
                let known = flushed.entry((path.clone(), number)).or_insert_with(|| page.clone());
                assert!(*known == page, "page {number} of {} changed at flush {flush}", path.display());
            }
        }
    }
    assert!(segments(&disk).len() > 2);
}

#[test]
fn a_get_opens_and_reads_one_bounded_piece_at_any_age() {
    let disk = SimDisk::new(1);
    let log = create(&disk, EventLogOptions { segment_bytes: 256 * 1024, ..SMALL }).unwrap();
    append_made(&log, 20_000, 100);
    for id in [1, 9_999, 20_000] {
        log.get(id).unwrap();
        disk.record_trace();
        let before = disk.trace().len();
        log.get(id).unwrap();
        let calls = disk.trace().split_off(before);
        assert_eq!(calls.len(), 1, "{calls:?}");
    }
}

#[test]
fn a_frame_is_a_page_at_most_and_many_are_one_write() {
    let disk = SimDisk::new(1);
    let log = create(&disk, EventLogOptions { segment_bytes: 8 << 20, ..SMALL }).unwrap();
    let before = disk.counts();
    append_made(&log, 20_000, 100);
    append_made(&log, 1, 10_000);
    append_made(&log, 1, 100);
    let after = disk.counts();
    let bytes = after.bytes_written - before.bytes_written;
    // 108 bytes each with its table entry, 37 per frame, and a gap of 56 bytes after each frame so that the next one begins a page.
    assert!((2_160_000..2_230_000).contains(&bytes), "{bytes}");
    assert_eq!(after.writes - before.writes, bytes.div_ceil(256 * 1024) + 2);
    let path = segments(&disk).pop().unwrap();
    let bytes = disk.read_file(&path).unwrap();
    let (large, shared): (Vec<_>, Vec<_>) = frames(&bytes).into_iter().partition(|(_, len)| *len > 4_096);
    assert_eq!(large.iter().map(|(_, len)| *len).collect::<Vec<_>>(), [44 + 8 + 10_000]);
    assert!(shared.iter().filter(|(_, len)| *len == 44 + 37 * 108).count() >= 20_000 / 37, "{shared:?}");
    assert!(shared.iter().all(|(at, len)| at % 4_096 + len <= 4_096), "a frame reaches into a second page: {shared:?}");
}

#[test]
fn a_long_append_is_written_in_whole_aligned_pieces() {
    const PIECE: usize = 256 * 1024;
    let disk = SimDisk::new(1);
    let log = create(&disk, EventLogOptions { segment_bytes: 8 << 20, ..SMALL }).unwrap();
    disk.record_trace();
    for bytes in [200, 100, 1_000] {
        let before = disk.trace().len();
        append_made(&log, 2_000_000 / bytes as u64, bytes);
        let number = |line: &str, name: &str| {
            let rest = line.split_once(name).map_or("", |(_, rest)| rest);
            rest.split(' ').next().unwrap().parse::<usize>().unwrap()
        };
        let calls = disk.trace().split_off(before);
        let writes = calls.iter().map(|line| (number(line, "offset="), number(line, "len=")));
        let ends: Vec<usize> = writes.map(|(offset, len)| offset + len).collect();
        let (_, pieces) = ends.split_last().unwrap();
        assert!(pieces.len() >= 6 && pieces.iter().all(|end| end.is_multiple_of(PIECE)), "{bytes}: {ends:?}");
        log.sync().unwrap();
    }
}

#[test]
fn opening_reads_only_the_ends_of_sealed_segments() {
    let disk = SimDisk::new(1);
    let log = create(&disk, EventLogOptions { segment_bytes: 64 * 1024, ..SMALL }).unwrap();
    append_made(&log, 20_000, 100);
    drop(log);
    let sealed = segments(&disk);
    let (newest, sealed) = sealed.split_last().unwrap();
    assert!(sealed.len() > 10);
    // Frames that are not read may be damaged: the opening does not notice, a reader does.
    for path in sealed {
        disk.flip(path, 5_000, 1);
    }
    let log = open(&disk, SMALL, None).unwrap();
    assert_eq!(log.next_event_id(), 20_001);
    assert!(matches!(log.get(1), Err(Error::Corrupt { .. })));
    assert!(log.get(20_000).unwrap().is_some(), "{}", newest.display());
}

#[test]
fn a_scan_changes_nothing() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    append_made(&log, 300, 200);
    drop(log);
    let newest = segments(&disk).pop().unwrap();
    let mut torn = disk.read_file(&newest).unwrap();
    torn.extend_from_slice(&[0xaa; 9_000]);
    disk.write_file(&newest, &torn);
    disk.write_file(dir().join("events-00000000000000000001.log.tmp"), b"LGST-EVT, left over");
    let (operations, before) = (disk.operations(), file_bytes(&disk));
    let scan = scan_of(&disk).unwrap();
    assert_eq!((scan.next_event_id(), scan.torn_bytes()), (301, 9_000));
    assert_eq!((disk.operations(), file_bytes(&disk)), (operations, before));
    let torn = scan.torn().unwrap().clone();
    assert_eq!(torn.file, newest);
    let log = scan.open(SMALL, None).unwrap();
    assert_eq!(log.stats().bytes, file_bytes(&disk));
    assert!(segments(&disk).iter().all(|path| path.extension().unwrap() == "log"));
}

#[test]
fn opening_does_not_write_the_page_of_the_last_flushed_event() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    let model = append_made(&log, 3, 200);
    log.sync().unwrap();
    drop(log);
    let newest = segments(&disk).pop().unwrap();
    let mut torn = disk.read_file(&newest).unwrap();
    torn.extend_from_slice(&[0xaa; 5_000]);
    disk.write_file(&newest, &torn);
    let log = open(&disk, SMALL, None).unwrap();
    assert!(disk.read_file(&newest).unwrap() == torn[..8_192], "the page was written, or too much is left");
    append_made(&log, 3, 200);
    assert!(disk.read_file(&newest).unwrap()[..8_192] == torn[..8_192]);
    assert_holds(&log, 1, &[&model[..], &(4..7).map(|id| event(id, 200)).collect::<Vec<_>>()].concat());
}

#[test]
fn a_folder_without_a_log_is_an_empty_scan_and_does_not_open() {
    let disk = SimDisk::new(1);
    let scan = scan_of(&disk).unwrap();
    assert_eq!((scan.is_empty(), scan.next_event_id(), scan.oldest_event_id()), (true, 0, 0));
    assert!(matches!(scan.open(SMALL, None), Err(Error::Corrupt { .. })));
    assert!(!holds_events(&disk, dir()).unwrap());
}

#[test]
fn a_half_made_log_is_made_anew_and_one_with_events_is_not() {
    let disk = SimDisk::new(1);
    drop(create(&disk, SMALL).unwrap());
    disk.write_file(dir().join("events-00000000000000000007.log.tmp"), &[0; 4096]);
    disk.write_file(dir().join("notes.txt"), b"foreign");
    assert!(!holds_events(&disk, dir()).unwrap());
    let log = create(&disk, SMALL).unwrap();
    assert_eq!(segments(&disk).len(), 2);
    append_made(&log, 1, 1);
    assert!(holds_events(&disk, dir()).unwrap());
    assert!(matches!(create(&disk, SMALL), Err(Error::Corrupt { .. })));
    assert_eq!(disk.read_file(dir().join("notes.txt")).unwrap(), b"foreign");
}

#[test]
fn a_file_that_only_has_the_name_of_a_segment_is_not_replaced() {
    let disk = SimDisk::new(1);
    let path = dir().join("events-00000000000000000007.log");
    disk.write_file(&path, &[3; 4096]);
    assert!(!holds_events(&disk, dir()).unwrap());
    assert!(matches!(create(&disk, SMALL), Err(Error::Foreign { path: found, .. }) if found == path));
    assert_eq!(disk.read_file(&path).unwrap(), [3; 4096]);
}

#[test]
fn files_of_another_store_and_of_a_newer_format_are_refused() {
    let disk = SimDisk::new(1);
    drop(create(&disk, SMALL).unwrap());
    let other = ledgerstone_format::StoreId::from_random([8; 16]);
    assert!(matches!(ledgerstone_event_log::scan(&vfs(&disk), dir(), other), Err(Error::Corrupt { .. })));
    let path = segments(&disk).pop().unwrap();
    disk.flip(&path, 8, 2);
    assert!(matches!(scan_of(&disk), Err(Error::Format { found: 3, supported: 1, .. })));
}

#[test]
fn a_missing_segment_is_damage() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    (0..10).for_each(|_| drop(append_made(&log, 50, 200)));
    drop(log);
    let middle = segments(&disk).remove(1);
    assert!(segments(&disk).len() > 2);
    let vfs = vfs(&disk);
    vfs.remove_file(&middle).unwrap();
    assert!(matches!(scan_of(&disk), Err(Error::Corrupt { .. })));
}

#[test]
fn a_damaged_footer_or_index_is_rebuilt_by_reading_the_segment() {
    let disk = SimDisk::new(1);
    let log = create(&disk, SMALL).unwrap();
    let model: Vec<_> = (0..25).flat_map(|_| append_made(&log, 20, 200)).collect();
    drop(log);
    let sealed = segments(&disk).remove(1);
    let len = disk.read_file(&sealed).unwrap().len() as u64;
    for offset in [len - 1, len - 80 - 10, len - 80 - 16, len - 80 - 24] {
        disk.flip(&sealed, offset, 4);
        assert_holds(&open(&disk, SMALL, None).unwrap(), 1, &model);
        assert_holds(&open(&disk, SMALL, Some(400)).unwrap(), 1, &model[..399]);
        let log = open(&disk, SMALL, None).unwrap();
        append(&log, &model[399..]).unwrap();
        drop(log);
        disk.flip(&sealed, offset, 4);
    }
}
