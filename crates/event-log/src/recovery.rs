//! Opening: first a scan that changes nothing (I10), then the changes that the scan and its caller decided.
//!
//! Sealed segments are known by header and footer alone; only the newest segment, or one with a damaged footer, is read
//! through. The caller knows how far the log was promised, and compares that with the scan's end before opening.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_format::{PlantedFault, StoreId, planted};
use ledgerstone_vfs::{OpenHow, Vfs, VfsFile, aside_of, remove_leftovers};
use parking_lot::RwLock;

use crate::{
    Error, EventLog, EventLogOptions, Result,
    append::Tail,
    event_log::Parts,
    horizon::{HORIZON_NAME, Horizon, HorizonFile},
    segment::{
        Body, Segment,
        footer::Footer,
        header::{SEGMENT_HEADER_BYTES, SegmentHeader},
        index::IndexEntry,
        parse_segment_name, segment_name,
        walk::walk,
        writer::SegmentWriter,
    },
};

/// Longer than any segment file: the largest size of the options, one more event, and the index of the smallest frames.
const MAX_SEGMENT_BYTES: u64 = 2 << 40;

/// The unverified end of the newest segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: PathBuf,
    /// The end of its last whole frame.
    pub offset: u64,
    /// Bytes after it.
    pub bytes: u64,
}

/// The content of a folder, found without changing anything.
#[derive(Debug)]
pub struct Scan {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    store_id: StoreId,
    pub(crate) segments: Vec<Arc<Segment>>,
    file_bytes: u64,
    newest_file_len: u64,
    torn: Option<TornTail>,
    /// Everything in it was flushed.
    is_flushed: bool,
    /// The torn tail begins with a frame that would verify if zeros followed.
    torn_comes_back: bool,
    leftovers: Vec<PathBuf>,
    /// Trimmed segments whose removal was interrupted, or undone by a power cut.
    trimmed: Vec<PathBuf>,
    pub(crate) horizon: HorizonFile,
}

