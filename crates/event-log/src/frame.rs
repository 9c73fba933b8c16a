//! The frame: a run of events under one checksum, all or nothing. Knows bytes only, no files.
//!
//! ```text
//! 0 length u32 | 4 crc32c u32 | 8 first id u64 | 16 count u32 | 20 timestamp base u64 | 28 flags u32 | 32 raw length u32
//! | 36 flushed upto u64 | 44 body: (length u32, timestamp delta u32) * count, payloads | zeros to a multiple of 8
//! ```
//! The flags say how the body is compressed, `raw length` its length without compression. `length` counts from its first byte
//! to the end of the stored body, which is also what the checksum covers: nothing is decompressed before it is verified. The
//! checksum covers the segment's salt, the frame's offset, `length` and everything after the checksum: a frame verifies only in
//! its segment and at its offset, so neither left-over bytes nor a payload that looks like a frame pass for one.
//! `flushed upto` is the id below which everything had been flushed when the frame was written: it distinguishes a torn tail
//! from damage.

use std::{borrow::Cow, path::Path};

use ledgerstone_format::{
    ByteReader, align_up,
    checksum::{Claim, crc32c, crc32c_append},
    compression::{Compression, Undecompressed, decompress_bounded},
};

use ledgerstone_vfs::FileError;

use crate::Error;

/// Bytes before the table of events.
pub(crate) const FRAME_HEADER_BYTES: u64 = FRAME_HEADER_LEN as u64;
/// The same, as a length in memory.
pub(crate) const FRAME_HEADER_LEN: usize = 44;
/// The offset of its checksum.
#[cfg(feature = "planted-faults")]
pub(crate) const CRC_AT: usize = 4;
/// Frames start at multiples of this.
pub(crate) const FRAME_ALIGNMENT: u64 = 8;
/// The maximum size of table and payloads of several events, as earlier versions used it. A larger event is a frame by itself.
const MAX_SHARED_RAW_BYTES: u64 = 64 * 1024;
/// Bytes of one event in the table.
pub(crate) const TABLE_ENTRY_BYTES: u64 = 8;
/// The largest event that a frame can describe; the options cannot exceed it.
pub(crate) const MAX_EVENT_BYTES: u64 = 1 << 30;
/// Missing bytes are checksummed in pieces of this size.
const ZEROS: [u8; 4096] = [0; 4096];
/// Ids must be exact as JavaScript numbers, also the next one of a full log.
pub(crate) const MAX_EVENT_ID: u64 = (1 << 53) - 2;

/// An event to append.
#[derive(Clone, Copy, Debug)]
pub struct EventIn<'e> {
    /// Milliseconds since the Unix epoch; at least the timestamp of the event before.
    pub timestamp_ms: u64,
    /// The payload; may be empty.
    pub bytes: &'e [u8],
}

/// An event in a verified frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventRef<'a> {
    pub(crate) id: u64,
    pub(crate) timestamp_ms: u64,
    pub(crate) bytes: &'a [u8],
}

/// The place of a frame, which its checksum covers.
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

/// A frame's facts for the rest of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameFacts {
    pub(crate) offset: u64,
    /// Bytes on disk, padding included.
    pub(crate) stored_bytes: u64,
    /// Bytes of table and payloads, uncompressed.
    pub(crate) raw_bytes: u64,
    pub(crate) first_id: u64,
    pub(crate) count: u64,
    pub(crate) first_timestamp_ms: u64,
    pub(crate) last_timestamp_ms: u64,
    pub(crate) flushed_upto: u64,
}

/// The checksum of a frame at `place`: `covered` is everything after the checksum's field.
pub(crate) fn checksum(place: Place, length: [u8; 4], covered: &[u8]) -> u32 {
    crc32c_append(frame_seed(place, length), covered)
}

fn frame_seed(place: Place, length: [u8; 4]) -> u32 {
    crc32c_append(place.seed(), &length)
}

/// Whether a frame of events from `first_id` on is at `place` and verifies when `bytes` is all that is left of it and zeros follow.
pub(crate) fn verifies_before_zeros(bytes: &[u8], first_id: u64, place: Place) -> bool {
    let mut head = [0; FRAME_HEADER_LEN];
    for (to, from) in head.iter_mut().zip(bytes) {
        *to = *from;
    }
    let Some(header) = FrameHeader::parse(&head).filter(|header| header.first_id == first_id) else { return false };
    let Ok(length) = usize::try_from(header.length) else { return false };
    let (length_field, covered) = (header.length.to_le_bytes(), bytes.get(8..length.min(bytes.len())));
    let covered = covered.unwrap_or_default();
    let mut crc = checksum(place, length_field, covered);
    let mut zeros = length.saturating_sub(8).saturating_sub(covered.len());
    while zeros > 0 {
        let piece = ZEROS.get(..zeros).unwrap_or(&ZEROS);
        crc = crc32c_append(crc, piece);
        zeros -= piece.len();
    }
    crc == header.crc
}

