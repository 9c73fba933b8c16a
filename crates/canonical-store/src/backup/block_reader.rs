//! Reads a file of a backup and believes none of it: every length against a maximum before it is used, every block against its checksum
//! before it is decompressed. Keeps one block in memory.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_format::{
    ByteReader,
    checksum::crc32c_append,
    compression::{Compression, Undecompressed, decompress_bounded},
    memory::zeroed,
};
use ledgerstone_vfs::{OpenHow, Vfs, VfsFile};

use super::{
    block_writer::FileRecord,
    job::{BackupJob, Step, no_memory},
    reason::{BackupReason, unreadable},
    shard_head::{BLOCK_BYTES, BLOCK_HEAD_BYTES, END_BYTES, HEAD_BYTES, ShardHead, block_head},
};
use crate::Error;

/// See the module.
pub(super) struct BlockReader<'a> {
    file: Arc<dyn VfsFile>,
    path: PathBuf,
    head: ShardHead,
    job: &'a BackupJob,
    len: u64,
    offset: u64,
    hasher: blake3::Hasher,
    block: Vec<u8>,
    /// How much of the block was taken.
    taken: usize,
    raw_bytes: u64,
    /// What the end of the file says, once it was reached.
    end: Option<(u64, u64)>,
}

impl<'a> BlockReader<'a> {
    /// Opens the file at `path`, which has to be the one with this head and as long as `len`.
    pub(super) fn open(vfs: &dyn Vfs, path: &Path, head: ShardHead, len: u64, job: &'a BackupJob) -> Step<Self> {
        let file = vfs.open(path, OpenHow::Read).map_err(|error| unreadable(path, error))?;
        let found = file.len().map_err(|error| unreadable(path, error))?;
        if found != len {
            let what = format!("a file of the backup has another length: found={found} expected={len}");
            return Err(BackupReason::Size.error(path, what).into());
        }
        let mut reader = Self {
            file,
            path: path.to_path_buf(),
            head,
            job,
            len,
            offset: 0,
            hasher: blake3::Hasher::new(),
            block: Vec::new(),
            taken: 0,
            raw_bytes: 0,
            end: None,
        };
        let bytes = reader.read(HEAD_BYTES)?;
        if bytes != head.encode() {
            let what = "this is not the file of the backup that it should be";
            return Err(BackupReason::Format.error(path, what).into());
        }
        Ok(reader)
    }

    /// An error about this file.
    pub(super) fn wrong(&self, reason: BackupReason, what: impl Into<String>) -> Error {
        reason.error(&self.path, what)
    }

    /// Takes the next `len` bytes of the stream into `into`; `false`: the stream has ended before the first of them. Memory is asked for as the
    /// bytes come, never by what a length says.
    pub(super) fn take(&mut self, len: usize, into: &mut Vec<u8>) -> Step<bool> {
        into.clear();
        while into.len() < len {
            if self.taken == self.block.len() && !self.next_block()? {
                let is_between_records = into.is_empty();
                return if is_between_records {
                    Ok(false)
                } else {
                    Err(self.wrong(BackupReason::Count, "a record is cut off").into())
                };
            }
            let rest = self.block.get(self.taken..).unwrap_or_default();
            let now = rest.get(..len - into.len()).unwrap_or(rest);
            into.try_reserve(now.len()).map_err(|_| no_memory("pread", &self.path))?;
            into.extend_from_slice(now);
            self.taken += now.len();
        }
        Ok(true)
    }

    /// What the file has come to, with the records that were counted in it. Call it when the stream has ended.
    pub(super) fn finish(&self, records: u64) -> Step<FileRecord> {
        let Some((told, raw_bytes)) = self.end else {
            return Err(self.wrong(BackupReason::Count, "there is more in a file than the manifest says").into());
        };
        if told != records || raw_bytes != self.raw_bytes {
            let what = format!("a file of the backup has other counts: found={records} expected={told}");
            return Err(self.wrong(BackupReason::Count, what).into());
        }
        Ok(FileRecord { bytes: self.len, hash: *self.hasher.finalize().as_bytes(), records, raw_bytes })
    }

    /// The next bytes of the file.
    fn read(&mut self, len: usize) -> Step<Vec<u8>> {
        let cut = |reader: &Self| reader.wrong(BackupReason::Size, "a file of the backup is cut off");
        if (len as u64) > self.len - self.offset {
            return Err(cut(self).into());
        }
        let mut bytes = zeroed(len).ok_or_else(|| no_memory("pread", &self.path))?;
        let read = self.file.read_full_at(&mut bytes, self.offset);
        if read.map_err(|error| unreadable(&self.path, error))? < len {
            return Err(cut(self).into());
        }
        self.hasher.update(&bytes);
        self.offset += len as u64;
        Ok(bytes)
    }

    /// Loads the next block; `false`: that was the end.
    fn next_block(&mut self) -> Step<bool> {
        if self.end.is_some() {
            return Ok(false);
        }
        let seed = self.head.seed(self.offset);
        let head = self.read(BLOCK_HEAD_BYTES)?;
        let (stored_len, raw_len, crc) = block_head(&head).unwrap_or_default();
        let (stored, raw) = (stored_len as usize, raw_len as usize);
        if raw > BLOCK_BYTES || stored > raw || (stored == 0) != (raw == 0) {
            let what = format!("a block has a length that none can have: stored={stored} raw={raw}");
            return Err(self.wrong(BackupReason::Limit, what).into());
        }
        let bytes = self.read(if stored == 0 { END_BYTES } else { stored })?;
        let covered = crc32c_append(seed, head.get(..8).unwrap_or_default());
        if crc32c_append(covered, &bytes) != crc {
            return Err(self.wrong(BackupReason::Checksum, "a block of the backup is damaged").into());
        }
        self.job.advance(bytes.len() as u64)?;
        if stored == 0 {
            return self.reach_end(&bytes).map(|()| false);
        }
        self.block = if stored == raw {
            bytes
        } else {
            decompress_bounded(Compression::Zstd, &bytes, raw, BLOCK_BYTES).map_err(|error| match error {
                Undecompressed::NoMemory => no_memory("pread", &self.path),
                Undecompressed::Wrong => {
                    let what = "a block of the backup does not give as many bytes as it says";
                    self.wrong(BackupReason::Limit, what).into()
                }
            })?
        };
        self.taken = 0;
        self.raw_bytes += raw as u64;
        Ok(true)
    }

    fn reach_end(&mut self, counts: &[u8]) -> Step<()> {
        if self.offset != self.len {
            return Err(self.wrong(BackupReason::Size, "there is something behind the end of a file").into());
        }
        let mut reader = ByteReader::new(counts);
        self.end = reader.u64().zip(reader.u64());
        (self.block, self.taken) = (Vec::new(), 0);
        Ok(())
    }
}
