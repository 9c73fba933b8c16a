//! The frame: a run of events under one checksum, all or nothing. Knows bytes only, no files.
//!
//! ```text
//! 0 length u32 | 4 crc32c u32 | 8 first id u64 | 16 count u32 | 20 timestamp base u64 | 28 flags u32 | 32 raw length u32
//! | 36 flushed upto u64 | 44 (length u32, timestamp delta u32) * count | payloads | zeros to a multiple of 8
//! ```
//! `length` counts from its own first byte to the end of the payloads. The checksum covers the segment's salt, the frame's
//! offset, `length` and everything behind the checksum: a frame verifies in its own segment and place only, so neither
//! left-over bytes nor a payload that looks like a frame can pass for one.
//! `flushed upto` is the id below which everything had been flushed when the frame was written: it tells a torn tail
//! from damage.

use ledgerstone_format::{ByteReader, align_up, checksum::crc32c, checksum::crc32c_append};

/// Bytes before the table of events.
pub(crate) const FRAME_HEADER_BYTES: u64 = 44;
/// Frames start at multiples of this.
pub(crate) const FRAME_ALIGNMENT: u64 = 8;
/// A frame is cut before its table and payloads exceed this. A larger event is a frame of its own.
const FRAME_TARGET_BYTES: u64 = 64 * 1024;
/// What one event takes in the table.
const TABLE_ENTRY_BYTES: u64 = 8;
/// The largest event that a frame can describe; options are capped at it.
pub(crate) const MAX_EVENT_BYTES: u64 = 1 << 30;
/// Ids stay exact as JavaScript numbers.
pub(crate) const MAX_EVENT_ID: u64 = (1 << 53) - 1;

/// An event to append.
#[derive(Clone, Copy, Debug)]
pub struct EventIn<'e> {
    /// Milliseconds since the Unix epoch; at least the timestamp of the event before.
    pub timestamp_ms: u64,
    /// The payload; may be empty.
    pub bytes: &'e [u8],
}

/// An event inside a verified frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventRef<'a> {
    pub(crate) id: u64,
    pub(crate) timestamp_ms: u64,
    pub(crate) bytes: &'a [u8],
}

/// Where a frame stands, which its checksum covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) salt: u64,
    pub(crate) offset: u64,
}

impl Place {
    /// The seed of every checksum in a segment.
    pub(crate) fn seed(self) -> u32 {
        crc32c_append(crc32c(&self.salt.to_le_bytes()), &self.offset.to_le_bytes())
    }
}

/// What the rest of the log needs to know about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameFacts {
    pub(crate) offset: u64,
    /// Bytes on disk, padding included.
    pub(crate) stored_bytes: u64,
    pub(crate) first_id: u64,
    pub(crate) count: u64,
    pub(crate) first_timestamp_ms: u64,
    pub(crate) last_timestamp_ms: u64,
    pub(crate) flushed_upto: u64,
}

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

    /// Bytes that the frame will take, padding included.
    pub(crate) fn stored_bytes(&self) -> u64 {
        align_up(FRAME_HEADER_BYTES + self.raw_bytes, FRAME_ALIGNMENT)
    }

    /// Replaces `out` by the frame's bytes. Events were checked against [`MAX_EVENT_BYTES`], so every length fits its field.
    pub(crate) fn encode(&self, out: &mut Vec<u8>, place: Place, first_id: u64, flushed_upto: u64) -> FrameFacts {
        let base = self.first_timestamp_ms().unwrap_or_default();
        let length = saturate(FRAME_HEADER_BYTES + self.raw_bytes).to_le_bytes();
        out.clear();
        out.reserve(usize::try_from(self.stored_bytes()).unwrap_or_default());
        out.extend_from_slice(&length);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&first_id.to_le_bytes());
        out.extend_from_slice(&saturate(self.count()).to_le_bytes());
        out.extend_from_slice(&base.to_le_bytes());
        out.extend_from_slice(&0_u32.to_le_bytes());
        out.extend_from_slice(&saturate(self.raw_bytes).to_le_bytes());
        out.extend_from_slice(&flushed_upto.to_le_bytes());
        for event in &self.events {
            out.extend_from_slice(&saturate(event.bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(&saturate(event.timestamp_ms.saturating_sub(base)).to_le_bytes());
        }
        for event in &self.events {
            out.extend_from_slice(event.bytes);
        }
        let crc = checksum(place, length, out.get(8..).unwrap_or_default()).to_le_bytes();
        if let Some(field) = out.get_mut(4..8) {
            field.copy_from_slice(&crc);
        }
        out.resize(usize::try_from(self.stored_bytes()).unwrap_or(out.len()), 0);
        FrameFacts {
            offset: place.offset,
            stored_bytes: self.stored_bytes(),
            first_id,
            count: self.count(),
            first_timestamp_ms: base,
            last_timestamp_ms: self.last_timestamp_ms().unwrap_or_default(),
            flushed_upto,
        }
    }
}

