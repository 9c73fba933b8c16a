//! The head of a file of state or events, and the seed of the checksums in it.
//!
//! ```text
//! 0 magic | 8 format u16 | 10 zero u16 | 12 backup id 16 bytes | 28 shard u32 | 32 shards u32 | 36 crc32c u32 of all before
//! ```

use ledgerstone_format::{
    ByteReader,
    checksum::{crc32c, crc32c_append},
};

/// So long is a head.
pub(super) const HEAD_BYTES: usize = 40;
/// What a block is made of at most, uncompressed.
pub(super) const BLOCK_BYTES: usize = 1 << 20;
/// Before each block: stored length, raw length, checksum.
pub(super) const BLOCK_HEAD_BYTES: usize = 12;
/// Behind the head of the last block, which has no bytes: records, raw bytes.
pub(super) const END_BYTES: usize = 16;
/// The format of backups.
pub(super) const FORMAT: u16 = 1;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShardKind {
    State,
    Events,
}

impl ShardKind {
    const fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::State => b"LGST-BKS",
            Self::Events => b"LGST-BKE",
        }
    }
}

/// Which file of which backup it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShardHead {
    pub(super) kind: ShardKind,
    pub(super) backup_id: [u8; 16],
    pub(super) shard: u32,
    pub(super) shard_count: u32,
}

impl ShardHead {
    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..8].copy_from_slice(self.kind.magic());
        bytes[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..28].copy_from_slice(&self.backup_id);
        bytes[28..32].copy_from_slice(&self.shard.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.shard_count.to_le_bytes());
        let crc = crc32c(&bytes[..36]);
        bytes[36..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The seed of the checksum of a block at `offset`: a block verifies in its own file and place only.
    pub(super) fn seed(&self, offset: u64) -> u32 {
        let file = crc32c_append(crc32c(&self.backup_id), &self.shard.to_le_bytes());
        crc32c_append(crc32c_append(file, self.kind.magic()), &offset.to_le_bytes())
    }
}

/// The lengths before a block, and its checksum.
pub(super) fn block_head(bytes: &[u8]) -> Option<(u32, u32, u32)> {
    let mut reader = ByteReader::new(bytes);
    Some((reader.u32()?, reader.u32()?, reader.u32()?))
}
