//! Making a full backup: one point in time is held, its parts are copied side by side into the files of a pending snapshot, and that is published
//! when the journal is durable up to it. Writers go on meanwhile; what fails or is cancelled leaves the set as it was.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ledgerstone_event_log::{Direction, Pin};
use ledgerstone_format::{PlantedFault, planted};
use ledgerstone_snapshot_set::{
    FileSnapshotSet, Ground, Listing, Prune, Purge, ShardCheck, SnapshotInfo, SnapshotSetOptions, SnapshotType,
};
use ledgerstone_vfs::{OpenHow, Vfs};
use ledgerstone_write_coordinator::View;

use super::{
    block_writer::{BlockWriter, FileRecord},
    job::{BackupJob, JobPhase, Step, no_memory, outcome},
    manifest::{BackupManifest, FileEntry, Span},
    owner::{leave_owner, read_owner},
    parallel,
    plan::{MAX_PARTS, event_firsts, parts_for, within},
    reason::BackupReason,
    record::{put_entry_head, put_event_head},
    shard_head::{BLOCK_BYTES, ShardHead},
    target::resolved,
};
use crate::{
    Error, Fill, KeyBounds, Snapshot, Store, catalog::STATE_ID, delta::StoreDelta, error::Result, read::Holder,
};

/// Blocks of the deltas' events that are looked at together.
const BLOCKS_PER_PAGE: usize = 64;

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

/// One point in time, held.
struct Held {
    snapshot: Arc<Snapshot>,
    pin: Pin,
    view: Arc<View<StoreDelta>>,
    /// Of `state` first, then the others, ascending.
    collections: Vec<u32>,
    /// With the spans of the files, and nothing of what they will come to.
    manifest: BackupManifest,
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

const NOTHING: FileRecord = FileRecord { bytes: 0, hash: [0; 32], records: 0, raw_bytes: 0 };

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

impl Held {
    /// Writes all files; the manifest, which is the last of them.
    fn copy(
        &self,
        vfs: &dyn Vfs,
        pending: &SnapshotInfo,
        options: BackupOptions,
        job: &BackupJob,
    ) -> Step<BackupManifest> {
        let files = self.manifest.files.len();
        let threads = options.threads.unwrap_or(usize::MAX).min(parallel::threads_for(files));
        let records = parallel::each(files, threads, &|place| {
            let path = pending.shard_paths.get(place + 1).map_or(Path::new(""), PathBuf::as_path);
            self.copy_file(vfs, path, place, job)
        })?;
        let mut manifest = self.manifest.clone();
        for (file, record) in manifest.files.iter_mut().zip(records) {
            file.record = record;
        }
        let encoded = manifest.encode()?;
        if let Some(path) = pending.shard_paths.first() {
            vfs.open(path, OpenHow::ReadWrite)?.write_all_at(&encoded, 0)?;
        }
        Ok(manifest)
    }

    fn copy_file(&self, vfs: &dyn Vfs, path: &Path, place: usize, job: &BackupJob) -> Step<FileRecord> {
        let Some(FileEntry { span, .. }) = self.manifest.files.get(place) else { return Ok(NOTHING) };
        let head: ShardHead = self.manifest.head_of(place, span.kind());
        let file = vfs.open(path, OpenHow::ReadWrite)?;
        let mut copy = Copy { writer: BlockWriter::new(file, head)?, pending: Vec::new(), path, job };
        let next = self.manifest.files.get(place + 1).map(|file| &file.span);
        match (span, next) {
            (Span::State { from }, Some(Span::State { from: to })) => self.copy_state(&mut copy, from, Some(to))?,
            (Span::State { from }, _) => self.copy_state(&mut copy, from, None)?,
            (Span::Events { first_id }, Some(Span::Events { first_id: end })) => {
                self.copy_events(&mut copy, *first_id, *end)?;
            }
            (Span::Events { first_id }, _) => self.copy_events(&mut copy, *first_id, self.manifest.next_event_id)?,
        }
        Ok(copy.writer.finish()?)
    }

    fn copy_state(&self, copy: &mut Copy<'_>, from: &[u8], to: Option<&Vec<u8>>) -> Step<()> {
        for id in &self.collections {
            let Some((lower, upper)) = within(*id, from, to.map(Vec::as_slice)) else { continue };
            let mut range = self.snapshot.range_of(Some(*id), KeyBounds { lower, upper, reverse: false, limit: None });
            loop {
                let mut is_short = false;
                let mut records = 0;
                let is_done = range.fill(&mut |key, value| {
                    let bytes = key.len() + value.len() + 16;
                    let has_room = copy.pending.is_empty() || copy.pending.len() + bytes <= BLOCK_BYTES;
                    is_short = has_room && copy.pending.try_reserve(bytes).is_err();
                    if !has_room || is_short {
                        return Fill::Full;
                    }
                    put_entry_head(&mut copy.pending, *id, key, value.len());
                    copy.pending.extend_from_slice(value);
                    records += 1;
                    Fill::Taken
                })?;
                copy.flush(records, is_short)?;
                if is_done {
                    break;
                }
            }
        }
        Ok(())
    }

    fn copy_events(&self, copy: &mut Copy<'_>, first: u64, end: u64) -> Step<()> {
        let (active, frozen) = (self.view.active.events(), self.view.frozen.as_ref().map(|frozen| frozen.events()));
        let in_active = active.first_id();
        let in_deltas = match frozen {
            Some(frozen) => frozen.first_id(),
            None => in_active,
        };
        let mut id = first;
        while id < end {
            let (mut records, mut is_short) = (0, false);
            let mut take = |timestamp_ms: u64, payload: &[u8]| {
                is_short = copy.pending.try_reserve(payload.len() + 16).is_err();
                if is_short {
                    return ControlFlow::Break(());
                }
                put_event_head(&mut copy.pending, timestamp_ms, payload.len());
                copy.pending.extend_from_slice(payload);
                records += 1;
                if copy.pending.len() < BLOCK_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            if id < in_deltas {
                let until = end.min(in_deltas);
                self.pin
                    .read(id, until, Direction::Forward, &mut |_, timestamp_ms, payload| take(timestamp_ms, payload))?;
            } else {
                let (events, until) = match frozen {
                    Some(frozen) if id < in_active => (frozen, end.min(in_active)),
                    _ => (active, end),
                };
                let page = events.page(id, until, BLOCKS_PER_PAGE, false);
                let mut at = id;
                while let Some((timestamp_ms, payload)) = page.get(at).filter(|_| at < until) {
                    at += 1;
                    if take(timestamp_ms, payload).is_break() {
                        break;
                    }
                }
            }
            if records == 0 && !is_short {
                let what = format!("an event is missing: id={id}");
                return Err(Error::corrupt(self.snapshot.store().path(), 0, what).into());
            }
            id += records;
            copy.flush(records, is_short)?;
        }
        Ok(())
    }
}

/// A file being written: what was gathered for it under a lock is compressed and written outside.
struct Copy<'a> {
    writer: BlockWriter,
    pending: Vec<u8>,
    path: &'a Path,
    job: &'a BackupJob,
}

impl Copy<'_> {
    fn flush(&mut self, records: u64, is_short: bool) -> Step<()> {
        self.writer.push(&self.pending)?;
        self.writer.count(records);
        self.job.advance(self.pending.len() as u64)?;
        self.pending.clear();
        self.pending.shrink_to(2 * BLOCK_BYTES);
        if is_short { Err(no_memory("pread", self.path)) } else { Ok(()) }
    }
}
