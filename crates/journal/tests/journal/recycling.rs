//! Files that recovery no longer needs (I7), spares, and sizes.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use ledgerstone_format::Durability;
use ledgerstone_journal::{JournalOptions, Stamp};
use ledgerstone_vfs::{Vfs, sim::SimDisk};

use crate::rig::{Commit, DIR, Rig, small_files};

fn bare(disk: &SimDisk) -> Arc<dyn Vfs> {
    Arc::new(disk.clone())
}

#[test]
fn files_below_the_checkpoint_become_spares_and_space_stays_bounded() {
    let mut rig = Rig::new(1);
    let mut most_bytes = 0;
    for _ in 0..60 {
        for _ in 0..3 {
            rig.append(Commit::numbered(rig.next_seq(), 5000)).unwrap();
        }
        rig.checkpoint().unwrap();
        let stats = rig.journal.stats();
        assert!(stats.files <= 2 && stats.spares <= 2, "{stats:?}");
        most_bytes = most_bytes.max(rig.disk.used_bytes());
    }
    assert!(most_bytes <= 192 << 10, "{most_bytes}");
    let prepared = rig.journal.stats().preparation_bytes;
    assert!(prepared <= 192 << 10, "spares come from recycling: {prepared}");
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(180).unwrap();
}

/// Otherwise a power cut could leave neither the old newest frame nor the new one.
#[test]
fn the_newest_durable_frame_stays_readable() {
    let mut rig = Rig::new(1);
    rig.append(Commit::numbered(1, 9000)).unwrap();
    rig.checkpoint().unwrap();
    assert_eq!(rig.journal.stats().files, 1, "the only file with frames stays");
    rig.append(Commit::numbered(2, 9000)).unwrap();
    rig.journal.hand_over();
    rig.journal.recycle(1).unwrap();
    assert_eq!(rig.journal.stats().files, 2, "the later file's frames may still be lost");
    rig.journal.wait(Durability::Durable, 2).unwrap();
    rig.journal.recycle(1).unwrap();
    assert_eq!(rig.journal.stats().files, 1);
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(2).unwrap();
}

#[test]
fn nothing_above_the_given_seq_is_given_up() {
    let mut rig = Rig::new(1);
    for n in 1..=6 {
        rig.append(Commit::numbered(n, 9000)).unwrap();
    }
    rig.durable().unwrap();
    let files = rig.journal.stats().files;
    for (upto_seq, given_up) in [(0, 0), (1, 1), (1, 1), (2, 2)] {
        rig.journal.recycle(upto_seq).unwrap();
        assert_eq!(rig.journal.stats().files, files - given_up, "one frame to a file: upto_seq={upto_seq}");
    }
}

#[test]
fn as_much_as_asked_for_is_kept() {
    let options = JournalOptions { keep_bytes: 40 << 10, max_file_bytes: 16 << 10, ..small_files() };
    let mut rig = Rig::with(1, options);
    for n in 1..=10 {
        rig.append(Commit::numbered(n, 9000)).unwrap();
    }
    rig.checkpoint().unwrap();
    assert_eq!(rig.journal.stats().files, 4, "three kept files and the current one");
}

#[test]
fn only_two_spares_are_kept_and_those_the_largest() {
    let mut rig = Rig::new(1);
    for n in 1..=12 {
        rig.append(Commit::numbered(n, 9000)).unwrap();
    }
    rig.checkpoint().unwrap();
    let stats = rig.journal.stats();
    assert_eq!((stats.files, stats.spares, rig.disk.list().len()), (1, 2, 3));
    assert_eq!(stats.bytes, rig.disk.used_bytes());
    assert_eq!(stats.bytes, 96 << 10);
}

/// Each adopted file costs a rename and a flush of the folder, while commits wait for the same device.
#[test]
fn files_that_would_not_stay_spares_are_removed_without_a_flush() {
    let mut rig = Rig::new(1);
    for n in 1..=12 {
        rig.append(Commit::numbered(n, 9000)).unwrap();
    }
    rig.durable().unwrap();
    let given_up = rig.journal.stats().files - 1;
    rig.disk.record_trace();
    rig.journal.recycle(12).unwrap();
    let trace = rig.disk.trace();
    let count = |call: &str| trace.iter().filter(|line| line.split(' ').next() == Some(call)).count() as u64;
    assert!(given_up > 2);
    assert_eq!((count("rename"), count("fsync"), count("unlink")), (2, 2, given_up - 2), "{trace:?}");
}

/// Otherwise a commit's flush would have to write the rest of the preparation, and a name without content could appear.
#[test]
fn a_spare_is_flushed_before_it_has_its_name_and_the_folder_after() {
    let rig = Rig::new(1);
    rig.disk.record_trace();
    assert!(rig.journal.step().unwrap());
    let calls: Vec<_> = rig.disk.trace().iter().filter_map(|call| call.split(' ').next().map(String::from)).collect();
    assert_eq!(calls, ["open", "pwrite", "fdatasync", "rename", "fsync", "open"]);
}

