//! A log on its own: an [`EventLog`] with a folder, a lock, an identity, a clock and a durability.
//!
//! ```text
//! LOCK, LOCK.owner, IDENTITY, CLEAN   as in every folder that one process owns (`vfs/src/owned_folder`)
//! horizon                             how far it was trimmed
//! events-*.log                        its segments
//! ```
//! Appending never waits for trimming; reading waits for neither.

mod events;
mod folder;
mod open;
mod options;
mod verification;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ledgerstone_format::{CleanMark, Damage, DamageKind, Durability, Identity, StoreId};
use ledgerstone_vfs::{Clock, FolderLock, LastMark, NotForgotten, OwnedFolder, Verifications, Vfs};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::{
    Direction, Error, EventIn, EventLog, Pin, Result, RetentionClock, SegmentInfo, TornTail, Verified,
    frame::MAX_EVENT_ID,
    iterate::Visit,
    verify::{look_at_horizon, of_error},
};
pub use events::{Event, Events};
pub use open::Ground;
pub use options::{Opening, OwnedLogOptions};
pub use verification::{LogReport, LogVerification};

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The unverified end after a kill or a power cut. It was cut; a log opened for reading only leaves it unchanged.
    pub torn: Option<TornTail>,
    /// Whether the log had been closed.
    pub was_closed: bool,
}

/// The figures of the log: exact at any time, also right after a crash, and O(1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnedLogStats {
    /// Events that can be read.
    pub event_count: u64,
    /// The first of them; without events the id of the next one.
    pub oldest_event_id: u64,
    /// The last of them; without events the one before the next.
    pub newest_event_id: u64,
    /// Bytes of all segment files.
    pub total_bytes: u64,
    /// Segment files.
    pub file_count: u64,
}

/// An open log on its own. Any number of threads may read while one appends and another trims.
#[derive(Debug)]
pub struct OwnedLog {
    vfs: Arc<dyn Vfs>,
    clock: Arc<dyn Clock>,
    dir: PathBuf,
    log_id: StoreId,
    /// As found or made; an archive may have none.
    identity: Option<Identity>,
    options: OwnedLogOptions,
    recovery: Recovery,
    log: Arc<EventLog>,
    /// Read-locked by calls that change files, write-locked by `close`.
    life: RwLock<Life>,
    /// The last timestamp in milliseconds; locked while appending.
    last_timestamp_ms: Mutex<u64>,
    retention_clock: RetentionClock,
    last_mark: LastMark,
    verifications: Verifications<Result<LogReport>>,
    closed: AtomicBool,
}

/// Ends when the log is closed.
#[derive(Debug)]
struct Life {
    lock: Option<FolderLock>,
}

impl OwnedLog {
    /// Appends the event with the id `id`; returns when it has reached the log's durability.
    ///
    /// # Errors
    /// As [`OwnedLog::append_batch_with_ids`].
    pub fn append_with_id(&self, id: u64, bytes: &[u8]) -> Result<()> {
        self.append_batch_with_ids(id, &[bytes])
    }

    /// Appends events with the ids from `first_id` on, all with the current time; returns when they have reached the log's
    /// durability.
    ///
    /// # Errors
    /// [`Error::EventIdGap`] unless `first_id` continues the log, [`Error::Limit`]: nothing was appended. [`Error::NoSpace`]:
    /// [`OwnedLog::next_event_id`] shows how many of the events were appended; it heals when there is space. Every other
    /// failure poisons.
    pub fn append_batch_with_ids(&self, first_id: u64, events: &[impl AsRef<[u8]>]) -> Result<()> {
        let _life = self.writing()?;
        self.check_batch(first_id, events)?;
        let files_before = self.log.stats().segments;
        {
            let mut last_timestamp_ms = self.last_timestamp_ms.lock();
            let wall_ms = self.clock.wall_ms();
            self.log.set_wall_ms(wall_ms);
            let timestamp_ms = wall_ms.max(*last_timestamp_ms);
            // Also when it fails half way.
            *last_timestamp_ms = timestamp_ms;
            let mut events = events.iter().map(|bytes| EventIn { timestamp_ms, bytes: bytes.as_ref() });
            self.log.append(&mut events, first_id)?;
        }
        if self.options.durability == Durability::Durable {
            self.log.sync()?;
        } else {
            self.log.check_in_place()?;
        }
        if self.log.stats().segments != files_before {
            // The events are appended. A failure to trim the old ones is reported by the next call that meets it.
            let _ = self.retain();
        }
        Ok(())
    }