/// The unverified fields of a frame.
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
    /// The header at the start of `bytes`, if it can be one: cheap enough to try at every offset of a file.
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
            && u64::from(header.raw_len) <= header.max_raw_bytes()
            && header.stored_fits_raw();
        plausible.then_some(header)
    }

    fn max_raw_bytes(&self) -> u64 {
        if self.count == 1 { TABLE_ENTRY_BYTES + MAX_EVENT_BYTES } else { MAX_SHARED_RAW_BYTES }
    }

    /// Compressed means smaller. Nothing is known about unknown flags.
    fn stored_fits_raw(&self) -> bool {
        let raw_bytes = FRAME_HEADER_BYTES + u64::from(self.raw_len);
        match self.compression() {
            Some(Compression::None) => self.length_bytes() == raw_bytes,
            Some(_) => self.length_bytes() < raw_bytes,
            None => true,
        }
    }

    fn compression(&self) -> Option<Compression> {
        u8::try_from(self.flags).ok().and_then(Compression::from_number)
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

    /// Its claim about its checksum, for a search that verifies many frames at once.
    pub(crate) fn claim(&self, place: Place) -> Claim {
        Claim { length: self.length, seed: frame_seed(place, self.length.to_le_bytes()), crc: self.crc, tag: 0 }
    }
}

/// Why a frame that verifies is not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameFlaw {
    /// It is not one of ours.
    Wrong(&'static str),
    /// There is no memory for its events.
    NoMemory,
}

impl FrameFlaw {
    /// The error of a read in the segment `file`, where the frame is at `offset`.
    pub(crate) fn into_error(self, file: &Path, offset: u64) -> Error {
        match self {
            Self::Wrong(what) => Error::Corrupt { file: file.to_path_buf(), offset, what: what.to_owned() },
            Self::NoMemory => FileError::no_memory("pread", file).into(),
        }
    }
}

/// A frame whose checksum and whole structure were checked.
#[derive(Clone, Debug)]
pub(crate) struct Frame<'a> {
    facts: FrameFacts,
    /// Table and payloads; the table takes the first `table_len` bytes.
    body: Cow<'a, [u8]>,
    table_len: usize,
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes`. `Ok(None)`: nothing here verifies. `Err`: it verifies but is not one of ours, or
    /// there is not enough memory for it.
    pub(crate) fn verify(bytes: &'a [u8], place: Place) -> Result<Option<Self>, FrameFlaw> {
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
        let Some(compression) = header.compression() else {
            return Err(FrameFlaw::Wrong("the frame has unknown flags"));
        };
        let stored = whole.get(FRAME_HEADER_LEN..).unwrap_or_default();
        let body = match (compression, usize::try_from(header.raw_len)) {
            (Compression::None, _) => Ok(Cow::Borrowed(stored)),
            // The raw length was checked against its cap before the checksum.
            (_, Ok(raw_len)) => decompress_bounded(compression, stored, raw_len, raw_len).map(Cow::Owned),
            (_, Err(_)) => Err(Undecompressed::Wrong),
        };
        let body = body.map_err(|why| match why {
            Undecompressed::Wrong => FrameFlaw::Wrong("the frame cannot be decompressed"),
            Undecompressed::NoMemory => FrameFlaw::NoMemory,
        })?;
        let whole = Self::structure(&header, body, place.offset);
        whole.map(Some).ok_or(FrameFlaw::Wrong("the frame's table contradicts its payloads"))
    }

    fn structure(header: &FrameHeader, body: Cow<'a, [u8]>, offset: u64) -> Option<Self> {
        let table_len = usize::try_from(u64::from(header.count) * TABLE_ENTRY_BYTES).ok()?;
        let (table, payloads) = body.split_at_checked(table_len)?;
        let payloads_len = payloads.len() as u64;
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
            raw_bytes: u64::from(header.raw_len),
            first_id: header.first_id,
            count: u64::from(header.count),
            first_timestamp_ms: header.base_ms,
            last_timestamp_ms,
            flushed_upto: header.flushed_upto,
        };
        (payload_bytes == payloads_len).then_some(Self { facts, body, table_len })
    }

    pub(crate) fn facts(&self) -> FrameFacts {
        self.facts
    }

    /// Its events in the order of their ids.
    pub(crate) fn events(&self) -> Events<'_> {
        let (table, payloads) = self.body.split_at_checked(self.table_len).unwrap_or_default();
        Events {
            table: ByteReader::new(table),
            payloads: ByteReader::new(payloads),
            next_id: self.facts.first_id,
            base_ms: self.facts.first_timestamp_ms,
        }
    }

    /// The event `id`, if the frame has it.
    pub(crate) fn event(&self, id: u64) -> Option<EventRef<'_>> {
        let before = usize::try_from(id.checked_sub(self.facts.first_id)?).ok()?;
        self.events().nth(before)
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