/// A large file is prepared piece by piece: a commit in between waits for one piece at most.
#[test]
fn commits_are_written_between_the_pieces_of_a_spare() {
    let options = JournalOptions { first_file_bytes: 4 << 20, max_file_bytes: 4 << 20, ..small_files() };
    let mut rig = Rig::with(1, options);
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    let before = rig.journal.stats().preparation_bytes;
    assert!(rig.journal.step().unwrap());
    assert_eq!(rig.journal.stats().preparation_bytes - before, 1 << 20);
    rig.append_many(1).unwrap();
    assert!(rig.journal.step().unwrap());
    assert_eq!((rig.journal.written(), rig.journal.stats().preparation_bytes - before), (2, 2 << 20));
    while rig.journal.step().unwrap() {}
    assert_eq!((rig.journal.stats().spares, rig.journal.stats().preparation_bytes - before), (1, 4 << 20));
}

#[test]
fn a_place_stays_reserved_when_the_group_is_taken_before_the_append() {
    let mut rig = Rig::new(1);
    rig.append_many(1).unwrap();
    let room = (16 << 10) - rig.journal.end().position.unwrap().offset;
    let commit = Commit::numbered(2, usize::try_from(room).unwrap() - 120);
    let builder = commit.build();
    assert!(builder.encoded_len() <= room, "it fits behind the first, not on the next page");
    rig.journal.reserve(builder.encoded_len()).unwrap();
    rig.journal.hand_over();
    let stamp = Stamp { seq: 2, first_event_id: 2, timestamp_ms: commit.timestamp_ms };
    assert_eq!(rig.journal.append(builder, stamp).unwrap().position.file, 2);
    rig.commits.push(commit);
    rig.durable().unwrap();
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(2).unwrap();
}

/// A name that differs from the header's number marks a spare; no renaming may ever make them equal.
#[test]
fn a_spare_never_gets_the_number_in_its_old_header() {
    let mut rig = Rig::new(1);
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    let mut bytes = rig.disk.read_file(format!("{DIR}/journal-{:020}.wal", 1)).unwrap();
    bytes[26..34].copy_from_slice(&4_u64.to_le_bytes());
    let crc = ledgerstone_format::checksum::crc32c(&bytes[..54]);
    bytes[54..58].copy_from_slice(&crc.to_le_bytes());
    rig.append_many(1).unwrap();
    rig.journal.hand_over();
    rig.disk.write_file(format!("{DIR}/journal-{:020}.wal", 2), &bytes);
    rig.move_to(rig.disk.crash(), bare);
    rig.reopen(2).unwrap();
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(2).unwrap();
}

#[test]
fn a_recycled_file_never_shows_its_old_frames() {
    let mut rig = Rig::new(1);
    for round in 0..20 {
        for _ in 0..4 {
            rig.append(Commit::numbered(rig.next_seq(), 4200)).unwrap();
        }
        if round % 2 == 0 {
            rig.checkpoint().unwrap();
        }
        rig.durable().unwrap();
        let seq = rig.next_seq() - 1;
        rig.move_to(rig.disk.power_cut(), bare);
        rig.reopen(seq).unwrap();
    }
}

#[test]
fn a_frame_that_fits_nowhere_gets_a_file_of_its_size() {
    let mut rig = Rig::new(1);
    rig.append_many(1).unwrap();
    rig.append(Commit::numbered(2, 300_000)).unwrap();
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    rig.append(Commit::numbered(4, 3_000_000)).unwrap();
    rig.append_many(60).unwrap();
    rig.durable().unwrap();
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(64).unwrap();
}

#[test]
fn a_file_made_for_one_huge_frame_is_not_kept_as_a_spare() {
    let mut rig = Rig::new(1);
    rig.append_many(1).unwrap();
    rig.append(Commit::numbered(2, 300_000)).unwrap();
    rig.append(Commit::numbered(3, 9000)).unwrap();
    rig.checkpoint().unwrap();
    assert!(rig.disk.used_bytes() < 300_000, "{:?}", rig.journal.stats());
    assert_eq!(rig.disk.used_bytes(), rig.journal.stats().bytes);

    // Nor is one that comes back, or that an opening finds among the spares.
    rig.disk.write_file(format!("{DIR}/journal-{:020}.wal", 900), &vec![0; 300_000]);
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(3).unwrap();
    rig.checkpoint().unwrap();
    assert!(rig.disk.used_bytes() < 300_000, "{:?}", rig.journal.stats());
    rig.append_many(20).unwrap();
    rig.durable().unwrap();
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(23).unwrap();
}

#[test]
fn a_place_reserved_for_a_small_frame_does_not_hold_up_a_large_one() {
    let mut rig = Rig::new(1);
    rig.journal.reserve(500).unwrap();
    rig.journal.reserve(50_000).unwrap();
    rig.append(Commit::numbered(1, 40_000)).unwrap();
    rig.durable().unwrap();
    let stats = rig.journal.stats();
    assert_eq!((stats.files + stats.spares, rig.disk.list().len()), (2, 2), "the small one waits for its turn");
    for _ in 0..6 {
        rig.append(Commit::numbered(rig.next_seq(), 9000)).unwrap();
    }
    rig.durable().unwrap();
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(7).unwrap();
}

