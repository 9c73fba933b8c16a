//! The records in the files of a backup.
//!
//! ```text
//! entry: collection u32 | key length u16 | value length u32 | key | value
//! event: timestamp u64 | length u32 | payload
//! ```

use ledgerstone_format::ByteReader;

use super::{block_reader::BlockReader, job::Step, reason::BackupReason};
use crate::{delta::full_key, options::MAX_KEY_BYTES};

/// No value and no event is longer.
const MAX_BYTES: u32 = 1 << 30;
const ENTRY_HEAD_BYTES: usize = 10;
const EVENT_HEAD_BYTES: usize = 12;

/// Puts an entry but its value into `out`.
pub(super) fn put_entry_head(out: &mut Vec<u8>, collection: u32, key: &[u8], value_len: usize) {
    out.extend_from_slice(&collection.to_le_bytes());
    out.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(&u32::try_from(value_len).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(key);
}

/// Puts an event but its payload into `out`.
pub(super) fn put_event_head(out: &mut Vec<u8>, timestamp_ms: u64, len: usize) {
    out.extend_from_slice(&timestamp_ms.to_le_bytes());
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

/// An entry as it is read; the memory of one serves the next.
#[derive(Debug, Default)]
pub(super) struct Entry {
    head: Vec<u8>,
    key: Vec<u8>,
    pub(super) collection: u32,
    /// As the checkpoint has it.
    pub(super) full_key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl Entry {
    /// Reads the next one; `false`: there is none.
    pub(super) fn read(&mut self, from: &mut BlockReader<'_>) -> Step<bool> {
        if !from.take(ENTRY_HEAD_BYTES, &mut self.head)? {
            return Ok(false);
        }
        let mut reader = ByteReader::new(&self.head);
        let (collection, key_len, value_len) = (reader.u32(), reader.u16(), reader.u32());
        let (key_len, value_len) = (key_len.unwrap_or_default(), value_len.unwrap_or_default());
        if key_len == 0 || u64::from(key_len) > MAX_KEY_BYTES || value_len > MAX_BYTES {
            let what = format!("an entry has a length that none can have: key={key_len} value={value_len}");
            return Err(from.wrong(BackupReason::Limit, what).into());
        }
        self.collection = collection.unwrap_or_default();
        if !from.take(usize::from(key_len), &mut self.key)? || !from.take(value_len as usize, &mut self.value)? {
            return Err(from.wrong(BackupReason::Count, "a record is cut off").into());
        }
        self.full_key = full_key(self.collection, &self.key);
        Ok(true)
    }
}

/// An event as it is read.
#[derive(Debug, Default)]
pub(super) struct Event {
    head: Vec<u8>,
    pub(super) timestamp_ms: u64,
    pub(super) payload: Vec<u8>,
}

impl Event {
    /// Reads the next one; `false`: there is none.
    pub(super) fn read(&mut self, from: &mut BlockReader<'_>) -> Step<bool> {
        if !from.take(EVENT_HEAD_BYTES, &mut self.head)? {
            return Ok(false);
        }
        let mut reader = ByteReader::new(&self.head);
        self.timestamp_ms = reader.u64().unwrap_or_default();
        let len = reader.u32().unwrap_or_default();
        if len > MAX_BYTES {
            let what = format!("an event has a length that none can have: length={len}");
            return Err(from.wrong(BackupReason::Limit, what).into());
        }
        if !from.take(len as usize, &mut self.payload)? {
            return Err(from.wrong(BackupReason::Count, "a record is cut off").into());
        }
        Ok(true)
    }
}