fn saturate(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn checksum(place: Place, length: [u8; 4], covered: &[u8]) -> u32 {
    crc32c_append(crc32c_append(place.seed(), &length), covered)
}

/// The fields of a frame that nothing has verified yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHeader {
    length: u32,
    crc: u32,
    first_id: u64,
    count: u32,
    base_ms: u64,
    flags: u32,
    raw_len: u32,
    flushed_upto: u64,
}

impl FrameHeader {
    /// The header at the start of `bytes`, if these can be one: cheap enough to ask at every offset of a file.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = ByteReader::new(bytes);
        let header = Self {
            length: reader.u32()?,
            crc: reader.u32()?,
            first_id: reader.u64()?,
            count: reader.u32()?,
            base_ms: reader.u64()?,
            flags: reader.u32()?,
            raw_len: reader.u32()?,
            flushed_upto: reader.u64()?,
        };
        let table_bytes = u64::from(header.count) * TABLE_ENTRY_BYTES;
        let plausible = header.count > 0
            && header.length_bytes() > FRAME_HEADER_BYTES
            && table_bytes <= u64::from(header.raw_len)
            && header.first_id.checked_add(u64::from(header.count))? <= MAX_EVENT_ID + 1
            && header.flushed_upto <= header.first_id
            && (header.flags != 0 || header.length_bytes() == FRAME_HEADER_BYTES + u64::from(header.raw_len));
        plausible.then_some(header)
    }

    /// Bytes of the whole frame without padding.
    pub(crate) fn length_bytes(&self) -> u64 {
        u64::from(self.length)
    }

    pub(crate) fn first_id(&self) -> u64 {
        self.first_id
    }

    pub(crate) fn flushed_upto(&self) -> u64 {
        self.flushed_upto
    }
}

/// A frame whose checksum and whole structure were checked.
#[derive(Clone, Debug)]
pub(crate) struct Frame<'a> {
    facts: FrameFacts,
    table: &'a [u8],
    payloads: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes`. `Ok(None)`: nothing here verifies. `Err`: it verifies and yet is none of ours.
    pub(crate) fn verify(bytes: &'a [u8], place: Place) -> Result<Option<Self>, &'static str> {
        let Some(header) = FrameHeader::parse(bytes) else { return Ok(None) };
        let Some(whole) = usize::try_from(header.length).ok().and_then(|length| bytes.get(..length)) else {
            return Ok(None);
        };
        let mut reader = ByteReader::new(whole);
        let (Some(length), Some(_crc), covered) = (reader.array(), reader.u32(), whole.get(8..).unwrap_or_default())
        else {
            return Ok(None);
        };
        if checksum(place, length, covered) != header.crc {
            return Ok(None);
        }
        if header.flags != 0 {
            return Err("the frame has unknown flags");
        }
        Self::structure(&header, whole, place.offset).map(Some).ok_or("the frame's table contradicts its payloads")
    }

    fn structure(header: &FrameHeader, whole: &'a [u8], offset: u64) -> Option<Self> {
        let mut reader = ByteReader::new(whole);
        reader.take(usize::try_from(FRAME_HEADER_BYTES).ok()?)?;
        let table = reader.take(usize::try_from(u64::from(header.count) * TABLE_ENTRY_BYTES).ok()?)?;
        let payloads = reader.take(reader.remaining())?;
        let mut entries = ByteReader::new(table);
        let (mut payload_bytes, mut last_delta) = (0_u64, 0_u32);
        while entries.remaining() > 0 {
            payload_bytes += u64::from(entries.u32()?);
            let delta = entries.u32()?;
            if delta < last_delta {
                return None;
            }
            last_delta = delta;
        }
        let last_timestamp_ms = header.base_ms.checked_add(u64::from(last_delta))?;
        let facts = FrameFacts {
            offset,
            stored_bytes: align_up(header.length_bytes(), FRAME_ALIGNMENT),
            first_id: header.first_id,
            count: u64::from(header.count),
            first_timestamp_ms: header.base_ms,
            last_timestamp_ms,
            flushed_upto: header.flushed_upto,
        };
        (payload_bytes == payloads.len() as u64).then_some(Self { facts, table, payloads })
    }

    pub(crate) fn facts(&self) -> FrameFacts {
        self.facts
    }

    /// Its events in the order of their ids.
    pub(crate) fn events(&self) -> Events<'a> {
        Events {
            table: ByteReader::new(self.table),
            payloads: ByteReader::new(self.payloads),
            next_id: self.facts.first_id,
            base_ms: self.facts.first_timestamp_ms,
        }
    }
}

/// Iterates over the events of a verified frame.
#[derive(Clone, Debug)]
pub(crate) struct Events<'a> {
    table: ByteReader<'a>,
    payloads: ByteReader<'a>,
    next_id: u64,
    base_ms: u64,
}

impl<'a> Iterator for Events<'a> {
    type Item = EventRef<'a>;

    fn next(&mut self) -> Option<EventRef<'a>> {
        let len = usize::try_from(self.table.u32()?).ok()?;
        let delta = self.table.u32()?;
        let event = EventRef {
            id: self.next_id,
            timestamp_ms: self.base_ms.saturating_add(u64::from(delta)),
            bytes: self.payloads.take(len)?,
        };
        self.next_id += 1;
        Some(event)
    }
}
