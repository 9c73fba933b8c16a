//! The manifest of a snapshot set, over a folder with some shards.

use std::{path::Path, sync::Arc};

use ledgerstone_format::checksum::crc32c;
use ledgerstone_snapshot_set::{
    FileSnapshotSet, Ground, Listing, Prune, Purge, Result, SetRecovery, SnapshotInfo, SnapshotSetOptions, SnapshotType,
};
use ledgerstone_vfs::{
    OpenHow, Vfs,
    sim::{SimClock, SimDisk},
};

use crate::{
    bounds::{check_effort, check_refusal, in_memory_of},
    input::{Input, RESEALED, encode},
};

const DIR: &str = "/set";
/// Of the real set.
const NEWEST_PENDING: u64 = 6;

fn open(disk: &SimDisk) -> Result<FileSnapshotSet> {
    let ground = Ground { vfs: Arc::new(disk.clone()), clock: Arc::new(SimClock::new(1_700_000_000_000)) };
    FileSnapshotSet::open(&ground, Path::new(DIR), SnapshotSetOptions::default())
}

fn manifest_of(disk: &SimDisk) -> Option<Vec<u8>> {
    disk.read_file(Path::new(DIR).join("MANIFEST"))
}

fn write_shards(disk: &SimDisk, snapshot: &SnapshotInfo) {
    for path in &snapshot.shard_paths {
        disk.open(path, OpenHow::ReadWrite).unwrap().write_all_at(b"state", 0).unwrap();
    }
}

/// Two full snapshots, of which the diffs in between are gone, a diff, and a pending one.
fn real() -> SimDisk {
    let disk = SimDisk::new(1);
    let set = open(&disk).unwrap();
    for _ in 0..2 {
        set.create_or_get(SnapshotType::Diff, 1, false).unwrap();
        let pending = set.create_or_get(SnapshotType::Pending, 2, false).unwrap();
        write_shards(&disk, &pending);
        set.publish(pending.ordinal, Purge::default()).unwrap();
    }
    write_shards(&disk, &set.create_or_get(SnapshotType::Diff, 2, false).unwrap());
    write_shards(&disk, &set.create_or_get(SnapshotType::Pending, 1, false).unwrap());
    set.close();
    disk
}

/// All that a set says.
fn told(set: &FileSnapshotSet) -> Result<(Listing, Option<Vec<SnapshotInfo>>, SetRecovery)> {
    let chain = set.snapshots_to_restore();
    if let Err(error) = &chain {
        check_refusal(error.code(), error, &[]);
    }
    Ok((set.list()?, chain.ok(), set.recovery()))
}

fn go_on(disk: &SimDisk) -> Result<()> {
    let set = open(disk)?;
    let (listing, chain, recovery) = told(&set)?;
    set.close();
    drop(set);
    let settled = manifest_of(disk);
    let set = open(disk)?;
    assert_eq!(manifest_of(disk), settled, "what is settled stays as it is");
    let (again, chain_again, recovery_again) = told(&set)?;
    assert_eq!((&again, &chain_again), (&listing, &chain));
    assert_eq!(recovery_again.damaged, recovery.damaged);
    assert!(recovery_again.finished.is_empty() && recovery_again.undone.is_empty());
    let newest = listing.snapshots.iter().map(|snapshot| snapshot.ordinal).max().unwrap_or_default();
    let made = set.create_or_get(SnapshotType::Pending, 1, false)?;
    assert!(made.ordinal > newest);
    write_shards(disk, &made);
    set.publish(made.ordinal, Purge { diffs: true, pendings: true })?;
    assert_eq!(set.snapshots_to_restore()?.first().map(|first| first.ordinal), Some(made.ordinal));
    set.prune(Prune { keep_full: Some(1), pendings: true })?;
    set.close();
    Ok(())
}

/// Any manifest.
pub(crate) fn file(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut manifest = input.last_file();
    if let (true, Some((covered, crc))) = (input.is(RESEALED), manifest.split_last_chunk_mut::<4>()) {
        *crc = crc32c(covered).to_le_bytes();
    }
    in_memory_of(bytes.len(), 0, || {
        let disk = real();
        disk.write_file(Path::new(DIR).join("MANIFEST"), &manifest);
        if let Err(error) = go_on(&disk) {
            check_refusal(error.code(), &error, &["ERR_LIMIT"]);
        }
        check_effort(&disk, bytes.len());
    });
}

/// The manifest of each moment that a power cut can leave.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut manifests = vec![manifest_of(&real()).unwrap()];
    for cut_after in 0..40 {
        let disk = real();
        disk.cut_after(cut_after);
        if let Ok(set) = open(&disk) {
            let _ = set.publish(NEWEST_PENDING, Purge { diffs: true, pendings: true });
            let _ = set.prune(Prune { keep_full: Some(1), pendings: true });
        }
        manifests.extend(manifest_of(&disk.power_cut()));
    }
    manifests.sort_unstable();
    manifests.dedup();
    manifests.iter().flat_map(|manifest| [0, RESEALED].map(|how| encode(how, &[manifest]))).collect()
}
