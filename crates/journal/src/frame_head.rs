//! The fixed 56 bytes at the head of every frame, and its checksum.
//!
//! The checksum covers all bytes after itself. It is seeded with the file's salt, so that stale frames of a recycled file never
//! verify, and with the length, so that every byte of the frame is covered.

use ledgerstone_format::{
    ByteReader,
    checksum::{crc32c, crc32c_append},
};

use crate::{Error, Result};

/// Bytes of a frame before its event lengths.
pub(crate) const HEAD_BYTES: usize = 56;

/// The offsets of its fields.
pub(crate) const CRC_AT: usize = 4;
pub(crate) const PREVIOUS_CRC_AT: usize = 8;
pub(crate) const KIND_AT: usize = 12;
pub(crate) const SEQ_AT: usize = 16;
pub(crate) const FIRST_EVENT_ID_AT: usize = 24;
pub(crate) const TIMESTAMP_AT: usize = 32;
pub(crate) const DURABLE_UPTO_AT: usize = 40;
pub(crate) const EVENT_COUNT_AT: usize = 48;
pub(crate) const OP_COUNT_AT: usize = 52;

/// Sequence numbers at or above this are invalid, so that there is always a next one.
const SEQ_END: u64 = 1 << 63;

/// Frames begin at multiples of this, and every length is one.
pub(crate) const FRAME_ALIGN: u64 = 8;

/// The longest frame, in bytes, padding included.
pub const MAX_FRAME_BYTES: u64 = 1 << 30;

/// What a frame records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// A commit: events and state operations.
    Commit = 1,
    /// Writing is forbidden.
    Seal = 2,
    /// Writing is allowed again.
    Unseal = 3,
    /// The oldest events were dropped.
    Trim = 4,
}

impl FrameKind {
    pub(crate) const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Commit,
            2 => Self::Seal,
            3 => Self::Unseal,
            4 => Self::Trim,
            _ => return None,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) length: u32,
    pub(crate) crc: u32,
    pub(crate) previous_crc: u32,
    pub(crate) kind: FrameKind,
    pub(crate) seq: u64,
    pub(crate) first_event_id: u64,
    pub(crate) timestamp_ms: u64,
    pub(crate) durable_upto: u64,
    pub(crate) event_count: u32,
    pub(crate) op_count: u32,
}

impl FrameHead {
    /// Reads a head; `None` if no frame can begin like this.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = ByteReader::new(bytes);
        let length = reader.u32()?;
        if (length as usize) < HEAD_BYTES
            || !u64::from(length).is_multiple_of(FRAME_ALIGN)
            || u64::from(length) > MAX_FRAME_BYTES
        {
            return None;
        }
        let (crc, previous_crc) = (reader.u32()?, reader.u32()?);
        let kind = FrameKind::of(reader.u8()?)?;
        let (flags, reserved) = (reader.u8()?, reader.u16()?);
        let head = Self {
            length,
            crc,
            previous_crc,
            kind,
            seq: reader.u64()?,
            first_event_id: reader.u64()?,
            timestamp_ms: reader.u64()?,
            durable_upto: reader.u64()?,
            event_count: reader.u32()?,
            op_count: reader.u32()?,
        };
        let sound = flags == 0
            && reserved == 0
            // Equal in a copy of the tail: the file was named when everything in it was durable.
            && head.durable_upto <= head.seq
            && head.seq < SEQ_END
            && head.first_event_id.checked_add(u64::from(head.event_count)).is_some();
        sound.then_some(head)
    }

    pub(crate) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        let mut put = |at: usize, field: &[u8]| {
            for (to, from) in bytes.iter_mut().skip(at).zip(field) {
                *to = *from;
            }
        };
        put(0, &self.length.to_le_bytes());
        put(CRC_AT, &self.crc.to_le_bytes());
        put(PREVIOUS_CRC_AT, &self.previous_crc.to_le_bytes());
        put(KIND_AT, &[self.kind as u8]);
        put(SEQ_AT, &self.seq.to_le_bytes());
        put(FIRST_EVENT_ID_AT, &self.first_event_id.to_le_bytes());
        put(TIMESTAMP_AT, &self.timestamp_ms.to_le_bytes());
        put(DURABLE_UPTO_AT, &self.durable_upto.to_le_bytes());
        put(EVENT_COUNT_AT, &self.event_count.to_le_bytes());
        put(OP_COUNT_AT, &self.op_count.to_le_bytes());
        bytes
    }

    /// Writes this head, with its checksum, over the first bytes of an otherwise complete frame.
    pub(crate) fn stamp(&mut self, frame: &mut [u8], salt: u64) -> Result<()> {
        const TORN: Error = Error::Internal("a frame shorter than its head");
        frame.first_chunk_mut::<HEAD_BYTES>().ok_or(TORN)?.copy_from_slice(&self.encode());
        self.crc = frame_crc(frame, salt).ok_or(TORN)?;
        frame.get_mut(CRC_AT..CRC_AT + 4).ok_or(TORN)?.copy_from_slice(&self.crc.to_le_bytes());
        Ok(())
    }
}

