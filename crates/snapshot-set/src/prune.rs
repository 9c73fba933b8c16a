//! Removes what is no longer needed: full snapshots beyond the newest intact ones, the diffs that belong to them, abandoned
//! pending ones. Works on a full device.

use crate::{
    Error, FileSnapshotSet, Result, SnapshotInfo, file_snapshot_set::Change, manifest::Step, recovery::remove_shards,
    set_state::SetState, snapshot_name::SnapshotType,
};

/// What to remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// Keeps this many of the newest intact full snapshots; removes those before them and all diffs below. `None`: keeps all.
    pub keep_full: Option<u32>,
    /// Whether to remove pending snapshots that were not made or continued since the set was opened.
    pub pendings: bool,
}

impl FileSnapshotSet {
    /// Removes snapshots and returns them. Reads each snapshot that counts as kept as a whole before, if that was not done
    /// since the opening.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when none would be kept; [`Error::Io`].
    pub fn prune(&self, what: Prune) -> Result<Vec<SnapshotInfo>> {
        if what.keep_full == Some(0) {
            let message = "at least one full snapshot is kept".to_owned();
            return Err(Error::InvalidArgument { argument: "keepFull", message });
        }
        self.change(|change| {
            let oldest_kept = match what.keep_full {
                Some(count) => change.verify_newest(count)?.unwrap_or(0),
                None => 0,
            };
            let mut obsolete = Vec::new();
            for (ordinal, entry) in &change.state.manifest.entries {
                let goes = match entry.kind {
                    SnapshotType::Pending => what.pendings && !change.state.handed_out.contains(ordinal),
                    SnapshotType::Full | SnapshotType::Diff => *ordinal < oldest_kept,
                };
                if goes {
                    obsolete.push(*ordinal);
                }
            }
            let infos =
                obsolete.iter().map(|ordinal| change.state.info(change.folder, *ordinal)).collect::<Result<_>>()?;
            change.remove(&obsolete)?;
            Ok(infos)
        })
    }

    /// Removes a pending snapshot that was made here and will not be finished.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::InvalidArgument`] when it is not pending; [`Error::Io`].
    pub fn abandon(&self, ordinal: u64) -> Result<()> {
        self.change(|change| {
            let entry = change.state.manifest.entries.get(&ordinal).ok_or(Error::NotFound { ordinal })?;
            if entry.kind != SnapshotType::Pending {
                let message = format!("only a pending snapshot is given up: {ordinal} is a {}", entry.kind.as_str());
                return Err(Error::InvalidArgument { argument: "ordinal", message });
            }
            change.remove(&[ordinal])
        })
    }
}

impl Change<'_> {
    /// Verifies the newest `count` intact full snapshots; returns the oldest of them, `None` if there are fewer. Notes damaged ones.
    pub(crate) fn verify_newest(&mut self, count: u32) -> Result<Option<u64>> {
        let fulls: Vec<_> =
            self.state.of_type(SnapshotType::Full).map(|(ordinal, entry)| (ordinal, entry.clone())).collect();
        let mut left = count;
        for (ordinal, entry) in fulls {
            if self.state.damage.contains_key(&ordinal) {
                continue;
            }
            if !self.state.verified.contains(&ordinal) {
                if let Some(damage) = self.folder.check_contents(ordinal, &entry, self.stop)? {
                    self.state.damage.insert(ordinal, damage);
                    continue;
                }
                self.state.verified.insert(ordinal);
            }
            left -= 1;
            if left == 0 {
                return Ok(Some(ordinal));
            }
        }
        Ok(None)
    }

    fn remove(&mut self, obsolete: &[u64]) -> Result<()> {
        if obsolete.is_empty() {
            return Ok(());
        }
        self.state.mark_removing(obsolete);
        let mut files = obsolete.iter().filter_map(|ordinal| self.state.info(self.folder, *ordinal).ok());
        let mut files = files.by_ref().flat_map(|info| info.shard_paths).collect::<Vec<_>>().into_iter();
        // The manifest needs space. On a full device, files that will be removed anyway go first, one at a time: an intact full
        // snapshot is newer than each of them, so a restore does not miss it.
        while let Err(error) = self.write_manifest() {
            let Some(file) = files.next().filter(|_| matches!(error, Error::NoSpace(_))) else { return Err(error) };
            self.folder.remove(&file)?;
            self.folder.sync()?;
        }
        self.finish_removing(obsolete)?;
        self.write_manifest_at_last()
    }

    /// After all that the manifest announces is done. Without space the old manifest stays: it leads to the same state.
    pub(crate) fn write_manifest_at_last(&mut self) -> Result<()> {
        match self.write_manifest() {
            Err(error) if error.can_heal() => Ok(()),
            written => written,
        }
    }

    /// Removes the files of snapshots marked for removal, durably, then forgets them.
    pub(crate) fn finish_removing(&mut self, obsolete: &[u64]) -> Result<()> {
        if obsolete.is_empty() {
            return Ok(());
        }
        for ordinal in obsolete {
            if let Some(entry) = self.state.manifest.entries.get(ordinal) {
                remove_shards(self.folder, *ordinal, entry)?;
            }
        }
        self.folder.sync()?;
        for ordinal in obsolete {
            self.state.forget(*ordinal);
        }
        Ok(())
    }
}

impl SetState {
    pub(crate) fn mark_removing(&mut self, obsolete: &[u64]) {
        for ordinal in obsolete {
            if let Some(entry) = self.manifest.entries.get_mut(ordinal) {
                entry.step = Step::Removing;
                if entry.kind == SnapshotType::Diff {
                    self.manifest.diffs_gone = self.manifest.diffs_gone.max(*ordinal);
                }
            }
        }
    }

    fn forget(&mut self, ordinal: u64) {
        self.manifest.entries.remove(&ordinal);
        self.damage.remove(&ordinal);
        self.verified.remove(&ordinal);
        self.handed_out.remove(&ordinal);
    }
}