/// Whether any segment in `dir`, of any store, is long enough to hold events. A missing folder holds none, and a file that only
/// has the name of a segment does not count.
pub fn holds_events(vfs: &dyn Vfs, dir: &Path) -> Result<bool> {
    for id in Names::read(vfs, dir)?.ids {
        match SegmentHeader::at(vfs, &dir.join(segment_name(id))) {
            Ok(None) => {}
            Ok(Some((_, len))) if len <= SEGMENT_HEADER_BYTES => {}
            Ok(Some(_)) | Err(Error::Format { .. }) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// The names of files that a log replaces as a whole.
pub(crate) fn is_own_name(name: &OsStr) -> bool {
    name == HORIZON_NAME || parse_segment_name(name).is_some()
}

/// The store of the oldest segment in `dir`; `None` when there is none.
pub(crate) fn owner_of_segments(vfs: &dyn Vfs, dir: &Path) -> Result<Option<StoreId>> {
    let Some(oldest) = Names::read(vfs, dir)?.ids.first().copied() else { return Ok(None) };
    let file = vfs.open(&dir.join(segment_name(oldest)), OpenHow::Read)?;
    match SegmentHeader::read(&*file)? {
        Some(header) => Ok(Some(header.store_id)),
        None => Err(corrupt(&*file, 0, "the segment's header does not verify")),
    }
}

/// Reads the folder's state. A missing or empty folder is a scan without segments.
///
/// # Errors
/// [`Error::Corrupt`] for damage that is not a torn tail, for missing segments, and for files of another store;
/// [`Error::Format`]; [`Error::Io`].
pub fn scan(vfs: &Arc<dyn Vfs>, dir: &Path, store_id: StoreId) -> Result<Scan> {
    let names = Names::read(&**vfs, dir)?;
    let horizon = HorizonFile::read(&**vfs, dir, store_id)?;
    let mut scan = Scan::new(vfs, dir, store_id, &names, horizon);
    for (first_id, next_first_id) in names.in_use(horizon) {
        scan.add(first_id, next_first_id)?;
    }
    Ok(scan)
}

/// The names in a log's folder that are the log's.
pub(crate) struct Names {
    /// First ids, ascending.
    pub(crate) ids: Vec<u64>,
    /// Files in the making, by their final names.
    pub(crate) leftovers: Vec<OsString>,
}

impl Names {
    pub(crate) fn read(vfs: &dyn Vfs, dir: &Path) -> Result<Self> {
        let names = match vfs.read_dir(dir) {
            Err(error) if error.is_not_found() => Vec::new(),
            names => names?,
        };
        let mut ids: Vec<u64> = names.iter().filter_map(|name| parse_segment_name(name)).collect();
        ids.sort_unstable();
        let targets = names.iter().filter_map(|name| aside_of(name)).filter(|target| is_own_name(target));
        let mut leftovers: Vec<OsString> = targets.map(OsStr::to_os_string).collect();
        leftovers.sort_unstable();
        leftovers.dedup();
        Ok(Self { ids, leftovers })
    }

    /// The segments of the log, each with the one that follows it.
    pub(crate) fn in_use(&self, horizon: HorizonFile) -> impl Iterator<Item = (u64, Option<u64>)> {
        let (_, ids) = self.split(horizon);
        ids.iter().copied().zip(ids.iter().copied().skip(1).map(Some).chain([None]))
    }

    /// The segments that are certainly trimmed, and the others: of the segments that begin at or below the horizon file's mark,
    /// the last one stays.
    fn split(&self, horizon: HorizonFile) -> (&[u64], &[u64]) {
        let unlinkable = horizon.known().map_or(0, |horizon| horizon.unlinkable);
        let begun = self.ids.partition_point(|first_id| *first_id <= unlinkable);
        self.ids.split_at_checked(begun.saturating_sub(1)).unwrap_or_default()
    }
}

impl Scan {
    /// An empty scan.
    pub(crate) fn new(vfs: &Arc<dyn Vfs>, dir: &Path, store_id: StoreId, names: &Names, horizon: HorizonFile) -> Self {
        let (trimmed, _) = names.split(horizon);
        Self {
            vfs: Arc::clone(vfs),
            dir: dir.to_path_buf(),
            store_id,
            segments: Vec::new(),
            file_bytes: 0,
            newest_file_len: 0,
            torn: None,
            is_flushed: false,
            torn_comes_back: false,
            leftovers: names.leftovers.iter().map(|name| dir.join(name)).collect(),
            trimmed: trimmed.iter().map(|id| dir.join(segment_name(*id))).collect(),
            horizon,
        }
    }

    /// The id after the last event; 0 without any segment.
    pub fn next_event_id(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.end().id)
    }

    /// The first event that was not trimmed, according to the horizon file; 0 without any segment.
    pub fn oldest_event_id(&self) -> u64 {
        self.segments.first().map_or(0, |segment| segment.first_id().max(self.horizon().unwrap_or_default()))
    }

    /// The first id of the oldest segment; 0 without any segment. Trimmed events from here on are still in the files.
    pub fn first_stored_id(&self) -> u64 {
        self.segments.first().map_or(0, |segment| segment.first_id())
    }

    /// The horizon file's value: events below were trimmed. `None` when the file is missing or damaged.
    pub fn horizon(&self) -> Option<u64> {
        self.horizon.known().map(|horizon| horizon.id)
    }

    /// The timestamp of the last event in milliseconds, also when it was trimmed; 0 if there never was one.
    pub fn last_timestamp_ms(&self) -> u64 {
        let Some(end) = self.segments.last().map(|segment| segment.end()) else { return 0 };
        last_timestamp_ms(end, self.horizon.known())
    }

    /// The unverified end of the newest segment: opening cuts it.
    pub fn torn(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// Bytes of the torn tail.
    pub fn torn_bytes(&self) -> u64 {
        self.torn.as_ref().map_or(0, |torn| torn.bytes)
    }

    /// Called when a mark says that the log was closed, everything flushed, when the next event was `next_event_id`. If that is
    /// the scan's end, opening has nothing to flush: a kill may leave bytes that only the page cache has, a close does not.
    pub fn was_closed_at(&mut self, next_event_id: u64) {
        self.is_flushed = self.next_event_id() == next_event_id && self.torn.is_none();
    }

    /// Whether no event can be read.
    pub fn is_empty(&self) -> bool {
        self.next_event_id() <= self.oldest_event_id()
    }

    /// Adds the segment `first_id`; the segment `next_first_id` follows it.
    pub(crate) fn add(&mut self, first_id: u64, next_first_id: Option<u64>) -> Result<()> {
        let path = self.dir.join(segment_name(first_id));
        let file = self.vfs.open(&path, OpenHow::Read)?;
        let file_len = file.len()?;
        if let Some(before) = self.segments.last().map(|segment| segment.end().id).filter(|id| *id != first_id) {
            return Err(corrupt(
                &*file,
                0,
                format!("a segment is missing before it: the log goes on at event {before}"),
            ));
        }
        let Some(header) = SegmentHeader::read(&*file)? else {
            return Err(corrupt(&*file, 0, "the segment's header does not verify"));
        };
        if header.store_id != self.store_id {
            return Err(corrupt(&*file, 0, format!("the segment belongs to the store {}", header.store_id)));
        }
        if header.first_id != first_id {
            return Err(corrupt(&*file, 0, "the segment's name and header differ"));
        }
        if file_len > MAX_SEGMENT_BYTES {
            return Err(corrupt(
                &*file,
                MAX_SEGMENT_BYTES,
                format!("the segment is longer than any can be: bytes={file_len}"),
            ));
        }
        let body = match Footer::read(&*file, file_len, &header)? {
            Some(footer) => Body::Sealed(footer),
            None => self.walk(&*file, &header, next_first_id)?,
        };
        self.file_bytes = self.file_bytes.saturating_add(file_len);
        self.newest_file_len = file_len;
        self.segments.push(Arc::new(Segment { path, header, body }));
        Ok(())
    }

    /// Indexes a segment without a trustworthy footer, and judges its end.
    fn walk(&mut self, file: &dyn VfsFile, header: &SegmentHeader, next_first_id: Option<u64>) -> Result<Body> {
        let walked = walk(file, header, self.last_timestamp_ms())?;
        let end = walked.index.end();
        match next_first_id {
            // A segment is complete and flushed before the next one is made.
            Some(next) if next != end.id => return Err(walked.damage(file)?),
            Some(_) => {}
            None if walked.is_promised_further(file, header)? => return Err(walked.damage(file)?),
            None => {
                let bytes = walked.torn_bytes(file)?;
                self.torn =
                    (bytes > 0).then(|| TornTail { file: file.path().to_path_buf(), offset: end.offset, bytes });
                self.torn_comes_back = bytes > 0 && walked.would_come_back(file, header)?;
            }
        }
        Ok(Body::Indexed(RwLock::new(walked.index)))
    }

    /// Opens the scanned log: the only step that changes files. Removes half-made files, cuts the torn tail, then everything
    /// from `truncate_from` on, and flushes.
    pub fn open(self, options: EventLogOptions, truncate_from: Option<u64>) -> Result<Arc<EventLog>> {
        let (vfs, dir) = (Arc::clone(&self.vfs), self.dir.clone());
        if let Some(id) = truncate_from {
            self.check_cut(id)?;
        }
        let mut removed = false;
        for target in &self.leftovers {
            removed |= remove_leftovers(&*vfs, target)?;
        }
        if removed {
            vfs.sync_dir(&dir)?;
        }
        for path in &self.trimmed {
            // A segment that cannot be removed, or that comes back, is ignored again and removed at a later opening. A foreign file stays.
            let header = SegmentHeader::at(&*vfs, path).ok().flatten();
            if header.is_some_and(|(header, _)| header.store_id == self.store_id) {
                let _ = vfs.remove_file(path);
            }
        }
        let is_flushed = self.is_flushed;
        let comes_back = self.torn_comes_back && !planted(PlantedFault::LeftOverKept);
        let parts = self.parts(options, |newest| {
            // A tail that is cut off below needs no copy, for which a full device has no room: nothing is written before the cut.
            let is_cut_off = truncate_from.is_some_and(|id| id < newest.end().id);
            if comes_back && !is_cut_off {
                // Its page holds flushed frames, which must not be overwritten.
                newest.rewrite(&*vfs, &dir, newest.end().offset, &[])?;
            }
            match &newest.body {
                Body::Indexed(_) if is_flushed => {
                    let writer = SegmentWriter::reopen_flushed(&*vfs, Arc::clone(newest));
                    Ok(Tail::Active(writer.map_err(|failure| failure.error)?))
                }
                _ => open_tail(&*vfs, newest),
            }
        })?;
        let log = Arc::new(EventLog::assemble(parts));
        if let Some(id) = truncate_from {
            log.truncate_from(id)?;
        }
        Ok(log)
    }

    /// Before anything changes (I10), reads through a segment that is known by its footer alone and will be cut: the part that
    /// is kept, and the frame that the cut divides.
    fn check_cut(&self, id: u64) -> Result<()> {
        let Some(at) = self.segments.iter().rposition(|segment| segment.first_id() <= id) else { return Ok(()) };
        let Some(segment) = self.segments.get(at).filter(|segment| segment.end().id > id) else { return Ok(()) };
        if matches!(segment.body, Body::Indexed(_)) {
            return Ok(());
        }
        let before = at.checked_sub(1).and_then(|at| self.segments.get(at));
        let file = self.vfs.open(&segment.path, OpenHow::Read)?;
        let walked = walk(&*file, &segment.header, before.map_or(0, |before| before.end().timestamp_ms))?;
        if walked.index.end().id <= id { Err(walked.damage(&*file)?) } else { Ok(()) }
    }

    /// Opens the scanned log for reading only: nothing on disk is changed, a torn tail stays.
    pub fn open_read_only(self, options: EventLogOptions) -> Result<Arc<EventLog>> {
        self.parts(options, |_| Ok(Tail::ReadOnly)).map(EventLog::assemble).map(Arc::new)
    }

    fn parts(self, options: EventLogOptions, tail: impl FnOnce(&Arc<Segment>) -> Result<Tail>) -> Result<Parts> {
        let Self { vfs, dir, store_id, segments, mut file_bytes, newest_file_len, horizon, .. } = self;
        let Some(newest) = segments.last() else {
            return Err(Error::Corrupt { file: dir, offset: 0, what: "there is no segment".to_owned() });
        };
        let tail = tail(newest)?;
        if matches!(tail, Tail::Active(_)) {
            file_bytes = file_bytes.saturating_sub(newest_file_len);
        }
        Ok(Parts { vfs, dir, store_id, options, segments, tail, sealed_bytes: file_bytes, horizon: horizon.known() })
    }
}

/// The timestamp of the event before `end`. When all events were trimmed, no segment knows it.
pub(crate) fn last_timestamp_ms(end: IndexEntry, horizon: Option<Horizon>) -> u64 {
    let known = horizon.filter(|horizon| horizon.next_id == end.id && horizon.id >= end.id);
    known.map_or(0, |horizon| horizon.last_timestamp_ms).max(end.timestamp_ms)
}

/// The appender's view of the newest segment: one without a footer continues, one with a footer does so at the next append.
pub(crate) fn open_tail(vfs: &dyn Vfs, newest: &Arc<Segment>) -> Result<Tail> {
    match &newest.body {
        Body::Sealed(_) => Ok(Tail::Resting),
        Body::Indexed(_) => {
            let writer = SegmentWriter::reopen(vfs, Arc::clone(newest)).map_err(|failure| failure.error)?;
            Ok(Tail::Active(writer))
        }
    }
}

fn corrupt(file: &dyn VfsFile, offset: u64, what: impl Into<String>) -> Error {
    Error::Corrupt { file: file.path().to_path_buf(), offset, what: what.into() }
}
