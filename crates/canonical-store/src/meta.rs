//! The meta record: how far the checkpoint goes. The last LMDB transaction of each flush writes it; recovery starts from it.

use ledgerstone_format::{
    StoreId,
    sealed_record::{Unsealed, put_text, seal, text, unseal},
};
use ledgerstone_journal::Position;

const MAGIC: [u8; 8] = *b"LGST-MET";
const VERSION: u16 = 1;
/// Epochs at or above this are invalid: each opening and each flush begins another.
const EPOCH_END: u64 = 1 << 63;

/// The content of the meta record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetaRecord {
    pub(crate) store_id: StoreId,
    pub(crate) applied_seq: u64,
    /// The place after the frame of `applied_seq`; `None` while that is 0.
    pub(crate) position: Option<Position>,
    pub(crate) next_event_id: u64,
    pub(crate) oldest_event_id: u64,
    /// The newest event when the store was sealed, 0 for none; `None` while it is not sealed.
    pub(crate) sealed_event_id: Option<u64>,
    pub(crate) last_timestamp_ms: u64,
    pub(crate) next_collection_id: u32,
    pub(crate) schema_version: u32,
    pub(crate) created_at_ms: u64,
    pub(crate) updated_at_ms: u64,
    pub(crate) epoch: u64,
    /// Empty: no event was ever written.
    pub(crate) event_codec: String,
}

impl MetaRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = self.store_id.as_bytes().to_vec();
        let position = self.position.as_ref();
        for word in [
            self.applied_seq,
            position.map_or(0, |position| position.file),
            position.map_or(0, |position| position.offset),
            self.next_event_id,
            self.oldest_event_id,
            // 0 means not sealed.
            self.sealed_event_id.map_or(0, |id| id + 1),
            self.last_timestamp_ms,
            self.created_at_ms,
            self.updated_at_ms,
            self.epoch,
        ] {
            fields.extend_from_slice(&word.to_le_bytes());
        }
        for word in [position.map_or(0, |position| position.crc), self.next_collection_id, self.schema_version] {
            fields.extend_from_slice(&word.to_le_bytes());
        }
        put_text(&mut fields, &self.event_codec);
        seal(MAGIC, VERSION, &fields)
    }

    /// `Ok(None)` when damaged, `Err(version)` when of an unknown version.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Self>, u16> {
        let record = unseal(MAGIC, VERSION, bytes, |fields| {
            let store_id = StoreId::from_bytes(fields.array()?);
            let [applied_seq, file, offset, next_event_id, oldest_event_id, sealed_event_id, last_timestamp_ms] =
                [(); 7].map(|()| fields.u64());
            let [created_at_ms, updated_at_ms, epoch] = [(); 3].map(|()| fields.u64());
            let [crc, next_collection_id, schema_version] = [(); 3].map(|()| fields.u32());
            let applied_seq = applied_seq?;
            let position = Position { file: file?, offset: offset?, crc: crc? };
            Some(Self {
                store_id,
                applied_seq,
                position: (applied_seq > 0).then_some(position),
                next_event_id: next_event_id?,
                oldest_event_id: oldest_event_id?,
                sealed_event_id: sealed_event_id?.checked_sub(1),
                last_timestamp_ms: last_timestamp_ms?,
                next_collection_id: next_collection_id?,
                schema_version: schema_version?,
                created_at_ms: created_at_ms?,
                updated_at_ms: updated_at_ms?,
                epoch: epoch?,
                event_codec: text(fields)?,
            })
        });
        match record {
            Unsealed::Record(record) => Ok(Some(record).filter(|record| record.epoch < EPOCH_END)),
            Unsealed::Version(found) => Err(found),
            Unsealed::Damaged => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_format::StoreId;
    use ledgerstone_journal::Position;

    use super::{EPOCH_END, MetaRecord};

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let mut record = MetaRecord {
            store_id: StoreId::from_random([7; 16]),
            applied_seq: 3,
            position: Some(Position { file: 1, offset: 8192, crc: 77 }),
            next_event_id: 9,
            oldest_event_id: 1,
            sealed_event_id: None,
            last_timestamp_ms: 123,
            next_collection_id: 4,
            schema_version: 0,
            created_at_ms: 100,
            updated_at_ms: 123,
            epoch: 2,
            event_codec: "json".to_owned(),
        };
        for (epoch, is_sound) in [(EPOCH_END - 1, true), (EPOCH_END, false), (u64::MAX, false)] {
            let record = MetaRecord { epoch, ..record.clone() };
            assert_eq!(MetaRecord::decode(&record.encode()).unwrap().is_some(), is_sound);
        }
        for sealed_event_id in [None, Some(0), Some(8)] {
            record.sealed_event_id = sealed_event_id;
            assert_eq!(MetaRecord::decode(&record.encode()), Ok(Some(record.clone())));
        }
    }
}
