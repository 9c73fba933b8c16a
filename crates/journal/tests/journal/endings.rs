//! Every way a journal can end, and what the next opening finds.

use std::{path::Path, sync::Arc};

use ledgerstone_format::{Durability, StoreId};
use ledgerstone_journal::{Error, Journal, Poison, Position, Promise, ScanFrom, holds_frames, scan};
use ledgerstone_vfs::{Vfs, sim::SimDisk};

use crate::rig::{Commit, DIR, Rig, is_corrupt, small_files, store_id};

fn bare(disk: &SimDisk) -> Arc<dyn Vfs> {
    Arc::new(disk.clone())
}

#[test]
fn a_new_journal_is_empty_and_opens_again_as_such() {
    let mut rig = Rig::new(1);
    assert_eq!(rig.journal.end().position, None);
    rig.journal.close().unwrap();
    rig.reopen(0).unwrap();
    assert!(!holds_frames(&rig.disk, Path::new(DIR)).unwrap());
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    assert!(holds_frames(&rig.disk, Path::new(DIR)).unwrap());
}

#[test]
fn a_clean_close_keeps_everything() {
    let mut rig = Rig::new(1);
    rig.append_many(40).unwrap();
    rig.journal.close().unwrap();
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(40).unwrap();
    assert!(matches!(rig.journal.close(), Ok(())));
    assert!(matches!(rig.journal.close(), Ok(())));
    assert!(matches!(rig.append(Commit::numbered(41, 1)), Err(Error::Closed)));
}

#[test]
fn a_killed_process_loses_nothing_that_was_written() {
    let mut rig = Rig::new(1);
    rig.append_many(7).unwrap();
    rig.journal.hand_over();
    rig.append_many(5).unwrap();
    rig.move_to(rig.disk.crash(), bare);
    rig.reopen(7).unwrap();
    assert_eq!(rig.commits.len(), 7, "what was only applied is gone");
    // Bytes of the page cache were copied and flushed before anything was served.
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(7).unwrap();
}

#[test]
fn frames_nobody_saw_durable_move_into_a_file_of_their_own() {
    let mut rig = Rig::new(1);
    rig.append_many(3).unwrap();
    rig.durable().unwrap();
    rig.append_many(3).unwrap();
    rig.journal.hand_over();
    rig.move_to(rig.disk.crash(), bare);
    let scan = rig.scan().unwrap();
    assert_eq!((scan.durable_upto, scan.last_seq, scan.bytes_cut), (3, 6, 0));
    rig.reopen(6).unwrap();
    let position = rig.journal.end().position.unwrap();
    assert_eq!((rig.journal.stats().files, position.offset), (2, 4096 + 3 * rig.commits[3].build().encoded_len()));
    // A second recovery follows the chain into the new file and finds nothing to copy.
    rig.move_to(rig.disk.power_cut(), bare);
    let scan = rig.scan().unwrap();
    rig.check(&scan, 6).unwrap();
    assert_eq!(scan.durable_upto, 6, "a copy vouches for itself");
    // Bug: each opening after a kill copied the last frame once more. Mechanism: a frame proved only those before it. Fix: a
    // copy also proves itself, since the file has its name only when everything in it is durable.
    rig.reopen(6).unwrap();
    assert_eq!((rig.journal.stats().files, rig.disk.counts().syncs), (2, 0));
}

#[test]
fn without_a_tail_the_next_commit_begins_a_new_file() {
    let mut rig = Rig::new(1);
    rig.append_many(3).unwrap();
    rig.checkpoint().unwrap();
    rig.journal.close().unwrap();
    rig.reopen(3).unwrap();
    assert_eq!(rig.journal.stats().files, 1);
    rig.append_many(1).unwrap();
    assert_ne!(rig.journal.end().position.unwrap().file, rig.from.position.unwrap().file);
    rig.durable().unwrap();
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(4).unwrap();
}

#[test]
fn a_torn_tail_is_cut_and_counted() {
    let mut rig = Rig::new(1);
    rig.append_many(3).unwrap();
    rig.durable().unwrap();
    let end = rig.journal.end().position.unwrap();
    rig.append_many(2).unwrap();
    rig.journal.hand_over();
    let path = format!("{DIR}/journal-{:020}.wal", end.file);
    let frame_len = rig.commits[3].build().encoded_len();
    assert!(rig.disk.flip(&path, 8192 + 60, 1));
    rig.move_to(rig.disk.crash(), bare);
    let scan = rig.scan().unwrap();
    assert_eq!((scan.last_seq, scan.bytes_cut), (3, 8192 + 2 * frame_len - end.offset));
    rig.reopen(3).unwrap();
    // The cut is final: the bytes after it never come back.
    rig.append_many(4).unwrap();
    rig.durable().unwrap();
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(7).unwrap();
}

