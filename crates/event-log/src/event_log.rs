//! The log as a whole: its segments in order, its one appender, and the id up to which readers see it.
//!
//! Invariant: segments are contiguous, only the last one grows, and an event can be read, checksum and all, before
//! `next_event_id` covers it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ledgerstone_format::{StoreId, compression::Compression};
use ledgerstone_vfs::Vfs;
use parking_lot::{Mutex, RwLock};

use crate::{
    Error, EventLogStats, Result,
    append::{Appender, Tail},
    frame::MAX_EVENT_ID,
    horizon::Horizon,
    pin::Pins,
    recovery::last_timestamp_ms,
    remains::remove_segments_without_events,
    segment::{
        Segment, header::SegmentHeader, reader::SegmentReader, reader_cache::ReaderCache, writer::SegmentWriter,
    },
    trim::Trim,
};

/// How a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLogOptions {
    /// A segment is sealed before its frames would exceed this. A larger single frame has a segment of its own.
    pub segment_bytes: u64,
    /// Larger events are refused with [`Error::Limit`]; at most 1 GiB.
    pub max_event_bytes: u64,
    /// How frames are stored that become smaller by it. Frames of every kind may stand in one log.
    pub compression: Compression,
}

/// An open event log. Appending and truncating take turns; reading waits for neither.
#[derive(Debug)]
pub struct EventLog {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) dir: PathBuf,
    pub(crate) store_id: StoreId,
    pub(crate) options: EventLogOptions,
    pub(crate) segments: RwLock<Vec<Arc<Segment>>>,
    pub(crate) appender: Mutex<Appender>,
    pub(crate) readers: ReaderCache,
    pub(crate) pins: Pins,
    /// Taken before the appender.
    pub(crate) trim: Mutex<Trim>,
    /// Events below are gone. At least the oldest segment's first id.
    pub(crate) horizon: AtomicU64,
    /// Segments that end at or below may be unlinked: the horizon file says so, durably.
    pub(crate) unlinkable: AtomicU64,
    /// Segment files that are no longer part of the log and could not be removed yet.
    pub(crate) doomed_segments: AtomicU64,
    next_event_id: AtomicU64,
    bytes: AtomicU64,
    /// What segments say that they were begun at.
    pub(crate) wall_ms: AtomicU64,
}

/// What a log is assembled from.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) dir: PathBuf,
    pub(crate) store_id: StoreId,
    pub(crate) options: EventLogOptions,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) tail: Tail,
    /// The lengths of all files but the active segment's.
    pub(crate) sealed_bytes: u64,
    pub(crate) horizon: Option<Horizon>,
}

impl EventLog {
    /// Makes a new log in `dir`, durable when this returns. What a creation of the same log that was cut short left there is
    /// replaced; a folder with other segments is refused with [`Error::Corrupt`], one with files that only have the names of
    /// segments with [`Error::Foreign`].
    pub fn create(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        store_id: StoreId,
        options: EventLogOptions,
        first_event_id: u64,
    ) -> Result<Arc<Self>> {
        if first_event_id > MAX_EVENT_ID {
            return Err(Error::Limit { limit: "eventId", size: first_event_id, max: MAX_EVENT_ID });
        }
        vfs.create_dir_all(dir)?;
        remove_segments_without_events(&*vfs, dir, store_id)?;
        let header = SegmentHeader::new(store_id, first_event_id, 0);
        let writer = SegmentWriter::create(&*vfs, dir, header, 0).map_err(|failure| failure.error)?;
        let segments = vec![Arc::clone(writer.segment())];
        let (dir, tail) = (dir.to_path_buf(), Tail::Active(writer));
        let parts = Parts { vfs, dir, store_id, options, segments, tail, sealed_bytes: 0, horizon: None };
        Ok(Arc::new(Self::assemble(parts)))
    }

    pub(crate) fn assemble(parts: Parts) -> Self {
        let Parts { vfs, dir, store_id, options, segments, tail, sealed_bytes, horizon } = parts;
        let end = segments.last().map(|segment| segment.end());
        let (next_id, last_ms) = end.map_or((0, 0), |end| (end.id, last_timestamp_ms(end, horizon)));
        let first_id = segments.first().map_or(0, |segment| segment.first_id());
        let log = Self {
            vfs,
            dir,
            store_id,
            options,
            segments: RwLock::new(segments),
            appender: Mutex::new(Appender::new(tail, next_id, last_ms, sealed_bytes)),
            readers: ReaderCache::new(),
            pins: Pins::default(),
            trim: Mutex::default(),
            horizon: AtomicU64::new(horizon.map_or(0, |horizon| horizon.id).max(first_id)),
            unlinkable: AtomicU64::new(horizon.map_or(0, |horizon| horizon.unlinkable)),
            doomed_segments: AtomicU64::new(0),
            next_event_id: AtomicU64::new(next_id),
            bytes: AtomicU64::new(0),
            wall_ms: AtomicU64::new(0),
        };
        log.publish(&log.appender.lock());
        log
    }

    /// Shows readers where the appender stands. Everything below was written and indexed before.
    pub(crate) fn publish(&self, appender: &Appender) {
        self.bytes.store(appender.file_bytes(), Ordering::Relaxed);
        self.next_event_id.store(appender.next_id, Ordering::Release);
    }

    /// The id that the next event will have; every id from the oldest up to here can be read.
    pub fn next_event_id(&self) -> u64 {
        self.next_event_id.load(Ordering::Acquire)
    }

    /// The first event that was not trimmed; without events the next id, or beyond it when a store has trimmed what its log
    /// does not hold yet.
    pub fn oldest_event_id(&self) -> u64 {
        self.horizon.load(Ordering::Acquire)
    }

    /// What the wall clock shows, for the segments that are begun from now on; it may jump.
    pub fn set_wall_ms(&self, wall_ms: u64) {
        self.wall_ms.store(wall_ms, Ordering::Relaxed);
    }

    /// The timestamp of the last event in milliseconds, trimmed or not; 0 when there was none.
    pub fn last_timestamp_ms(&self) -> u64 {
        self.appender.lock().last_timestamp_ms
    }

    /// Stops writing because of a failure outside of the segments.
    pub(crate) fn poison(&self, error: Error) {
        self.appender.lock().poison(error);
    }

    /// The log in numbers.
    pub fn stats(&self) -> EventLogStats {
        let segments = self.segments.read().len() as u64 + self.doomed_segments.load(Ordering::Acquire);
        let count = self.next_event_id().saturating_sub(self.oldest_event_id());
        EventLogStats { count, bytes: self.bytes.load(Ordering::Relaxed), segments }
    }

    /// The segment that holds `id`, opened for reading.
    pub(crate) fn reader_of(&self, id: u64) -> Result<Arc<SegmentReader>> {
        let segment = self.segment_of(id).ok_or_else(|| self.missing(id))?;
        self.readers.reader(&*self.vfs, &segment)
    }

    /// The same, if it is open already.
    pub(crate) fn opened_reader_of(&self, id: u64) -> Option<Arc<SegmentReader>> {
        self.readers.opened(&self.segment_of(id)?)
    }

    fn segment_of(&self, id: u64) -> Option<Arc<Segment>> {
        let segments = self.segments.read();
        let later = segments.partition_point(|segment| segment.first_id() <= id);
        later.checked_sub(1).and_then(|position| segments.get(position)).cloned()
    }

    /// The error for an id that was promised and that no segment holds.
    pub(crate) fn missing(&self, id: u64) -> Error {
        Error::Corrupt { file: self.dir.clone(), offset: 0, what: format!("no segment holds event {id}") }
    }
}
