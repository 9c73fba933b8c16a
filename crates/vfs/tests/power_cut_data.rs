//! What a power cut may do to a file's bytes, and what it must not do: each claim over many seeds of one moment.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "a test")]

use std::{collections::BTreeSet, path::Path, sync::Arc};

use ledgerstone_vfs::{
    OpenHow, Vfs, VfsFile,
    sim::{Fault, Seeds, SimDisk, SimOp},
};

const SEEDS: u64 = 400;
const SECTOR: usize = 512;

/// A disk with the durable file `/a`.
fn disk_with(bytes: &[u8]) -> (SimDisk, Arc<dyn VfsFile>) {
    let disk = SimDisk::new(11);
    disk.write_file("/a", bytes);
    let file = disk.open(Path::new("/a"), OpenHow::ReadWrite).unwrap();
    (disk, file)
}

fn outcomes(disk: &SimDisk) -> impl Iterator<Item = Vec<u8>> {
    (0..SEEDS).map(|seed| disk.power_cut_seeded(seed).read_file("/a").unwrap())
}

/// The state of a sector that was `old` and should have become `new`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Old,
    New,
    Garbage,
}

fn sectors(bytes: &[u8], old: u8, new: u8) -> Vec<Found> {
    let found = |sector: &[u8]| match sector {
        sector if sector.iter().all(|byte| *byte == old) => Found::Old,
        sector if sector.iter().all(|byte| *byte == new) => Found::New,
        _ => Found::Garbage,
    };
    bytes.chunks(SECTOR).map(found).collect()
}

#[test]
fn flushed_bytes_always_survive() {
    let (disk, file) = disk_with(&[1; 5_000]);
    file.write_all_at(&[2; 3_000], 4_000).unwrap();
    file.sync_data().unwrap();
    let expected = [[1; 4_000].as_slice(), &[2; 3_000]].concat();
    assert!(outcomes(&disk).all(|found| found == expected));
}

#[test]
fn an_unflushed_write_is_kept_dropped_torn_or_turned_to_garbage() {
    let (disk, file) = disk_with(&[1; 8 * SECTOR]);
    file.write_all_at(&[2; 8 * SECTOR], 0).unwrap();
    let outcomes: Vec<Vec<Found>> = outcomes(&disk).map(|found| sectors(&found, 1, 2)).collect();
    let all = |kind: &Found| outcomes.iter().filter(|found| found.iter().all(|sector| sector == kind)).count();
    let with = |kind: &Found| outcomes.iter().filter(|found| found.contains(kind)).count();
    assert!(all(&Found::New) > 20, "kept");
    assert!(all(&Found::Old) > 20, "dropped");
    let torn = outcomes.iter().filter(|found| found.contains(&Found::Old) && found.contains(&Found::New)).count();
    assert!(torn > 20, "torn");
    assert!(with(&Found::Garbage) > 20, "garbage");
    let distinct: BTreeSet<String> = outcomes.iter().map(|found| format!("{found:?}")).collect();
    assert!(distinct.len() > 50, "torn in many ways");
}

#[test]
fn only_sectors_of_unflushed_writes_are_damaged() {
    let (disk, file) = disk_with(&[1; 20 * SECTOR]);
    file.write_all_at(&[2; 700], 5 * SECTOR as u64 + 100).unwrap();
    file.write_all_at(&[2; 10], 11 * SECTOR as u64).unwrap();
    let mut damaged = BTreeSet::new();
    for found in outcomes(&disk) {
        let kinds = sectors(&found, 1, 2);
        damaged.extend(kinds.iter().enumerate().filter(|(_, kind)| **kind != Found::Old).map(|(sector, _)| sector));
    }
    assert_eq!(damaged, BTreeSet::from([5, 6, 11]));
}

