//! Making a snapshot, all of its shards in one step, or continuing an existing one.

use ledgerstone_vfs::OpenHow;

use crate::{
    Error, FileSnapshotSet, Result, SnapshotInfo,
    file_snapshot_set::Change,
    manifest::{Entry, Step},
    snapshot_name::{MAX_ORDINAL, MAX_SHARDS, SnapshotType},
};

impl FileSnapshotSet {
    /// A new snapshot with empty files and the next ordinal. With `may_append_existing` it is the newest one of that type
    /// instead, if it has as many shards and no later snapshot relies on it: a diff is never continued once a pending or full
    /// snapshot of a higher ordinal exists, nor a pending one once a full one does.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a full one, which is published, not made; [`Error::Limit`]; [`Error::NoSpace`]: nothing was made.
    pub fn create_or_get(
        &self,
        kind: SnapshotType,
        shard_count: u32,
        may_append_existing: bool,
    ) -> Result<SnapshotInfo> {
        let invalid = |argument, what: &str| Err(Error::InvalidArgument { argument, message: what.to_owned() });
        match (kind, shard_count) {
            (SnapshotType::Full, _) => invalid("type", "a full snapshot is a pending one that was published"),
            (_, 0) => invalid("shardCount", "a snapshot has at least one shard"),
            (_, count) if count > MAX_SHARDS => {
                Err(Error::Limit { limit: "shardCount", size: u64::from(count), max: u64::from(MAX_SHARDS) })
            }
            _ => self.change(|change| {
                let existing = if may_append_existing { change.reusable(kind, shard_count)? } else { None };
                let ordinal = match existing {
                    Some(ordinal) => ordinal,
                    None => change.make(kind, shard_count)?,
                };
                change.state.handed_out.insert(ordinal);
                change.state.info(change.folder, ordinal)
            }),
        }
    }
}

impl Change<'_> {
    fn reusable(&self, kind: SnapshotType, shard_count: u32) -> Result<Option<u64>> {
        let Some((ordinal, entry)) = self.state.of_type(kind).next() else { return Ok(None) };
        let ends = |later: &Entry| later.kind == SnapshotType::Full || kind == SnapshotType::Diff;
        let is_ended = self.state.manifest.entries.range(ordinal + 1..).any(|(_, later)| ends(later));
        let is_sound = entry.step == Step::Settled && !self.state.spoilt.contains(&ordinal);
        let fits = is_sound && entry.shard_count == shard_count && !is_ended;
        Ok((fits && self.folder.inspect(ordinal, entry)?.is_none()).then_some(ordinal))
    }

    /// The manifest first says what is being made, and last that it exists.
    fn make(&mut self, kind: SnapshotType, shard_count: u32) -> Result<u64> {
        let ordinal = self.state.manifest.last_ordinal + 1;
        if ordinal > MAX_ORDINAL {
            return Err(Error::Limit { limit: "ordinal", size: ordinal, max: MAX_ORDINAL });
        }
        self.state.manifest.last_ordinal = ordinal;
        self.state.manifest.entries.insert(ordinal, Entry::new(kind, Step::Making, shard_count));
        self.write_manifest()?;
        for path in self.folder.shard_paths(ordinal, kind, shard_count) {
            match self.folder.vfs.open(&path, OpenHow::CreateNew) {
                Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {
                    return Err(Error::foreign(path, "a file that was not made here", "no file"));
                }
                made => drop(made?),
            }
        }
        self.folder.sync()?;
        self.state.manifest.entries.insert(ordinal, Entry::new(kind, Step::Settled, shard_count));
        self.write_manifest()?;
        Ok(ordinal)
    }
}
