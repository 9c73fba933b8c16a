//! The cost of opening does not depend on the content of the files: counted by what is read.
//!
//! Bug: the rest of a recycled file was searched with a mebibyte read anew for each head of an old frame, and everything that
//! looked like a head was checksummed over the length it claimed: 600 lone commits cost 2 s, crafted payloads minutes.
//! Mechanism: the content decided the work. Fix: one pass verifies all claims at once (`checksum/search.rs`); after a clean
//! close there is none.

use std::{path::PathBuf, sync::Arc};

use ledgerstone_journal::JournalOptions;
use ledgerstone_vfs::{
    Vfs,
    sim::{SimCounts, SimDisk},
};

use crate::rig::{Commit, DIR, Rig, is_corrupt};

const FILE_BYTES: u64 = 8 << 20;
const OPTIONS: JournalOptions = JournalOptions {
    first_file_bytes: FILE_BYTES,
    max_file_bytes: FILE_BYTES,
    group_wake_bytes: 1 << 20,
    keep_bytes: 0,
};

fn bare(disk: &SimDisk) -> Arc<dyn Vfs> {
    Arc::new(disk.clone())
}

fn newest_file(rig: &Rig) -> PathBuf {
    let end = rig.journal.end().position.unwrap();
    PathBuf::from(format!("{DIR}/journal-{:020}.wal", end.file))
}

/// How much a scan reads, and how often.
fn cost_of_scan(rig: &Rig) -> SimCounts {
    let before = rig.disk.counts();
    rig.scan().unwrap();
    let after = rig.disk.counts();
    SimCounts {
        reads: after.reads - before.reads,
        bytes_read: after.bytes_read - before.bytes_read,
        ..SimCounts::default()
    }
}

/// A recycled file that had a thousand lone commits, with a few new ones at its head.
fn recycled() -> Rig {
    let mut rig = Rig::with(1, OPTIONS);
    for round in 0..3_u64 {
        for _ in 0..600 {
            rig.append_many(1).unwrap();
            rig.durable().unwrap();
        }
        if round < 2 {
            // This one goes into the next file, so that the first is given up.
            rig.append(Commit::numbered(rig.next_seq(), 6 << 20)).unwrap();
            rig.checkpoint().unwrap();
        }
    }
    rig
}

#[test]
fn after_a_kill_the_rest_of_a_recycled_file_is_read_once() {
    let mut rig = recycled();
    rig.checkpoint().unwrap();
    rig.append_many(2).unwrap();
    rig.durable().unwrap();
    rig.move_to(rig.disk.crash(), bare);
    let cost = cost_of_scan(&rig);
    assert!(cost.bytes_read <= FILE_BYTES + (2 << 20) && cost.reads <= 40, "{cost:?}");
}

#[test]
fn after_a_clean_close_nothing_is_searched() {
    let mut rig = recycled();
    rig.checkpoint().unwrap();
    rig.from.promised.is_end = true;
    rig.move_to(rig.disk.crash(), bare);
    let cost = cost_of_scan(&rig);
    assert!(cost.bytes_read <= 64 << 10 && cost.reads <= 8, "{cost:?}");
    // The mark proves only its own seq: with one more commit the rest is searched.
    rig.reopen(rig.next_seq() - 1).unwrap();
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    rig.move_to(rig.disk.crash(), bare);
    assert!(cost_of_scan(&rig).bytes_read > FILE_BYTES / 2);
}

/// Heads of frames that would come next, overlapping, each with a length up to near the end of the file.
fn crafted(rig: &Rig) -> Vec<u8> {
    let file = rig.disk.read_file(newest_file(rig)).unwrap();
    let end = usize::try_from(rig.journal.end().position.unwrap().offset).unwrap().next_multiple_of(4096);
    let (missing, event_id) = (rig.next_seq(), rig.event_id_behind(rig.next_seq() - 1));
    let mut bytes = file;
    for at in (end..bytes.len() - 128).step_by(24) {
        let length = (bytes.len() - at).wrapping_sub((at / 3) % 4096) / 8 * 8;
        bytes[at..at + 4].copy_from_slice(&(length as u32).to_le_bytes());
        bytes[at + 12..at + 16].copy_from_slice(&1_u32.to_le_bytes());
        let seq = missing + ((at - end) / 56) as u64;
        bytes[at + 16..at + 24].copy_from_slice(&seq.to_le_bytes());
        bytes[at + 24..at + 32].copy_from_slice(&event_id.to_le_bytes());
        if bytes.len() > at + 48 {
            bytes[at + 40..at + 48].copy_from_slice(&(seq.saturating_sub(1)).to_le_bytes());
        }
    }
    bytes
}

#[test]
fn heads_that_claim_long_frames_cost_nothing_more_and_hide_no_witness() {
    let mut rig = Rig::with(2, OPTIONS);
    for _ in 0..3 {
        rig.append_many(1).unwrap();
        rig.durable().unwrap();
    }
    let (path, bytes) = (newest_file(&rig), crafted(&rig));
    rig.move_to(rig.disk.crash(), bare);
    rig.disk.write_file(&path, &bytes);
    // Once as the frame that may follow the last one, with the length that it claims, and once in the search.
    let cost = cost_of_scan(&rig);
    assert!(cost.bytes_read <= 2 * FILE_BYTES + (2 << 20), "{cost:?}");

    // The first frame is gone; the third one, which had seen it durable, is among a hundred thousand forgeries.
    let mut damaged = bytes;
    damaged[4096 + 60] ^= 1;
    rig.disk.write_file(&path, &damaged);
    let before = rig.disk.counts().bytes_read;
    let found = rig.scan();
    assert!(is_corrupt(&found), "{:?}", found.map(|scan| (scan.last_seq, scan.bytes_cut)));
    assert!(rig.disk.counts().bytes_read - before <= FILE_BYTES + (2 << 20));
}
