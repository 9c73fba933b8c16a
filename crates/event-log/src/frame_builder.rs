//! Makes frames: gathers the events of a frame, packs them after the frames that wait to be written, and completes the frame
//! once its place is known.
//!
//! Packing comes first, since only the packed length shows whether the frame still fits into its segment. Reading one event
//! costs one frame, so frames are small; writing costs per call, so one write takes many frames.

use ledgerstone_format::{
    PAGE_BYTES, align_up,
    compression::{Compression, compress},
};

use crate::{
    EventIn,
    frame::{FRAME_ALIGNMENT, FRAME_HEADER_BYTES, FRAME_HEADER_LEN, FrameFacts, Place, TABLE_ENTRY_BYTES, checksum},
};

/// Table and payloads of an uncompressed frame: the whole frame fits into a page of memory.
const PLAIN_RAW_BYTES: u64 = PAGE_BYTES - FRAME_HEADER_BYTES;
/// Table and payloads of a frame to be compressed: similar data compresses only within one frame.
const COMPRESSED_RAW_BYTES: u64 = 16 * 1024;
/// Frames are written together up to each multiple of this in their file: Linux keeps the bytes of one write in the largest
/// aligned pieces of memory that they fill, and finds a page faster among fewer pieces.
const BATCH_BYTES: u64 = 256 * 1024;
/// The maximum gap left so that a frame begins at a page and reaches into no more pages than it must: the cost of a read is the
/// pages that it touches.
const MOST_PADDING_BYTES: u64 = 256;
/// A larger buffer, made for a single large event, is freed.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// Gathers the events of one frame and encodes them.
#[derive(Debug)]
pub(crate) struct FrameBuilder<'e> {
    events: Vec<EventIn<'e>>,
    raw_bytes: u64,
    compression: Compression,
}

impl<'e> FrameBuilder<'e> {
    pub(crate) const fn new(compression: Compression) -> Self {
        Self { events: Vec::new(), raw_bytes: 0, compression }
    }

    pub(crate) fn count(&self) -> u64 {
        self.events.len() as u64
    }

    pub(crate) fn first_timestamp_ms(&self) -> Option<u64> {
        self.events.first().map(|event| event.timestamp_ms)
    }

    pub(crate) fn last_timestamp_ms(&self) -> Option<u64> {
        self.events.last().map(|event| event.timestamp_ms)
    }

    /// Whether `event` belongs to this frame; otherwise the frame ends before it.
    pub(crate) fn accepts(&self, event: &EventIn<'_>) -> bool {
        let Some(base) = self.first_timestamp_ms() else { return true };
        let max = if self.compression == Compression::None { PLAIN_RAW_BYTES } else { COMPRESSED_RAW_BYTES };
        let raw_bytes = self.raw_bytes + TABLE_ENTRY_BYTES + event.bytes.len() as u64;
        raw_bytes <= max && u32::try_from(event.timestamp_ms.saturating_sub(base)).is_ok()
    }

    pub(crate) fn push(&mut self, event: EventIn<'e>) {
        self.raw_bytes += TABLE_ENTRY_BYTES + event.bytes.len() as u64;
        self.events.push(event);
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.raw_bytes = 0;
    }

    /// Packs the events after the frames of `batch`, compressed where that makes the frame smaller. The sizes of events were
    /// checked before, so every length fits its field. `None` when there is no memory for it.
    pub(crate) fn pack(&self, batch: &mut FrameBatch) -> Option<PackedFrame> {
        let FrameBatch { bytes, raw, .. } = batch;
        let start = bytes.len();
        bytes.try_reserve(FRAME_HEADER_LEN).ok()?;
        bytes.resize(start.saturating_add(FRAME_HEADER_LEN), 0);
        let mut used = Compression::None;
        if self.compression != Compression::None {
            raw.clear();
            self.put_body(raw)?;
            if compress(self.compression, raw, bytes) {
                used = self.compression;
            }
        }
        if used == Compression::None {
            self.put_body(bytes)?;
        }
        Some(PackedFrame {
            start,
            compression: used,
            raw_bytes: self.raw_bytes,
            length: bytes.len().saturating_sub(start) as u64,
            count: self.count(),
            first_timestamp_ms: self.first_timestamp_ms().unwrap_or_default(),
            last_timestamp_ms: self.last_timestamp_ms().unwrap_or_default(),
        })
    }

