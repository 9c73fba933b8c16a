//! Every number in a small file of LMDB at its extremes, wherever a page can have one: lengths, offsets, counts, page numbers.
//! The walk ends with a report, and allocates nothing by what a page claims.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use allocation_counter::measure;
use ledgerstone_canonical_store::testing::verify_state_file;
use ledgerstone_vfs::sim::SimDisk;

use crate::{page_walk::child::DATA_FILE, page_walk::history::History, support::TempDir};

const FILE: &str = "/data.mdb";
const PAGE: usize = 4_096;
/// After it a page has entries and free space.
const HEADER_BYTES: usize = 16;

/// The extremes of a number of `bytes` bytes, those of the file, and the neighbours of its value.
fn extremes(bytes: usize, now: u64, file_bytes: u64) -> Vec<u64> {
    let max = u64::MAX >> (64 - 8 * bytes);
    let pages = file_bytes / PAGE as u64;
    let edges = [
        0,
        1,
        now.wrapping_sub(1),
        now.wrapping_add(1),
        1 << 15,
        PAGE as u64,
        1 << 31,
        pages,
        file_bytes,
        max - 1,
        max,
    ];
    let mut values: Vec<u64> = edges.into_iter().filter(|value| *value <= max && *value != now).collect();
    values.sort_unstable();
    values.dedup();
    values
}

fn word(file: &[u8], at: usize, bytes: usize) -> u64 {
    file[at..at + bytes].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Flips the bits of `mask`; a second call undoes it.
fn flip(disk: &SimDisk, at: usize, bytes: usize, mask: u64) {
    for (place, mask) in mask.to_le_bytes().into_iter().enumerate().take(bytes).filter(|(_, mask)| *mask != 0) {
        assert!(disk.flip(FILE, (at + place) as u64, mask));
    }
}

#[test]
fn every_number_of_a_page_at_its_extremes_ends_the_walk_with_a_report() {
    let dir = TempDir::new("page-extremes");
    let path = dir.path().join("sound");
    let mut history = History::open(&path, 5);
    for _ in 0..2 {
        history.change(40);
        history.flush();
    }
    history.close();
    let file = std::fs::read(path.join(DATA_FILE)).unwrap();
    let disk = SimDisk::new(1);
    disk.write_file(FILE, &file);
    let walk = || verify_state_file(&disk, Path::new(FILE)).unwrap();
    assert!(walk().is_ok());
    let bound = measure(|| drop(walk())).bytes_max + file.len() as u64 + (1 << 20);
    let (mut told, mut passed) = (0_u64, 0_u64);
    for bytes in [2, 4, 8] {
        for at in (0..file.len()).step_by(bytes) {
            let now = word(&file, at, bytes);
            // Zeros outside a header are mostly free space.
            if now == 0 && at % PAGE >= HEADER_BYTES && at >= 2 * PAGE {
                continue;
            }
            for value in extremes(bytes, now, file.len() as u64) {
                flip(&disk, at, bytes, now ^ value);
                let mut is_told = false;
                let what = || format!("{bytes} bytes at {at} = {value:#x}, {now:#x} before");
                let walked = catch_unwind(AssertUnwindSafe(|| measure(|| is_told = !walk().is_ok()).bytes_max));
                let memory = walked.unwrap_or_else(|_| panic!("it panics with {}", what()));
                assert!(memory <= bound, "it takes {memory} bytes with {}", what());
                if is_told {
                    told += 1;
                } else {
                    passed += 1;
                }
                flip(&disk, at, bytes, now ^ value);
            }
        }
    }
    println!("{told} told, {passed} passed over");
    assert!(walk().is_ok() && told > 10_000, "{told}");
}
