//! Compressed frames: smaller on disk, the same to every reader, with any kinds in one log; damaged ones are a typed error,
//! even if the checksum matches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod support;

use ledgerstone_event_log::{Direction, Error, EventLog, EventLogOptions};
use ledgerstone_format::{
    checksum::{crc32c, crc32c_append},
    compression::Compression,
};
use ledgerstone_vfs::sim::SimDisk;
use support::{Event, SMALL, append, assert_holds, create, file_bytes, frames, open, read, segments};

const KINDS: [Compression; 3] = [Compression::None, Compression::Lz4, Compression::Zstd];
const FIRST_FRAME: usize = 4_096;

fn with(compression: Compression) -> EventLogOptions {
    EventLogOptions { compression, ..SMALL }
}

/// Bytes like those of real events, which are similar to each other.
fn order(id: u64) -> Event {
    let text = format!(r#"{{"order":{id},"state":"paid","customer":{},"currency":"EUR"}}"#, id * 7_919);
    (id * 10, text.into_bytes())
}

fn noise(id: u64, len: usize) -> Event {
    let mut state = id;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (id * 10, std::iter::repeat_with(next).take(len).collect())
}

/// The flags of every frame in the first segment, which was written without a flush in between.
fn flags(disk: &SimDisk) -> Vec<u32> {
    let bytes = disk.read_file(&segments(disk)[0]).unwrap();
    let flags_at = |at: usize| u32::from_le_bytes(bytes[at + 28..at + 32].try_into().unwrap());
    frames(&bytes).into_iter().map(|(at, _)| flags_at(at)).collect()
}

#[test]
fn a_frame_is_compressed_only_where_that_makes_it_smaller() {
    for (kind, number) in KINDS.into_iter().zip(0..) {
        let disk = SimDisk::new(1);
        let log = create(&disk, with(kind)).unwrap();
        let orders: Vec<Event> = (1..=50).map(order).collect();
        let others = [noise(51, 3_000), (510, Vec::new()), (510, vec![1])];
        append(&log, &orders).unwrap();
        for other in &others {
            append(&log, std::slice::from_ref(other)).unwrap();
        }
        assert_eq!(flags(&disk), [number, 0, 0, 0], "{kind:?}");
        let model = [&orders[..], &others[..]].concat();
        assert_holds(&log, 1, &model);
        assert_holds(&open(&disk.crash(), with(Compression::None), None).unwrap(), 1, &model);
    }
}

#[test]
fn compressed_segments_hold_more_events() {
    let [plain, lz4, zstd] = KINDS.map(|kind| {
        let disk = SimDisk::new(1);
        let log = create(&disk, with(kind)).unwrap();
        for batch in 0..40 {
            append(&log, &(batch * 100 + 1..=batch * 100 + 100).map(order).collect::<Vec<_>>()).unwrap();
        }
        (log.stats().segments, file_bytes(&disk))
    });
    assert!(plain.0 > 3 * lz4.0 / 2 && lz4.0 >= zstd.0, "{plain:?} {lz4:?} {zstd:?}");
    assert!(plain.1 > lz4.1 * 2 && lz4.1 > zstd.1, "{plain:?} {lz4:?} {zstd:?}");
}

#[test]
fn a_log_of_frames_of_every_kind_reads_as_one() {
    let disk = SimDisk::new(1);
    drop(create(&disk, SMALL).unwrap());
    let mut model = Vec::new();
    for round in 0..12_usize {
        let log = open(&disk, with(KINDS[round % 3]), None).unwrap();
        let next = log.next_event_id();
        let batch: Vec<Event> = (next..next + 60).map(order).chain([noise(next + 60, 2_000)]).collect();
        append(&log, &batch).unwrap();
        log.sync().unwrap();
        model.extend(batch);
        assert_holds(&log, 1, &model);
    }
    let log = open(&disk, SMALL, None).unwrap();
    assert!(log.stats().segments > 1);
    assert_holds(&log, 1, &model);
    log.truncate_from(100).unwrap();
    assert_holds(&log, 1, &model[..99]);
}

/// A sealed segment and an active one, both of compressed frames.
fn small(kind: Compression) -> (SimDisk, Vec<Event>) {
    let disk = SimDisk::new(1);
    let options = EventLogOptions { segment_bytes: 6_000, ..with(kind) };
    let log = create(&disk, options).unwrap();
    let mut model = Vec::new();
    for batch in [1..=40, 41..=50, 51..=53] {
        let events: Vec<Event> = batch.map(order).collect();
        append(&log, &events).unwrap();
        log.sync().unwrap();
        model.extend(events);
    }
    assert!(log.stats().segments >= 2);
    (disk, model)
}

/// Correct data, possibly without the unwitnessed end, or a typed error that names a place.
fn right_or_typed(disk: &SimDisk, model: &[Event], what: &str) -> Option<usize> {
    let read_all = |log: std::sync::Arc<EventLog>| read(&log, 0, u64::MAX, Direction::Forward);
    match open(disk, SMALL, None).and_then(read_all) {
        Ok(found) => {
            let expected: Vec<(u64, Event)> = (1..).zip(model.iter().cloned()).take(found.len()).collect();
            assert!(found == expected, "{what}: other events");
            Some(found.len())
        }
        Err(Error::Corrupt { .. } | Error::Format { .. }) => None,
        Err(error) => panic!("{what}: {error}"),
    }
}

#[test]
fn damage_anywhere_in_compressed_segments_gives_right_data_or_a_typed_error() {
    for kind in [Compression::Lz4, Compression::Zstd] {
        let (disk, model) = small(kind);
        let (mut errors, mut cuts) = (0, 0);
        for path in segments(&disk) {
            let bytes = disk.read_file(&path).unwrap();
            for offset in 0..bytes.len() {
                let damaged = disk.crash();
                damaged.flip(&path, offset as u64, 1 << (offset % 8));
                let what = format!("{kind:?}, bit flipped at {offset} of {}", path.display());
                errors += u64::from(right_or_typed(&damaged, &model, &what).is_none());
                let short = disk.crash();
                short.write_file(&path, &bytes[..offset]);
                let what = format!("{kind:?}, {} cut to {offset}", path.display());
                cuts += u64::from(right_or_typed(&short, &model, &what).is_some());
            }
        }
        assert!(errors > 500 && cuts > 100, "{errors} {cuts}");
    }
}

/// Writes `bytes` into the first frame of the first segment at `at` and recomputes the frame's checksum.
fn forge(disk: &SimDisk, at: usize, bytes: &[u8]) {
    let path = segments(disk).remove(0);
    let mut file = disk.read_file(&path).unwrap();
    file[FIRST_FRAME + at..FIRST_FRAME + at + bytes.len()].copy_from_slice(bytes);
    let length: [u8; 4] = file[FIRST_FRAME..FIRST_FRAME + 4].try_into().unwrap();
    let end = FIRST_FRAME + u32::from_le_bytes(length) as usize;
    let seed = crc32c_append(crc32c(&file[36..44]), &(FIRST_FRAME as u64).to_le_bytes());
    let crc = crc32c_append(crc32c_append(seed, &length), &file[FIRST_FRAME + 8..end]);
    file[FIRST_FRAME + 4..FIRST_FRAME + 8].copy_from_slice(&crc.to_le_bytes());
    disk.write_file(&path, &file);
}

#[test]
fn a_checksum_that_vouches_for_what_does_not_decompress_is_corruption_with_its_place() {
    for kind in [Compression::Lz4, Compression::Zstd] {
        let write = || {
            let disk = SimDisk::new(1);
            let log = create(&disk, with(kind)).unwrap();
            append(&log, &[(1, vec![b'x'; 5_000])]).unwrap();
            log.sync().unwrap();
            disk.crash()
        };
        let honest = write();
        forge(&honest, 44, &[]);
        assert_holds(&open(&honest, SMALL, None).unwrap(), 1, &[(1, vec![b'x'; 5_000])]);
        let raw_len = |len: u32| (32, len.to_le_bytes().to_vec());
        let lies = [raw_len(5_007), raw_len(5_009), raw_len(1 << 30), (28, vec![7]), (44, vec![0xff; 12])];
        for (at, bytes) in lies {
            let disk = write();
            forge(&disk, at, &bytes);
            let refused = open(&disk, SMALL, None);
            assert!(
                matches!(&refused, Err(Error::Corrupt { offset: 4_096, .. })),
                "{kind:?} {at} {bytes:?}: {refused:?}"
            );
        }
    }
}
