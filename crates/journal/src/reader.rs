//! Reads one untrusted journal file. Total on any bytes; a failed read is an error, never an invalid frame.

use std::{
    ops::{ControlFlow, Range},
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_format::{
    PAGE_BYTES, align_up,
    checksum::{Claim, SearchCost, crc32c, search_sealed},
    memory::copied,
};
use ledgerstone_vfs::{FileError, OpenHow, Vfs, VfsFile};

use crate::{
    Frame, Result,
    file_header::{FRAMES_START, FileHeader, HEADER_BYTES, HeaderFound},
    frame::check_structure,
    frame_head::{FRAME_ALIGN, FrameHead, HEAD_BYTES, frame_seed},
};

/// Bytes per read: few at first, because a file that ends where it should needs no more.
const FIRST_WINDOW_BYTES: u64 = 16 << 10;
const WINDOW_BYTES: u64 = 1 << 20;
/// What a device writes as a whole or not at all.
const SECTOR_BYTES: u64 = 512;

#[derive(Debug)]
pub(crate) struct FileReader {
    handle: Arc<dyn VfsFile>,
    len: u64,
    window: Vec<u8>,
    window_start: u64,
    next_window_bytes: u64,
}

impl FileReader {
    pub(crate) fn open(vfs: &dyn Vfs, path: &Path) -> Result<Self> {
        let handle = vfs.open(path, OpenHow::Read)?;
        let len = handle.len()?;
        Ok(Self { handle, len, window: Vec::new(), window_start: 0, next_window_bytes: FIRST_WINDOW_BYTES })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.handle.path().to_path_buf()
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn header(&mut self) -> Result<HeaderFound> {
        let mut bytes = [0; HEADER_BYTES];
        let len = self.handle.read_full_at(&mut bytes, 0)?;
        // A file cut within its header, even to zeros, was written once.
        Ok(if len < HEADER_BYTES { HeaderFound::Damaged } else { FileHeader::find(&bytes) })
    }

    /// Whether a file whose header is damaged is as ours are behind it. The header's page is written whole, so a power cut may have left any of its
    /// sectors in any state. Ours is one whose other sectors there are zeros, as they are written; or in which a frame begins where the first
    /// one does; or that was prepared and holds nothing but zeros.
    pub(crate) fn is_ours_behind_header(&mut self) -> Result<bool> {
        if self.is_blank(SECTOR_BYTES, FRAMES_START)? {
            return Ok(true);
        }
        if let Some(head) = self.head_at(FRAMES_START)? {
            return self.looks_whole_at(FRAMES_START, &head);
        }
        let is_prepared = self.len > FRAMES_START && self.len.is_multiple_of(PAGE_BYTES);
        Ok(is_prepared && self.is_blank(FRAMES_START, self.len)?)
    }

    /// Whether all is zero from one offset up to another, as far as the first byte that is not.
    fn is_blank(&mut self, from: u64, to: u64) -> Result<bool> {
        let mut at = from;
        while at < to {
            let len = (to - at).min(PAGE_BYTES);
            match self.bytes(at, len)? {
                Some(bytes) if bytes.iter().all(|byte| *byte == 0) => at += len,
                _ => return Ok(false),
            }
        }
        Ok(from < to)
    }

    /// `len` bytes at `offset`; `None` if the file is shorter.
    fn bytes(&mut self, offset: u64, len: u64) -> Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(len).filter(|end| *end <= self.len) else { return Ok(None) };
        let window_end = self.window_start + self.window.len() as u64;
        if offset < self.window_start || end > window_end {
            let fill = (self.len - offset).min(len.max(self.next_window_bytes));
            self.next_window_bytes = (self.next_window_bytes * 2).min(WINDOW_BYTES);
            let fill = usize::try_from(fill).unwrap_or(0);
            self.window.clear();
            // The file claims this size: a failed allocation is an error and must not end the process.
            self.window.try_reserve_exact(fill).map_err(|_| FileError::no_memory("pread", self.handle.path()))?;
            self.window.resize(fill, 0);
            self.window_start = offset;
            let read = self.handle.read_full_at(&mut self.window, offset);
            self.window.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        let start = usize::try_from(offset - self.window_start).unwrap_or(usize::MAX);
        Ok(self.window.get(start..).and_then(|rest| rest.get(..usize::try_from(len).ok()?)))
    }

    /// The head at `offset`, if a frame with it would fit into the file.
    pub(crate) fn head_at(&mut self, offset: u64) -> Result<Option<FrameHead>> {
        let len = self.len;
        let head = self.bytes(offset, HEAD_BYTES as u64)?.and_then(FrameHead::parse);
        Ok(head.filter(|head| u64::from(head.length) <= len - offset))
    }

    /// The frame at `offset`, if it verifies.
    pub(crate) fn frame_at(&mut self, offset: u64, salt: u64) -> Result<Option<Frame>> {
        let Some(head) = self.head_at(offset)? else { return Ok(None) };
        let Some(bytes) = self.bytes(offset, u64::from(head.length))? else { return Ok(None) };
        let Some(bytes) = copied(bytes) else {
            return Err(FileError::no_memory("pread", self.handle.path()).into());
        };
        Ok(Frame::verify(bytes, salt))
    }

    /// Finds a valid frame after `from` whose head `is_sought`, the one that ends first. Searches the rest of the file in one
    /// pass, whatever users stored there.
    pub(crate) fn find_frame(
        &mut self,
        from: u64,
        salt: u64,
        is_sought: impl FnMut(u64, &FrameHead) -> bool,
    ) -> Result<Option<Range<u64>>> {
        let mut first = None;
        self.search(from, salt, is_sought, |frame, _| {
            first = Some(frame);
            ControlFlow::Break(())
        })?;
        Ok(first)
    }

    /// Calls `found` with every valid frame after `from` whose head `is_sought`, and the seq up to which it had seen the
    /// journal durable, until `found` breaks off.
    pub(crate) fn search(
        &mut self,
        from: u64,
        salt: u64,
        mut is_sought: impl FnMut(u64, &FrameHead) -> bool,
        found: impl FnMut(Range<u64>, u64) -> ControlFlow<()>,
    ) -> Result<SearchCost> {
        let (handle, salt) = (&self.handle, crc32c(&salt.to_le_bytes()));
        let read = |buffer: &mut [u8], offset| {
            // The file was cut after its length was taken: missing bytes are no frame.
            let len = handle.read_full_at(buffer, offset)?;
            buffer.get_mut(len..).unwrap_or_default().fill(0);
            Ok(())
        };
        let claim = |at, bytes: &[u8]| {
            let head = FrameHead::parse(bytes).filter(|head| is_sought(at, head))?;
            let seed = frame_seed(salt, head.length);
            Some(Claim { length: head.length, seed, crc: head.crc, tag: head.durable_upto })
        };
        search_sealed(align_up(from, FRAME_ALIGN)..self.len, HEAD_BYTES, read, claim, found)
    }

    /// Whether the bytes at `offset` have the structure of a frame with this head, whatever its checksum.
    pub(crate) fn looks_whole_at(&mut self, offset: u64, head: &FrameHead) -> Result<bool> {
        let bytes = self.bytes(offset, u64::from(head.length))?;
        Ok(bytes.is_some_and(|bytes| check_structure(bytes, head).is_some()))
    }
}
