//! Publishing: a pending snapshot becomes a full one, all of its shards in one step, and the snapshots that it makes obsolete
//! are removed.
//!
//! Every file is read and flushed. Then the manifest records their lengths and checksums: at this moment the snapshot is
//! published. Then they are renamed, and the obsolete ones removed.

use ledgerstone_format::{PlantedFault, planted};
use ledgerstone_vfs::OpenHow;

use crate::{
    Error, FileSnapshotSet, Result, SnapshotInfo,
    file_snapshot_set::Change,
    folder::digest,
    manifest::{Entry, ShardRecord, Step},
    recovery::{remove_shards, rename_shards},
    snapshot_name::SnapshotType,
};

/// What to remove when a snapshot is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purge {
    /// Diffs with a lower ordinal.
    pub diffs: bool,
    /// Pending snapshots with a lower ordinal.
    pub pendings: bool,
}

impl Purge {
    fn takes(self, kind: SnapshotType) -> bool {
        match kind {
            SnapshotType::Diff => self.diffs,
            SnapshotType::Pending => self.pendings,
            SnapshotType::Full => false,
        }
    }
}

impl FileSnapshotSet {
    /// Publishes a pending snapshot whose files are written. Durable when this returns, whichever way they were written.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::InvalidArgument`] when it is not pending, or is still being written; [`Error::Corrupt`]
    /// when a file is missing, or a flush of one has failed, now or before; [`Error::Foreign`] when something else has its
    /// name; [`Error::NoSpace`]: nothing was changed.
    pub fn publish(&self, ordinal: u64, purge: Purge) -> Result<SnapshotInfo> {
        self.change(|change| {
            let entry = change.publishable(ordinal)?;
            let records = change.flushed_shards(ordinal, &entry)?;
            for path in change.folder.shard_paths(ordinal, SnapshotType::Full, entry.shard_count) {
                if change.folder.vfs.exists(&path)? {
                    return Err(Error::foreign(path, "a file that was not made here", "no file"));
                }
            }
            change.folder.vfs.check_in_place()?;
            change.publish(ordinal, Entry { step: Step::Publishing, records: Some(records), ..entry }, purge)?;
            change.state.info(change.folder, ordinal)
        })
    }
}

impl Change<'_> {
    fn publishable(&self, ordinal: u64) -> Result<Entry> {
        let entry = self.state.manifest.entries.get(&ordinal).ok_or(Error::NotFound { ordinal })?;
        if entry.kind != SnapshotType::Pending {
            let message = format!("only a pending snapshot is published: {ordinal} is a {}", entry.kind.as_str());
            return Err(Error::InvalidArgument { argument: "ordinal", message });
        }
        if entry.step == Step::Spoilt || self.state.spoilt.contains(&ordinal) {
            let what = "a flush of this pending snapshot has failed: what the device holds of it is not known";
            return Err(Error::corrupt(self.folder.shard_path(ordinal, entry.kind, entry.shard_count, 0), what));
        }
        Ok(entry.clone())
    }

    /// Reads every file of a pending snapshot, and flushes it after.
    fn flushed_shards(&mut self, ordinal: u64, entry: &Entry) -> Result<Vec<ShardRecord>> {
        let mut records = Vec::new();
        for path in self.folder.shard_paths(ordinal, entry.kind, entry.shard_count) {
            let file = self.folder.vfs.open(&path, OpenHow::ReadWrite).map_err(|error| {
                if error.is_not_found() { Error::corrupt(&path, "a shard is missing") } else { error.into() }
            })?;
            let record = digest(&*file, file.len()?, self.stop)??;
            if !planted(PlantedFault::ShardsNotFlushed)
                && let Err(error) = file.sync_data()
            {
                self.spoil(ordinal);
                return Err(error.into());
            }
            if file.len()? != record.len {
                let message = "a shard is still being written".to_owned();
                return Err(Error::InvalidArgument { argument: "ordinal", message });
            }
            file.check_in_place()?;
            records.push(record);
        }
        Ok(records)
    }

    /// After a failed flush the next one may succeed without having stored anything. So this snapshot never counts, not even
    /// after a restart, if that can still be recorded.
    fn spoil(&mut self, ordinal: u64) {
        self.state.spoilt.insert(ordinal);
        if let Some(entry) = self.state.manifest.entries.get_mut(&ordinal) {
            entry.step = Step::Spoilt;
            // If this fails too, the set reads its folder again; the snapshot's own error is the one to return.
            let _ = self.write_manifest();
        }
    }

    fn publish(&mut self, ordinal: u64, entry: Entry, purge: Purge) -> Result<()> {
        let goes = |found: &u64, entry: &Entry| *found < ordinal && purge.takes(entry.kind);
        let obsolete: Vec<u64> = self
            .state
            .manifest
            .entries
            .iter()
            .filter(|(found, entry)| goes(found, entry))
            .map(|(found, _)| *found)
            .collect();
        if planted(PlantedFault::RenamedBeforeManifest) {
            rename_shards(self.folder, ordinal, &entry)?;
        }
        self.state.manifest.entries.insert(ordinal, entry.clone());
        if planted(PlantedFault::PurgedBeforePublished) {
            let entries = self.state.manifest.entries.clone();
            for found in &obsolete {
                entries.get(found).map_or(Ok(()), |entry| remove_shards(self.folder, *found, entry))?;
            }
        }
        self.state.mark_removing(&obsolete);
        self.write_manifest()?;
        rename_shards(self.folder, ordinal, &entry)?;
        self.folder.sync()?;
        self.state.manifest.settled(ordinal, entry);
        self.state.verified.insert(ordinal);
        self.state.damage.remove(&ordinal);
        self.finish_removing(&obsolete)?;
        self.write_manifest_at_last()
    }
}
