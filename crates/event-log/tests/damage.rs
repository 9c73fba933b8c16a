//! A small log of two segments, truncated at every byte and with a bit flipped in every byte: the right events, a torn tail cut
//! at the very end, or a typed error. Never a panic, never a wrong event.
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
use ledgerstone_vfs::sim::SimDisk;
use support::{Event, append_made, create, dir, open, read, segments};

const OPTIONS: EventLogOptions =
    EventLogOptions { segment_bytes: 12_000, max_event_bytes: 1 << 20, compression: Compression::None };

/// Where the index of the sealed segment begins.
const INDEX_OFFSET: usize = 12_288;

/// A sealed segment, and an active one of two flushed batches with several frames each.
struct Original {
    files: Vec<(std::path::PathBuf, Vec<u8>)>,
    model: Vec<Event>,
    /// Events in the sealed segment.
    sealed: usize,
    /// Events that a later flush proves.
    witnessed: usize,
}

fn original() -> Original {
    let disk = SimDisk::new(1);
    let log = create(&disk, OPTIONS).unwrap();
    let mut model = append_made(&log, 3, 40);
    log.sync().unwrap();
    model.extend(append_made(&log, 4, 700));
    log.sync().unwrap();
    assert_eq!(log.stats().segments, 1);
    let sealed = model.len();
    model.extend(append_made(&log, 2, 300));
    model.extend(append_made(&log, 5, 0));
    model.extend(append_made(&log, 2, 90));
    log.sync().unwrap();
    assert_eq!(log.stats().segments, 2);
    let witnessed = model.len();
    model.extend(append_made(&log, 2, 25));
    model.extend(append_made(&log, 1, 10));
    log.sync().unwrap();
    assert_eq!(log.stats().segments, 2);
    assert_eq!(disk.read_file(&segments(&disk)[0]).unwrap().len(), INDEX_OFFSET + 2 * 24 + 80);
    let files: Vec<_> =
        segments(&disk).into_iter().map(|path| (path.clone(), disk.read_file(&path).unwrap())).collect();
    Original { files, model, sealed, witnessed }
}

impl Original {
    fn disk_with(&self, file: usize, bytes: &[u8]) -> SimDisk {
        let disk = SimDisk::new(1);
        for (position, (path, original)) in self.files.iter().enumerate() {
            disk.write_file(path, if position == file { bytes } else { original });
        }
        disk
    }

    /// How many events a damaged log still returns; none of them may be wrong. `None`: a typed error.
    fn events_left(&self, disk: &SimDisk, what: &str) -> Option<usize> {
        match open(disk, OPTIONS, None).and_then(|log| self.compare(&log, what)) {
            Ok(events) => Some(events),
            Err(Error::Corrupt { file, .. } | Error::Format { file, .. }) => {
                assert!(file.starts_with(dir()), "{what}: names {}", file.display());
                None
            }
            Err(error) => panic!("{what}: {error}"),
        }
    }

    fn compare(&self, log: &EventLog, what: &str) -> Result<usize> {
        let len = usize::try_from(log.next_event_id() - 1).unwrap();
        assert!(len <= self.model.len(), "{what}");
        let mut expected: Vec<(u64, Event)> = (1..).zip(self.model[..len].iter().cloned()).collect();
        // Reading in both directions touches every frame; the events take turns with the damaged places.
        for (id, event) in expected.iter().skip(what.len() % 4).step_by(4) {
            // An error for one event does not excuse a wrong one elsewhere.
            assert!(log.get(*id).map_or(true, |found| found.as_ref() == Some(event)), "{what}: get({id})");
            let position = expected.iter().position(|(_, other)| other.0 >= event.0).unwrap();
            assert!(log.first_at(event.0).map_or(true, |found| found == position as u64 + 1), "{what}: first_at");
        }
        let backward = read(log, 0, u64::MAX, Direction::Backward);
        assert!(read(log, 0, u64::MAX, Direction::Forward)? == expected, "{what}: forward");
        expected.reverse();
        assert!(backward? == expected, "{what}: backward");
        Ok(len)
    }

    /// A log that opened after damage also takes new events.
    fn goes_on(&self, disk: &SimDisk, len: usize, what: &str) {
        let log = open(disk, OPTIONS, None).unwrap();
        for event in &self.model[len..] {
            support::append(&log, std::slice::from_ref(event)).unwrap();
        }
        log.sync().unwrap();
        assert_eq!(self.compare(&log, what).unwrap(), self.model.len(), "{what}");
        drop(log);
        assert_eq!(self.events_left(disk, what), Some(self.model.len()), "{what}");
    }
}

