//! Reads the journal after any kind of ending, and distinguishes a torn tail from damage. Changes nothing (I10).
//!
//! The scan begins after the last frame that LMDB has, follows the chain of checksums from file to file, and ends at the first
//! missing frame. What follows that break decides: if anything shows that the missing frame was durable, the journal is
//! damaged; otherwise the frame was never promised.

mod torn_tail;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_format::{PAGE_BYTES, PlantedFault, StoreId, align_up, planted};
use ledgerstone_vfs::{Vfs, remove_leftovers};

use crate::{
    Error, Frame, Result,
    file_header::FRAMES_START,
    file_name::{UNFINISHED_SPARE, UNFINISHED_TAIL},
    folder::{Folder, InUse},
    frame_head::{FRAME_ALIGN, HEAD_BYTES},
    reader::FileReader,
};

/// A place in the journal just after a frame, with that frame's checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file's number.
    pub file: u64,
    /// The first byte after the frame.
    pub offset: u64,
    /// The checksum of the frame.
    pub crc: u32,
}

/// What other files prove: LMDB, the mark of a clean close, the end of the event log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// The journal reaches at least this seq.
    pub seq: u64,
    /// The journal's next event id is at least this.
    pub next_event_id: u64,
    /// The journal was closed at `seq`, and nothing was appended since: no need to search after it.
    pub is_end: bool,
}

/// Where to start reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanFrom {
    /// The last seq that need not be read.
    pub applied_seq: u64,
    /// The event id that follows it.
    pub next_event_id: u64,
    /// The place after the frame of `applied_seq`. `None`: the journal begins at `applied_seq + 1` (a store that never flushed
    /// a frame, so `applied_seq` is 0 unless it was restored).
    pub position: Option<Position>,
    /// What must exist.
    pub promised: Promise,
}

/// The content of the journal. Nothing has been changed yet; [`open`](Scan::open) does that.
#[derive(Debug)]
pub struct Scan {
    /// The frames after `applied_seq`, in order.
    pub frames: Vec<Frame>,
    /// The last seq found.
    pub last_seq: u64,
    /// The event id that follows the last event.
    pub next_event_id: u64,
    /// When the last of `frames` was committed; 0 without frames.
    pub last_timestamp_ms: u64,
    /// How many bytes after the last frame belong to a torn tail.
    pub bytes_cut: u64,
    /// The seq up to which the journal is known to be durable.
    pub durable_upto: u64,
    pub(crate) found: Found,
}

/// The state for [`Scan::open`].
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) dir: PathBuf,
    pub(crate) store_id: StoreId,
    pub(crate) folder: Folder,
    pub(crate) position: Option<Position>,
    pub(crate) last_crc: u32,
    /// The frames not known to be durable, and the checksum of the frame before them.
    pub(crate) tail: Vec<Frame>,
    pub(crate) crc_before_tail: u32,
    /// The file that continues the journal if the file of the position is gone: it stays, even without frames.
    pub(crate) anchor: Option<u64>,
}

/// Reads the journal in `dir` from `from` on. Changes nothing.
pub fn scan(vfs: Arc<dyn Vfs>, dir: &Path, store_id: StoreId, from: ScanFrom) -> Result<Scan> {
    let folder = Folder::read(&*vfs, dir)?;
    folder.check_store(store_id)?;
    let mut walk = Walk::begin(&*vfs, dir, &folder, from)?;
    walk.go()?;
    let bytes_cut = walk.judge_break()?;

    let (frames, durable_upto) = (walk.frames, walk.witnessed);
    let (last_seq, next_event_id, last_crc, position) =
        (walk.next_seq - 1, walk.next_event_id, walk.crc, walk.position);
    let durable_count = frames.partition_point(|frame| frame.seq() <= durable_upto);
    let tail = frames.get(durable_count..).unwrap_or_default().to_vec();
    let crc_before_tail = tail.first().map_or(last_crc, Frame::previous_crc);
    let last_timestamp_ms = frames.last().map_or(0, Frame::timestamp_ms);
    let (dir, anchor) = (dir.to_path_buf(), walk.anchor);
    let found = Found { vfs, dir, store_id, folder, position, last_crc, tail, crc_before_tail, anchor };
    Ok(Scan { frames, last_seq, next_event_id, last_timestamp_ms, bytes_cut, durable_upto, found })
}

