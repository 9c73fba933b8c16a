//! Reads the frames of a segment one after another without an index: at opening, and when an index is damaged.
//!
//! A frame follows the one before it at the next 8-aligned offset, or on the next page if a flush lay between them.

use std::ops::ControlFlow;

use ledgerstone_format::{PAGE_BYTES, align_up, checksum::search_sealed};
use ledgerstone_vfs::{FileError, VfsFile};

use super::{header::SEGMENT_HEADER_BYTES, header::SegmentHeader, index::SegmentIndex};
use crate::{
    Error, Result,
    frame::{FRAME_HEADER_BYTES, FRAME_HEADER_LEN, Frame, FrameFacts, FrameHeader, Place, verifies_before_zeros},
};

/// Bytes per read.
const WINDOW_BYTES: u64 = 256 * 1024;
/// How far after the end a witness is searched: more than the largest event and the bytes between two flushes. A longer file
/// (sparse ones can be terabytes) is damaged, not torn.
const SEARCH_BYTES: u64 = 2 << 30;

/// The two possible offsets of the frame after `end`.
pub(crate) fn candidates(end: u64) -> impl Iterator<Item = u64> {
    let page = align_up(end, PAGE_BYTES);
    [Some(end), (page != end).then_some(page)].into_iter().flatten()
}

/// The frames of a segment from the first one to where none follows.
#[derive(Debug)]
pub(crate) struct Walked {
    pub(crate) index: SegmentIndex,
}

/// Verifies the frames of `file` in order. `timestamp_ms` is that of the last event before this segment.
pub(crate) fn walk(file: &dyn VfsFile, header: &SegmentHeader, timestamp_ms: u64) -> Result<Walked> {
    walk_upto(file, header, timestamp_ms, u64::MAX)
}

/// The same, but only up to a frame that ends at `end_offset`: more may be appended during the walk.
pub(crate) fn walk_upto(
    file: &dyn VfsFile,
    header: &SegmentHeader,
    timestamp_ms: u64,
    end_offset: u64,
) -> Result<Walked> {
    let mut window = Window::new(file)?;
    let mut index = SegmentIndex::empty(header.first_id, timestamp_ms);
    while index.end().offset < end_offset {
        let end = index.end();
        let mut next = None;
        for offset in candidates(end.offset) {
            let frame = window.frame_at(offset, header.salt)?;
            next = frame.filter(|frame| frame.first_id == end.id);
            if next.is_some() {
                break;
            }
        }
        let Some(frame) = next else { break };
        if frame.first_timestamp_ms < end.timestamp_ms {
            return Err(window.corrupt(frame.offset, "the timestamps of the frame go back"));
        }
        index.push(&frame);
    }
    Ok(Walked { index })
}

impl Walked {
    /// Whether anything after the end proves that the event missing there had been flushed: then it is damage, otherwise a torn
    /// tail. Frames of one unflushed batch prove nothing: a device may have stored any of them.
    pub(crate) fn is_promised_further(&self, file: &dyn VfsFile, header: &SegmentHeader) -> Result<bool> {
        let (end, file_len) = (self.index.end(), file.len()?);
        let read = |buffer: &mut [u8], offset| {
            // The file was cut after its length was taken: missing bytes are no frame.
            let len = file.read_full_at(buffer, offset)?;
            buffer.get_mut(len..).unwrap_or_default().fill(0);
            Ok::<_, Error>(())
        };
        let claim = |offset, bytes: &[u8]| {
            let seen = FrameHeader::parse(bytes)?;
            let is_witness = seen.first_id() > end.id && seen.flushed_upto() > end.id;
            is_witness.then(|| seen.claim(Place { salt: header.salt, offset }))
        };
        let mut is_promised = false;
        let searched = file_len.min(end.offset.saturating_add(SEARCH_BYTES));
        search_sealed(end.offset..searched, FRAME_HEADER_LEN, read, claim, |_, _| {
            is_promised = true;
            ControlFlow::Break(())
        })?;
        Ok(is_promised || searched < file_len)
    }

