//! The facts about closed segments that archiving needs.

use std::path::PathBuf;

use ledgerstone_format::checksum::crc32c_append;
use ledgerstone_vfs::OpenHow;

use crate::{EventLog, Result, segment::Segment};

/// Bytes per read.
const READ_BYTES: usize = 1 << 20;

/// A closed segment: its file no longer changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its file.
    pub path: PathBuf,
    /// Its first event.
    pub first_id: u64,
    /// Its last event.
    pub last_id: u64,
    /// That event's timestamp in milliseconds.
    pub last_timestamp_ms: u64,
    /// The file's length.
    pub bytes: u64,
    /// The wall time when it was begun, in milliseconds; 0 if unknown.
    pub begun_ms: u64,
}

impl SegmentInfo {
    fn of(segment: &Segment) -> Self {
        let end = segment.end();
        Self {
            path: segment.path.clone(),
            first_id: segment.first_id(),
            last_id: end.id.saturating_sub(1),
            last_timestamp_ms: end.timestamp_ms,
            bytes: segment.known_bytes(),
            begun_ms: segment.header.begun_ms,
        }
    }
}

impl EventLog {
    /// The closed segments that hold events, oldest first; O(segments), without I/O. [`EventLog::rotate`] closes the one being written.
    pub fn sealed_segments(&self) -> Vec<SegmentInfo> {
        let oldest = self.oldest_event_id();
        let mut closed = self.closed_segments();
        closed.retain(|segment| segment.last_id >= oldest);
        closed
    }

    /// The CRC-32C of a closed segment's whole file, to compare a copy with. One sequential read.
    ///
    /// # Errors
    /// [`crate::Error::Trimmed`] when the segment was removed.
    pub fn checksum_of(&self, segment: &SegmentInfo) -> Result<u32> {
        let _held = self.hold(segment.last_id)?;
        self.checksum_held(segment)
    }

    /// The same for a pinned segment.
    pub(crate) fn checksum_held(&self, segment: &SegmentInfo) -> Result<u32> {
        let file = self.vfs.open(&segment.path, OpenHow::Read)?;
        let (mut offset, mut checksum, mut buffer) = (0_u64, 0, vec![0; READ_BYTES]);
        loop {
            let read = file.read_full_at(&mut buffer, offset)?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(checksum) };
            checksum = crc32c_append(checksum, bytes);
            offset = offset.saturating_add(read as u64);
        }
    }

    /// All segments except the newest one, which may still grow.
    pub(crate) fn closed_segments(&self) -> Vec<SegmentInfo> {
        let segments = self.segments.read();
        let closed = segments.len().saturating_sub(1);
        segments.iter().take(closed).map(|segment| SegmentInfo::of(segment)).collect()
    }

    /// The wall time when the newest segment was begun, in ms; 0 if unknown.
    pub(crate) fn newest_begun_ms(&self) -> u64 {
        self.segments.read().last().map_or(0, |newest| newest.header.begun_ms)
    }
}