    fn put_body(&self, out: &mut Vec<u8>) -> Option<()> {
        // Including the padding before and after it.
        let room = self.raw_bytes + MOST_PADDING_BYTES + FRAME_ALIGNMENT;
        out.try_reserve(usize::try_from(room).ok()?).ok()?;
        let base = self.first_timestamp_ms().unwrap_or_default();
        for event in &self.events {
            out.extend_from_slice(&saturate(event.bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(&saturate(event.timestamp_ms.saturating_sub(base)).to_le_bytes());
        }
        for event in &self.events {
            out.extend_from_slice(event.bytes);
        }
        Some(())
    }
}

/// A frame that is complete except for its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedFrame {
    /// Where it begins in its batch.
    start: usize,
    compression: Compression,
    raw_bytes: u64,
    /// Without padding.
    length: u64,
    count: u64,
    pub(crate) first_timestamp_ms: u64,
    last_timestamp_ms: u64,
}

impl PackedFrame {
    /// Bytes that the frame will take, padding included.
    pub(crate) const fn stored_bytes(&self) -> u64 {
        align_up(self.length, FRAME_ALIGNMENT)
    }
}

/// Where a frame of `stored_bytes` begins if it may begin at `offset`.
fn settled(offset: u64, stored_bytes: u64) -> u64 {
    let page = align_up(offset, PAGE_BYTES);
    let reaches_too_far =
        offset.saturating_add(stored_bytes) > page.saturating_add(align_up(stored_bytes, PAGE_BYTES) - PAGE_BYTES);
    if reaches_too_far && page - offset <= MOST_PADDING_BYTES { page } else { offset }
}

/// Consecutive frames, laid out as they will be in their segment, for one write; and the memory in which they are made, reused
/// for each batch.
#[derive(Debug, Default)]
pub(crate) struct FrameBatch {
    bytes: Vec<u8>,
    /// The bytes of the complete frames, including the gap after the last one.
    complete_len: usize,
    frames: Vec<FrameFacts>,
    /// A body before it is compressed.
    raw: Vec<u8>,
}

impl FrameBatch {
    /// Its complete frames.
    pub(crate) fn frames(&self) -> &[FrameFacts] {
        &self.frames
    }

    /// The bytes of its complete frames.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.complete_len).unwrap_or_default()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.complete_len as u64 >= BATCH_BYTES
    }

    /// Whether it must be written before a frame that begins at `offset`.
    pub(crate) fn is_full_at(&self, offset: u64) -> bool {
        self.frames.first().is_some_and(|first| first.offset / BATCH_BYTES != offset / BATCH_BYTES)
    }

    /// Gives the last packed frame its offset: after the others, or after `end_offset` if it is the first.
    pub(crate) fn settle(&mut self, packed: &mut PackedFrame, end_offset: u64) -> u64 {
        let end = self.frames.last().map_or(end_offset, |last| last.offset.saturating_add(last.stored_bytes));
        let offset = settled(end, packed.stored_bytes());
        let first = self.frames.first().map_or(offset, |first| first.offset);
        let start = usize::try_from(offset.saturating_sub(first)).unwrap_or(packed.start);
        let padding = start.saturating_sub(packed.start);
        if padding > 0 {
            let len = self.bytes.len();
            self.bytes.resize(len.saturating_add(padding), 0);
            self.bytes.copy_within(packed.start..len, start);
            if let Some(free) = self.bytes.get_mut(packed.start..start) {
                free.fill(0);
            }
            packed.start = start;
        }
        self.complete_len = start;
        offset
    }

    /// Completes the last packed frame, at its place.
    pub(crate) fn complete(&mut self, packed: &PackedFrame, place: Place, first_id: u64, flushed_upto: u64) {
        let length = saturate(packed.length).to_le_bytes();
        let mut header = [0; FRAME_HEADER_LEN];
        let fields: [&[u8]; 8] = [
            &length,
            &[0; 4],
            &first_id.to_le_bytes(),
            &saturate(packed.count).to_le_bytes(),
            &packed.first_timestamp_ms.to_le_bytes(),
            &u32::from(packed.compression.number()).to_le_bytes(),
            &saturate(packed.raw_bytes).to_le_bytes(),
            &flushed_upto.to_le_bytes(),
        ];
        for (byte, field) in header.iter_mut().zip(fields.iter().copied().flatten()) {
            *byte = *field;
        }
        let frame = self.bytes.get_mut(packed.start..).unwrap_or_default();
        if let Some(space) = frame.get_mut(..FRAME_HEADER_LEN) {
            space.copy_from_slice(&header);
        }
        let crc = checksum(place, length, frame.get(8..).unwrap_or_default()).to_le_bytes();
        if let Some(field) = frame.get_mut(4..8) {
            field.copy_from_slice(&crc);
        }
        let stored_len = usize::try_from(packed.stored_bytes()).unwrap_or(frame.len());
        self.complete_len = packed.start.saturating_add(stored_len);
        self.bytes.resize(self.complete_len, 0);
        self.frames.push(FrameFacts {
            offset: place.offset,
            stored_bytes: packed.stored_bytes(),
            raw_bytes: packed.raw_bytes,
            first_id,
            count: packed.count,
            first_timestamp_ms: packed.first_timestamp_ms,
            last_timestamp_ms: packed.last_timestamp_ms,
            flushed_upto,
        });
    }

    /// Drops the complete frames. A frame that is only packed becomes the first of the next batch.
    pub(crate) fn begin_with(&mut self, packed: &PackedFrame) -> PackedFrame {
        let gone = self.complete_len.min(self.bytes.len());
        self.bytes.drain(..gone);
        self.complete_len = 0;
        self.frames.clear();
        PackedFrame { start: packed.start.saturating_sub(gone), ..*packed }
    }

    /// Drops every frame, and frees the memory of a single large event.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
        self.complete_len = 0;
        for buffer in [&mut self.bytes, &mut self.raw] {
            buffer.clear();
            if buffer.capacity() > KEPT_BUFFER_BYTES {
                *buffer = Vec::new();
            }
        }
    }
}

fn saturate(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
