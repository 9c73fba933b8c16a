//! The blocks of a file: what is written is read back, and anything else is an error: never a panic, never other bytes, never memory without bytes.

use std::path::Path;

use proptest::prelude::*;

use super::craft::{file_of, one_file};
use crate::backup::{
    block_reader::BlockReader,
    job::{BackupJob, Halt, Step},
    shard_head::{BLOCK_BYTES, ShardHead, ShardKind},
};

const HEAD: ShardHead = ShardHead { kind: ShardKind::State, backup_id: [3; 16], shard: 2, shard_count: 4 };

/// The records of a file, each of `lens` bytes.
fn read(bytes: &[u8], lens: &[usize]) -> Step<Vec<Vec<u8>>> {
    let (disk, job) = (one_file(bytes), BackupJob::default());
    let mut reader = BlockReader::open(&*disk, Path::new("/file"), HEAD, bytes.len() as u64, &job)?;
    let mut records = Vec::new();
    let mut record = Vec::new();
    for len in lens {
        if !reader.take(*len, &mut record)? {
            break;
        }
        records.push(record.clone());
    }
    if reader.take(1, &mut record)? {
        return Err(reader.wrong(crate::BackupReason::Count, "more").into());
    }
    reader.finish(lens.len() as u64)?;
    Ok(records)
}

fn is_refused(outcome: Step<Vec<Vec<u8>>>) -> bool {
    matches!(outcome, Err(Halt::Failed(error)) if error.code() == "ERR_BACKUP")
}

fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let noise = proptest::collection::vec(any::<u8>(), 1..400);
    let repeated = (any::<u8>(), 1_usize..5_000).prop_map(|(byte, len)| vec![byte; len]);
    proptest::collection::vec(prop_oneof![noise, repeated], 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_was_written_is_read_back_and_every_cut_is_noticed(records in records(), flips in proptest::collection::vec(any::<(u32, u8)>(), 50)) {
        let (bytes, record) = file_of(HEAD, &records);
        prop_assert_eq!(record.bytes, bytes.len() as u64);
        prop_assert_eq!(record.hash, *blake3::hash(&bytes).as_bytes());
        let lens: Vec<usize> = records.iter().map(Vec::len).collect();
        prop_assert_eq!(read(&bytes, &lens).unwrap_or_default(), records);
        for len in 0..bytes.len() {
            prop_assert!(is_refused(read(&bytes[..len], &lens)), "cut at {}", len);
        }
        for (at, mask) in flips {
            let mut damaged = bytes.clone();
            let at = at as usize % damaged.len();
            damaged[at] ^= mask.max(1);
            prop_assert!(is_refused(read(&damaged, &lens)), "byte {}", at);
        }
    }

    #[test]
    fn no_bytes_are_taken_for_a_file(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (sound, _) = file_of(HEAD, &[]);
        prop_assert!(is_refused(read(&bytes, &[])));
        let behind_head = [&sound[..40], &bytes].concat();
        prop_assert!(is_refused(read(&behind_head, &[])));
    }
}

#[test]
fn blocks_in_another_order_or_of_another_file_are_refused() {
    let records: Vec<Vec<u8>> =
        (0..3_u8).map(|n| (0..251_u8).cycle().take(BLOCK_BYTES).map(|at| n ^ at).collect()).collect();
    let lens: Vec<usize> = records.iter().map(Vec::len).collect();
    let (bytes, record) = file_of(HEAD, &records);
    assert_eq!(record.raw_bytes, 3 * BLOCK_BYTES as u64);
    assert!(read(&bytes, &lens).is_ok_and(|found| found == records));
    // Where the blocks begin.
    let mut starts = vec![40];
    while starts.len() < 4 {
        let at = starts[starts.len() - 1];
        let stored = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        starts.push(at + 12 + stored);
    }
    let [first, second, third, end] = starts[..] else { unreachable!() };
    let swapped = [&bytes[..first], &bytes[second..third], &bytes[first..second], &bytes[third..]].concat();
    let left_out = [&bytes[..second], &bytes[third..]].concat();
    let twice = [&bytes[..second], &bytes[first..]].concat();
    for (name, wrong) in [("swapped", swapped), ("left out", left_out), ("twice", twice)] {
        assert!(is_refused(read(&wrong, &lens)), "{name}");
    }
    let (other, _) = file_of(ShardHead { shard: 1, ..HEAD }, &records);
    let mixed = [&bytes[..first], &other[first..end], &bytes[end..]].concat();
    assert!(is_refused(read(&mixed, &lens)), "a block of another file");
}

/// A job that is given up ends at the next block.
#[test]
fn a_cancelled_job_reads_no_further() {
    let (bytes, _) = file_of(HEAD, &[vec![7; 100]]);
    let (disk, job) = (one_file(&bytes), BackupJob::default());
    let mut reader = BlockReader::open(&*disk, Path::new("/file"), HEAD, bytes.len() as u64, &job).ok().unwrap();
    job.cancel();
    assert!(matches!(reader.take(100, &mut Vec::new()), Err(Halt::Cancelled)));
}