/// With its old number it would still be in use when the next file takes its place in the chain.
#[test]
fn a_file_without_a_frame_that_counts_becomes_a_spare() {
    let mut rig = Rig::new(1);
    rig.append(Commit::numbered(1, 9000)).unwrap();
    rig.durable().unwrap();
    rig.append(Commit::numbered(2, 9000)).unwrap();
    rig.journal.hand_over();
    let path = format!("{DIR}/journal-{:020}.wal", rig.journal.end().position.unwrap().file);
    assert!(rig.disk.flip(&path, 4096 + 100, 1));
    rig.move_to(rig.disk.crash(), bare);
    rig.reopen(1).unwrap();
    let stats = rig.journal.stats();
    assert_eq!((stats.files, stats.spares, rig.disk.read_file(&path)), (1, 1, None));
    rig.append(Commit::numbered(2, 9000)).unwrap();
    rig.durable().unwrap();
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(2).unwrap();
}

#[test]
fn the_promises_of_others_turn_a_torn_tail_into_damage() {
    let mut rig = Rig::new(1);
    rig.append_many(3).unwrap();
    rig.durable().unwrap();
    rig.move_to(rig.disk.crash(), bare);
    let good = rig.from;
    for (promised, fine) in [
        (Promise { seq: 3, next_event_id: 4, is_end: false }, true),
        (Promise { seq: 4, next_event_id: 4, is_end: false }, false),
        (Promise { seq: 3, next_event_id: 5, is_end: false }, false),
    ] {
        rig.from = ScanFrom { promised, ..good };
        let found = rig.scan();
        assert_eq!(found.is_ok(), fine, "{promised:?}");
        assert!(fine || is_corrupt(&found));
    }
}

#[test]
fn a_position_that_does_not_fit_is_damage() {
    let mut rig = Rig::new(1);
    rig.append_many(30).unwrap();
    rig.checkpoint().unwrap();
    rig.append_many(3).unwrap();
    rig.durable().unwrap();
    let right = rig.from.position.unwrap();
    rig.scan().unwrap();
    for wrong in [
        Position { crc: right.crc ^ 1, ..right },
        Position { offset: right.offset + 1, ..right },
        Position { offset: 4096, ..right },
        Position { offset: 1 << 40, ..right },
        Position { offset: u64::MAX, ..right },
        Position { file: right.file + 7, ..right },
        Position { file: 0, ..right },
    ] {
        rig.from.position = Some(wrong);
        assert!(is_corrupt(&rig.scan()), "{wrong:?}");
    }
    rig.from.position = None;
    assert!(is_corrupt(&rig.scan()));
    rig.from = ScanFrom { applied_seq: u64::MAX, ..rig.from };
    assert!(is_corrupt(&rig.scan()));
}

#[test]
fn files_of_another_store_are_damage_and_of_a_newer_format_are_named_so() {
    let mut rig = Rig::new(1);
    rig.append_many(3).unwrap();
    rig.durable().unwrap();
    let other = StoreId::from_random([8; 16]);
    assert!(is_corrupt(&scan(Arc::clone(&rig.vfs), Path::new(DIR), other, rig.from)));

    let path = format!("{DIR}/journal-{:020}.wal", 1);
    let mut bytes = rig.disk.read_file(&path).unwrap();
    bytes[8] = 9;
    let crc = ledgerstone_format::checksum::crc32c(&bytes[..54]);
    bytes[54..58].copy_from_slice(&crc.to_le_bytes());
    rig.disk.write_file(&path, &bytes);
    assert!(matches!(rig.scan(), Err(Error::Format { found: 9, supported: 1, .. })));
}

#[test]
fn files_in_the_making_are_removed_and_others_left() {
    let disk = SimDisk::new(1);
    for (name, bytes) in [("journal-spare.tmp", [0; 100]), ("journal-tail.tmp", [1; 100]), ("note.txt", [1; 100])] {
        disk.write_file(format!("{DIR}/{name}"), &bytes);
    }
    let mut rig = Rig::over(disk, small_files(), bare);
    rig.append_many(2).unwrap();
    rig.durable().unwrap();
    let names: Vec<_> = rig.disk.list();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in ["note.txt", "journal-tail.tmp"] {
        assert_eq!(rig.disk.read_file(Path::new(DIR).join(name)).unwrap(), [1; 100], "{name}");
    }
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(2).unwrap();
}

