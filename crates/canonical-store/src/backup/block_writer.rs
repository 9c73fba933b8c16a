//! A file of a backup being written: records as one stream of bytes, cut into blocks that are compressed and checksummed each; a hash over the
//! whole file. Keeps one block in memory.

use std::sync::Arc;

use ledgerstone_format::{
    checksum::crc32c_append,
    compression::{Compression, compress},
};
use ledgerstone_vfs::VfsFile;

use super::shard_head::{BLOCK_BYTES, BLOCK_HEAD_BYTES, ShardHead};
use crate::error::Result;

/// What a finished file comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileRecord {
    /// Its length in bytes.
    pub(super) bytes: u64,
    /// BLAKE3 of all of them.
    pub(super) hash: [u8; 32],
    /// Entries or events.
    pub(super) records: u64,
    /// What they take uncompressed.
    pub(super) raw_bytes: u64,
}

/// See the module.
pub(super) struct BlockWriter {
    file: Arc<dyn VfsFile>,
    head: ShardHead,
    offset: u64,
    hasher: blake3::Hasher,
    raw: Vec<u8>,
    stored: Vec<u8>,
    records: u64,
    raw_bytes: u64,
}

impl BlockWriter {
    /// Writes the head into an empty file.
    pub(super) fn new(file: Arc<dyn VfsFile>, head: ShardHead) -> Result<Self> {
        let mut writer = Self {
            file,
            head,
            offset: 0,
            hasher: blake3::Hasher::new(),
            raw: Vec::with_capacity(BLOCK_BYTES),
            stored: Vec::new(),
            records: 0,
            raw_bytes: 0,
        };
        writer.stored.extend_from_slice(&head.encode());
        writer.write_stored()?;
        Ok(writer)
    }

    /// Adds bytes of the record that is being written.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.raw.len()));
            self.raw.extend_from_slice(now);
            bytes = later;
            if self.raw.len() == BLOCK_BYTES {
                self.write_block()?;
            }
        }
        Ok(())
    }

    /// So many records are complete.
    pub(super) fn count(&mut self, records: u64) {
        self.records += records;
    }

    /// Writes the rest and the end. Not flushed.
    pub(super) fn finish(mut self) -> Result<FileRecord> {
        if !self.raw.is_empty() {
            self.write_block()?;
        }
        let mut counts = self.records.to_le_bytes().to_vec();
        counts.extend_from_slice(&self.raw_bytes.to_le_bytes());
        self.put_block(0, 0, &counts);
        self.write_stored()?;
        Ok(FileRecord {
            bytes: self.offset,
            hash: *self.hasher.finalize().as_bytes(),
            records: self.records,
            raw_bytes: self.raw_bytes,
        })
    }

    fn write_block(&mut self) -> Result<()> {
        let raw = std::mem::take(&mut self.raw);
        let mut compressed = Vec::new();
        let bytes = if compress(Compression::Zstd, &raw, &mut compressed) { &compressed } else { &raw };
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.put_block(len(bytes), len(&raw), bytes);
        self.raw_bytes += raw.len() as u64;
        self.raw = raw;
        self.raw.clear();
        self.write_stored()
    }

    /// Puts a block with its head into `stored`.
    fn put_block(&mut self, stored_len: u32, raw_len: u32, bytes: &[u8]) {
        let lengths = [stored_len.to_le_bytes(), raw_len.to_le_bytes()].concat();
        let crc = crc32c_append(crc32c_append(self.head.seed(self.offset), &lengths), bytes);
        self.stored.reserve(BLOCK_HEAD_BYTES + bytes.len());
        self.stored.extend_from_slice(&lengths);
        self.stored.extend_from_slice(&crc.to_le_bytes());
        self.stored.extend_from_slice(bytes);
    }

    fn write_stored(&mut self) -> Result<()> {
        self.file.write_all_at(&self.stored, self.offset)?;
        self.hasher.update(&self.stored);
        self.offset += self.stored.len() as u64;
        self.stored.clear();
        Ok(())
    }
}