    /// Whether a frame begins right after the end that will verify once zeros follow it: opening leaves the rest of the page
    /// unchanged, and the growing file after it reads as zeros until more is written.
    pub(crate) fn would_come_back(&self, file: &dyn VfsFile, header: &SegmentHeader) -> Result<bool> {
        let mut window = Window::new(file)?;
        let end = self.index.end();
        let left = align_up(end.offset, PAGE_BYTES).min(window.file_len).saturating_sub(end.offset);
        let Some(bytes) = window.bytes(end.offset, left)?.filter(|bytes| !bytes.is_empty()) else { return Ok(false) };
        Ok(verifies_before_zeros(bytes, end.id, Place { salt: header.salt, offset: end.offset }))
    }

    /// The damage at the end of the readable part.
    pub(crate) fn damage(&self, file: &dyn VfsFile) -> Result<Error> {
        let mut window = Window::new(file)?;
        let end = self.index.end().offset;
        let gap = align_up(end, PAGE_BYTES) - end;
        let padding = window.bytes(end, gap)?.is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
        let offset = if padding { end + gap } else { end };
        Ok(window.corrupt(offset, "a frame does not verify"))
    }

    /// The number of bytes after the last frame, if any of them is not zero: the rest of a torn write.
    pub(crate) fn torn_bytes(&self, file: &dyn VfsFile) -> Result<u64> {
        let mut window = Window::new(file)?;
        let mut offset = self.index.end().offset;
        while offset < window.file_len {
            let len = WINDOW_BYTES.min(window.file_len - offset);
            let bytes = window.bytes(offset, len)?.unwrap_or_default();
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(window.file_len - self.index.end().offset);
            }
            offset += len;
        }
        Ok(0)
    }
}

/// A window of a file in memory, moved as requested.
#[derive(Debug)]
struct Window<'f> {
    file: &'f dyn VfsFile,
    file_len: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl<'f> Window<'f> {
    fn new(file: &'f dyn VfsFile) -> Result<Self> {
        Ok(Self { file, file_len: file.len()?, start: SEGMENT_HEADER_BYTES, buffer: Vec::new() })
    }

    /// `len` bytes at `offset`; `None` when the file has fewer.
    fn bytes(&mut self, offset: u64, len: u64) -> Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(len).filter(|end| *end <= self.file_len) else { return Ok(None) };
        if offset < self.start || end > self.start + self.buffer.len() as u64 {
            let wanted = len.max(WINDOW_BYTES).min(self.file_len - offset);
            let Ok(wanted) = usize::try_from(wanted) else { return Ok(None) };
            self.buffer.clear();
            // The frame claims this size: a failed allocation is an error and must not end the process.
            self.buffer.try_reserve(wanted).map_err(|_| FileError::no_memory("pread", self.file.path()))?;
            self.buffer.resize(wanted, 0);
            self.start = offset;
            let read = self.file.read_full_at(&mut self.buffer, offset)?;
            self.buffer.truncate(read);
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(self.buffer.get(from..).and_then(|bytes| bytes.get(..len)))
    }

    fn header_at(&mut self, offset: u64) -> Result<Option<FrameHeader>> {
        Ok(self.bytes(offset, FRAME_HEADER_BYTES)?.and_then(FrameHeader::parse))
    }

    fn frame_at(&mut self, offset: u64, salt: u64) -> Result<Option<FrameFacts>> {
        let Some(header) = self.header_at(offset)? else { return Ok(None) };
        let Some(bytes) = self.bytes(offset, header.length_bytes())? else { return Ok(None) };
        match Frame::verify(bytes, Place { salt, offset }) {
            Ok(frame) => Ok(frame.map(|frame| frame.facts())),
            Err(flaw) => Err(flaw.into_error(self.file.path(), offset)),
        }
    }

    fn corrupt(&self, offset: u64, what: &str) -> Error {
        Error::Corrupt { file: self.file.path().to_path_buf(), offset, what: what.to_owned() }
    }
}
