//! The frames that are appended and not yet written, which form the next group, and the place of the next frame in the journal's files.
//!
//! Every group starts on a fresh page, so that a page with written frames is never written again: a group is closed when it is
//! taken, and the next append begins at the next page. A group that spans two files has a run in each. Knows nothing of threads
//! and does no I/O.

use std::{collections::VecDeque, sync::Arc};

use ledgerstone_format::{PAGE_BYTES, StoreId, align_up};
use ledgerstone_vfs::VfsFile;

use crate::{
    Frame, FrameBuilder, Position, Stamp,
    file_header::{FRAMES_START, FileHeader, make_salt},
    frame_builder::Link,
    frame_memory::FrameMemory,
    prepared_file::PreparedFile,
    watermarks::Reach,
};

/// A journal file being filled.
#[derive(Debug)]
pub(crate) struct JournalFile {
    pub(crate) number: u64,
    pub(crate) salt: u64,
    pub(crate) capacity: u64,
    pub(crate) handle: Arc<dyn VfsFile>,
}

/// Consecutive frames in one file: one contiguous write.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) file: Arc<JournalFile>,
    /// Where the first frame goes, a page boundary.
    pub(crate) offset: u64,
    /// Present for the first run of a file: the header is written with it.
    pub(crate) header: Option<FileHeader>,
    pub(crate) frames: Vec<Frame>,
}

impl Run {
    /// The place after its last frame.
    pub(crate) fn reach(&self) -> Reach {
        self.frames
            .last()
            .map_or_else(Reach::default, |frame| Reach { seq: frame.seq(), next_event_id: frame.next_event_id() })
    }
}

/// A file in use; the one being filled counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileEntry {
    pub(crate) number: u64,
    pub(crate) first_seq: u64,
    pub(crate) capacity: u64,
}

/// Whether the next frame has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Ready,
    /// A file of at least this many bytes must be reserved first.
    NeedsFile {
        need_bytes: u64,
        used_bytes: u64,
    },
}

/// The state when the first frame is appended.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) store_id: StoreId,
    pub(crate) last_seq: u64,
    /// The id of the event after the last one.
    pub(crate) next_event_id: u64,
    pub(crate) last_crc: u32,
    /// The place after the last frame, if there ever was one.
    pub(crate) position: Option<Position>,
    /// The file to continue, and its next page.
    pub(crate) current: Option<(Arc<JournalFile>, u64)>,
    pub(crate) files: Vec<FileEntry>,
    /// The base for the salts of new files.
    pub(crate) salt_base: u64,
}

#[derive(Debug)]
pub(crate) struct PendingFrames {
    origin: Origin,
    reserved: Option<PreparedFile>,
    runs: Vec<Run>,
    pending_bytes: u64,
    /// The groups not known to be durable, with their sizes: last seq, bytes.
    undurable: VecDeque<(u64, u64)>,
    undurable_bytes: u64,
    pub(crate) memory: FrameMemory,
    /// Whether the next frame joins the last run.
    open: bool,
}

impl PendingFrames {
    pub(crate) fn new(origin: Origin) -> Self {
        let memory = FrameMemory::default();
        Self {
            origin,
            reserved: None,
            runs: Vec::new(),
            pending_bytes: 0,
            undurable: VecDeque::new(),
            undurable_bytes: 0,
            memory,
            open: false,
        }
    }

