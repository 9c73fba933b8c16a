//! The folder of a set: its path, its names, the content of its files. Only regular files are ever opened or removed, and links
//! are not followed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ledgerstone_format::checksum::crc32c_append;
use ledgerstone_vfs::{FileError, LOCK_NAME, OWNER_NAME, OpenHow, Vfs, VfsFile, aside_of};

use crate::{
    Error, Result, SnapshotDamage,
    manifest::{Entry, MANIFEST_NAME, ShardRecord},
    snapshot_name::{SnapshotName, SnapshotType},
};

/// Files are read in pieces of this size.
const READ_BYTES: usize = 1 << 20;

/// How published files are checked when a set is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShardCheck {
    /// Reads the newest intact full snapshot once and compares its checksums.
    #[default]
    Contents,
    /// Reads nothing: checks only presence and length.
    Lengths,
}

/// The shards of each snapshot by type and count, according to the names.
pub(crate) type Groups = BTreeMap<u64, BTreeMap<(SnapshotType, u32), u32>>;

/// The names in the folder.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) groups: Groups,
    /// Names that the grammar accepts, parsed.
    pub(crate) shards: Vec<(String, SnapshotName)>,
    /// All others except the set's own small files.
    pub(crate) foreign: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn shard_path(&self, ordinal: u64, kind: SnapshotType, shard_count: u32, shard: u32) -> PathBuf {
        self.path.join(SnapshotName { ordinal, shard, shard_count, kind }.to_string())
    }

    pub(crate) fn shard_paths(&self, ordinal: u64, kind: SnapshotType, shard_count: u32) -> Vec<PathBuf> {
        (0..shard_count).map(|shard| self.shard_path(ordinal, kind, shard_count, shard)).collect()
    }

    pub(crate) fn names(&self) -> Result<Names> {
        let mut names = Names::default();
        for name in self.vfs.read_dir(&self.path)? {
            let text = name.to_string_lossy().into_owned();
            if let Some(shard) = SnapshotName::parse(&name) {
                let groups = names.groups.entry(shard.ordinal).or_default();
                *groups.entry((shard.kind, shard.shard_count)).or_default() += 1;
                names.shards.push((text, shard));
            } else if !is_own(&text) && aside_of(&name).is_none_or(|target| target != MANIFEST_NAME) {
                names.foreign.push(text);
            }
        }
        Ok(names)
    }

    /// Opens the file at `path`. The inner error says what is wrong with it, unless only a shortage prevented the opening.
    pub(crate) fn open(&self, path: &Path, how: OpenHow) -> Result<Result<Arc<dyn VfsFile>, String>> {
        match self.vfs.open(path, how) {
            Ok(file) => Ok(Ok(file)),
            Err(error) if error.is_not_found() => Ok(Err("a shard is missing".to_owned())),
            Err(error) => unreadable(error).map(Err),
        }
    }

    /// Checks that all files exist and, of a published snapshot, that they have their recorded lengths.
    pub(crate) fn inspect(&self, ordinal: u64, entry: &Entry) -> Result<Option<SnapshotDamage>> {
        self.each_shard(ordinal, entry, |file, record| match (file.len(), record) {
            (Err(error), _) => unreadable(error).map(Some),
            (Ok(len), Some(record)) if len != record.len => {
                Ok(Some(format!("a shard is {len} bytes long, and was published with {}", record.len)))
            }
            _ => Ok(None),
        })
    }

    /// After [`inspect`](Self::inspect): whether the files hold what was published. A snapshot that was not published here only
    /// has to be readable.
    pub(crate) fn check_contents(
        &self,
        ordinal: u64,
        entry: &Entry,
        stop: &AtomicBool,
    ) -> Result<Option<SnapshotDamage>> {
        self.each_shard(ordinal, entry, |file, record| {
            let Some(record) = record else { return Ok(None) };
            match digest(file, record.len, stop)? {
                Ok(found) if found != record => Ok(Some("a shard is not what was published".to_owned())),
                Ok(_) => Ok(None),
                Err(error) => unreadable(error).map(Some),
            }
        })
    }

    fn each_shard(
        &self,
        ordinal: u64,
        entry: &Entry,
        mut look: impl FnMut(&dyn VfsFile, Option<ShardRecord>) -> Result<Option<String>>,
    ) -> Result<Option<SnapshotDamage>> {
        for shard in 0..entry.shard_count {
            let path = self.shard_path(ordinal, entry.kind, entry.shard_count, shard);
            let record = entry.records.as_ref().and_then(|records| records.get(shard as usize).copied());
            let what = match self.open(&path, OpenHow::Read)? {
                Ok(file) => look(&*file, record)?,
                Err(what) => Some(what),
            };
            if let Some(what) = what {
                return Ok(Some(SnapshotDamage { ordinal, kind: entry.kind, file: path, what }));
            }
        }
        Ok(None)
    }

    /// Removes a file; returns whether it existed. Anything but a regular file stays: it is not ours.
    pub(crate) fn remove(&self, path: &Path) -> Result<bool> {
        match self.vfs.open(path, OpenHow::Read) {
            Err(error) if error.is_not_found() || error.as_foreign().is_some() => Ok(false),
            Err(error) if error.is_shortage() => Err(error.into()),
            // A file that cannot be opened (permissions, a failing device) can still be removed.
            _ => Ok(self.vfs.remove_file(path).map(|()| true)?),
        }
    }

    /// Removes an empty file; returns whether it did.
    pub(crate) fn remove_if_empty(&self, path: &Path) -> Result<bool> {
        match self.vfs.open(path, OpenHow::Read) {
            Err(error) if error.is_not_found() || error.as_foreign().is_some() => Ok(false),
            opened => {
                let is_empty = opened?.is_empty()?;
                if is_empty {
                    self.vfs.remove_file(path)?;
                }
                Ok(is_empty)
            }
        }
    }

    /// Flushes the names in the folder.
    pub(crate) fn sync(&self) -> Result<()> {
        Ok(self.vfs.sync_dir(&self.path)?)
    }
}

/// Length and checksum of the first `len` bytes of a file, or of as many as exist; the inner error is the failed call. Ends
/// also for a file to which others keep appending.
pub(crate) fn digest(file: &dyn VfsFile, len: u64, stop: &AtomicBool) -> Result<Result<ShardRecord, FileError>> {
    let mut buffer = vec![0; READ_BYTES];
    let mut record = ShardRecord { len: 0, crc: 0 };
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Closed);
        }
        let left = usize::try_from(len - record.len).unwrap_or(READ_BYTES).min(READ_BYTES);
        match file.read_full_at(buffer.get_mut(..left).unwrap_or_default(), record.len) {
            Err(error) => return Ok(Err(error)),
            Ok(0) => return Ok(Ok(record)),
            Ok(read) => {
                record.crc = crc32c_append(record.crc, buffer.get(..read).unwrap_or_default());
                record.len += read as u64;
            }
        }
    }
}

/// Why a file cannot be read, in words. A shortage is no damage but a passing error.
fn unreadable(error: FileError) -> Result<String> {
    if error.is_shortage() {
        return Err(error.into());
    }
    Ok(error.as_foreign().map_or_else(
        || format!("a shard cannot be read: {error}"),
        |(found, _)| format!("{found} is in the place of a shard"),
    ))
}

fn is_own(name: &str) -> bool {
    [LOCK_NAME, OWNER_NAME, MANIFEST_NAME].contains(&name)
}
