//! The files of a backup, written from one point in time that is held: entries merged from deltas and checkpoint, events from the log and, above what it had
//! then, from the deltas. What is gathered under a lock is compressed and written outside of it.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_event_log::{Direction, Pin};
use ledgerstone_snapshot_set::SnapshotInfo;
use ledgerstone_vfs::{OpenHow, Vfs};
use ledgerstone_write_coordinator::View;

use super::{
    block_writer::{BlockWriter, FileRecord},
    full::BackupOptions,
    job::{BackupJob, Step, no_memory},
    manifest::{BackupManifest, FileEntry, Span},
    parallel,
    plan::within,
    record::{put_entry_head, put_event_head},
    shard_head::{BLOCK_BYTES, ShardHead},
};
use crate::{Error, Fill, KeyBounds, Snapshot, delta::StoreDelta};

/// Blocks of the deltas' events that are looked at together.
const BLOCKS_PER_PAGE: usize = 64;

/// Of a file that is not written yet.
pub(super) const NOTHING: FileRecord = FileRecord { bytes: 0, hash: [0; 32], records: 0, raw_bytes: 0 };

/// One point in time, held.
pub(super) struct Held {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) pin: Pin,
    pub(super) view: Arc<View<StoreDelta>>,
    /// Of `state` first, then the others, ascending.
    pub(super) collections: Vec<u32>,
    /// With the spans of the files, and nothing of what they will come to.
    pub(super) manifest: BackupManifest,
}

impl Held {
    /// Writes all files; the manifest, which is the last of them.
    pub(super) fn copy(
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
