//! The whole log: its segments in order, its one appender, and the id up to which readers see it.
//!
//! Invariant: segments are contiguous, only the last one grows, and an event can be read and verified before `next_event_id` covers it.

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

/// The options of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLogOptions {
    /// A segment is sealed before its frames would exceed this. A larger single frame gets a segment for itself.
    pub segment_bytes: u64,
    /// Larger events are refused with [`Error::Limit`]; at most 1 GiB.
    pub max_event_bytes: u64,
    /// Compression for frames that become smaller by it. One log may contain frames of every kind.
    pub compression: Compression,
}

/// An open event log. Appending and truncating exclude each other; reading waits for neither.
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
    /// Locked before the appender.
    pub(crate) trim: Mutex<Trim>,
    /// Events below are trimmed. At least the oldest segment's first id.
    pub(crate) horizon: AtomicU64,
    /// Segments that end at or below may be unlinked: the horizon file records that durably.
    pub(crate) unlinkable: AtomicU64,
    /// Segment files that left the log and could not be removed yet.
    pub(crate) doomed_segments: AtomicU64,
    next_event_id: AtomicU64,
    bytes: AtomicU64,
    /// The wall time that new segments record as their beginning.
    pub(crate) wall_ms: AtomicU64,
}

/// The parts of a log.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) dir: PathBuf,
    pub(crate) store_id: StoreId,
    pub(crate) options: EventLogOptions,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) tail: Tail,
    /// The total length of all files except the active segment's.
    pub(crate) sealed_bytes: u64,
    pub(crate) horizon: Option<Horizon>,
}

impl EventLog {
    /// Makes a new log in `dir`, durable when this returns. Leftovers of an interrupted creation of the same log are replaced.
    /// A folder with other segments is refused with [`Error::Corrupt`], one with files that only have the names of segments
    /// with [`Error::Foreign`].
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

    /// Publishes the appender's end to readers. Everything below was written and indexed before.
    pub(crate) fn publish(&self, appender: &Appender) {
        self.bytes.store(appender.file_bytes(), Ordering::Relaxed);
        self.next_event_id.store(appender.next_id, Ordering::Release);
    }

    /// The id of the next event; every id from the oldest up to here can be read.
    pub fn next_event_id(&self) -> u64 {
        self.next_event_id.load(Ordering::Acquire)
    }

    /// The first event that was not trimmed; without events the next id, or a higher one when a store has trimmed events that
    /// its log does not have yet.
    pub fn oldest_event_id(&self) -> u64 {
        self.horizon.load(Ordering::Acquire)
    }

    /// Sets the wall time for the segments begun from now on; it may jump.
    pub fn set_wall_ms(&self, wall_ms: u64) {
        self.wall_ms.store(wall_ms, Ordering::Relaxed);
    }

    /// The timestamp of the last event in milliseconds, trimmed or not; 0 if there never was one.
    pub fn last_timestamp_ms(&self) -> u64 {
        self.appender.lock().last_timestamp_ms
    }

    /// Stops writing because of a failure outside the segments.
    pub(crate) fn poison(&self, error: Error) {
        self.appender.lock().poison(error);
    }

    /// The figures of the log.
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

    /// The error for a promised id that no segment holds.
    pub(crate) fn missing(&self, id: u64) -> Error {
        Error::Corrupt { file: self.dir.clone(), offset: 0, what: format!("no segment holds event {id}") }
    }
}