#[test]
fn writes_reach_the_device_in_any_order() {
    let (disk, file) = disk_with(&[1; 8192]);
    file.write_all_at(&[2; 4096], 0).unwrap();
    file.write_all_at(&[2; 4096], 4096).unwrap();
    let halves: BTreeSet<(bool, bool)> = outcomes(&disk)
        .map(|found| (found[..4096].iter().all(|byte| *byte == 2), found[4096..].iter().all(|byte| *byte == 2)))
        .collect();
    assert_eq!(halves.len(), 4, "{halves:?}: also the second without the first");
}

/// The page cache holds one copy of a sector: the device may miss the newest state of it, never one in the middle.
#[test]
fn a_sector_never_shows_a_write_without_the_one_before_it() {
    let (disk, file) = disk_with(&[0; SECTOR]);
    file.write_all_at(&[1; 100], 0).unwrap();
    file.write_all_at(&[2; 100], 100).unwrap();
    let mut seen = BTreeSet::new();
    for found in outcomes(&disk) {
        if found[200..].iter().all(|byte| *byte == 0) {
            seen.insert((found[0], found[100]));
        }
    }
    assert_eq!(seen, BTreeSet::from([(0, 0), (1, 0), (1, 2)]));
}

#[test]
fn an_unflushed_length_is_one_of_those_the_file_had_and_lost_bytes_are_zero() {
    let (disk, file) = disk_with(b"");
    for (offset, len) in [(0, 1_000), (1_000, 2_000), (3_000, 500)] {
        file.write_all_at(&vec![7; len], offset).unwrap();
    }
    let mut lengths = BTreeSet::new();
    let mut zeros_within = 0;
    for found in outcomes(&disk) {
        lengths.insert(found.len());
        zeros_within += u32::from(found.len() == 3_500 && found[..SECTOR].iter().all(|byte| *byte == 0));
    }
    assert_eq!(lengths, BTreeSet::from([0, 1_000, 3_000, 3_500]));
    assert!(zeros_within > 0, "the length without the bytes");
}

#[test]
fn an_unflushed_cut_is_kept_or_undone_and_never_half() {
    let (disk, file) = disk_with(&[1; 4096]);
    file.set_len(100).unwrap();
    file.set_len(4096).unwrap();
    let mut seen = BTreeSet::new();
    for found in outcomes(&disk) {
        let rest = found.get(100..).unwrap_or_default();
        assert!(rest.iter().all(|byte| Some(byte) == rest.first()), "all cut off, or nothing");
        seen.insert((found.len(), found.get(100).copied()));
    }
    assert_eq!(seen, BTreeSet::from([(4096, Some(1)), (100, None), (4096, Some(0))]));
}

#[test]
fn what_was_written_after_a_cut_does_not_show_without_the_cut() {
    let (disk, file) = disk_with(&[1; 4096]);
    file.set_len(0).unwrap();
    file.write_all_at(&[2; 1024], 0).unwrap();
    for found in outcomes(&disk) {
        if found.len() == 4096 {
            assert_eq!(found, [1; 4096], "the cut was lost, and so is what came after it");
        } else {
            assert!(!found.contains(&1) || sectors(&found, 1, 2).contains(&Found::Garbage));
        }
    }
}

#[test]
fn a_flush_makes_only_its_own_file_durable() {
    let (disk, file) = disk_with(&[1; 512]);
    disk.write_file("/b", b"");
    let other = disk.open(Path::new("/b"), OpenHow::ReadWrite).unwrap();
    file.write_all_at(&[2; 512], 0).unwrap();
    other.write_all_at(&[2; 512], 0).unwrap();
    other.sync_data().unwrap();
    assert!(outcomes(&disk).any(|found| found == [1; 512]));
    assert!((0..SEEDS).all(|seed| disk.power_cut_seeded(seed).read_file("/b").unwrap() == [2; 512]));
}

