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
    recovery::remove_segments_without_events,
    segment::{
        Segment, header::SegmentHeader, reader::SegmentReader, reader_cache::ReaderCache, writer::SegmentWriter,
    },
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
    next_event_id: AtomicU64,
    bytes: AtomicU64,
}

impl EventLog {
    /// Makes a new log in `dir`, durable when this returns. What a creation that was cut short left there is replaced; a
    /// folder in which segments hold events is refused with [`Error::Corrupt`].
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
        remove_segments_without_events(&*vfs, dir)?;
        let header = SegmentHeader::new(store_id, first_event_id, 0);
        let writer = SegmentWriter::create(&*vfs, dir, header, 0).map_err(|failure| failure.error)?;
        let segments = vec![Arc::clone(writer.segment())];
        Ok(Arc::new(Self::assemble(vfs, dir, store_id, options, segments, Tail::Active(writer), 0)))
    }

    /// A log of these segments. `sealed_bytes` are the lengths of all files but the active segment's.
    pub(crate) fn assemble(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        store_id: StoreId,
        options: EventLogOptions,
        segments: Vec<Arc<Segment>>,
        tail: Tail,
        sealed_bytes: u64,
    ) -> Self {
        let end = segments.last().map(|segment| segment.end());
        let (next_id, last_ms) = end.map_or((0, 0), |end| (end.id, end.timestamp_ms));
        let log = Self {
            vfs,
            dir: dir.to_path_buf(),
            store_id,
            options,
            segments: RwLock::new(segments),
            appender: Mutex::new(Appender::new(tail, next_id, last_ms, sealed_bytes)),
            readers: ReaderCache::default(),
            next_event_id: AtomicU64::new(next_id),
            bytes: AtomicU64::new(0),
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

    /// The first id of the oldest segment.
    pub fn oldest_event_id(&self) -> u64 {
        self.segments.read().first().map_or(0, |segment| segment.first_id())
    }

    /// The log in numbers.
    pub fn stats(&self) -> EventLogStats {
        let (oldest, segments) = {
            let segments = self.segments.read();
            (segments.first().map_or(0, |segment| segment.first_id()), segments.len() as u64)
        };
        let count = self.next_event_id().saturating_sub(oldest);
        EventLogStats { count, bytes: self.bytes.load(Ordering::Relaxed), segments }
    }

    /// The segment that holds `id`, opened for reading.
    pub(crate) fn reader_of(&self, id: u64) -> Result<SegmentReader> {
        let segment = {
            let segments = self.segments.read();
            let later = segments.partition_point(|segment| segment.first_id() <= id);
            later.checked_sub(1).and_then(|position| segments.get(position)).cloned()
        };
        let Some(segment) = segment else { return Err(self.missing(id)) };
        self.readers.reader(&*self.vfs, &segment)
    }

    /// The error for an id that was promised and that no segment holds.
    pub(crate) fn missing(&self, id: u64) -> Error {
        Error::Corrupt { file: self.dir.clone(), offset: 0, what: format!("no segment holds event {id}") }
    }
}
