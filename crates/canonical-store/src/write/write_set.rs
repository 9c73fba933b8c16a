//! The bytes in which a transaction passes its writes. They are untrusted: everything is checked before anything is used.
//!
//! Records, little endian, each padded to 4: `kind u8 | 0 u8 | key length u16 | slot u32 | value length u32 | key | value`.
//! Kinds: 1 put, 2 delete, 3 event (no key, the value is the payload), 4 drop collection (neither).

use ledgerstone_format::ByteReader;

use crate::{
    Error,
    error::Result,
    options::{Limits, MAX_KEY_BYTES},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    Put,
    Delete,
    Event,
    DropCollection,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) kind: RecordKind,
    pub(crate) slot: u32,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// The summary of a write set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) records: u32,
    pub(crate) events: u32,
    pub(crate) event_bytes: u64,
    pub(crate) ops: u32,
    pub(crate) op_bytes: u64,
    /// One of the records drops a collection.
    pub(crate) drops: bool,
}

fn next<'a>(reader: &mut ByteReader<'a>) -> Option<Record<'a>> {
    let kind = match reader.u8()? {
        1 => RecordKind::Put,
        2 => RecordKind::Delete,
        3 => RecordKind::Event,
        4 => RecordKind::DropCollection,
        _ => return None,
    };
    if reader.u8()? != 0 {
        return None;
    }
    let key_len = usize::from(reader.u16()?);
    let slot = reader.u32()?;
    let value_len = usize::try_from(reader.u32()?).ok()?;
    let (key, value) = (reader.take(key_len)?, reader.take(value_len)?);
    reader.take((4 - (key_len + value_len) % 4) % 4)?;
    let shape = match kind {
        RecordKind::Put => !key.is_empty(),
        RecordKind::Delete => !key.is_empty() && value.is_empty(),
        RecordKind::Event => key.is_empty(),
        RecordKind::DropCollection => key.is_empty() && value.is_empty(),
    };
    shape.then_some(Record { kind, slot, key, value })
}

/// The records of a write set that [`summarize`] has accepted.
fn records(bytes: &[u8]) -> impl Iterator<Item = Record<'_>> + Clone {
    let mut reader = ByteReader::new(bytes);
    std::iter::from_fn(move || next(&mut reader))
}

/// Its records except events. Does not read a write set without any.
pub(crate) fn ops<'a>(bytes: &'a [u8], summary: &Summary) -> impl Iterator<Item = Record<'a>> + Clone {
    records(if summary.ops == 0 { &[] } else { bytes }).filter(|record| record.kind != RecordKind::Event)
}

/// The payloads of its events. Does not read a write set without any.
pub(crate) fn events<'a>(bytes: &'a [u8], summary: &Summary) -> impl Iterator<Item = &'a [u8]> + Clone {
    let records = records(if summary.events == 0 { &[] } else { bytes });
    records.filter(|record| record.kind == RecordKind::Event).map(|record| record.value)
}

fn limit(what: &'static str, limit: &'static str, size: usize, max: u64) -> Result<()> {
    if size as u64 > max { Err(Error::Limit { what, limit, size: size as u64, max }) } else { Ok(()) }
}

/// Checks structure, slots and limits.
pub(crate) fn summarize(bytes: &[u8], slots: usize, limits: &Limits) -> Result<Summary> {
    limit("the transaction is too large", "transactionBytes", bytes.len(), limits.transaction_bytes)?;
    let mut summary = Summary::default();
    let mut reader = ByteReader::new(bytes);
    while reader.remaining() > 0 {
        let at = reader.position();
        let record = next(&mut reader).filter(|record| {
            record.kind == RecordKind::Event || usize::try_from(record.slot).is_ok_and(|slot| slot < slots)
        });
        let Some(record) = record else {
            let message = format!("the write set is malformed: offset={at}");
            return Err(Error::InvalidArgument { argument: "writeSet", message });
        };
        summary.records += 1;
        if record.kind == RecordKind::Event {
            limit("the event is too large", "eventBytes", record.value.len(), limits.event_bytes)?;
            summary.events += 1;
            summary.event_bytes += record.value.len() as u64;
        } else {
            limit("the key is too large", "keyBytes", record.key.len(), limits.key_bytes.min(MAX_KEY_BYTES))?;
            limit("the value is too large", "valueBytes", record.value.len(), limits.value_bytes)?;
            summary.ops += 1;
            summary.op_bytes += (record.key.len() + record.value.len()) as u64;
            summary.drops |= record.kind == RecordKind::DropCollection;
        }
    }
    Ok(summary)
}