/// As in real kernels: the pages of a failed flush count as clean. The second flush has nothing to do and reports success.
#[test]
fn a_failed_flush_is_not_healed_by_the_next_one() {
    for fault in [Fault::SyncFails, Fault::Io, Fault::NoSpace] {
        let (disk, file) = disk_with(&[1; 8 * SECTOR]);
        file.write_all_at(&[2; 8 * SECTOR], 0).unwrap();
        disk.fail_nth(SimOp::Sync, 1, fault);
        assert_eq!(file.sync_data().unwrap_err().syscall, "fdatasync");
        file.sync_data().unwrap();
        assert_eq!(disk.read_file("/a").unwrap(), [2; 8 * SECTOR], "reads show what is lost");
        let outcomes: Vec<Vec<Found>> = outcomes(&disk).map(|found| sectors(&found, 1, 2)).collect();
        assert!(outcomes.iter().all(|found| found.iter().any(|sector| *sector != Found::New)), "never whole");
        assert!(outcomes.iter().any(|found| found.iter().all(|sector| *sector == Found::Old)), "lost");
        assert!(outcomes.iter().any(|found| found.contains(&Found::Garbage)), "garbled");
        assert!(outcomes.iter().any(|found| found.contains(&Found::New)), "stored in part");
    }
}

#[test]
fn writing_anew_after_a_failed_flush_stores_what_is_written_anew() {
    let (disk, file) = disk_with(&[1; 8 * SECTOR]);
    file.write_all_at(&[2; 8 * SECTOR], 0).unwrap();
    disk.fail_nth(SimOp::Sync, 1, Fault::SyncFails);
    file.sync_data().unwrap_err();
    file.write_all_at(&[2; 3 * SECTOR], 0).unwrap();
    file.sync_data().unwrap();
    let mut hurt = BTreeSet::new();
    for found in outcomes(&disk) {
        let kinds = sectors(&found, 1, 2);
        hurt.extend(kinds.iter().enumerate().filter(|(_, kind)| **kind != Found::New).map(|(sector, _)| sector));
    }
    assert_eq!(hurt, BTreeSet::from([3, 4, 5, 6, 7]));
    let disk = disk.crash();
    let file = disk.open(Path::new("/a"), OpenHow::ReadWrite).unwrap();
    file.sync_data().unwrap();
    assert!(outcomes(&disk).any(|found| found != [2; 8 * SECTOR]), "a restart of the process heals nothing");
    file.write_all_at(&[2; 8 * SECTOR], 0).unwrap();
    file.sync_data().unwrap();
    assert!(outcomes(&disk).all(|found| found == [2; 8 * SECTOR]));
}

#[test]
fn the_length_of_a_failed_flush_becomes_durable_without_its_bytes() {
    let (disk, file) = disk_with(b"");
    file.write_all_at(&[2; 2 * SECTOR], 0).unwrap();
    disk.fail_nth(SimOp::Sync, 1, Fault::SyncFails);
    file.sync_data().unwrap_err();
    file.sync_data().unwrap();
    let outcomes: Vec<Vec<u8>> = outcomes(&disk).collect();
    assert!(outcomes.iter().all(|found| found.len() == 2 * SECTOR && found != &[2; 2 * SECTOR]));
    assert!(outcomes.iter().any(|found| found == &[0; 2 * SECTOR]));
}

#[test]
fn what_was_cut_off_before_a_power_cut_does_not_come_back_when_the_file_grew_again() {
    let (disk, file) = disk_with(&[1; SECTOR]);
    file.write_all_at(&[2; SECTOR], 0).unwrap();
    file.set_len(100).unwrap();
    file.set_len(511).unwrap();
    let grown: Vec<Vec<u8>> = outcomes(&disk).filter(|found| found.len() == 511).collect();
    assert!(grown.iter().any(|found| found[0] == 1) && grown.iter().any(|found| found[0] == 2));
    assert!(grown.iter().all(|found| found[100..].iter().all(|byte| *byte == 0)));
}

