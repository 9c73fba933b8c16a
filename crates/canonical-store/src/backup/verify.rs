//! A backup read through: every byte against its checksums, every record against what a store can hold. Checking a backup and building a
//! store from it read by the same lines.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_vfs::Vfs;

use super::{
    block_reader::BlockReader,
    block_writer::FileRecord,
    job::{BackupJob, JobPhase, Step},
    manifest::{BackupManifest, FileEntry, Span},
    parallel,
    reason::BackupReason,
    record::{Entry, Event},
    shard_head::ShardKind,
};
use crate::catalog::STATE_ID;

/// A backup whose manifest has been read.
pub(super) struct Backup<'a> {
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) manifest: BackupManifest,
    pub(super) manifest_bytes: u64,
    /// The files of the list, in order.
    pub(super) paths: Vec<PathBuf>,
    pub(super) job: &'a BackupJob,
}

/// When the first and the last event of a file were; `None` for a file of the state.
type Times = Option<(u64, u64)>;

impl<'a> Backup<'a> {
    /// Reads everything and checks it.
    pub(super) fn verify(&self) -> Step<()> {
        self.job.begin(JobPhase::Verifying, self.manifest.file_bytes());
        let files = self.manifest.files.len();
        let times = parallel::each(files, parallel::threads_for(files), &|place| self.verify_file(place))?;
        let mut before = 0;
        for (place, (first, last)) in times.into_iter().enumerate().filter_map(|(place, times)| Some((place, times?))) {
            if first < before {
                let what = "events of two files of the backup are out of order";
                return Err(BackupReason::Order.error(self.path(place), what).into());
            }
            before = last;
        }
        Ok(())
    }

    fn verify_file(&self, place: usize) -> Step<Times> {
        match self.manifest.files.get(place).map(|file| file.span.kind()) {
            Some(ShardKind::Events) => {
                let mut times = None;
                self.each_event(place, &mut |event| {
                    let first = times.map_or(event.timestamp_ms, |(first, _)| first);
                    times = Some((first, event.timestamp_ms));
                    Ok(())
                })?;
                Ok(times)
            }
            _ => self.each_entry(place, &mut |_| Ok(())).map(|()| None),
        }
    }

    /// Shows the entries of a file of the state, each of which has passed every check.
    pub(super) fn each_entry(&self, place: usize, show: &mut dyn FnMut(&Entry) -> Step<()>) -> Step<()> {
        let Some((file, Span::State { from })) = self.file(place) else { return Ok(()) };
        let to = match self.file(place + 1) {
            Some((_, Span::State { from })) => Some(from.as_slice()),
            _ => None,
        };
        let known: BTreeSet<u32> = self.manifest.collections.iter().map(|entry| entry.id).collect();
        let mut reader = self.open(place, ShardKind::State, &file.record)?;
        let (mut entry, mut before, mut count) = (Entry::default(), Vec::new(), 0);
        while entry.read(&mut reader)? {
            count += 1;
            check_count(&reader, count, &file.record)?;
            let key = entry.full_key.as_slice();
            let is_in_order = (count == 1 && key >= from.as_slice()) || (count > 1 && key > before.as_slice());
            if !is_in_order || to.is_some_and(|to| key >= to) {
                return Err(reader.wrong(BackupReason::Order, "a key is not where it belongs").into());
            }
            if entry.collection != STATE_ID && !known.contains(&entry.collection) {
                let what = format!("an entry is of a collection that there is not: id={}", entry.collection);
                return Err(reader.wrong(BackupReason::Order, what).into());
            }
            show(&entry)?;
            before.clone_from(&entry.full_key);
        }
        check_record(&reader, &reader.finish(count)?, &file.record)
    }

    /// Shows the events of a file, in order.
    pub(super) fn each_event(&self, place: usize, show: &mut dyn FnMut(&Event) -> Step<()>) -> Step<()> {
        let Some((file, Span::Events { .. })) = self.file(place) else { return Ok(()) };
        let mut reader = self.open(place, ShardKind::Events, &file.record)?;
        let (mut event, mut before_ms, mut count) = (Event::default(), 0, 0);
        while event.read(&mut reader)? {
            count += 1;
            check_count(&reader, count, &file.record)?;
            if event.timestamp_ms < before_ms || event.timestamp_ms > self.manifest.last_timestamp_ms {
                return Err(reader.wrong(BackupReason::Order, "an event's time is out of order").into());
            }
            before_ms = event.timestamp_ms;
            show(&event)?;
        }
        check_record(&reader, &reader.finish(count)?, &file.record)
    }

    /// The places of the files that hold this.
    pub(super) fn places_of(&self, kind: ShardKind) -> impl Iterator<Item = usize> {
        let files = self.manifest.files.iter().enumerate();
        files.filter(move |(_, file)| file.span.kind() == kind).map(|(place, _)| place)
    }

    fn file(&self, place: usize) -> Option<(&FileEntry, &Span)> {
        self.manifest.files.get(place).map(|file| (file, &file.span))
    }

    fn path(&self, place: usize) -> &Path {
        self.paths.get(place).map_or(Path::new(""), PathBuf::as_path)
    }

    fn open(&self, place: usize, kind: ShardKind, record: &FileRecord) -> Step<BlockReader<'a>> {
        let head = self.manifest.head_of(place, kind);
        BlockReader::open(&*self.vfs, self.path(place), head, record.bytes, self.job)
    }
}

/// A file with more records than it should have is not read on.
fn check_count(reader: &BlockReader<'_>, count: u64, expected: &FileRecord) -> Step<()> {
    if count <= expected.records {
        return Ok(());
    }
    let what = format!("there are more records in a file than the manifest says: expected={}", expected.records);
    Err(reader.wrong(BackupReason::Count, what).into())
}

fn check_record(reader: &BlockReader<'_>, found: &FileRecord, expected: &FileRecord) -> Step<()> {
    if (found.records, found.raw_bytes) != (expected.records, expected.raw_bytes) {
        let what = format!("a file has other counts: found={} expected={}", found.records, expected.records);
        return Err(reader.wrong(BackupReason::Count, what).into());
    }
    if found.hash != expected.hash {
        return Err(reader.wrong(BackupReason::Checksum, "a file of the backup is not the one that was made").into());
    }
    Ok(())
}