    pub(crate) const fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }

    pub(crate) const fn last_seq(&self) -> u64 {
        self.origin.last_seq
    }

    pub(crate) const fn position(&self) -> Option<Position> {
        self.origin.position
    }

    pub(crate) const fn store_id(&self) -> StoreId {
        self.origin.store_id
    }

    pub(crate) const fn origin_mut(&mut self) -> &mut Origin {
        &mut self.origin
    }

    pub(crate) fn files(&self) -> &[FileEntry] {
        &self.origin.files
    }

    /// Whether a frame of this length has a place, even if the group is taken before it comes.
    pub(crate) fn room(&self, frame_len: u64) -> Room {
        let fits_here = self
            .origin
            .current
            .as_ref()
            .is_some_and(|(file, end)| align_up(*end, PAGE_BYTES).saturating_add(frame_len) <= file.capacity);
        let need_bytes = FRAMES_START.saturating_add(frame_len);
        if fits_here || self.reserved.as_ref().is_some_and(|spare| spare.capacity >= need_bytes) {
            return Room::Ready;
        }
        let used_bytes = self.origin.files.iter().map(|file| file.capacity).sum();
        Room::NeedsFile { need_bytes, used_bytes }
    }

    /// A reserved file that is too small for the next frame.
    pub(crate) fn take_reserved(&mut self) -> Option<PreparedFile> {
        self.reserved.take()
    }

    pub(crate) fn reserve(&mut self, file: PreparedFile) {
        self.reserved = Some(file);
    }

    /// Gives the frame its place and everything that depends on it. Changes the file when it does not fit.
    pub(crate) fn append(
        &mut self,
        builder: FrameBuilder,
        stamp: Stamp,
        durable_upto: u64,
    ) -> Result<(Frame, Position), &'static str> {
        if stamp.seq != self.origin.last_seq + 1 {
            return Err("seq is not contiguous");
        }
        let frame_len = builder.encoded_len();
        let (file, offset) = self.place(frame_len, stamp.seq)?;
        let link = Link { salt: file.salt, previous_crc: self.origin.last_crc, durable_upto };
        let (frame, rest) = builder.finish(stamp, link).map_err(|_| "a frame without a head")?;
        self.memory.give_back(rest);
        let position = Position { file: file.number, offset: offset + frame_len, crc: frame.crc() };
        if !self.open {
            self.runs.push(Run { file: Arc::clone(&file), offset, header: None, frames: Vec::new() });
            self.open = true;
        }
        self.runs.last_mut().ok_or("an open group without a run")?.frames.push(frame.clone());
        self.pending_bytes += frame_len;
        self.origin.last_seq = stamp.seq;
        self.origin.last_crc = frame.crc();
        self.origin.position = Some(position);
        self.origin.current = Some((file, position.offset));
        Ok((frame, position))
    }

    fn place(&mut self, frame_len: u64, seq: u64) -> Result<(Arc<JournalFile>, u64), &'static str> {
        if let Some((file, end)) = &self.origin.current
            && end.saturating_add(frame_len) <= file.capacity
        {
            return Ok((Arc::clone(file), *end));
        }
        let spare = self.reserved.take().ok_or("append without reserve")?;
        if FRAMES_START.saturating_add(frame_len) > spare.capacity {
            return Err("append of more than was reserved");
        }
        let mut header = FileHeader {
            store_id: self.origin.store_id,
            number: spare.number,
            first_seq: seq,
            salt: 0,
            previous_crc: self.origin.last_crc,
        };
        header.salt = make_salt(&header, self.origin.salt_base);
        self.origin.files.push(FileEntry { number: spare.number, first_seq: seq, capacity: spare.capacity });
        let file = Arc::new(JournalFile {
            number: spare.number,
            salt: header.salt,
            capacity: spare.capacity,
            handle: spare.handle,
        });
        self.runs.push(Run { file: Arc::clone(&file), offset: FRAMES_START, header: Some(header), frames: Vec::new() });
        self.open = true;
        Ok((file, FRAMES_START))
    }

    /// How many bytes a recovery would have to copy after a kill, at most: the frames that no later one records as durable.
    pub(crate) fn tail_bytes(&mut self, durable_seq: u64) -> u64 {
        while let Some((_, bytes)) = self.undurable.front().copied().filter(|(last_seq, _)| *last_seq <= durable_seq) {
            self.undurable.pop_front();
            self.undurable_bytes -= bytes;
        }
        self.undurable_bytes + self.pending_bytes
    }

    /// Takes the group and closes it: the next frame begins a new page.
    pub(crate) fn take(&mut self) -> Vec<Run> {
        if let Some((_, end)) = &mut self.origin.current {
            *end = align_up(*end, PAGE_BYTES);
        }
        self.open = false;
        if self.pending_bytes > 0 {
            self.undurable.push_back((self.origin.last_seq, self.pending_bytes));
            self.undurable_bytes += self.pending_bytes;
        }
        self.pending_bytes = 0;
        std::mem::take(&mut self.runs)
    }

    /// Takes the oldest files off the list of those in use: each ends at or below `upto_seq`, a later file begins at or
    /// below `durable_seq` (I7: so the newest durable frame stays readable), and at least `keep_bytes` stay behind.
    pub(crate) fn release(&mut self, upto_seq: u64, durable_seq: u64, keep_bytes: u64) -> Vec<FileEntry> {
        let files = &mut self.origin.files;
        let ended = files
            .iter()
            .zip(files.iter().skip(1))
            .take_while(|(_, next)| next.first_seq <= upto_seq.saturating_add(1) && next.first_seq <= durable_seq)
            .count();
        let mut kept_bytes: u64 = files.iter().take(ended).map(|file| file.capacity).sum();
        let released = files
            .iter()
            .take(ended)
            .take_while(|file| {
                kept_bytes -= file.capacity;
                kept_bytes >= keep_bytes
            })
            .count();
        files.drain(..released).collect()
    }
}
