//! Lays out a frame in the memory where it stays: the payload is copied here once and never again.

use bytes::BytesMut;
use ledgerstone_format::align_up;
use ledgerstone_vfs::FileError;

use crate::{
    Error, Frame, FrameKind, OpKind, Result,
    frame::OP_HEAD_BYTES,
    frame_head::{FRAME_ALIGN, FrameHead, HEAD_BYTES, MAX_FRAME_BYTES},
    frame_memory::FrameMemory,
};

/// What the owner of the gate assigns to a commit (I3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its number: one more than the last frame's.
    pub seq: u64,
    /// The id of its first event; without events the id that the next event will get.
    pub first_event_id: u64,
    /// The time, in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
}

/// What a frame is chained to, known only when it gets its place in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) salt: u64,
    pub(crate) previous_crc: u32,
    pub(crate) durable_upto: u64,
}

/// A frame in the making: all but what [`append`](crate::Journal::append) assigns.
#[derive(Debug)]
pub struct FrameBuilder {
    bytes: BytesMut,
    kind: FrameKind,
    event_count: u32,
    op_count: u32,
    ops_start: usize,
}

impl FrameBuilder {
    /// The length in bytes of a frame with these counts of events and operations. `event_bytes` is the total of the events,
    /// `op_bytes` that of the keys and values. Saturates.
    pub const fn frame_bytes(event_count: usize, event_bytes: usize, op_count: usize, op_bytes: usize) -> u64 {
        let tables = event_count.saturating_mul(4).saturating_add(op_count.saturating_mul(OP_HEAD_BYTES));
        let payload = event_bytes.saturating_add(op_bytes);
        align_up(HEAD_BYTES.saturating_add(tables).saturating_add(payload) as u64, FRAME_ALIGN)
    }

    /// Begins a frame with its events, which are iterated twice: lengths, then bytes. `frame_bytes` is the expected length of
    /// the whole frame ([`frame_bytes`](Self::frame_bytes)); if it is right no memory is moved. [`Error::Limit`] when the
    /// events alone are too many or too large; [`Error::Io`] when there is no memory.
    pub fn new<'a, E>(kind: FrameKind, frame_bytes: u64, events: E) -> Result<Self>
    where
        E: Iterator<Item = &'a [u8]> + Clone,
    {
        Self::new_in(FrameMemory::of_its_own(frame_bytes), kind, events)
    }

    /// The same in the given memory, which is empty; [`Error::Io`] without any.
    pub(crate) fn new_in<'a, E>(memory: Option<BytesMut>, kind: FrameKind, events: E) -> Result<Self>
    where
        E: Iterator<Item = &'a [u8]> + Clone,
    {
        let mut bytes = memory.ok_or_else(|| FileError::no_memory("a commit", ""))?;
        bytes.resize(HEAD_BYTES, 0);
        let mut total = HEAD_BYTES as u64;
        for event in events.clone() {
            total += 4 + event.len() as u64;
            check_len(total)?;
            bytes.extend_from_slice(&u32::try_from(event.len()).unwrap_or(u32::MAX).to_le_bytes());
        }
        let event_count = u32::try_from((bytes.len() - HEAD_BYTES) / 4).unwrap_or(u32::MAX);
        for event in events {
            bytes.extend_from_slice(event);
        }
        let ops_start = bytes.len();
        Ok(Self { bytes, kind, event_count, op_count: 0, ops_start })
    }

    /// Adds an operation. [`Error::Limit`] when the key is longer than 65,535 bytes or the frame would be too large.
    pub fn op(&mut self, kind: OpKind, collection: u32, key: &[u8], value: &[u8]) -> Result<()> {
        let Ok(key_len) = u16::try_from(key.len()) else {
            return Err(Error::Limit { limit: "key", size: key.len() as u64, max: u64::from(u16::MAX) });
        };
        check_len((self.bytes.len() + OP_HEAD_BYTES + key.len()) as u64 + value.len() as u64)?;
        let value_len = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&[kind as u8]);
        self.bytes.extend_from_slice(&collection.to_le_bytes());
        self.bytes.extend_from_slice(&key_len.to_le_bytes());
        self.bytes.extend_from_slice(&value_len.to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.op_count += 1;
        Ok(())
    }

    /// The length of the finished frame in bytes, padding included.
    pub fn encoded_len(&self) -> u64 {
        align_up(self.bytes.len() as u64, FRAME_ALIGN)
    }

    /// How many events it has.
    pub const fn event_count(&self) -> u32 {
        self.event_count
    }

    /// The frame, and the unused rest of its memory.
    pub(crate) fn finish(mut self, stamp: Stamp, link: Link) -> Result<(Frame, BytesMut)> {
        let length = self.encoded_len();
        self.bytes.resize(usize::try_from(length).unwrap_or(self.bytes.len()), 0);
        let mut head = FrameHead {
            length: u32::try_from(length).unwrap_or(u32::MAX),
            crc: 0,
            previous_crc: link.previous_crc,
            kind: self.kind,
            seq: stamp.seq,
            first_event_id: stamp.first_event_id,
            timestamp_ms: stamp.timestamp_ms,
            durable_upto: link.durable_upto,
            event_count: self.event_count,
            op_count: self.op_count,
        };
        head.stamp(&mut self.bytes, link.salt)?;
        Ok((Frame::built(self.bytes.split().freeze(), self.ops_start), self.bytes))
    }
}

fn check_len(len: u64) -> Result<()> {
    let max = MAX_FRAME_BYTES - FRAME_ALIGN;
    if len > max { Err(Error::Limit { limit: "frame", size: len, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_format_cannot_hold_is_refused_and_changes_nothing() {
        let mut builder = FrameBuilder::new(FrameKind::Commit, 0, std::iter::empty()).unwrap();
        builder.op(OpKind::Put, 1, &vec![1; 65_535], b"").unwrap();
        let len = builder.encoded_len();
        let refused = builder.op(OpKind::Put, 1, &vec![1; 65_536], b"");
        assert!(matches!(refused, Err(Error::Limit { limit: "key", size: 65_536, max: 65_535 })));
        assert_eq!(builder.encoded_len(), len);
    }

    #[test]
    fn events_beyond_the_longest_frame_are_refused_before_they_are_copied() {
        let event = vec![0_u8; 1 << 20];
        let refused = FrameBuilder::new(FrameKind::Commit, 0, std::iter::repeat_n(&event[..], 1025));
        assert!(matches!(refused, Err(Error::Limit { limit: "frame", .. })));
    }

    #[test]
    fn the_expected_length_is_the_length() {
        let mut builder = FrameBuilder::new(FrameKind::Trim, 200, [&b"one"[..], b"three"].into_iter()).unwrap();
        builder.op(OpKind::SetMeta, 0, b"k", b"vv").unwrap();
        assert_eq!(builder.encoded_len(), FrameBuilder::frame_bytes(2, 8, 1, 3));
        assert_eq!(FrameBuilder::frame_bytes(usize::MAX, 1, 1, 1), !7, "saturates");
    }
}