#[test]
fn a_failed_flush_cannot_hurt_what_was_cut_off_since() {
    let (disk, file) = disk_with(&[1; 4 * SECTOR]);
    file.write_all_at(&[2; 4 * SECTOR], 0).unwrap();
    disk.fail_nth(SimOp::Sync, 1, Fault::SyncFails);
    file.sync_data().unwrap_err();
    file.set_len(2 * SECTOR as u64).unwrap();
    file.set_len(4 * SECTOR as u64).unwrap();
    file.sync_data().unwrap();
    assert!(outcomes(&disk).all(|found| found[2 * SECTOR..] == [0; 2 * SECTOR]));
    assert!(outcomes(&disk).all(|found| found[..2 * SECTOR] != [2; 2 * SECTOR]));
}

/// Random calls against a model of two arrays: the bytes written, and the bytes at the last flush.
#[test]
fn random_histories_agree_with_a_model() {
    for seed in Seeds::new(300, 300).iter() {
        let mut random = Steps(seed * 2 + 1);
        let (disk, file) = disk_with(&[]);
        let (mut now, mut durable): (Vec<u8>, Vec<u8>) = Default::default();
        let (mut dirty, mut written, mut failed) = <(BTreeSet<usize>, BTreeSet<usize>, BTreeSet<usize>)>::default();
        let mut lengths = BTreeSet::from([0]);
        for step in 0..random.below(40) {
            let (offset, len) = (random.below(9_000), random.below(3_000));
            match random.below(8) {
                0..5 => {
                    let bytes = vec![step as u8 + 1; len];
                    file.write_all_at(&bytes, offset as u64).unwrap();
                    if len > 0 {
                        now.resize(now.len().max(offset + len), 0);
                        now[offset..offset + len].copy_from_slice(&bytes);
                        written.extend(offset / SECTOR..(offset + len).div_ceil(SECTOR));
                    }
                }
                5 => {
                    file.set_len(offset as u64).unwrap();
                    // Cut and grown again: the bytes after the cut may be old or zero until the next flush.
                    dirty.extend(offset / SECTOR..now.len().div_ceil(SECTOR));
                    now.resize(offset, 0);
                    failed.split_off(&offset.div_ceil(SECTOR));
                }
                6 if seed % 3 == 0 => {
                    disk.fail_nth(SimOp::Sync, 1, Fault::SyncFails);
                    file.sync_data().unwrap_err();
                    failed.append(&mut written);
                }
                _ => {
                    file.sync_data().unwrap();
                    failed.retain(|sector| !written.contains(sector));
                    written.clear();
                    durable.clone_from(&now);
                    dirty.clear();
                    lengths.clear();
                }
            }
            lengths.insert(now.len());
            assert_eq!(disk.read_file("/a").unwrap(), now, "seed {seed} step {step}");
        }
        assert_eq!(disk.crash().read_file("/a").unwrap(), now, "seed {seed}");
        for cut in 0..8 {
            let after = disk.power_cut_seeded(cut);
            let found = after.read_file("/a").unwrap();
            let grown = after.open(Path::new("/a"), OpenHow::ReadWrite).unwrap();
            grown.set_len(20_000).unwrap();
            assert!(
                after.read_file("/a").unwrap()[found.len()..].iter().all(|byte| *byte == 0),
                "seed {seed} cut {cut}"
            );
            assert!(lengths.contains(&found.len()), "seed {seed} cut {cut}: length {}", found.len());
            for (sector, bytes) in found.chunks(SECTOR).enumerate() {
                if [&dirty, &written, &failed].iter().any(|sectors| sectors.contains(&sector)) {
                    continue;
                }
                let mut expected = vec![0; bytes.len()];
                let old = durable.get(sector * SECTOR..).unwrap_or_default();
                let old = &old[..old.len().min(bytes.len())];
                expected[..old.len()].copy_from_slice(old);
                assert_eq!(bytes, expected, "seed {seed} cut {cut} sector {sector}");
            }
        }
        file.write_all_at(&now, 0).unwrap();
        file.sync_data().unwrap();
        assert!((0..8).all(|cut| disk.power_cut_seeded(cut).read_file("/a").unwrap() == now), "seed {seed}");
    }
}

/// A small separate generator (xorshift), so that it does not share a fault with the tested one.
struct Steps(u64);

impl Steps {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}
