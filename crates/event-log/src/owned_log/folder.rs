//! The content of a log's folder before it has an identity.

use std::path::Path;

use ledgerstone_vfs::{OwnedFolder, Unfinished, Vfs};

use crate::{Result, remains::remains_of_events};

/// Judges a folder without an identity: an attempt that may be finished, or nothing of ours.
///
/// # Errors
/// [`Error::Corrupt`](crate::Error::Corrupt) for data, [`Error::Foreign`](crate::Error::Foreign) for a foreign file with one of our names.
pub(crate) fn judge_unfinished(vfs: &dyn Vfs, dir: &Path) -> Result<Option<Unfinished>> {
    let folder = OwnedFolder::of_log(vfs, dir);
    folder.judge_unfinished(|making| {
        let mut found = Vec::new();
        for name in vfs.read_dir(dir)? {
            found.push((remains_of_events(vfs, dir, &name, making.map(|making| making.id))?, dir.join(name)));
        }
        found.extend(folder.clean_mark_remains()?.map(|remains| (remains, folder.clean_mark_path())));
        Ok(found)
    })
}