#[test]
fn files_start_small_and_double_with_use() {
    let options = JournalOptions { first_file_bytes: 16 << 10, max_file_bytes: 128 << 10, ..small_files() };
    let mut rig = Rig::with(1, options);
    let mut sizes = Vec::new();
    let mut known = BTreeSet::<PathBuf>::new();
    for n in 1..=80 {
        rig.append(Commit::numbered(n, 4000)).unwrap();
        for path in rig.disk.list() {
            if known.insert(path.clone()) {
                sizes.push(rig.disk.read_file(&path).unwrap().len() >> 10);
            }
        }
    }
    assert_eq!(sizes, [16, 16, 32, 64, 128, 128]);
}

#[test]
fn an_idle_journal_prepares_one_spare_and_then_rests() {
    let mut rig = Rig::new(1);
    while rig.journal.step().unwrap() {}
    let stats = rig.journal.stats();
    assert_eq!((stats.files, stats.spares, stats.flushes, stats.preparation_flushes), (0, 1, 0, 2));
    let operations = rig.disk.operations();
    assert!(!rig.journal.step().unwrap());
    assert_eq!(rig.disk.operations(), operations);
    rig.append_many(1).unwrap();
    let preparing = rig.journal.stats().preparation_flushes;
    rig.durable().unwrap();
    assert_eq!((rig.journal.stats().flushes, rig.journal.stats().preparation_flushes), (1, preparing));
}

#[test]
fn spares_survive_an_ending_and_are_used() {
    let mut rig = Rig::new(1);
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    while rig.journal.step().unwrap() {}
    assert_eq!(rig.journal.stats().spares, 1);
    rig.move_to(rig.disk.power_cut(), bare);
    rig.reopen(1).unwrap();
    assert_eq!(rig.journal.stats().spares, 1);
    rig.append_many(1).unwrap();
    assert_eq!(rig.journal.stats().preparation_bytes, 0);
}

/// Bug: a power cut that garbled more than one sector of the page in which a file's header was being written left a file that was neither used nor removed,
/// one more each time. Mechanism: only zeros behind the header's sector told that it was ours. Fix: so does what stands behind that page: a frame where the
/// first one begins, or nothing but zeros.
#[test]
fn files_whose_header_a_power_cut_has_garbled_do_not_pile_up() {
    let mut rig = Rig::new(1);
    let mut most = 0;
    let mut garbled = [0_u32; 2];
    for cycle in 0..60_u64 {
        for _ in 0..3 {
            rig.append(Commit::numbered(rig.next_seq(), 6_000)).unwrap();
            rig.durable().unwrap();
        }
        if cycle % 3 == 2 {
            rig.checkpoint().unwrap();
        }
        while rig.journal.step().unwrap() {}
        let durable = rig.next_seq() - 1;
        rig.move_to(rig.disk.crash(), |disk| Arc::new(disk.clone()));
        if let Some((path, mut file)) = next_spare(&rig) {
            garbled[usize::from(file[4096..].iter().any(|byte| *byte != 0))] += 1;
            for sector in [0, 3] {
                file[sector * 512..][..512].fill(0xa5);
            }
            rig.disk.write_file(&path, &file);
        }
        rig.reopen(durable).unwrap();
        most = most.max(rig.disk.list().len());
    }
    assert!(most <= 12, "{most} files");
    assert!(garbled.iter().all(|count| *count > 5), "prepared and recycled ones: {garbled:?}");
}

/// The file that would get a header next: its name is not the number in it, and it has not been garbled.
fn next_spare(rig: &Rig) -> Option<(PathBuf, Vec<u8>)> {
    rig.disk.list().into_iter().find_map(|path| {
        let file = rig.disk.read_file(&path).unwrap();
        let named: u64 = path.file_stem()?.to_str()?.strip_prefix("journal-")?.parse().ok()?;
        (file[0] != 0xa5 && file[26..34] != named.to_le_bytes()).then_some((path, file))
    })
}

/// Somebody else's file of that name stays.
#[test]
fn a_file_that_is_not_as_ours_are_behind_its_header_stays() {
    let mut rig = Rig::new(1);
    rig.append_many(3).unwrap();
    rig.durable().unwrap();
    rig.move_to(rig.disk.crash(), |disk| Arc::new(disk.clone()));
    let path = PathBuf::from(format!("{DIR}/journal-{:020}.wal", 99));
    for len in [10, 4_096, 16_384] {
        let letter: Vec<u8> = b"Dear reader, ".iter().copied().cycle().take(len).collect();
        rig.disk.write_file(&path, &letter);
        rig.reopen(3).unwrap();
        assert_eq!(rig.disk.read_file(&path), Some(letter));
        rig.move_to(rig.disk.crash(), |disk| Arc::new(disk.clone()));
    }
}
