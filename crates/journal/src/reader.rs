//! Reads one journal file that nobody vouches for. Total on any bytes; a failed read is an error, never an invalid frame.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_format::align_up;
use ledgerstone_vfs::{OpenHow, Vfs, VfsFile};

use crate::{
    Frame, Result,
    file_header::{FileHeader, HEADER_BYTES, HeaderFound},
    frame::check_structure,
    frame_head::{FRAME_ALIGN, FrameHead, HEAD_BYTES},
};

/// How much is read at once.
const WINDOW_BYTES: u64 = 1 << 20;

#[derive(Debug)]
pub(crate) struct FileReader {
    handle: Arc<dyn VfsFile>,
    len: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl FileReader {
    pub(crate) fn open(vfs: &dyn Vfs, path: &Path) -> Result<Self> {
        let handle = vfs.open(path, OpenHow::Read)?;
        let len = handle.len()?;
        Ok(Self { handle, len, window: Vec::new(), window_start: 0 })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.handle.path().to_path_buf()
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn header(&mut self) -> Result<HeaderFound> {
        let len = self.len.min(HEADER_BYTES as u64);
        let bytes = self.bytes(0, len)?.unwrap_or_default();
        // A file cut within its header, even down to zeros, is not one that was never written.
        Ok(if len < HEADER_BYTES as u64 { HeaderFound::Damaged } else { FileHeader::find(bytes) })
    }

    /// `len` bytes at `offset`; `None` where the file does not have them.
    fn bytes(&mut self, offset: u64, len: u64) -> Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(len).filter(|end| *end <= self.len) else { return Ok(None) };
        let window_end = self.window_start + self.window.len() as u64;
        if offset < self.window_start || end > window_end {
            let fill = (self.len - offset).min(len.max(WINDOW_BYTES));
            self.window = vec![0; usize::try_from(fill).unwrap_or(0)];
            self.window_start = offset;
            let read = self.handle.read_full_at(&mut self.window, offset);
            self.window.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        let start = usize::try_from(offset - self.window_start).unwrap_or(usize::MAX);
        Ok(self.window.get(start..).and_then(|rest| rest.get(..usize::try_from(len).ok()?)))
    }

    /// The head at `offset`, if a frame that begins so would fit into the file.
    pub(crate) fn head_at(&mut self, offset: u64) -> Result<Option<FrameHead>> {
        let len = self.len;
        let head = self.bytes(offset, HEAD_BYTES as u64)?.and_then(FrameHead::parse);
        Ok(head.filter(|head| u64::from(head.length) <= len - offset))
    }

    /// The frame at `offset`, if there is one that verifies.
    pub(crate) fn frame_at(&mut self, offset: u64, salt: u64) -> Result<Option<Frame>> {
        let Some(head) = self.head_at(offset)? else { return Ok(None) };
        let bytes = self.bytes(offset, u64::from(head.length))?;
        Ok(bytes.and_then(|bytes| Frame::verify(bytes.to_vec(), salt)))
    }

    /// Whether what stands at `offset` has the structure of a frame with that head, whatever its checksum.
    pub(crate) fn looks_whole_at(&mut self, offset: u64, head: &FrameHead) -> Result<bool> {
        let bytes = self.bytes(offset, u64::from(head.length))?;
        Ok(bytes.is_some_and(|bytes| check_structure(bytes, head).is_some()))
    }

    /// The first offset at or behind `from` where something stands that a frame could begin with.
    pub(crate) fn next_head(&mut self, from: u64) -> Result<Option<(u64, FrameHead)>> {
        let mut offset = align_up(from, FRAME_ALIGN);
        loop {
            let left = self.len.saturating_sub(offset);
            let Some(bytes) = self.bytes(offset, left.min(WINDOW_BYTES))?.filter(|bytes| bytes.len() >= HEAD_BYTES)
            else {
                return Ok(None);
            };
            let places = bytes.len() - HEAD_BYTES + 1;
            for at in (0..places).step_by(8) {
                let Some(head) = bytes.get(at..).and_then(FrameHead::parse) else { continue };
                if u64::from(head.length) <= left - at as u64 {
                    return Ok(Some((offset + at as u64, head)));
                }
            }
            offset += align_up(places as u64, FRAME_ALIGN);
        }
    }
}
