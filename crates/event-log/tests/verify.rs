//! Verification: every damaged byte of a header, a frame, an index or a footer is reported with its file, its place and the
//! events that it affects; a sound log gives no report, also while it grows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod support;

use std::{cell::Cell, path::PathBuf, sync::Arc};

use ledgerstone_event_log::{EventLog, EventLogOptions, Verified, verify};
use ledgerstone_format::{Damage, DamageKind, compression::Compression};
use ledgerstone_vfs::{Vfs, sim::SimDisk};
use support::{STORE, append_made, create, dir, scan_of, segments, vfs};

const OPTIONS: EventLogOptions =
    EventLogOptions { segment_bytes: 12_000, max_event_bytes: 1 << 20, compression: Compression::None };

/// Two sealed segments of seven events, and an active one with three, each flushed alone.
fn log() -> (SimDisk, Arc<EventLog>) {
    let disk = SimDisk::new(1);
    let log = create(&disk, OPTIONS).unwrap();
    for _ in 0..2 {
        append_made(&log, 3, 40);
        log.sync().unwrap();
        append_made(&log, 4, 700);
        log.sync().unwrap();
    }
    append_made(&log, 2, 90);
    log.sync().unwrap();
    append_made(&log, 1, 3_000);
    log.sync().unwrap();
    assert_eq!(log.stats().segments, 3);
    (disk, log)
}

fn verify_open(log: &EventLog) -> (Vec<Damage>, Verified) {
    let mut found = Vec::new();
    let verified = log.verify(&mut |damage| found.push(damage), &|| false);
    (found, verified)
}

fn verify_closed(disk: &SimDisk) -> (Vec<Damage>, Verified) {
    let mut found = Vec::new();
    let verified = verify(&vfs(disk), dir(), STORE, &mut |damage| found.push(damage), &|| false);
    (found, verified)
}

fn flip(disk: &SimDisk, path: &PathBuf, offset: u64) {
    assert!(disk.flip(path, offset, 1 << (offset % 8)));
}

#[test]
fn a_sound_log_is_counted_whole_and_left_as_it_was() {
    let (disk, log) = log();
    let before: Vec<_> = segments(&disk).iter().map(|path| disk.read_file(path).unwrap()).collect();
    let (found, open) = verify_open(&log);
    assert_eq!(found, []);
    assert_eq!((open.files, open.events, open.oldest_event_id, open.next_event_id), (3, 17, 1, 18));
    assert_eq!(verify_closed(&disk), (Vec::new(), open));
    assert!(segments(&disk).iter().map(|path| disk.read_file(path).unwrap()).eq(before));
}

#[test]
fn a_flip_at_any_byte_that_means_something_is_told() {
    let (disk, log) = log();
    let next_id = log.next_event_id();
    let (mut headers, mut frames, mut ends) = (0, 0, 0);
    for path in segments(&disk) {
        let bytes = disk.read_file(&path).unwrap();
        for offset in 0..bytes.len() as u64 {
            flip(&disk, &path, offset);
            let (found, _) = verify_open(&log);
            let is_format = (8..10).contains(&offset);
            let kind = if is_format { DamageKind::Foreign } else { DamageKind::Checksum };
            for damage in &found {
                assert_eq!((&damage.file, damage.kind), (&path, kind), "byte {offset}: {}", damage.what);
                assert!(damage.offset.unwrap() <= offset, "byte {offset} told at {:?}", damage.offset);
            }
            let what = found.first().map_or("", |damage| &damage.what);
            headers += usize::from(what.contains("header") || is_format);
            frames += usize::from(what.contains("first_event_id="));
            ends += usize::from(what.contains("no event is affected"));
            // Whatever makes an opening fail, or loses an event, is reported too.
            let sound = scan_of(&disk).is_ok_and(|scan| scan.next_event_id() == next_id);
            let (found, verified) = verify_closed(&disk);
            assert!(sound || !found.is_empty() || verified.next_event_id < next_id, "byte {offset}");
            flip(&disk, &path, offset);
        }
    }
    assert_eq!(headers, 3 * 48);
    assert_eq!(ends, 2 * (2 * 24 + 80));
    assert!(frames > 3 * 44 + 2 * (3 * 40 + 4 * 700) + 2 * 90 + 3_000, "{frames}");
}

#[test]
fn what_is_behind_a_damage_is_read_all_the_same() {
    let (disk, log) = log();
    let paths = segments(&disk);
    flip(&disk, &paths[0], 4_096 + 60);
    flip(&disk, &paths[2], 8_192 + 60);
    for (found, verified) in [verify_open(&log), verify_closed(&disk)] {
        let told: Vec<_> = found.iter().map(|damage| (&damage.file, damage.offset)).collect();
        assert_eq!(told[0], (&paths[0], Some(4_096)));
        assert!(found[0].what.ends_with("first_event_id=1 last_event_id=3"), "{}", found[0].what);
        assert!(verified.events >= 13, "{verified:?}");
    }
    assert_eq!(verify_open(&log).0.len(), 2);
}

#[test]
fn a_segment_that_is_gone_or_foreign_is_told() {
    let (disk, log) = log();
    let paths = segments(&disk);
    let bytes = disk.read_file(&paths[1]).unwrap();
    Vfs::remove_file(&disk, &paths[1]).unwrap();
    assert_eq!(
        verify_open(&log).0.iter().map(|it| (it.kind, &it.file)).collect::<Vec<_>>(),
        [(DamageKind::Missing, &paths[1])]
    );
    let (found, verified) = verify_closed(&disk);
    assert_eq!(found.iter().map(|it| (it.kind, &*it.file)).collect::<Vec<_>>(), [(DamageKind::Missing, dir())]);
    assert_eq!(verified.events, 10);
    disk.write_file(&paths[1], &bytes);
    let other = SimDisk::new(2);
    let foreign = EventLog::create(vfs(&other), dir(), ledgerstone_format::StoreId::from_random([1; 16]), OPTIONS, 8);
    drop(foreign);
    disk.write_file(&paths[1], &other.read_file(&paths[1]).unwrap());
    assert_eq!(verify_open(&log).0[0].file, paths[1]);
    assert_eq!(verify_closed(&disk).0[0].file, paths[1]);
}

#[test]
fn it_is_exact_while_the_log_grows_and_ends_when_it_is_told_to() {
    let (_disk, log) = log();
    let mut found = Vec::new();
    let asked = Cell::new(0);
    let verified = log.verify(&mut |damage| found.push(damage), &|| {
        asked.set(asked.get() + 1);
        append_made(&log, 3, 900);
        false
    });
    assert_eq!((found.len(), verified.events, verified.files), (0, 17, 3));
    assert!(log.stats().segments > 4, "it rolled meanwhile");
    let verified = log.verify(&mut |damage| found.push(damage), &|| true);
    assert_eq!((found.len(), verified.events), (0, 0));
}
