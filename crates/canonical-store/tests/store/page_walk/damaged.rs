//! Files that the walk accepts are harmless: LMDB reads and changes them without a crash, and all data is correct.

use std::path::{Path, PathBuf};

use ledgerstone_canonical_store::{Report, testing::verify_state_file};
use ledgerstone_vfs::sim::SimDisk;

use crate::{
    page_walk::child::{self, DATA_FILE},
    page_walk::history::{History, Random},
    page_walk::mutation,
    support::TempDir,
};

const MUTATIONS: u64 = 1_000;
const BATCH: u64 = 250;
const PAGE: usize = 4_096;

fn store(dir: &TempDir, changes: usize, most: usize) -> PathBuf {
    let path = dir.path().join("sound");
    let mut history = History::open(&path, 5);
    for _ in 0..changes {
        history.change(most);
        history.flush();
    }
    history.close();
    path
}

#[test]
fn what_passes_the_walk_is_harmless_however_the_file_is_damaged() {
    let dir = TempDir::new("mutations");
    let path = store(&dir, 10, 500);
    let survivors: u64 =
        (0..MUTATIONS / BATCH).map(|batch| child::survivors(&path, &(batch * BATCH..(batch + 1) * BATCH))).sum();
    // Free pages and free space are damaged without harm; most of the rest must have been noticed.
    println!("{survivors} of {MUTATIONS} passed");
    assert!((20..MUTATIONS / 2).contains(&survivors), "{survivors}");
}

fn is_noticed(disk: &SimDisk, offset: usize, mask: u8) -> bool {
    let file = Path::new("/data.mdb");
    assert!(disk.flip(file, offset as u64, mask));
    let report = verify_state_file(disk, file).unwrap();
    assert!(disk.flip(file, offset as u64, mask));
    !report.is_ok()
}

#[test]
fn every_flipped_bit_of_a_small_file_is_noticed_or_harmless() {
    let dir = TempDir::new("flips");
    let path = store(&dir, 3, 60);
    let sound = std::fs::read(path.join(DATA_FILE)).unwrap();
    let disk = SimDisk::new(1);
    disk.write_file("/data.mdb", &sound);
    let mut harmless = sound.clone();
    let (mut noticed, mut unnoticed) = (0, 0);
    for (offset, byte) in harmless.iter_mut().enumerate() {
        let mut masks = vec![1 << (offset / 7 % 8)];
        if offset % PAGE < 64 {
            masks = (0..8).map(|bit| 1 << bit).collect();
        }
        for mask in masks {
            if is_noticed(&disk, offset, mask) {
                noticed += 1;
            } else {
                unnoticed += 1;
                *byte ^= mask;
            }
        }
    }
    println!("{noticed} of {} noticed", noticed + unnoticed);
    assert!(noticed > unnoticed / 4, "{noticed} {unnoticed}");
    // All unnoticed changes at once, except in the older meta page, which has no meaning while the newer one is sound.
    let word = |page: usize, offset: usize| u64::from_le_bytes(sound[page * PAGE + offset..][..8].try_into().unwrap());
    let older = if word(0, 144) < word(1, 144) { 0 } else { PAGE };
    harmless[older..older + PAGE].copy_from_slice(&sound[older..older + PAGE]);
    let file = dir.path().join("harmless.mdb");
    std::fs::write(&file, harmless).unwrap();
    child::use_damaged(&path, &file);
}

#[test]
fn the_walk_ends_with_a_bounded_report_however_much_is_damaged() {
    let dir = TempDir::new("ends");
    let path = store(&dir, 4, 150);
    let sound = std::fs::read(path.join(DATA_FILE)).unwrap();
    let disk = SimDisk::new(1);
    let mut sound_ones = 0;
    for seed in 0..2_000 {
        let mut random = Random(seed);
        let mut damaged = sound.clone();
        for _ in 0..=random.below(12) {
            // A truncated file is not damaged further.
            if damaged.len() == sound.len() {
                damaged = mutation::apply(&damaged, &mut random);
            }
        }
        disk.write_file("/data.mdb", &damaged);
        let report = verify_state_file(&disk, Path::new("/data.mdb")).unwrap();
        assert!(report.problems.len() <= Report::MAX_PROBLEMS, "seed {seed}");
        assert!(report.checked.bytes <= 20 * sound.len() as u64, "seed {seed}: {:?}", report.checked);
        sound_ones += u64::from(report.is_ok());
    }
    assert!((1..1_000).contains(&sound_ones), "{sound_ones}");
}
