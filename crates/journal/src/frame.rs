//! One commit in the journal: its events and its state operations under one checksum (I1). Invariant: a `Frame` exists only
//! after its whole structure was checked, so every accessor is total.

use std::ops::Range;

use bytes::Bytes;
use ledgerstone_format::{ByteReader, PlantedFault, planted};

use crate::frame_head::{
    CRC_AT, DURABLE_UPTO_AT, EVENT_COUNT_AT, FIRST_EVENT_ID_AT, FRAME_ALIGN, FrameHead, FrameKind, HEAD_BYTES, KIND_AT,
    OP_COUNT_AT, PREVIOUS_CRC_AT, SEQ_AT, TIMESTAMP_AT, frame_crc,
};

/// Bytes of an operation before its key.
pub(crate) const OP_HEAD_BYTES: usize = 11;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpKind {
    /// Sets a key of a collection.
    Put = 1,
    /// Removes a key of a collection.
    Delete = 2,
    /// Makes a collection; the store defines what key and value contain.
    CreateCollection = 3,
    /// Drops a collection.
    DropCollection = 4,
    /// Sets a record that the store keeps for itself.
    SetMeta = 5,
}

impl OpKind {
    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Put,
            2 => Self::Delete,
            3 => Self::CreateCollection,
            4 => Self::DropCollection,
            5 => Self::SetMeta,
            _ => return None,
        })
    }
}

/// One state operation. Key and value are ranges into [`Frame::bytes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What it does.
    pub kind: OpKind,
    /// The id of the collection.
    pub collection: u32,
    /// The range of the key.
    pub key: Range<usize>,
    /// The range of the value; empty if there is none.
    pub value: Range<usize>,
}

/// An immutable frame. Clones share its bytes, which are in a piece of memory with those of other frames.
#[derive(Clone, Debug)]
pub struct Frame {
    bytes: Bytes,
    ops_start: u32,
}

impl Frame {
    /// Takes over bytes that were read from a file with this salt, if they are one whole valid frame.
    pub(crate) fn verify(bytes: Vec<u8>, salt: u64) -> Option<Self> {
        let head = FrameHead::parse(&bytes)?;
        if frame_crc(&bytes, salt)? != head.crc && !planted(PlantedFault::ChecksumUnchecked) {
            return None;
        }
        let ops_start = check_structure(&bytes, &head)?;
        Some(Self::built(bytes.into(), ops_start))
    }

    /// Takes over bytes that a builder laid out and stamped.
    pub(crate) fn built(bytes: Bytes, ops_start: usize) -> Self {
        Self { bytes, ops_start: u32::try_from(ops_start).unwrap_or(u32::MAX) }
    }

    fn field<const N: usize>(&self, offset: usize) -> [u8; N] {
        self.bytes.get(offset..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
    }

    /// The whole frame, head and padding included.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of this commit; contiguous from 1.
    pub fn seq(&self) -> u64 {
        u64::from_le_bytes(self.field(SEQ_AT))
    }

    /// What it records.
    pub fn kind(&self) -> FrameKind {
        let [kind] = self.field(KIND_AT);
        FrameKind::of(kind).unwrap_or(FrameKind::Commit)
    }

    /// The id of its first event; without events the id that the next event will get.
    pub fn first_event_id(&self) -> u64 {
        u64::from_le_bytes(self.field(FIRST_EVENT_ID_AT))
    }

    /// The id that follows its last event.
    pub fn next_event_id(&self) -> u64 {
        self.first_event_id().saturating_add(u64::from(self.event_count()))
    }

    /// When it was committed, in milliseconds since the Unix epoch.
    pub fn timestamp_ms(&self) -> u64 {
        u64::from_le_bytes(self.field(TIMESTAMP_AT))
    }

    /// Up to which seq the journal was durable when this frame was made.
    pub fn durable_upto(&self) -> u64 {
        u64::from_le_bytes(self.field(DURABLE_UPTO_AT))
    }

    /// How many events it has.
    pub fn event_count(&self) -> u32 {
        u32::from_le_bytes(self.field(EVENT_COUNT_AT))
    }

    /// How many operations it has.
    pub fn op_count(&self) -> u32 {
        u32::from_le_bytes(self.field(OP_COUNT_AT))
    }

    /// Its checksum. A frame that recovery copied to another file has a different one there.
    pub fn crc(&self) -> u32 {
        u32::from_le_bytes(self.field(CRC_AT))
    }

    /// The checksum of the frame before it, where it was made.
    pub(crate) fn previous_crc(&self) -> u32 {
        u32::from_le_bytes(self.field(PREVIOUS_CRC_AT))
    }

    /// The lengths of its events in bytes.
    pub fn event_lengths(&self) -> impl Iterator<Item = u32> + '_ {
        let table = self.bytes.get(HEAD_BYTES..).unwrap_or_default();
        let (lengths, _) = table.as_chunks::<4>();
        lengths.iter().take(self.event_count() as usize).map(|length| u32::from_le_bytes(*length))
    }

