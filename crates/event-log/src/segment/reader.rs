//! Reads blocks of one segment through a separate handle, and verifies every frame it returns.

use std::sync::Arc;

use ledgerstone_vfs::{FileError, OpenHow, Vfs, VfsFile};

use super::{
    Body, Segment,
    footer::Footer,
    header::SegmentHeader,
    index::{INDEX_ENTRY_BYTES, SegmentIndex, Span},
    read_buffer::ReadBuffer,
    walk::{candidates, walk_upto},
};
use crate::{
    Error, Result,
    frame::{FRAME_ALIGNMENT, Frame, Place},
};

/// Longer than any block: one frame of the largest event, or small ones up to the next entry, plus what is read ahead.
const MAX_BLOCK_BYTES: usize = (1 << 30) + (64 << 20);

/// A segment, opened for reading.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    segment: Arc<Segment>,
    file: Arc<dyn VfsFile>,
    /// The index of a sealed segment; any other segment has its index in memory.
    stored_index: Option<SegmentIndex>,
}

impl SegmentReader {
    /// Opens the file of `segment` and loads its index if the file stores it.
    pub(crate) fn open(vfs: &dyn Vfs, segment: Arc<Segment>) -> Result<Self> {
        let file = vfs.open(&segment.path, OpenHow::Read)?;
        let stored_index = match &segment.body {
            Body::Indexed(_) => None,
            Body::Sealed(footer) => Some(stored_index(&*file, &segment.header, footer)?),
        };
        Ok(Self { segment, file, stored_index })
    }

    pub(crate) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// The memory of its stored index.
    pub(crate) fn index_bytes(&self) -> u64 {
        let entries = self.stored_index.as_ref().map_or(0, |index| index.entries().len());
        INDEX_ENTRY_BYTES.saturating_mul(entries as u64)
    }

    /// Calls `ask` with the index. The active segment's index is locked during the call: no I/O in `ask`.
    pub(crate) fn with_index<R>(&self, ask: impl FnOnce(&SegmentIndex) -> Option<R>) -> Option<R> {
        match (&self.stored_index, &self.segment.body) {
            (Some(index), _) => ask(index),
            (None, Body::Indexed(index)) => ask(&index.read()),
            (None, Body::Sealed(_)) => None,
        }
    }

    /// Fills `buffer` with the bytes of `span`, in one read.
    pub(crate) fn load(&self, span: Span, buffer: &mut ReadBuffer) -> Result<()> {
        let len = span.end_offset.saturating_sub(span.offset);
        let len = usize::try_from(len).ok().filter(|len| *len <= MAX_BLOCK_BYTES);
        let len = len.ok_or_else(|| self.corrupt(span.offset, "a block is too large"))?;
        let no_memory = || FileError::no_memory("pread", &self.segment.path);
        let buffer = buffer.resize(len).ok_or_else(no_memory)?;
        let read = self.file.read_full_at(buffer, span.offset)?;
        let missing = buffer.get_mut(read..).unwrap_or_default();
        // The last frame may lack its padding.
        if missing.len() as u64 >= FRAME_ALIGNMENT {
            return Err(self.corrupt(span.offset, "the file ends within its frames"));
        }
        missing.fill(0);
        Ok(())
    }

    /// The frames of `span`, which `buffer` holds, in order. Ends after the span's last frame or the first error.
    pub(crate) fn frames<'b>(&'b self, span: Span, buffer: &'b [u8]) -> impl Iterator<Item = Result<Frame<'b>>> {
        let (mut end, mut next_id) = (span.offset, span.first_id);
        std::iter::from_fn(move || {
            if next_id >= span.end_id {
                return None;
            }
            let frame = self.frame_behind(span, buffer, end, next_id);
            match &frame {
                Ok(frame) => {
                    let facts = frame.facts();
                    (end, next_id) = (facts.offset + facts.stored_bytes, facts.first_id + facts.count);
                }
                Err(_) => next_id = span.end_id,
            }
            Some(frame)
        })
    }

    fn frame_behind<'b>(&self, span: Span, buffer: &'b [u8], end: u64, next_id: u64) -> Result<Frame<'b>> {
        for offset in candidates(end) {
            let place = Place { salt: self.segment.header.salt, offset };
            let from = usize::try_from(offset.saturating_sub(span.offset)).unwrap_or(usize::MAX);
            let Some(bytes) = buffer.get(from..) else { break };
            match Frame::verify(bytes, place) {
                Ok(Some(frame)) if frame.facts().first_id == next_id => return Ok(frame),
                Ok(_) => {}
                Err(flaw) => return Err(flaw.into_error(&self.segment.path, offset)),
            }
        }
        Err(self.corrupt(end, "a frame does not verify"))
    }

    pub(crate) fn corrupt(&self, offset: u64, what: &str) -> Error {
        Error::Corrupt { file: self.segment.path.clone(), offset, what: what.to_owned() }
    }
}

/// The index of a segment with this footer. If the stored one is damaged, or has just been removed because the log continues,
/// the frames are read: the footer was verified, so they must reach its end.
pub(super) fn stored_index(file: &dyn VfsFile, header: &SegmentHeader, footer: &Footer) -> Result<SegmentIndex> {
    if let Some(index) = footer.read_index(file, header)? {
        return Ok(index);
    }
    let walked = walk_upto(file, header, 0, footer.end.offset)?;
    if walked.index.end() == footer.end { Ok(walked.index) } else { Err(walked.damage(file)?) }
}
