//! Making a full backup: one point in time is held, its parts are copied side by side into the files of a pending snapshot, and that is published
//! when the journal is durable up to it. Writers go on during that; what fails or is cancelled leaves the set as it was.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ledgerstone_format::{PlantedFault, planted};
use ledgerstone_snapshot_set::{
    FileSnapshotSet, Ground, Listing, Prune, Purge, ShardCheck, SnapshotInfo, SnapshotSetOptions, SnapshotType,
};
use ledgerstone_vfs::{OpenHow, Vfs};

use super::{
    copy::{Held, NOTHING},
    job::{BackupJob, JobPhase, Step, outcome},
    manifest::{BackupManifest, FileEntry, Span},
    owner::{leave_owner, read_owner},
    plan::{MAX_PARTS, event_firsts, parts_for},
    reason::BackupReason,
    target::resolved,
};
use crate::{Error, Store, catalog::STATE_ID, error::Result, read::Holder};

/// How a backup is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupOptions {
    /// Into how many files the state is divided, and the events, at the most: 1 to 1,024. `None`: by their size.
    pub shards: Option<u32>,
    /// So many backups stay in the set, the newest that hold; at least 1. `None`: all.
    pub keep_full: Option<u32>,
    /// The set may not have more threads than this; `None`: as many as help.
    pub threads: Option<usize>,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupInfo {
    /// Its number in the set.
    pub ordinal: u64,
    /// Its last commit.
    pub seq: u64,
    /// The id that the next event had.
    pub next_event_id: u64,
    /// Entries of all collections.
    pub entries: u64,
    /// Events.
    pub events: u64,
    /// What its files take.
    pub bytes: u64,
    /// Its files, the manifest first.
    pub files: Vec<PathBuf>,
    /// How long it took.
    pub took: Duration,
}

impl Store {
    /// Backs everything up that is applied, into a new snapshot of the set in `dir`, which is made if need be. Blocks for as long as copying takes.
    /// `None`: it was cancelled.
    ///
    /// # Errors
    /// [`Error::Backup`] where the set is not one of this store's backups; [`Error::Locked`] while another backup is made into it;
    /// [`Error::InvalidArgument`]; [`Error::Limit`]; [`Error::Closed`]; [`Error::NoSpace`], [`Error::Io`]. The set is as it was.
    pub fn backup_to(
        self: &Arc<Self>,
        ground: &Ground,
        dir: &Path,
        options: BackupOptions,
        job: &BackupJob,
    ) -> Result<Option<BackupInfo>> {
        let begun = self.clock.monotonic();
        self.check_open()?;
        check_options(options)?;
        self.check_outside(&*ground.vfs, dir)?;
        // A lock of files is all that a backup asks of a file system that others share.
        let set_options = SnapshotSetOptions { check: ShardCheck::Lengths, allow_network_file_system: true };
        let set = FileSnapshotSet::open(ground, dir, set_options)?;
        let made = outcome(self.back_up_into(&set, &*ground.vfs, options, job));
        set.close();
        Ok(made?.map(|info| BackupInfo { took: self.clock.monotonic().saturating_sub(begun), ..info }))
    }

    fn back_up_into(
        self: &Arc<Self>,
        set: &FileSnapshotSet,
        vfs: &dyn Vfs,
        options: BackupOptions,
        job: &BackupJob,
    ) -> Step<BackupInfo> {
        self.claim_set(vfs, set.path(), &set.list()?)?;
        // What a backup has left that died half way.
        set.prune(Prune { keep_full: None, pendings: true })?;
        let held = self.hold_for_backup(vfs, options)?;
        let state_bytes = self.checkpoint.size().used;
        job.begin(JobPhase::Copying, state_bytes.saturating_add(self.log.stats().bytes));
        job.check()?;
        let shards = u32::try_from(held.manifest.files.len() + 1).unwrap_or(u32::MAX);
        let pending = set.create_or_get(SnapshotType::Pending, shards, false)?;
        let ordinal = pending.ordinal;
        let manifest = held.copy(vfs, &pending, options, job).and_then(|manifest| {
            drop(held);
            job.begin(JobPhase::Publishing, manifest.file_bytes());
            if !planted(PlantedFault::BackupAheadOfJournal) {
                self.journal.flush_to(manifest.seq).map_err(Error::from)?;
            }
            job.check()?;
            let full = set.publish(ordinal, Purge { diffs: false, pendings: true })?;
            Ok((manifest, full))
        });
        let (manifest, full) = manifest.inspect_err(|_| {
            // The next backup does it if this cannot.
            let _ = set.abandon(ordinal);
        })?;
        if let Some(kept) = options.keep_full {
            let fulls = set.list()?.snapshots.iter().filter(|found| found.kind == SnapshotType::Full).count();
            // Pruning reads what it keeps: only where something goes.
            if fulls > kept as usize {
                set.prune(Prune { keep_full: Some(kept), pendings: false })?;
            }
        }
        job.finish();
        Ok(info(&manifest, full, vfs))
    }

    /// A backup within the store would be one of itself.
    fn check_outside(&self, vfs: &dyn Vfs, dir: &Path) -> Result<()> {
        if !resolved(vfs, dir).starts_with(resolved(vfs, &self.path)) {
            return Ok(());
        }
        let message = format!("a backup is made outside of its store: argument=dir path={}", dir.display());
        Err(Error::InvalidArgument { argument: "dir", message })
    }

