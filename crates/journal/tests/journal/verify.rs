//! Verification: every damaged byte of promised data is reported with its file and place, and nothing else is; files given up
//! during the check are not missed.

use std::{cell::Cell, path::Path, sync::Arc};

use ledgerstone_format::{Damage, DamageKind};
use ledgerstone_journal::{Error, JournalOptions, Verified};
use ledgerstone_vfs::sim::SimDisk;

use crate::rig::{Commit, DIR, Rig, store_id};

const SMALLEST: JournalOptions =
    JournalOptions { first_file_bytes: 16 << 10, max_file_bytes: 16 << 10, group_wake_bytes: 1 << 20, keep_bytes: 0 };

/// Five commits, each a separate group: three in the first file, two in the second. And a spare.
fn five_commits() -> Rig {
    let mut rig = Rig::with(3, SMALLEST);
    for n in 1..=5 {
        rig.append(Commit::numbered(n, 40)).unwrap();
        rig.durable().unwrap();
    }
    while rig.journal.step().unwrap() {}
    assert_eq!(rig.journal.stats().files, 2);
    rig
}

fn verify_open(rig: &Rig, applied_seq: u64) -> (Vec<Damage>, Verified) {
    let mut found = Vec::new();
    let verified = rig.journal.verify(applied_seq, &mut |damage| found.push(damage), &|| false);
    (found, verified)
}

fn verify_closed(rig: &Rig) -> Vec<Damage> {
    let mut found = Vec::new();
    let from = Some(rig.from);
    ledgerstone_journal::verify(&rig.vfs, Path::new(DIR), store_id(), from, &mut |it| found.push(it), &|| false);
    found
}

fn bytes_of(rig: &Rig) -> Vec<(std::path::PathBuf, usize)> {
    rig.disk.list().into_iter().map(|path| (path.clone(), rig.disk.read_file(path).unwrap().len())).collect()
}

#[test]
fn a_sound_journal_is_counted_whole() {
    let rig = five_commits();
    let frame_bytes = rig.commits[0].build().encoded_len();
    let bytes = (4096 + 2 * 4096 + frame_bytes) + (4096 + 4096 + frame_bytes);
    assert_eq!(verify_open(&rig, 0), (Vec::new(), Verified { files: 2, bytes, frames: 5 }));
    assert_eq!(verify_closed(&rig), []);
    // Unwritten frames are not searched for.
    let mut rig = rig;
    rig.append(Commit::numbered(6, 40)).unwrap();
    assert_eq!(verify_open(&rig, 0).1.frames, 5);
}

#[test]
fn a_flip_at_any_byte_of_a_header_or_a_frame_is_told_and_no_other() {
    let rig = five_commits();
    let frame_bytes = rig.commits[0].build().encoded_len();
    let mut told = 0;
    for (path, len) in bytes_of(&rig) {
        for offset in 0..len as u64 {
            if offset % 4096 > 256 && offset % 61 != 0 {
                continue;
            }
            assert!(rig.disk.flip(&path, offset, 1 << (offset % 8)));
            let found = verify_open(&rig, 0).0;
            if let Some(first) = found.first() {
                assert_eq!((&first.file, first.kind), (&path, DamageKind::Checksum), "byte {offset}");
                let place = first.offset.unwrap();
                assert!(place <= offset && offset < place + 4096 + frame_bytes, "byte {offset} told at {place}");
                told += 1;
            }
            assert!(rig.disk.flip(&path, offset, 1 << (offset % 8)));
        }
    }
    assert_eq!(told, 2 * 58 + 5 * frame_bytes);
}

