//! The small records that are stored whole: what is read is what would be written, and what folders make of them.

use std::{fmt::Debug, path::Path};

use ledgerstone_canonical_store::testing::{StateRecord, read_record};
use ledgerstone_format::{
    CleanMark, FolderKind, Identity, StoreId,
    checksum::crc32c,
    sealed_record::{Unsealed, seal},
};
use ledgerstone_vfs::{
    FolderError, OwnedFolder,
    sim::{SimClock, SimDisk},
};

use crate::{
    bounds::{check_refusal, in_memory_of},
    input::{Input, RESEALED, encode},
};

const DIR: &str = "/folder";
const KINDS: [FolderKind; 2] = [FolderKind::Store, FolderKind::Log];
const STATE_RECORDS: [StateRecord; 3] = [StateRecord::Meta, StateRecord::Catalog, StateRecord::UnfinishedFlush];

/// What is read can be written, and reads back as the same.
fn reads_back<T: Debug + PartialEq>(read: impl Fn(&[u8]) -> Option<T>, write: impl Fn(&T) -> Vec<u8>, record: &[u8]) {
    if let Some(found) = read(record) {
        let written = write(&found);
        assert_eq!(read(&written).as_ref(), Some(&found), "{written:?}");
    }
}

fn sealed<T>(record: Unsealed<T>) -> Option<T> {
    if let Unsealed::Record(found) = record { Some(found) } else { None }
}

/// One record, taken for each of them.
pub(crate) fn one(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut record = input.last_file();
    if let (true, Some((covered, crc))) = (input.is(RESEALED), record.split_last_chunk_mut::<4>()) {
        *crc = crc32c(covered).to_le_bytes();
    }
    in_memory_of(bytes.len(), 0, || {
        for kind in KINDS {
            reads_back(|record| sealed(Identity::decode(kind, record)), Identity::encode, &record);
            let write = |(id, mark): &(StoreId, CleanMark)| mark.encode(kind, *id);
            reads_back(|record| sealed(CleanMark::decode(kind, record)), write, &record);
            in_folder(kind, &record);
        }
        for kind in STATE_RECORDS {
            reads_back(
                |record| read_record(kind, record).map(|(says, _)| says),
                |_| read_record(kind, &record).unwrap().1,
                &record,
            );
        }
    });
}

/// The record in the place of each small file of a folder.
fn in_folder(kind: FolderKind, record: &[u8]) {
    for name in ["IDENTITY", "IDENTITY.tmp", "CLEAN", "LOCK.owner"] {
        let disk = SimDisk::new(1);
        let path = Path::new(DIR).join(name);
        disk.write_file(&path, record);
        let dir = Path::new(DIR);
        let folder = match kind {
            FolderKind::Store => OwnedFolder::of_store(&disk, dir),
            FolderKind::Log => OwnedFolder::of_log(&disk, dir),
        };
        match used(folder) {
            Ok(()) => {}
            Err(FolderError::Damaged { .. }) => check_refusal("ERR_CORRUPT", "", &[]),
            Err(FolderError::Version { .. }) => check_refusal("ERR_FORMAT", "", &[]),
            Err(FolderError::File(error)) if error.as_foreign().is_some() => check_refusal("ERR_FORMAT", "", &[]),
            Err(error) => check_refusal("another", error, &[]),
        }
        let is_hint = name == "LOCK.owner" && disk.read_file(&path).as_deref() != Some(record);
        assert!(is_hint || disk.read_file(&path).as_deref() == Some(record), "{name} was changed");
    }
}

/// What an opening asks a folder.
fn used(folder: OwnedFolder<'_>) -> Result<(), FolderError> {
    let lock = folder.lock()?;
    folder.check_kind()?;
    assert!(matches!(folder.lock(), Err(FolderError::Taken { .. })));
    let id = folder.identity()?.map(|identity| identity.id);
    folder.clean_mark(id.unwrap_or_else(|| StoreId::from_random([5; 16])))?;
    folder.clean_mark_is_damaged()?;
    folder.clean_mark_remains()?;
    folder.judge_unfinished(|_| Ok::<_, FolderError>(Vec::new()))?;
    drop(folder.announce(lock, &SimClock::new(1_700_000_000_000))?);
    Ok(())
}

/// One of each.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let id = StoreId::from_random([3; 16]);
    let mark = CleanMark { seq: 5, next_event_id: 9, closed_at_ms: 0 };
    let mut records = vec![Identity::of_store(id, 8).encode(), Identity::of_log(id, 7, 8).encode()];
    records.extend(KINDS.map(|kind| mark.encode(kind, id)));
    let words = |count: u64| (1..=count).flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
    let text = [&4_u16.to_le_bytes()[..], b"json"].concat();
    let meta = [id.as_bytes().as_slice(), &words(10), &[1; 12], &text].concat();
    records.push(seal(*b"LGST-MET", 1, &meta));
    records.push([words(2), text.repeat(3)].concat());
    records.push(seal(*b"LGST-FLU", 1, &words(1)));
    records.push(b"12\n1700000000000\n0.1.0\n99\n".to_vec());
    let known = |kind: StateRecord| records.iter().any(|record| read_record(kind, record).is_some());
    assert!(STATE_RECORDS.into_iter().all(known), "a seed is not what it should be");
    records.iter().flat_map(|record| [0, RESEALED].map(|how| encode(how, &[record]))).collect()
}