    /// Makes sure that the set is for this store's backups and nothing else: all that is in it may be pruned.
    fn claim_set(&self, vfs: &dyn Vfs, dir: &Path, listing: &Listing) -> Result<()> {
        let has = |kind| listing.snapshots.iter().any(|found| found.kind == kind);
        if has(SnapshotType::Diff) {
            let what = "the folder holds differential snapshots, which this version does not make";
            return Err(BackupReason::Format.error(dir, what));
        }
        let owner = match read_owner(vfs, dir)? {
            Some(owner) => owner,
            // Nobody has said whose it is: an empty one is anybody's, and backups without that file say it themselves.
            None if listing.snapshots.is_empty() => self.identity.id,
            None => {
                let fulls = listing.snapshots.iter().rev().filter(|found| found.kind == SnapshotType::Full);
                let manifest_of = |found: &SnapshotInfo| {
                    let path = found.shard_paths.first()?;
                    BackupManifest::read(vfs, path, found.shard_paths.len()).ok()
                };
                let what = "the folder holds snapshots that are no backups of a store";
                fulls.into_iter().find_map(manifest_of).ok_or_else(|| BackupReason::Format.error(dir, what))?.source
            }
        };
        if owner != self.identity.id {
            let what = format!("the folder holds backups of another store: storeId={owner}");
            return Err(BackupReason::OtherStore.error(dir, what));
        }
        leave_owner(vfs, dir, owner)
    }

    fn hold_for_backup(self: &Arc<Self>, vfs: &dyn Vfs, options: BackupOptions) -> Result<Held> {
        // Pinned first: whatever is the oldest event then, its segment stays.
        let pin = self.log.pin(0)?;
        let snapshot = self.hold(Holder::Iteration)?;
        let seq = snapshot.seq();
        let (living, next_collection_id) = self.catalog.with(|catalog| (catalog.all_at(seq), catalog.next_id));
        let state_parts = options.shards.unwrap_or_else(|| parts_for(self.checkpoint.size().used));
        let event_parts = options.shards.unwrap_or_else(|| parts_for(self.log.stats().bytes));
        let (view, mut manifest, froms) = snapshot.with(|capture| {
            let manifest = BackupManifest {
                backup_id: random_bytes(vfs),
                source: self.identity.id,
                seq,
                crc: capture.position.map_or(0, |position| position.crc),
                next_event_id: capture.next_event_id,
                oldest_event_id: capture.oldest_event_id,
                last_timestamp_ms: capture.last_timestamp_ms,
                created_at_ms: self.identity.created_at_ms,
                made_at_ms: self.clock.wall_ms(),
                next_collection_id,
                schema_version: 0,
                event_codec: String::new(),
                collections: living.iter().map(|entry| (**entry).clone()).collect(),
                files: Vec::new(),
            };
            Ok((Arc::clone(&capture.view), manifest, capture.read.divide(state_parts as usize)))
        })?;
        if manifest.next_event_id > 1 {
            manifest.event_codec = self.stored_event_codec.get().cloned().unwrap_or_default();
        }
        let states = std::iter::once(Vec::new()).chain(froms).map(|from| Span::State { from });
        let segments = self.log.sealed_segments();
        let firsts = event_firsts(manifest.oldest_event_id, manifest.next_event_id, &segments, event_parts);
        let events = firsts.into_iter().map(|first_id| Span::Events { first_id });
        manifest.files = states.chain(events).map(|span| FileEntry { span, record: NOTHING }).collect();
        let collections = std::iter::once(STATE_ID).chain(living.iter().map(|entry| entry.id)).collect();
        Ok(Held { snapshot, pin, view, collections, manifest })
    }
}

fn check_options(options: BackupOptions) -> Result<()> {
    let in_range = |value: Option<u32>, max| value.is_none_or(|value| (1..=max).contains(&value));
    let (argument, max) = if !in_range(options.shards, MAX_PARTS) {
        ("shards", MAX_PARTS)
    } else if !in_range(options.keep_full, u32::MAX) {
        ("keepFull", u32::MAX)
    } else {
        return Ok(());
    };
    let message = format!("an option is out of range: option={argument} min=1 max={max}");
    Err(Error::InvalidArgument { argument, message })
}

fn random_bytes(vfs: &dyn Vfs) -> [u8; 16] {
    let mut bytes = [0; 16];
    for half in bytes.chunks_exact_mut(8) {
        half.copy_from_slice(&vfs.random().to_le_bytes());
    }
    bytes
}

fn info(manifest: &BackupManifest, full: SnapshotInfo, vfs: &dyn Vfs) -> BackupInfo {
    let head = full.shard_paths.first().and_then(|path| vfs.open(path, OpenHow::Read).ok()?.len().ok());
    BackupInfo {
        ordinal: full.ordinal,
        seq: manifest.seq,
        next_event_id: manifest.next_event_id,
        entries: manifest.entries(),
        events: manifest.events(),
        bytes: manifest.file_bytes().saturating_add(head.unwrap_or_default()),
        files: full.shard_paths,
        took: Duration::ZERO,
    }
}