    /// The ranges of its events in [`bytes`](Self::bytes), in order.
    pub fn events(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut start = HEAD_BYTES + 4 * self.event_count() as usize;
        self.event_lengths().map(move |length| {
            let end = start + length as usize;
            std::mem::replace(&mut start, end)..end
        })
    }

    /// Its operations, in order.
    pub fn ops(&self) -> Ops<'_> {
        Ops::new(&self.bytes, self.ops_start as usize, self.op_count())
    }
}

/// The operations of a frame.
#[derive(Clone, Debug)]
pub struct Ops<'a> {
    reader: ByteReader<'a>,
    start: usize,
    left: u32,
}

impl<'a> Ops<'a> {
    fn new(frame: &'a [u8], start: usize, count: u32) -> Self {
        Self { reader: ByteReader::new(frame.get(start..).unwrap_or_default()), start, left: count }
    }

    fn read(&mut self) -> Option<Op> {
        let kind = OpKind::of(self.reader.u8()?)?;
        let collection = self.reader.u32()?;
        let (key_len, value_len) = (self.reader.u16()? as usize, self.reader.u32()? as usize);
        let key_start = self.start + self.reader.position();
        self.reader.take(key_len)?;
        let value_start = self.start + self.reader.position();
        self.reader.take(value_len)?;
        Some(Op { kind, collection, key: key_start..value_start, value: value_start..value_start + value_len })
    }
}