    fn check_batch(&self, first_id: u64, events: &[impl AsRef<[u8]>]) -> Result<()> {
        let max = self.options.max_event_bytes;
        let largest = events.iter().map(|bytes| bytes.as_ref().len() as u64).max().unwrap_or_default();
        if largest > max {
            return Err(Error::Limit { limit: "eventBytes", size: largest, max });
        }
        match first_id.saturating_add(events.len() as u64).checked_sub(1) {
            Some(last_id) if last_id > MAX_EVENT_ID => {
                Err(Error::Limit { limit: "eventId", size: last_id, max: MAX_EVENT_ID })
            }
            _ => Ok(()),
        }
    }

    /// Flushes everything that was appended.
    pub fn sync(&self) -> Result<()> {
        let _life = self.writing()?;
        self.log.sync()
    }

    /// As [`EventLog::delete_range`]: `end` included, from the oldest end only; durable when this returns.
    pub fn delete_range(&self, start: u64, end: u64) -> Result<u64> {
        let _life = self.writing()?;
        self.log.delete_range(start, end)
    }

    /// As [`EventLog::rotate`]; then applies retention.
    pub fn rotate(&self) -> Result<Option<PathBuf>> {
        let _life = self.writing()?;
        self.log.rotate()?;
        self.retain()?;
        Ok(self.log.newest_closed())
    }

    /// Trims the events that the log's policy no longer keeps; returns how many.
    pub fn apply_retention(&self) -> Result<u64> {
        let _life = self.writing()?;
        self.retain()
    }

    /// The id below which retention trims events; `None`: nothing to trim.
    fn horizon(&self) -> Option<u64> {
        let max_age_ms = self.options.retention.max_age_ms.unwrap_or(u64::MAX);
        let now_ms = self.retention_clock.now_ms(&*self.clock, max_age_ms);
        self.log.horizon_for(&self.options.retention, now_ms)
    }

    fn retain(&self) -> Result<u64> {
        match self.horizon() {
            Some(horizon) => self.log.delete_range(0, horizon.saturating_sub(1)),
            None => Ok(0),
        }
    }

    /// The event `id` with its timestamp; `None` when the log does not hold it, also when it was trimmed.
    pub fn get(&self, id: u64) -> Result<Option<(u64, Vec<u8>)>> {
        self.check_open()?;
        self.log.get(id)
    }

    /// The same, but `take` gets the event in the read buffer.
    pub fn get_with<R>(&self, id: u64, take: impl FnOnce(u64, &[u8]) -> R) -> Result<Option<R>> {
        self.check_open()?;
        self.log.get_with(id, take)
    }

    /// As [`EventLog::read`], in either direction.
    pub fn read(&self, from: u64, to: u64, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        self.check_open()?;
        self.log.read(from, to, direction, visit)
    }

    /// As [`EventLog::read_ahead`].
    pub fn read_ahead(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        first_bytes: u64,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        self.check_open()?;
        self.log.read_ahead(from, to, direction, first_bytes, visit)
    }