/// A header that does not verify may be a torn one of ours, or a foreign file: only the first is a spare.
#[test]
fn a_file_that_only_has_the_name_of_a_journal_file_is_not_used() {
    let foreign = format!("{DIR}/journal-00000000000000000098.wal");
    let mut rig = Rig::new(1);
    rig.append_many(2).unwrap();
    rig.durable().unwrap();
    let mut torn = vec![0; 16 << 10];
    torn[..58].fill(7);
    rig.disk.write_file(&foreign, &[7; 16 << 10]);
    rig.disk.write_file(format!("{DIR}/journal-00000000000000000099.wal"), &torn);
    rig.move_to(rig.disk.crash(), bare);
    rig.reopen(2).unwrap();
    rig.append_many(60).unwrap();
    rig.durable().unwrap();
    assert_eq!(rig.disk.read_file(&foreign).unwrap(), [7; 16 << 10]);
    assert!(rig.disk.read_file(format!("{DIR}/journal-00000000000000000099.wal")).is_none_or(|bytes| bytes != torn));
}

#[test]
fn scanning_changes_nothing() {
    let mut rig = Rig::new(1);
    rig.append_many(60).unwrap();
    rig.journal.hand_over();
    rig.disk.write_file(format!("{DIR}/journal-tail.tmp"), &[1; 100]);
    rig.move_to(rig.disk.crash(), bare);
    let operations = rig.disk.operations();
    rig.scan().unwrap();
    assert_eq!(rig.disk.operations(), operations);
}

/// Ids are assigned with the seqs (I3): a frame that chains but does not continue the ids is no torn tail.
#[test]
fn a_gap_in_the_event_ids_is_damage() {
    let mut rig = Rig::new(1);
    rig.append_many(1).unwrap();
    crate::rig::append(&rig.journal, &Commit::numbered(2, 10), 2, 3).unwrap();
    rig.journal.wait(Durability::Durable, 2).unwrap();
    rig.move_to(rig.disk.crash(), bare);
    assert!(is_corrupt(&rig.scan()));
}

#[test]
fn waiting_for_what_was_never_appended_is_refused() {
    let mut rig = Rig::new(1);
    rig.append_many(1).unwrap();
    assert!(matches!(rig.journal.wait(Durability::Durable, 2), Err(Error::Internal(_))));
    rig.durable().unwrap();
}

/// The gate's owner assigns contiguous seqs and reserves first (I3); an owner that breaks that stops the store and loses no data.
#[test]
fn an_append_out_of_turn_poisons_and_is_not_written() {
    let mut rig = Rig::new(1);
    rig.append_many(1).unwrap();
    let commit = Commit::numbered(3, 10);
    assert!(crate::rig::append(&rig.journal, &commit, 3, 2).is_err());
    assert!(rig.durable().is_err());
    assert!(matches!(rig.poison.get(), Some(Error::Internal(_))));
    rig.move_to(rig.disk.crash(), bare);
    rig.reopen(0).unwrap();
}

#[test]
fn a_restored_store_goes_on_behind_its_last_seq() {
    let disk = SimDisk::new(1);
    let from = ScanFrom {
        applied_seq: 500,
        next_event_id: 900,
        position: None,
        promised: Promise { seq: 500, next_event_id: 900, is_end: false },
    };
    let open = |disk: &SimDisk| {
        let scanned = scan(bare(disk), Path::new(DIR), store_id(), from).unwrap();
        let clock = Arc::new(ledgerstone_vfs::sim::SimClock::new(5));
        let found = scanned.frames.len();
        (scanned.open(clock, small_files(), Arc::new(Poison::new())).unwrap(), found)
    };
    let (journal, _): (Arc<Journal>, _) = open(&disk);
    assert_eq!((journal.end().seq, journal.durable()), (500, 500));
    crate::rig::append(&journal, &Commit::numbered(501, 10), 501, 900).unwrap();
    journal.wait(Durability::Durable, 501).unwrap();
    let (journal, found) = open(&disk.power_cut());
    assert_eq!((journal.end().seq, found), (501, 1));
}