impl Iterator for Ops<'_> {
    type Item = Op;

    fn next(&mut self) -> Option<Op> {
        self.left = self.left.checked_sub(1)?;
        self.read()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

/// Checks everything after the head: counts, lengths, kinds, bounds and padding. Returns where the operations start.
pub(crate) fn check_structure(bytes: &[u8], head: &FrameHead) -> Option<usize> {
    if bytes.len() != head.length as usize {
        return None;
    }
    let mut reader = ByteReader::new(bytes);
    reader.take(HEAD_BYTES)?;
    let lengths = reader.take((head.event_count as usize).checked_mul(4)?)?;
    let mut event_bytes = 0_u64;
    for length in lengths.as_chunks::<4>().0 {
        event_bytes = event_bytes.checked_add(u64::from(u32::from_le_bytes(*length)))?;
    }
    reader.take(usize::try_from(event_bytes).ok()?)?;
    let ops_start = reader.position();
    let mut ops = Ops::new(bytes, ops_start, head.op_count);
    for _ in 0..head.op_count {
        ops.next()?;
    }
    let padding = bytes.get(ops_start + ops.reader.position()..)?;
    ((padding.len() as u64) < FRAME_ALIGN && padding.iter().all(|byte| *byte == 0)).then_some(ops_start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameBuilder, Stamp, frame_builder::Link};

    const SALT: u64 = 77;

    type Change = &'static dyn Fn(&mut Vec<u8>);

    /// Two events, two operations, and some padding.
    fn frame() -> Frame {
        let events: [&[u8]; 2] = [b"abc", b""];
        let mut builder = FrameBuilder::new(FrameKind::Commit, 0, events.into_iter()).unwrap();
        builder.op(OpKind::Put, 7, b"key", b"value").unwrap();
        builder.op(OpKind::Delete, u32::MAX, b"", b"").unwrap();
        let stamp = Stamp { seq: 5, first_event_id: 11, timestamp_ms: 99 };
        builder.finish(stamp, Link { salt: SALT, previous_crc: 1, durable_upto: 4 }).unwrap().0
    }

    /// The frame with some bytes changed and a correct checksum over them.
    fn resealed(change: impl FnOnce(&mut Vec<u8>)) -> Option<Frame> {
        let mut bytes = frame().bytes().to_vec();
        change(&mut bytes);
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[0..4].copy_from_slice(&length.to_le_bytes());
        let crc = frame_crc(&bytes, SALT).unwrap();
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        Frame::verify(bytes, SALT)
    }

    #[test]
    fn a_frame_is_read_as_it_was_built() {
        let built = frame();
        assert_eq!(built.bytes().len() as u64, FrameBuilder::frame_bytes(2, 3, 2, 8));
        let read = Frame::verify(built.bytes().to_vec(), SALT).unwrap();
        for frame in [&built, &read] {
            let text = |range: Range<usize>| String::from_utf8(frame.bytes()[range].to_vec()).unwrap();
            assert_eq!((frame.seq(), frame.first_event_id(), frame.timestamp_ms()), (5, 11, 99));
            assert_eq!((frame.durable_upto(), frame.event_count(), frame.op_count()), (4, 2, 2));
            assert_eq!(frame.event_lengths().collect::<Vec<_>>(), [3, 0]);
            assert_eq!(frame.events().map(text).collect::<Vec<_>>(), ["abc", ""]);
            let ops: Vec<_> = frame.ops().map(|op| (op.kind, op.collection, text(op.key), text(op.value))).collect();
            let expected = [
                (OpKind::Put, 7, "key".into(), "value".into()),
                (OpKind::Delete, u32::MAX, String::new(), String::new()),
            ];
            assert_eq!(ops, expected);
        }
        assert_eq!(built.crc(), read.crc());
    }

    #[test]
    fn any_flipped_byte_any_truncation_and_any_other_salt_is_refused() {
        let bytes = frame().bytes().to_vec();
        for offset in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[offset] ^= 0x20;
            assert!(Frame::verify(damaged, SALT).is_none(), "byte {offset}");
            assert!(Frame::verify(bytes[..offset].to_vec(), SALT).is_none(), "cut at {offset}");
        }
        assert!(Frame::verify(bytes, SALT + 1).is_none());
    }

    /// A correct checksum does not prove a correct structure: it is checked once, and every accessor relies on that.
    #[test]
    fn a_wrong_structure_under_a_right_checksum_is_refused() {
        const OPS_START: usize = HEAD_BYTES + 8 + 3;
        assert!(resealed(|_| ()).is_some());
        let wrong: [(&str, Change); 11] = [
            ("more events than there are", &|bytes| bytes[48] = 200),
            ("fewer events", &|bytes| bytes[48] = 1),
            ("events without end", &|bytes| bytes[48..52].fill(0xff)),
            ("a longer event", &|bytes| bytes[HEAD_BYTES] = 250),
            ("an event without end", &|bytes| bytes[HEAD_BYTES..HEAD_BYTES + 4].fill(0xff)),
            ("one operation more", &|bytes| bytes[52] = 3),
            ("one operation less", &|bytes| bytes[52] = 1),
            ("operations without end", &|bytes| bytes[52..56].fill(0xff)),
            ("an unknown operation", &|bytes| bytes[OPS_START] = 6),
            ("padding that is not zero", &|bytes| *bytes.last_mut().unwrap() = 1),
            ("padding of a whole unit", &|bytes| bytes.extend([0; 8])),
        ];
        for (what, change) in wrong {
            assert!(resealed(change).is_none(), "{what}");
        }
    }
}
