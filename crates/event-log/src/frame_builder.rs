//! Makes frames: gathers events, packs them, and completes the frame once it is known where it goes.
//!
//! Packing comes first, since only the packed length tells whether the frame still fits into its segment.

use ledgerstone_format::{
    align_up,
    compression::{Compression, compress},
};

use crate::{
    EventIn,
    frame::{
        FRAME_ALIGNMENT, FRAME_HEADER_BYTES, FRAME_HEADER_LEN, FRAME_TARGET_BYTES, FrameFacts, Place,
        TABLE_ENTRY_BYTES, checksum,
    },
};

/// A larger buffer, made for a single large event, is given back.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// Gathers the events of one frame and encodes them.
#[derive(Debug, Default)]
pub(crate) struct FrameBuilder<'e> {
    events: Vec<EventIn<'e>>,
    raw_bytes: u64,
}

impl<'e> FrameBuilder<'e> {
    pub(crate) fn count(&self) -> u64 {
        self.events.len() as u64
    }

    pub(crate) fn first_timestamp_ms(&self) -> Option<u64> {
        self.events.first().map(|event| event.timestamp_ms)
    }

    pub(crate) fn last_timestamp_ms(&self) -> Option<u64> {
        self.events.last().map(|event| event.timestamp_ms)
    }

    /// Whether `event` belongs into this frame; otherwise the frame is cut before it.
    pub(crate) fn accepts(&self, event: &EventIn<'_>) -> bool {
        let Some(base) = self.first_timestamp_ms() else { return true };
        let raw_bytes = self.raw_bytes + TABLE_ENTRY_BYTES + event.bytes.len() as u64;
        raw_bytes <= FRAME_TARGET_BYTES && u32::try_from(event.timestamp_ms.saturating_sub(base)).is_ok()
    }

    pub(crate) fn push(&mut self, event: EventIn<'e>) {
        self.raw_bytes += TABLE_ENTRY_BYTES + event.bytes.len() as u64;
        self.events.push(event);
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.raw_bytes = 0;
    }

    /// Packs the events into `buffers`, compressed where that makes the frame smaller. Events were checked against the limit of
    /// their size, so every length fits its field.
    pub(crate) fn pack(&self, compression: Compression, buffers: &mut FrameBuffers) -> PackedFrame {
        let FrameBuffers { frame, raw } = buffers;
        frame.clear();
        frame.resize(FRAME_HEADER_LEN, 0);
        let mut used = Compression::None;
        if compression != Compression::None {
            raw.clear();
            self.put_body(raw);
            if compress(compression, raw, frame) {
                used = compression;
            }
        }
        if used == Compression::None {
            self.put_body(frame);
        }
        let first_timestamp_ms = self.first_timestamp_ms().unwrap_or_default();
        PackedFrame {
            compression: used,
            raw_bytes: self.raw_bytes,
            length: frame.len() as u64,
            count: self.count(),
            first_timestamp_ms,
            last_timestamp_ms: self.last_timestamp_ms().unwrap_or_default(),
        }
    }

    fn put_body(&self, out: &mut Vec<u8>) {
        out.reserve(usize::try_from(self.raw_bytes + FRAME_ALIGNMENT).unwrap_or_default());
        let base = self.first_timestamp_ms().unwrap_or_default();
        for event in &self.events {
            out.extend_from_slice(&saturate(event.bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(&saturate(event.timestamp_ms.saturating_sub(base)).to_le_bytes());
        }
        for event in &self.events {
            out.extend_from_slice(event.bytes);
        }
    }
}

/// The memory that frames are made in, used again for each.
#[derive(Debug, Default)]
pub(crate) struct FrameBuffers {
    frame: Vec<u8>,
    /// The body before it is compressed.
    raw: Vec<u8>,
}

impl FrameBuffers {
    /// Gives back what a single large event has taken.
    pub(crate) fn shrink(&mut self) {
        for buffer in [&mut self.frame, &mut self.raw] {
            if buffer.capacity() > KEPT_BUFFER_BYTES {
                *buffer = Vec::new();
            }
        }
    }
}

/// A frame that is complete but for its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedFrame {
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

    /// The frame's bytes at `place`, in the buffers that it was packed into.
    pub(crate) fn complete<'b>(
        &self,
        buffers: &'b mut FrameBuffers,
        place: Place,
        first_id: u64,
        flushed_upto: u64,
    ) -> (&'b [u8], FrameFacts) {
        let frame = &mut buffers.frame;
        let length = saturate(self.length).to_le_bytes();
        let mut header = Vec::with_capacity(FRAME_HEADER_LEN);
        header.extend_from_slice(&length);
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&first_id.to_le_bytes());
        header.extend_from_slice(&saturate(self.count).to_le_bytes());
        header.extend_from_slice(&self.first_timestamp_ms.to_le_bytes());
        header.extend_from_slice(&u32::from(self.compression.number()).to_le_bytes());
        header.extend_from_slice(&saturate(self.raw_bytes).to_le_bytes());
        header.extend_from_slice(&flushed_upto.to_le_bytes());
        debug_assert_eq!(header.len() as u64, FRAME_HEADER_BYTES);
        if let Some(space) = frame.get_mut(..header.len()) {
            space.copy_from_slice(&header);
        }
        let crc = checksum(place, length, frame.get(8..).unwrap_or_default()).to_le_bytes();
        if let Some(field) = frame.get_mut(4..8) {
            field.copy_from_slice(&crc);
        }
        frame.resize(usize::try_from(self.stored_bytes()).unwrap_or(frame.len()), 0);
        let facts = FrameFacts {
            offset: place.offset,
            stored_bytes: self.stored_bytes(),
            first_id,
            count: self.count,
            first_timestamp_ms: self.first_timestamp_ms,
            last_timestamp_ms: self.last_timestamp_ms,
            flushed_upto,
        };
        (frame, facts)
    }
}

fn saturate(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