#[test]
fn a_bit_flipped_anywhere_is_harmless_or_an_error_or_at_most_costs_the_batch_without_a_witness() {
    let original = original();
    let (mut errors, mut torn, mut harmless) = (0, 0, 0);
    for (file, (path, bytes)) in original.files.iter().enumerate() {
        for offset in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[offset] ^= 1 << (offset % 8);
            let what = format!("bit {} of byte {offset} of {}", offset % 8, path.display());
            let disk = original.disk_with(file, &damaged);
            let left = original.events_left(&disk, &what);
            if offset < 48 {
                assert_eq!(left, None, "{what}: a header");
            }
            if file == 0 && offset >= INDEX_OFFSET {
                assert_eq!(left, Some(original.model.len()), "{what}: index and footer are rebuilt");
            }
            match left {
                None => errors += 1,
                Some(len) if len == original.model.len() => harmless += 1,
                Some(len) => {
                    assert!(file == 1 && len >= original.witnessed, "{what}: only {len} events are left");
                    torn += 1;
                }
            }
            if let Some(len) = left.filter(|_| offset % 7 == 0) {
                original.goes_on(&disk, len, &what);
            }
        }
    }
    assert!(errors > 3_000 && torn > 100 && harmless > 5_000, "{errors} {torn} {harmless}");
}

#[test]
fn the_sealed_segment_cut_short_anywhere_is_an_error_unless_all_its_frames_are_left() {
    let original = original();
    let bytes = &original.files[0].1;
    let mut rebuilt = 0;
    for len in 0..bytes.len() {
        let disk = original.disk_with(0, &bytes[..len]);
        match original.events_left(&disk, &format!("cut to {len}")) {
            None => assert_eq!(rebuilt, 0, "cut to {len}"),
            Some(events) => {
                assert_eq!(events, original.model.len(), "cut to {len}");
                rebuilt += 1;
            }
        }
    }
    assert!(rebuilt > 100);
}

#[test]
fn the_newest_segment_cut_short_anywhere_ends_at_its_last_whole_frame_and_goes_on() {
    let original = original();
    let bytes = &original.files[1].1;
    let mut before = original.sealed;
    for len in 0..48 {
        let disk = original.disk_with(1, &bytes[..len]);
        assert_eq!(original.events_left(&disk, "a part of a header"), None, "cut to {len}");
    }
    for len in 48..bytes.len() {
        let disk = original.disk_with(1, &bytes[..len]);
        let what = format!("cut to {len}");
        let Some(events) = original.events_left(&disk, &what) else {
            panic!("{what}: {:?}", open(&disk, OPTIONS, None))
        };
        assert!(events >= before, "{what}: {events} events, one byte less left {before}");
        before = events;
        if len % 5 == 0 {
            original.goes_on(&disk, events, &what);
        }
    }
    assert!(before > original.witnessed);
}

#[test]
fn a_payload_that_looks_like_a_frame_is_not_taken_for_one() {
    let original = original();
    let len = original.model.len();
    // The newest segment as it would have become: its frames prove events that the log does not have.
    let disk = original.disk_with(1, &original.files[1].1);
    let log = open(&disk, EventLogOptions { segment_bytes: 1 << 20, ..OPTIONS }, None).unwrap();
    for _ in 0..3 {
        append_made(&log, 2, 10);
        log.sync().unwrap();
    }
    drop(log);
    let future = disk.read_file(&original.files[1].0).unwrap();
    // The same bytes as the payload of an event in a torn batch.
    let disk = original.disk_with(1, &original.files[1].1);
    let log = open(&disk, EventLogOptions { segment_bytes: 1 << 20, ..OPTIONS }, None).unwrap();
    let mut payload = vec![0; 4];
    // After 44 bytes of header and 8 of table, its frames are aligned as real frames are.
    payload.extend_from_slice(&future);
    support::append(&log, &[(1_000, payload)]).unwrap();
    log.sync().unwrap();
    drop(log);
    let newest = segments(&disk).pop().unwrap();
    let frame = original.files[1].1.len().next_multiple_of(4_096) as u64;
    assert!(disk.flip(&newest, frame + 20, 1));
    assert_eq!(original.events_left(&disk, "damaged frame around it"), Some(len));
}

/// Bug: an opening that was refused for damage had removed segments and cut the newest one. Mechanism: a sealed segment is
/// known by its footer alone, and the part that is kept was read only after the segments behind it were gone. Fix: a sealed
/// segment that will be cut is read through before anything changes (I10).
#[test]
fn a_cut_through_damage_is_refused_before_anything_changes() {
    let original = original();
    let path = &original.files[0].0;
    let mut bytes = original.files[0].1.clone();
    // In the second batch, which the cut divides.
    bytes[8_192 + 900] ^= 4;
    let disk = original.disk_with(0, &bytes);
    let files = || segments(&disk).into_iter().map(|path| disk.read_file(path).unwrap()).collect::<Vec<_>>();
    let before = files();
    let cut = original.sealed as u64;
    let error = open(&disk, OPTIONS, Some(cut)).unwrap_err();
    assert!(matches!(&error, Error::Corrupt { file, .. } if file == path), "{error}");
    assert!(files() == before, "a refused opening changed files");
}
