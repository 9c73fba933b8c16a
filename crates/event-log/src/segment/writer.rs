//! The active segment. Keeps the page rule: no page that holds flushed frames is written again, so a torn page holds only bytes
//! that were never promised.

use std::{path::Path, sync::Arc};

use ledgerstone_format::{PAGE_BYTES, align_up};
use ledgerstone_vfs::{Aside, OpenHow, Vfs, VfsFile};
use parking_lot::RwLock;

use super::{
    Body, Segment,
    footer::Footer,
    header::{SEGMENT_HEADER_BYTES, SegmentHeader},
    index::SegmentIndex,
    reader::stored_index,
    segment_name,
};
use crate::{
    error::WriteFailure,
    frame::{FrameFacts, Place},
};

/// The active segment's file and the end of its frames.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    file: Arc<dyn VfsFile>,
    segment: Arc<Segment>,
    end_offset: u64,
    file_len: u64,
    /// The page of `end_offset` may hold flushed frames: the next frame starts after it.
    page_is_flushed: bool,
    dirty: bool,
}

impl SegmentWriter {
    /// Makes a segment without frames; `last_ms` is the timestamp of the last event before it. It is written aside, flushed and
    /// renamed, and the folder flushed: a file with the name has its header, and both exist before the first frame.
    pub(crate) fn create(vfs: &dyn Vfs, dir: &Path, header: SegmentHeader, last_ms: u64) -> Result<Self, WriteFailure> {
        let path = dir.join(segment_name(header.first_id));
        Aside::fill_and_place(vfs, &path, |file| {
            file.write_all_at(&header.encode(), 0)?;
            file.sync_data().map_err(WriteFailure::flush)
        })?;
        vfs.sync_dir(dir).map_err(WriteFailure::flush)?;
        let file = vfs.open(&path, OpenHow::ReadWrite)?;
        let index = SegmentIndex::empty(header.first_id, last_ms);
        let segment = Arc::new(Segment { path, header, body: Body::Indexed(RwLock::new(index)) });
        Ok(Self {
            file,
            segment,
            end_offset: SEGMENT_HEADER_BYTES,
            file_len: SEGMENT_HEADER_BYTES,
            page_is_flushed: true,
            dirty: false,
        })
    }

    /// Continues a scanned segment: cuts the bytes after its frames, in whole pages, and flushes it, since the scanned bytes
    /// may have been in memory only.
    pub(crate) fn reopen(vfs: &dyn Vfs, segment: Arc<Segment>) -> Result<Self, WriteFailure> {
        let mut writer = Self::reopen_flushed(vfs, segment)?;
        writer.restore()?;
        Ok(writer)
    }

    /// The same for a segment that needs no cut and was flushed.
    pub(crate) fn reopen_flushed(vfs: &dyn Vfs, segment: Arc<Segment>) -> Result<Self, WriteFailure> {
        let file = vfs.open(&segment.path, OpenHow::ReadWrite)?;
        let (end_offset, file_len) = (segment.end().offset, file.len()?);
        Ok(Self { file, segment, end_offset, file_len, page_is_flushed: true, dirty: false })
    }

    /// Continues a segment that has a footer: the footer is cut off, in whole pages, and the cut is flushed before anything is
    /// written there. Otherwise new frames could be followed by the footer of earlier ones.
    pub(crate) fn go_on(vfs: &dyn Vfs, closed: &Segment) -> Result<Self, WriteFailure> {
        let file = vfs.open(&closed.path, OpenHow::Read)?;
        let (path, header) = (closed.path.clone(), closed.header);
        let index = match &closed.body {
            Body::Sealed(footer) => stored_index(&*file, &header, footer)?,
            Body::Indexed(index) => index.read().clone(),
        };
        drop(file);
        Self::reopen(vfs, Arc::new(Segment { path, header, body: Body::Indexed(RwLock::new(index)) }))
    }

    pub(crate) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    pub(crate) const fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Whether it has no frames.
    pub(crate) const fn is_empty(&self) -> bool {
        self.end_offset == SEGMENT_HEADER_BYTES
    }

    /// Where the next frame may begin.
    pub(crate) fn next_place(&self) -> Place {
        let offset = if self.page_is_flushed { align_up(self.end_offset, PAGE_BYTES) } else { self.end_offset };
        Place { salt: self.segment.header.salt, offset }
    }

    /// Writes frames that were encoded for their places, [`Self::next_place`] or a little after, in one write; then adds them
    /// to the index.
    pub(crate) fn write(&mut self, bytes: &[u8], frames: &[FrameFacts]) -> Result<(), WriteFailure> {
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return Ok(()) };
        self.file.write_all_at(bytes, first.offset)?;
        if let Body::Indexed(index) = &self.segment.body {
            let mut index = index.write();
            for frame in frames {
                index.push(frame);
            }
        }
        self.end_offset = last.offset.saturating_add(last.stored_bytes);
        self.file_len = self.file_len.max(first.offset.saturating_add(bytes.len() as u64));
        self.page_is_flushed = false;
        self.dirty = true;
        Ok(())
    }

    /// Flushes once, if there is anything to flush.
    pub(crate) fn sync(&mut self) -> Result<(), WriteFailure> {
        if self.dirty {
            self.file.sync_data().map_err(WriteFailure::flush)?;
            self.check_in_place()?;
            self.dirty = false;
            self.page_is_flushed = true;
        }
        Ok(())
    }

    /// Written events count only where the next opening finds them. Otherwise a failure that poisons.
    pub(crate) fn check_in_place(&self) -> Result<(), WriteFailure> {
        self.file.check_in_place().map_err(WriteFailure::flush)
    }

    /// Cuts what a failed write left after the last whole frame, and flushes. Cutting within a page makes the file system write
    /// that page, so a page with flushed frames keeps its left-over bytes: recovery makes sure that they never verify, however
    /// the file grows.
    pub(crate) fn restore(&mut self) -> Result<(), WriteFailure> {
        let keep = if self.page_is_flushed { align_up(self.end_offset, PAGE_BYTES) } else { self.end_offset };
        let len = self.file.len()?;
        if len > keep {
            self.file.set_len(keep)?;
        }
        self.file_len = len.min(keep);
        self.dirty = true;
        self.sync()
    }

    /// Flushes the frames, writes index and footer on a fresh page, flushes again. After a failure the segment stays active.
    pub(crate) fn seal(&mut self) -> Result<Arc<Segment>, WriteFailure> {
        self.sync()?;
        let Body::Indexed(index) = &self.segment.body else { return Ok(Arc::clone(&self.segment)) };
        let (footer, bytes) = Footer::seal(&self.segment.header, &index.read());
        self.file.write_all_at(&bytes, footer.index_offset)?;
        self.file.sync_data().map_err(WriteFailure::flush)?;
        self.file_len = footer.index_offset.saturating_add(bytes.len() as u64);
        let (path, header) = (self.segment.path.clone(), self.segment.header);
        Ok(Arc::new(Segment { path, header, body: Body::Sealed(footer) }))
    }
}
