//! Frames of a future that a power cut removed, found again among the frames that replace it.
//!
//! Bug: a sound store was refused for ever, "the chain is broken" or "a durable frame is missing".
//! Mechanism: a file was begun, and its pages arrived without the header. Begun again at the same times it got the same salt,
//! so the old frames verified among the new ones; or its first frame existed and user data looked like the head of a frame that
//! had seen it durable.
//! Fix: salts are random for each opening; after a lost header only frames that are chained to each other count.
use std::path::PathBuf;

use ledgerstone_journal::{FrameKind, OpKind};

use crate::rig::{Commit, DIR, Rig};

const PAGE: usize = 4096;

/// A journal with one durable commit, and the file that the next opening begins, with one unflushed commit per page.
fn begun(commits: &[Commit]) -> (Rig, PathBuf, Vec<u8>) {
    let mut rig = Rig::new(1);
    rig.append_many(1).unwrap();
    rig.checkpoint().unwrap();
    rig.journal.close().unwrap();
    rig.move_to(rig.disk.crash(), |disk| std::sync::Arc::new(disk.clone()));
    rig.reopen(1).unwrap();
    for commit in commits {
        rig.append(commit.clone()).unwrap();
        rig.journal.hand_over();
    }
    let changed = rig.disk.list().into_iter().filter(|path| path.starts_with(DIR));
    let holds = |path: &PathBuf| rig.disk.read_file(path).is_some_and(|bytes| bytes[PAGE + 16] == 2);
    let file = changed.into_iter().find(holds).unwrap();
    let bytes = rig.disk.read_file(&file).unwrap();
    (rig, file, bytes)
}

fn go_on(rig: &mut Rig) {
    rig.move_to(rig.disk.crash(), |disk| std::sync::Arc::new(disk.clone()));
}

#[test]
fn frames_of_a_lost_future_never_verify_among_those_that_come_in_their_place() {
    // Whichever of its pages arrived, and however far the new ones reach; the clock does not advance.
    for arrived in 1..8_usize {
        for written in 1..3 {
            let future: Vec<_> = (2..5).map(|n| Commit::numbered(n, 100)).collect();
            let (mut rig, file, mut bytes) = begun(&future);
            bytes[..PAGE].fill(0);
            for page in (0..3).filter(|page| arrived & (1 << page) == 0) {
                bytes[PAGE * (page + 1)..PAGE * (page + 2)].fill(0);
            }
            rig.disk.write_file(&file, &bytes);
            go_on(&mut rig);
            rig.reopen(1).unwrap_or_else(|error| panic!("pages {arrived:03b}: {error:?}"));
            for n in 0..written {
                rig.append(Commit::numbered(2 + n, 101)).unwrap();
                rig.durable().unwrap();
            }
            go_on(&mut rig);
            rig.reopen(1 + written).unwrap_or_else(|error| panic!("pages {arrived:03b}, {written} new: {error:?}"));
        }
    }
}

/// User data that looks like the head of a frame, not necessarily on purpose.
fn looks_like_a_head() -> Vec<u8> {
    let (length, kind, seq, durable_upto) = (56_u32, 1_u8, 1_u64 << 40, 1_u64 << 39);
    let mut head = [0; 56];
    head[0..4].copy_from_slice(&length.to_le_bytes());
    head[12] = kind;
    head[16..24].copy_from_slice(&seq.to_le_bytes());
    head[40..48].copy_from_slice(&durable_upto.to_le_bytes());
    head.repeat(3)
}

#[test]
fn what_looks_like_a_witness_in_stored_bytes_is_none() {
    for shift in 0..8 {
        let value = [vec![0; shift], looks_like_a_head()].concat();
        let ops = vec![(OpKind::Put, 3, b"key".to_vec(), value)];
        let commit = Commit { kind: FrameKind::Commit, timestamp_ms: 2000, events: Vec::new(), ops };
        let (mut rig, file, mut bytes) = begun(&[commit]);
        bytes[..PAGE].fill(0x5a);
        rig.disk.write_file(&file, &bytes);
        go_on(&mut rig);
        rig.reopen(1).unwrap_or_else(|error| panic!("shifted by {shift}: {error:?}"));
        rig.append_many(1).unwrap();
        rig.durable().unwrap();
    }
}