#[test]
fn a_journal_that_nobody_has_open_is_judged_as_opening_it_would() {
    let mut rig = five_commits();
    rig.from.promised.seq = 5;
    let mut refused = 0;
    for (path, len) in bytes_of(&rig) {
        for offset in (0..len as u64).filter(|offset| offset % 4096 < 300 && offset % 3 == 0) {
            assert!(rig.disk.flip(&path, offset, 0x10));
            let (found, opened) = (verify_closed(&rig), rig.scan());
            assert_eq!(found.is_empty(), opened.is_ok(), "{} byte {offset}: {found:?} {opened:?}", path.display());
            refused += usize::from(!found.is_empty());
            assert!(rig.disk.flip(&path, offset, 0x10));
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn how_far_a_damage_reaches_is_told_and_what_the_checkpoint_has_is_not_missed() {
    let rig = five_commits();
    let (path, _) = bytes_of(&rig)[0].clone();
    // Commits 2 and 3 of the first file.
    for offset in [2 * 4096 + 70, 3 * 4096 + 70] {
        assert!(rig.disk.flip(&path, offset, 1));
    }
    let what = |applied| verify_open(&rig, applied).0.into_iter().map(|it| (it.offset, it.what)).collect::<Vec<_>>();
    let missing = |first| format!("commits are missing from the journal: first_seq={first} last_seq=3");
    let offset = Some(4096 + rig.commits[0].build().encoded_len());
    assert_eq!(what(0), [(offset, missing(2))]);
    assert_eq!(what(2), [(offset, missing(3))]);
    assert_eq!(what(3), []);
    assert_eq!(verify_open(&rig, 0).1.frames, 3);
}

#[test]
fn a_file_that_is_gone_is_missing() {
    let rig = five_commits();
    for (path, _) in bytes_of(&rig).into_iter().take(2) {
        let bytes = rig.disk.read_file(&path).unwrap();
        ledgerstone_vfs::Vfs::remove_file(&rig.disk, &path).unwrap();
        let found = verify_open(&rig, 0).0;
        assert_eq!(found.iter().map(|it| (it.kind, &it.file)).collect::<Vec<_>>(), [(DamageKind::Missing, &path)]);
        rig.disk.write_file(&path, &bytes);
    }
    let (first, _) = bytes_of(&rig)[0].clone();
    ledgerstone_vfs::Vfs::remove_file(&rig.disk, &first).unwrap();
    let found = verify_closed(&rig);
    assert_eq!(found.iter().map(|it| it.kind).collect::<Vec<_>>(), [DamageKind::Missing]);
    assert!(matches!(rig.scan(), Err(Error::Corrupt { .. })));
}

/// A file is renamed to a spare while it is read: the checkpoint has its content, so nothing is missing.
#[test]
fn files_that_are_recycled_meanwhile_are_left_out() {
    let mut rig = Rig::with(3, SMALLEST);
    for n in 1..=12 {
        rig.append(Commit::numbered(n, 40)).unwrap();
        rig.durable().unwrap();
    }
    assert!(rig.journal.stats().files > 3);
    let mut found = Vec::new();
    let asked = Cell::new(0);
    let verified = rig.journal.verify(0, &mut |damage| found.push(damage), &|| {
        asked.set(asked.get() + 1);
        if asked.get() == 2 {
            rig.journal.recycle(12).unwrap();
            assert_eq!(rig.journal.stats().files, 1);
        }
        false
    });
    assert_eq!(found, []);
    assert!(verified.frames < 12);
}

#[test]
fn it_ends_when_it_is_told_to_and_leaves_the_disk_as_it_was() {
    let rig = five_commits();
    let before: Vec<_> = contents(&rig.disk);
    let mut found = Vec::new();
    let verified = rig.journal.verify(0, &mut |damage| found.push(damage), &|| true);
    assert_eq!((verified.frames, found.len()), (0, 0));
    verify_open(&rig, 0);
    verify_closed(&rig);
    assert!(contents(&rig.disk) == before);
}

fn contents(disk: &SimDisk) -> Vec<(std::path::PathBuf, Arc<[u8]>)> {
    disk.list().into_iter().map(|path| (path.clone(), disk.read_file(path).unwrap().into())).collect()
}
