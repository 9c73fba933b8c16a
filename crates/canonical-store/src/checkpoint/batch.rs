//! One flush, as given to the checkpoint.

use std::{collections::HashSet, sync::Arc};

use ledgerstone_format::sealed_record::{put_text, text};

use crate::{catalog::CatalogEntry, delta::StoreDelta, meta::MetaRecord};

/// The net operations of a frozen delta, and the meta record that goes with them.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) delta: &'a StoreDelta,
    pub(crate) meta: MetaRecord,
    /// All collections except `state`, including dropped ones.
    pub(crate) catalog: Vec<Arc<CatalogEntry>>,
    /// Collections whose operations need not be written.
    pub(crate) dropped: HashSet<u32>,
}

/// How much of a batch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A part without the meta record is durable.
    State(u32),
    /// The last part, with the meta record, is durable.
    Last,
}

/// The key of the meta record.
pub(super) const META_KEY: &[u8] = b"meta";

/// A catalogue entry as stored; its id is the key.
pub(super) fn encode_entry(entry: &CatalogEntry) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&entry.created_seq.to_le_bytes());
    bytes.extend_from_slice(&entry.dropped_seq.to_le_bytes());
    for text in [&entry.name, &entry.key_codec, &entry.value_codec] {
        put_text(&mut bytes, text);
    }
    bytes
}

/// Reads an entry of [`encode_entry`].
pub(super) fn decode_entry(id: u32, bytes: &[u8]) -> Option<CatalogEntry> {
    let mut reader = ledgerstone_format::ByteReader::new(bytes);
    let (created_seq, dropped_seq) = (reader.u64()?, reader.u64()?);
    let [name, key_codec, value_codec] = [(); 3].map(|()| text(&mut reader));
    let (name, key_codec, value_codec) = (name?, key_codec?, value_codec?);
    (reader.remaining() == 0).then_some(CatalogEntry { id, name, key_codec, value_codec, created_seq, dropped_seq })
}
