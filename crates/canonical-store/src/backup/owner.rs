//! Whose backups a set holds: a small file beside them, there before the first of them is begun. What a backup that died has left in a pending snapshot
//! may be anything after a power cut; by this file it is known to be ours.

use std::path::Path;

use ledgerstone_format::{
    StoreId,
    sealed_record::{Unsealed, seal, unseal},
};
use ledgerstone_vfs::{Vfs, read_small_file, write_atomically};

use super::{
    reason::{BackupReason, unreadable},
    shard_head::FORMAT,
};
use crate::error::Result;

/// The file's name, which is none of a set's.
const OWNER_NAME: &str = "BACKUPS";
const MAGIC: [u8; 8] = *b"LGST-BKO";
const MAX_BYTES: usize = 4096;

/// The store whose backups the set in `dir` is for; `None`: nobody has said so, or the file is damaged.
pub(super) fn read_owner(vfs: &dyn Vfs, dir: &Path) -> Result<Option<StoreId>> {
    let path = dir.join(OWNER_NAME);
    let Some(record) = read_small_file(vfs, &path, MAX_BYTES).map_err(|error| unreadable(&path, error))? else {
        return Ok(None);
    };
    if !record.starts_with(b"LGST-") {
        return Err(BackupReason::Format.error(&path, "a file that was not made here is in the way"));
    }
    match unseal(MAGIC, FORMAT, &record, |fields| Some(StoreId::from_bytes(fields.array()?))) {
        Unsealed::Record(owner) => Ok(Some(owner)),
        Unsealed::Damaged => Ok(None),
        Unsealed::Version(found) => {
            let what = format!("the folder holds backups of another version: found={found} supported={FORMAT}");
            Err(BackupReason::Format.error(&path, what))
        }
    }
}

/// Says so, durably, unless it is said already.
pub(super) fn leave_owner(vfs: &dyn Vfs, dir: &Path, owner: StoreId) -> Result<()> {
    let path = dir.join(OWNER_NAME);
    let record = seal(MAGIC, FORMAT, owner.as_bytes());
    if read_small_file(vfs, &path, MAX_BYTES)?.as_deref() == Some(&record) {
        return Ok(());
    }
    Ok(write_atomically(vfs, &path, &record)?)
}
