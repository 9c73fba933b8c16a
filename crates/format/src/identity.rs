//! The record that makes a folder a store or an event log on its own: which of the two, its id, and when it was made.
//!
//! ```text
//! store   LGST-STO | version u16 | store id 16 bytes | created at u64 | crc32c u32
//! log     LGST-EVI | version u16 | log id 16 bytes | first event id u64 | created at u64 | crc32c u32
//! ```

use crate::{
    StoreId,
    sealed_record::{Unsealed, seal, unseal},
};

/// The on-disk format of a whole store, and of a log's folder.
pub const FORMAT_VERSION: u16 = 1;

/// What a folder with an identity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// A store.
    Store,
    /// An event log on its own.
    Log,
}

impl FolderKind {
    /// The bytes at the head of an identity that say its kind.
    pub const HEAD_BYTES: usize = 8;

    const fn magic(self) -> [u8; 8] {
        match self {
            Self::Store => *b"LGST-STO",
            Self::Log => *b"LGST-EVI",
        }
    }

    const fn record_bytes(self) -> usize {
        match self {
            Self::Store => 38,
            Self::Log => 46,
        }
    }

    /// The kind of an identity with this head.
    pub fn of_head(head: &[u8]) -> Option<Self> {
        [Self::Store, Self::Log].into_iter().find(|kind| kind.magic() == head)
    }
}

/// The identity of a store or a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What its folder is.
    pub kind: FolderKind,
    /// Its id, which each of its files carries.
    pub id: StoreId,
    /// The first event id that it ever had. A store's is 1 and is not stored.
    pub first_event_id: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: u64,
}

impl Identity {
    /// The identity of a store.
    pub const fn of_store(id: StoreId, created_at_ms: u64) -> Self {
        Self { kind: FolderKind::Store, id, first_event_id: 1, created_at_ms }
    }

    /// The identity of a log.
    pub const fn of_log(id: StoreId, first_event_id: u64, created_at_ms: u64) -> Self {
        Self { kind: FolderKind::Log, id, first_event_id, created_at_ms }
    }

    /// Encodes the record.
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = self.id.as_bytes().to_vec();
        if self.kind == FolderKind::Log {
            fields.extend_from_slice(&self.first_event_id.to_le_bytes());
        }
        fields.extend_from_slice(&self.created_at_ms.to_le_bytes());
        seal(self.kind.magic(), FORMAT_VERSION, &fields)
    }

    /// Reads the record of a store or of a log.
    pub fn decode(kind: FolderKind, record: &[u8]) -> Unsealed<Self> {
        unseal(kind.magic(), FORMAT_VERSION, record, |fields| {
            let id = StoreId::from_bytes(fields.array()?);
            let first_event_id = if kind == FolderKind::Log { fields.u64()? } else { 1 };
            Some(Self { kind, id, first_event_id, created_at_ms: fields.u64()? })
        })
    }

    /// Whether a record that does not verify is a foreign file rather than a damaged identity. A record of the right length is
    /// damaged, wherever the damage is; in one of any other length damage mostly leaves the beginning of the magic.
    pub fn is_foreign(kind: FolderKind, record: &[u8]) -> bool {
        let magic = kind.magic();
        let begins_as_ours = magic.get(..6).is_some_and(|head| record.starts_with(head));
        record.len() != kind.record_bytes() && record.len() >= magic.len() && !begins_as_ours
    }
}

#[cfg(test)]
mod tests {
    use super::{FolderKind, Identity};
    use crate::{StoreId, sealed_record::Unsealed};

    fn identities() -> [Identity; 2] {
        let id = StoreId::from_random([3; 16]);
        [Identity::of_store(id, 8), Identity::of_log(id, 7, 8)]
    }

    #[test]
    fn an_identity_reads_back_and_every_flipped_bit_and_cut_is_noticed() {
        for identity in identities() {
            let record = identity.encode();
            assert_eq!(Identity::decode(identity.kind, &record), Unsealed::Record(identity));
            assert_eq!(record.len(), identity.kind.record_bytes());
            assert_eq!(FolderKind::of_head(&record[..FolderKind::HEAD_BYTES]), Some(identity.kind));
            for len in 0..record.len() {
                assert_eq!(Identity::decode(identity.kind, &record[..len]), Unsealed::Damaged, "cut to {len}");
            }
            for bit in 0..record.len() * 8 {
                let mut damaged = record.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Identity::decode(identity.kind, &damaged), Unsealed::Damaged, "bit {bit}");
                assert!(!Identity::is_foreign(identity.kind, &damaged), "bit {bit}");
            }
        }
    }

    #[test]
    fn one_kind_is_not_taken_for_the_other_nor_somebody_elses_file_for_a_damaged_one() {
        let [store, log] = identities();
        assert_eq!(Identity::decode(FolderKind::Log, &store.encode()), Unsealed::Damaged);
        assert_eq!(Identity::decode(FolderKind::Store, &log.encode()), Unsealed::Damaged);
        for kind in [FolderKind::Store, FolderKind::Log] {
            assert!(Identity::is_foreign(kind, b"Dear diary, nothing happened today"));
            assert!(!Identity::is_foreign(kind, b"short"));
        }
    }
}
