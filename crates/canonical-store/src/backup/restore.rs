//! A store from a backup: everything is read and checked before anything is made, and made beside its place before it is there.

use std::{path::Path, sync::Arc};

use ledgerstone_snapshot_set::look;
use ledgerstone_vfs::OpenHow;

use super::{
    job::{BackupJob, Step, outcome},
    manifest::BackupManifest,
    reason::{BackupReason, unreadable},
    target::Target,
    verify::Backup,
};
use crate::{Error, error::Result, recovery::Ground, registry};

/// A store that was made, or a backup that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreInfo {
    /// Whose identity the store has; `None` where the backup was only verified.
    pub store_id: Option<String>,
    /// The store that was backed up.
    pub source_store_id: String,
    /// Its last commit in the backup.
    pub seq: u64,
    /// The id that the next event gets.
    pub next_event_id: u64,
    /// Entries of all collections.
    pub entries: u64,
    /// Events.
    pub events: u64,
    /// What the files of the backup take.
    pub bytes: u64,
}

/// Makes a store at `to`, which is missing or an empty folder, from the newest backup in the folder `from`, in which nothing is changed. With
/// `verify_only` everything is checked and nothing made. Blocks for as long as reading and writing take. `None`: it was cancelled.
///
/// # Errors
/// [`Error::Backup`] for anything wrong with the backup or the place; [`Error::Locked`] while another restore to the same place is under way;
/// [`Error::FileSystem`]; [`Error::NoSpace`], [`Error::Io`]. Nothing is left behind.
pub fn restore(from: &Path, to: &Path, verify_only: bool, job: &BackupJob) -> Result<Option<RestoreInfo>> {
    registry::ground().restore(from, to, verify_only, job)
}

impl Ground {
    /// See [`restore`].
    pub(crate) fn restore(
        &self,
        from: &Path,
        to: &Path,
        verify_only: bool,
        job: &BackupJob,
    ) -> Result<Option<RestoreInfo>> {
        outcome(self.try_restore(from, to, verify_only, job))
    }

    fn try_restore(&self, from: &Path, to: &Path, verify_only: bool, job: &BackupJob) -> Step<RestoreInfo> {
        let target = Target::judge(&self.vfs, from, to)?;
        let backup = self.newest_backup(from, job)?;
        backup.verify()?;
        let store_id = if verify_only {
            None
        } else {
            let claimed = target.claim()?;
            let id = self.build(claimed.building(), &backup)?;
            // From here on it is too late to cancel.
            job.check()?;
            claimed.put_in_place()?;
            Some(id.to_string())
        };
        job.finish();
        let manifest = &backup.manifest;
        Ok(RestoreInfo {
            store_id,
            source_store_id: manifest.source.to_string(),
            seq: manifest.seq,
            next_event_id: manifest.next_event_id,
            entries: manifest.entries(),
            events: manifest.events(),
            bytes: manifest.file_bytes().saturating_add(backup.manifest_bytes),
        })
    }

    /// The newest backup, whatever is wrong with it: an older one in its place would be an older state without a word.
    fn newest_backup<'a>(&self, from: &Path, job: &'a BackupJob) -> Result<Backup<'a>> {
        let found = look(&self.vfs, from).map_err(|error| of_set(from, error.into()))?;
        let Some(newest) = found.newest_full else {
            return Err(BackupReason::Missing.error(from, "there is no backup in this folder"));
        };
        if found.later_diffs > 0 {
            let what = "there are differential snapshots behind the newest backup, which this version does not read";
            return Err(BackupReason::Format.error(from, what));
        }
        let mut paths = newest.shard_paths;
        let shard_count = paths.len();
        let first = paths.first().cloned().unwrap_or_default();
        let manifest = BackupManifest::read(&*self.vfs, &first, shard_count)?;
        let manifest_bytes = self.vfs.open(&first, OpenHow::Read).and_then(|file| file.len());
        let manifest_bytes = manifest_bytes.map_err(|error| unreadable(&first, error))?;
        paths.remove(0);
        Ok(Backup { vfs: Arc::clone(&self.vfs), manifest, manifest_bytes, paths, job })
    }
}

/// What is wrong with the set is wrong with the backup.
fn of_set(from: &Path, error: Error) -> Error {
    let (reason, what) = match &error {
        Error::Io(failed) if failed.is_shortage() => return error,
        Error::Io(failed) if failed.is_not_found() => (BackupReason::Missing, "there is no such folder"),
        Error::Corrupt { .. } => (BackupReason::Checksum, "the set of backups is damaged"),
        Error::Format { .. } | Error::Foreign { .. } => (BackupReason::Format, "this is no set of backups"),
        _ => (BackupReason::Unreadable, "the folder of the backup cannot be read"),
    };
    Error::Backup { reason, path: from.to_path_buf(), what: what.to_owned(), cause: Some(Arc::new(error)) }
}
