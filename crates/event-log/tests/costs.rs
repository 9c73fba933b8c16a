//! The cost of reading one event, counted: one read, bounded by the size of a frame and not of the log.

#![allow(clippy::unwrap_used, clippy::missing_docs_in_private_items, reason = "a test that cannot go on has failed")]

mod support;

use ledgerstone_event_log::{Direction, EventLogOptions};
use ledgerstone_format::compression::Compression;
use ledgerstone_vfs::sim::SimDisk;
use support::{Numbers, append_made, create, event, open, read};

const EVENT_BYTES: usize = 200;
const BATCH: u64 = 1_000;
/// A frame, with the free rest of its page.
const MOST_READ_BYTES: u64 = 4096;

const OPTIONS: EventLogOptions =
    EventLogOptions { segment_bytes: 4 << 20, max_event_bytes: 1 << 20, compression: Compression::None };

fn filled(events: u64) -> SimDisk {
    let disk = SimDisk::new(1);
    let log = create(&disk, OPTIONS).unwrap();
    for _ in 0..events / BATCH {
        append_made(&log, BATCH, EVENT_BYTES);
        log.sync().unwrap();
    }
    disk
}

/// Reads and bytes of each of many random `get`s, after every segment has been read from.
fn costs(disk: &SimDisk, events: u64) -> Vec<(u64, u64)> {
    let log = open(disk, OPTIONS, None).unwrap();
    let mut before = disk.counts().reads;
    for first in (1..=events).step_by(10_000) {
        log.get(first).unwrap();
    }
    let opened = disk.counts().reads - before;
    assert!(opened <= 3 * (events / 10_000 + 1), "an index is read once for each segment: {opened} reads");
    let mut numbers = Numbers(7);
    let mut costs = Vec::new();
    for _ in 0..500 {
        let id = 1 + numbers.below(events);
        before = disk.counts().reads;
        let bytes = disk.counts().bytes_read;
        assert_eq!(log.get(id).unwrap(), Some(event(id, EVENT_BYTES)));
        costs.push((disk.counts().reads - before, disk.counts().bytes_read - bytes));
    }
    costs
}

#[test]
fn one_event_is_one_read_of_one_frame_however_many_there_are() {
    let mut means = Vec::new();
    for events in [10_000, 200_000] {
        let costs = costs(&filled(events), events);
        assert!(costs.iter().all(|(reads, bytes)| *reads == 1 && *bytes <= MOST_READ_BYTES), "{events}: {costs:?}");
        means.push(costs.iter().map(|(_, bytes)| bytes).sum::<u64>() / costs.len() as u64);
    }
    assert!(means[1] <= means[0] + means[0] / 20, "bytes for each event: {means:?}");
}

#[test]
fn an_iteration_reads_each_byte_about_once_in_pieces_that_grow() {
    let events = 50_000;
    let disk = filled(events);
    let log = open(&disk, OPTIONS, None).unwrap();
    for direction in [Direction::Forward, Direction::Backward] {
        read(&log, 1, u64::MAX, direction).unwrap(); // opens the segments
        let before = disk.counts();
        assert_eq!(read(&log, 1, u64::MAX, direction).unwrap().len() as u64, events);
        let after = disk.counts();
        let payload = events * (EVENT_BYTES as u64 + 8);
        let (reads, bytes) = (after.reads - before.reads, after.bytes_read - before.bytes_read);
        assert!(bytes <= payload + payload / 10, "{direction:?}: {bytes} bytes read for {payload}");
        assert!(reads <= payload / (192 << 10) + 16, "{direction:?}: {reads} reads for {payload} bytes");
    }
}

/// Bug: a torn tail full of heads that claimed long frames was checksummed up to 32 times, and then judged damaged: a sound log
/// was refused. Mechanism: content could use up a bound on the work. Fix: one pass verifies all claims at once.
#[test]
fn a_torn_tail_full_of_forged_heads_is_searched_once_and_is_no_damage() {
    let disk = filled(2_000);
    let path = disk.list().into_iter().find(|path| path.extension().is_some_and(|end| end == "log")).unwrap();
    let mut bytes = disk.read_file(&path).unwrap();
    let end = bytes.len().next_multiple_of(4096);
    bytes.resize(end + (3 << 20), 0);
    for at in (end..bytes.len() - 8192).step_by(48) {
        let length = u32::try_from(bytes.len() - at - at / 48 % 4096).unwrap();
        let first_id = 2_001 + (at - end) as u64;
        let head =
            [&length.to_le_bytes()[..], &[7; 4], &first_id.to_le_bytes(), &1_u32.to_le_bytes(), &[0; 8]].concat();
        let rest = [&0_u32.to_le_bytes()[..], &(length - 44).to_le_bytes(), &first_id.to_le_bytes()].concat();
        bytes[at..at + 44].copy_from_slice(&[head, rest].concat());
    }
    disk.write_file(&path, &bytes);
    let before = disk.counts().bytes_read;
    assert_eq!(support::scan_of(&disk).unwrap().next_event_id(), 2_001);
    let read = disk.counts().bytes_read - before;
    assert!(read <= 3 * bytes.len() as u64, "{read} bytes read of {}", bytes.len());
}
