//! The record that a clean close leaves: everything is flushed, and where the events and the commits ended. It vouches only for
//! the bytes up to there, and is removed before the next write.
//!
//! ```text
//! store   LGST-CLN | version u16 | store id 16 bytes | last seq u64 | next event id u64 | crc32c u32
//! log     LGST-EVC | version u16 | log id 16 bytes | next event id u64 | closed at u64 | crc32c u32
//! ```

use crate::{
    FolderKind, StoreId,
    sealed_record::{Unsealed, seal, unseal},
};

const VERSION: u16 = 1;

/// The ends that a clean close recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanMark {
    /// The last commit of a store; 0 for a log, which has none.
    pub seq: u64,
    /// The id of the event after the last one.
    pub next_event_id: u64,
    /// When a log was closed, in milliseconds since the Unix epoch; 0 for a store, whose mark has no such field.
    pub closed_at_ms: u64,
}

impl CleanMark {
    /// The bytes at the head of a mark that say whether it is a store's or a log's.
    pub const HEAD_BYTES: usize = 8;

    const fn magic(kind: FolderKind) -> [u8; 8] {
        match kind {
            FolderKind::Store => *b"LGST-CLN",
            FolderKind::Log => *b"LGST-EVC",
        }
    }

    /// Whether a file with this head is a mark of this kind of folder, sound or not.
    pub fn is_head(kind: FolderKind, head: &[u8]) -> bool {
        head == Self::magic(kind)
    }

    /// The record of the store or log with this id.
    pub fn encode(&self, kind: FolderKind, id: StoreId) -> Vec<u8> {
        let mut fields = id.as_bytes().to_vec();
        let words = match kind {
            FolderKind::Store => [self.seq, self.next_event_id],
            FolderKind::Log => [self.next_event_id, self.closed_at_ms],
        };
        fields.extend(words.into_iter().flat_map(u64::to_le_bytes));
        seal(Self::magic(kind), VERSION, &fields)
    }

    /// Reads a record: the id of its store or log, and its ends.
    pub fn decode(kind: FolderKind, record: &[u8]) -> Unsealed<(StoreId, Self)> {
        unseal(Self::magic(kind), VERSION, record, |fields| {
            let id = StoreId::from_bytes(fields.array()?);
            let (first, second) = (fields.u64()?, fields.u64()?);
            let mark = match kind {
                FolderKind::Store => Self { seq: first, next_event_id: second, closed_at_ms: 0 },
                FolderKind::Log => Self { seq: 0, next_event_id: first, closed_at_ms: second },
            };
            Some((id, mark))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::CleanMark;
    use crate::{FolderKind, StoreId, sealed_record::Unsealed};

    #[test]
    fn a_mark_reads_back_and_every_flipped_bit_and_cut_is_noticed() {
        let id = StoreId::from_random([3; 16]);
        let store = CleanMark { seq: 5, next_event_id: 9, closed_at_ms: 0 };
        let log = CleanMark { seq: 0, next_event_id: 9, closed_at_ms: 77 };
        for (kind, mark) in [(FolderKind::Store, store), (FolderKind::Log, log)] {
            let record = mark.encode(kind, id);
            assert_eq!(CleanMark::decode(kind, &record), Unsealed::Record((id, mark)));
            assert!(CleanMark::is_head(kind, &record[..CleanMark::HEAD_BYTES]));
            for len in 0..record.len() {
                assert_eq!(CleanMark::decode(kind, &record[..len]), Unsealed::Damaged, "cut to {len}");
            }
            for bit in 0..record.len() * 8 {
                let mut damaged = record.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(CleanMark::decode(kind, &damaged), Unsealed::Damaged, "bit {bit}");
            }
        }
    }
}
