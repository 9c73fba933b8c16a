//! A look at a set from outside, for readers: nothing is locked, made, finished or removed. What is under way is judged as the next opening
//! would; what the files hold is for the reader to check, who has to expect that a file is removed while it is read.

use std::{path::Path, sync::Arc};

use ledgerstone_vfs::Vfs;

use crate::{
    Result, SnapshotInfo,
    folder::Folder,
    manifest::{Entry, Manifest, Step},
    recovery::adopt,
    snapshot_name::SnapshotType,
};

/// What a reader finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The newest full snapshot, whether its files hold or not.
    pub newest_full: Option<SnapshotInfo>,
    /// How many diffs stand behind it.
    pub later_diffs: u64,
}

/// Looks at the set in `folder`.
///
/// # Errors
/// [`crate::Error::Corrupt`] for a damaged manifest, [`crate::Error::Format`] for a newer one, [`crate::Error::Foreign`] for something else under
/// its name; [`crate::Error::Io`], also when there is no such folder.
pub fn look(vfs: &Arc<dyn Vfs>, folder: &Path) -> Result<Look> {
    let folder = Folder { vfs: Arc::clone(vfs), path: folder.to_path_buf() };
    let names = folder.names()?;
    let found = Manifest::read(&**vfs, &folder.path)?;
    let has_manifest = found.is_some();
    let mut manifest = found.unwrap_or_default();
    adopt(&folder, &names, &mut manifest, has_manifest)?;
    let newest = manifest.entries.iter().rev().find(|(_, entry)| is_full(entry));
    let newest = newest.map(|(ordinal, entry)| (*ordinal, entry.clone()));
    let from = newest.as_ref().map_or(0, |(ordinal, _)| *ordinal);
    let diffs = manifest.entries.range(from..).filter(|(_, entry)| entry.kind == SnapshotType::Diff);
    let later_diffs = diffs.count() as u64;
    let newest_full = newest.map(|(ordinal, entry)| info(&folder, ordinal, &entry)).transpose()?;
    Ok(Look { newest_full, later_diffs })
}

/// One that is being published is: its files are flushed, and known.
fn is_full(entry: &Entry) -> bool {
    match entry.kind {
        SnapshotType::Full => entry.step != Step::Removing,
        SnapshotType::Pending => entry.step == Step::Publishing,
        SnapshotType::Diff => false,
    }
}

/// Some of its files may still have the names that they had before it was published.
fn info(folder: &Folder, ordinal: u64, entry: &Entry) -> Result<SnapshotInfo> {
    let mut shard_paths = folder.shard_paths(ordinal, SnapshotType::Full, entry.shard_count);
    if entry.kind == SnapshotType::Pending {
        for (shard, path) in (0..).zip(&mut shard_paths) {
            let before = folder.shard_path(ordinal, SnapshotType::Pending, entry.shard_count, shard);
            if !folder.vfs.exists(path)? && folder.vfs.exists(&before)? {
                *path = before;
            }
        }
    }
    Ok(SnapshotInfo { kind: SnapshotType::Full, ordinal, shard_paths })
}