    /// The events from `start` (0: the oldest) up to but not including `end` (`None`: the current end).
    pub fn iter_range(&self, start: u64, end: Option<u64>) -> Events<'_> {
        Events::new(self, start, end.unwrap_or(u64::MAX))
    }

    /// As [`EventLog::first_at`].
    pub fn first_at(&self, timestamp_ms: u64) -> Result<u64> {
        self.check_open()?;
        self.log.first_at(timestamp_ms)
    }

    /// As [`EventLog::pin`].
    pub fn pin(&self, from_id: u64) -> Result<Pin> {
        self.check_open()?;
        self.log.pin(from_id)
    }

    /// As [`EventLog::sealed_segments`].
    pub fn sealed_segments(&self) -> Vec<SegmentInfo> {
        self.log.sealed_segments()
    }

    /// As [`EventLog::checksum_of`].
    pub fn checksum_of(&self, segment: &SegmentInfo) -> Result<u32> {
        self.check_open()?;
        self.log.checksum_of(segment)
    }

    /// As [`EventLog::verify`], including the log's small files.
    pub fn verify(&self, found: &mut dyn FnMut(Damage), cancelled: &dyn Fn() -> bool) -> Result<Verified> {
        self.check_open()?;
        self.verify_records(found);
        look_at_horizon(&*self.vfs, &self.dir, self.log_id, found);
        Ok(self.log.verify(found, cancelled))
    }

    /// The identity, and the clean mark if there is one.
    fn verify_records(&self, found: &mut dyn FnMut(Damage)) {
        let folder = self.folder();
        let damage = |kind, file, what: String| Damage { kind, file, offset: Some(0), what };
        match (folder.identity(), self.identity) {
            (Ok(Some(identity)), Some(ours)) if identity != ours => {
                let what = format!("the identity file is another log's: found={}", identity.id);
                found(damage(DamageKind::Foreign, folder.identity_path(), what));
            }
            (Ok(None), Some(_)) => {
                let what = "the identity file is missing from a log that has data".to_owned();
                found(Damage { offset: None, ..damage(DamageKind::Missing, folder.identity_path(), what) });
            }
            (Ok(_), _) => {}
            (Err(error), _) => found(of_error(error.into(), &self.dir)),
        }
        match folder.clean_mark_is_damaged() {
            Ok(false) => {}
            Ok(true) => {
                let what = "the mark of a clean close is damaged, no data is affected".to_owned();
                found(damage(DamageKind::Checksum, folder.clean_mark_path(), what));
            }
            Err(error) => found(of_error(error.into(), &self.dir)),
        }
    }

    fn folder(&self) -> OwnedFolder<'_> {
        OwnedFolder::of_log(&*self.vfs, &self.dir)
    }

    /// The id that the next event will have.
    pub fn next_event_id(&self) -> u64 {
        self.log.next_event_id()
    }

    /// The first event; without events the id of the next one.
    pub fn oldest_event_id(&self) -> u64 {
        self.log.oldest_event_id()
    }

    /// The last event; without events the id before the next one.
    pub fn newest_event_id(&self) -> u64 {
        self.next_event_id().saturating_sub(1)
    }

    /// The figures of the log.
    pub fn stats(&self) -> OwnedLogStats {
        let stats = self.log.stats();
        OwnedLogStats {
            event_count: stats.count,
            oldest_event_id: self.oldest_event_id(),
            newest_event_id: self.newest_event_id(),
            total_bytes: stats.bytes,
            file_count: stats.segments,
        }
    }

    /// The id of the log.
    pub const fn id(&self) -> StoreId {
        self.log_id
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// What opening found.
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Flushes, records on disk that the log was closed, and releases the lock, also after a failure. A second call does
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Poisoned`] when the log had stopped writing; [`Error::Io`] when the last flush or the mark failed.
    pub fn close(&self) -> Result<()> {
        let mut life = self.life.write();
        let was_closed = self.closed.swap(true, Ordering::AcqRel);
        self.verifications.end();
        if was_closed || self.options.opening == Opening::ReadOnly {
            return Ok(());
        }
        let done = self.finish();
        life.lock = None;
        done
    }

    fn finish(&self) -> Result<()> {
        self.log.sync()?;
        // Checked also when nothing was left to flush: a mark in a folder that cannot be found again is worthless.
        self.vfs.check_in_place().map_err(|error| Error::Poisoned(Arc::new(error.into())))?;
        if self.last_mark.still_stands() {
            return Ok(());
        }
        match self.log.rest() {
            // The next opening reads the whole segment.
            Err(error) if error.can_heal() => {}
            done => done?,
        }
        let mark = CleanMark { seq: 0, next_event_id: self.next_event_id(), closed_at_ms: self.clock.wall_ms() };
        match self.folder().leave_clean_mark(self.log_id, &mark) {
            // One witness less: the events are flushed.
            Err(error) if error.can_heal() => Ok(()),
            done => Ok(done?),
        }
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Held while files change: closing waits for it. Durably removes the mark of the last close before the first change.
    fn writing(&self) -> Result<RwLockReadGuard<'_, Life>> {
        let life = self.life.read();
        self.check_open()?;
        if self.options.opening != Opening::ReadOnly {
            self.last_mark.forget(self.folder()).map_err(|NotForgotten { error, is_fatal }| {
                let error = Error::from(error);
                if is_fatal {
                    // Pending names in the folder may never become durable now (I5).
                    self.log.poison(error.clone());
                }
                error
            })?;
        }
        Ok(life)
    }
}