/// The checksum that a whole frame should have in a file with this salt.
pub(crate) fn frame_crc(frame: &[u8], salt: u64) -> Option<u32> {
    let (length, covered) = (frame.first_chunk::<4>()?, frame.get(8..)?);
    let seed = frame_seed(crc32c(&salt.to_le_bytes()), u32::from_le_bytes(*length));
    Some(crc32c_append(seed, covered))
}

/// The seed of the checksum of a frame of this length; `salt_crc` is the checksum of its file's salt.
pub(crate) fn frame_seed(salt_crc: u32, length: u32) -> u32 {
    crc32c_append(salt_crc, &length.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> FrameHead {
        FrameHead {
            length: 64,
            crc: 0,
            previous_crc: 5,
            kind: FrameKind::Seal,
            seq: 9,
            first_event_id: 70,
            timestamp_ms: 1_700_000_000_000,
            durable_upto: 8,
            event_count: 2,
            op_count: 1,
        }
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        assert_eq!(FrameHead::parse(&head().encode()), Some(head()));
        assert_eq!(FrameHead::parse(&head().encode()[..HEAD_BYTES - 1]), None);
    }

    #[test]
    fn what_no_frame_begins_with_is_refused() {
        for (refused, wrong) in [
            ("length below a head", FrameHead { length: 48, ..head() }),
            ("length not aligned", FrameHead { length: 65, ..head() }),
            ("length above the limit", FrameHead { length: (1 << 30) + 8, ..head() }),
            ("durable before it was written", FrameHead { durable_upto: 10, ..head() }),
            ("a commit without a next one", FrameHead { seq: SEQ_END, ..head() }),
            ("event ids overflow", FrameHead { first_event_id: u64::MAX - 1, ..head() }),
        ] {
            assert_eq!(FrameHead::parse(&wrong.encode()), None, "{refused}");
        }
        for (offset, byte) in [(12, 0), (12, 5), (13, 1), (14, 1), (15, 1)] {
            let mut bytes = head().encode();
            bytes[offset] = byte;
            assert_eq!(FrameHead::parse(&bytes), None, "byte {offset} = {byte}");
        }
    }

    #[test]
    fn the_checksum_depends_on_salt_length_and_content_but_not_on_itself() {
        let mut frame = [3; 64];
        let crc = frame_crc(&frame, 1);
        assert_ne!(crc, frame_crc(&frame, 2));
        for offset in (0..4).chain(8..64) {
            frame[offset] ^= 0x40;
            assert_ne!(crc, frame_crc(&frame, 1), "byte {offset}");
            frame[offset] ^= 0x40;
        }
        frame[5] ^= 1;
        assert_eq!(crc, frame_crc(&frame, 1));
    }
}