/// Whether any file in use holds a valid frame: then a store was made here, whatever else is missing.
pub fn holds_frames(vfs: &dyn Vfs, dir: &Path) -> Result<bool> {
    for file in Folder::read(vfs, dir)?.in_use {
        let mut reader = FileReader::open(vfs, &file.path)?;
        if reader.find_frame(FRAMES_START, file.header.salt, |_, _| true)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes files in the making.
pub(crate) fn remove_unfinished(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    for name in [UNFINISHED_SPARE, UNFINISHED_TAIL] {
        remove_leftovers(vfs, &dir.join(name))?;
    }
    Ok(())
}

struct Walk<'a> {
    vfs: &'a dyn Vfs,
    dir: &'a Path,
    folder: &'a Folder,
    promised: Promise,
    /// The file being read and its index among those in use.
    current: Option<(usize, FileReader)>,
    offset: u64,
    next_seq: u64,
    next_event_id: u64,
    crc: u32,
    position: Option<Position>,
    witnessed: u64,
    anchor: Option<u64>,
    frames: Vec<Frame>,
}

impl<'a> Walk<'a> {
    fn begin(vfs: &'a dyn Vfs, dir: &'a Path, folder: &'a Folder, from: ScanFrom) -> Result<Self> {
        let promised = Promise { seq: from.promised.seq.max(from.applied_seq), ..from.promised };
        let next_seq = from
            .applied_seq
            .checked_add(1)
            .ok_or_else(|| damaged(dir, 0, format!("applied seq is out of range: seq={}", from.applied_seq)))?;
        let mut walk = Self {
            vfs,
            dir,
            folder,
            promised,
            current: None,
            offset: FRAMES_START,
            next_seq,
            next_event_id: from.next_event_id,
            crc: from.position.map_or(0, |position| position.crc),
            position: from.position,
            witnessed: promised.seq,
            anchor: None,
            frames: Vec::new(),
        };
        if let Some(position) = from.position {
            walk.begin_behind(position)?;
        }
        Ok(walk)
    }

    /// Begins in the file of `position`; if that was recycled, at the head of the file that continues it.
    fn begin_behind(&mut self, position: Position) -> Result<()> {
        let files = &self.folder.in_use;
        if let Some(index) = files.iter().position(|file| file.header.number == position.file) {
            self.enter(index)?;
            let file = self.file(index)?;
            let inside = position.offset >= FRAMES_START + HEAD_BYTES as u64 && position.offset <= file.len;
            if !inside || !position.offset.is_multiple_of(FRAME_ALIGN) || file.header.first_seq >= self.next_seq {
                let what = format!("the position of the last flush is not in this file: seq={}", self.next_seq - 1);
                return Err(damaged(&file.path, position.offset, what));
            }
            self.offset = position.offset;
            return Ok(());
        }
        match files.iter().position(|file| self.continues(file)) {
            Some(index) => {
                self.anchor = files.get(index).map(|file| file.header.number);
                self.enter(index)
            }
            None => Err(damaged(
                self.dir,
                0,
                format!(
                    "the journal file behind the last flush is missing: file={} seq={}",
                    position.file, self.next_seq
                ),
            )),
        }
    }

    fn file(&self, index: usize) -> Result<&'a InUse> {
        self.folder.in_use.get(index).ok_or(Error::Internal("a journal file out of range"))
    }

    fn continues(&self, file: &InUse) -> bool {
        file.header.first_seq == self.next_seq && is_chained(file.header.previous_crc, self.crc)
    }

    /// A file is begun only when everything before it is durable (I4): its header is a witness.
    fn enter(&mut self, index: usize) -> Result<()> {
        let file = self.file(index)?;
        self.witnessed = self.witnessed.max(file.header.first_seq.saturating_sub(1).min(self.next_seq - 1));
        self.current = Some((index, FileReader::open(self.vfs, &file.path)?));
        self.offset = FRAMES_START;
        Ok(())
    }

    fn next_file(&self) -> Option<(usize, &'a InUse)> {
        let index = self.current.as_ref().map_or(0, |(index, _)| index + 1);
        self.folder.in_use.get(index).map(|file| (index, file))
    }

    /// Follows the chain to the first missing frame.
    fn go(&mut self) -> Result<()> {
        loop {
            if let Some((index, next)) = self.next_file() {
                if self.continues(next) {
                    self.enter(index)?;
                    continue;
                }
                if next.header.first_seq <= self.next_seq {
                    let what = format!(
                        "the file does not continue the one before it: first_seq={} expected={}",
                        next.header.first_seq, self.next_seq
                    );
                    return Err(damaged(&next.path, 0, what));
                }
            }
            let Some((offset, frame)) = self.next_frame()? else { return Ok(()) };
            self.accept(offset, frame)?;
        }
    }

    /// The next frame of the chain: right after the last one, or at the next page.
    fn next_frame(&mut self) -> Result<Option<(u64, Frame)>> {
        let Some((index, reader)) = &mut self.current else { return Ok(None) };
        let salt = self.folder.in_use.get(*index).map_or(0, |file| file.header.salt);
        let page = align_up(self.offset, PAGE_BYTES);
        for offset in [self.offset, page] {
            match reader.frame_at(offset, salt)? {
                Some(frame) if frame.seq() == self.next_seq && is_chained(frame.previous_crc(), self.crc) => {
                    return Ok(Some((offset, frame)));
                }
                // These places are never written twice: two histories have met, or the position belongs to another file.
                Some(frame) if frame.seq() <= self.next_seq => {
                    let what = format!("the chain is broken: seq={} expected={}", frame.seq(), self.next_seq);
                    return Err(damaged(&reader.path(), offset, what));
                }
                _ => {}
            }
            if offset == page {
                break;
            }
        }
        Ok(None)
    }

    fn accept(&mut self, offset: u64, frame: Frame) -> Result<()> {
        let Some((index, reader)) = &self.current else { return Ok(()) };
        if frame.first_event_id() != self.next_event_id {
            let what = format!(
                "event ids are not contiguous: seq={} found={} expected={}",
                frame.seq(),
                frame.first_event_id(),
                self.next_event_id
            );
            return Err(damaged(&reader.path(), offset, what));
        }
        self.offset = offset + frame.bytes().len() as u64;
        self.next_event_id = frame.next_event_id();
        self.crc = frame.crc();
        self.witnessed = self.witnessed.max(frame.durable_upto());
        let number = self.file(*index)?.header.number;
        self.position = Some(Position { file: number, offset: self.offset, crc: self.crc });
        self.next_seq += 1;
        self.frames.push(frame);
        Ok(())
    }
}

/// Whether a frame that names `previous_crc` follows the frame with the checksum `crc`.
fn is_chained(previous_crc: u32, crc: u32) -> bool {
    previous_crc == crc || planted(PlantedFault::ChainUnchecked)
}

fn damaged(file: &Path, offset: u64, what: String) -> Error {
    Error::Corrupt { file: file.to_path_buf(), offset, what }
}
