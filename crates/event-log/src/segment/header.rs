//! The first page of a segment: its store and its first id.
//!
//! ```text
//! 0 magic "LGST-EVT" | 8 format u16 | 10 zero u16 | 12 store id 16 bytes | 28 first id u64 | 36 salt u64 | 44 crc32c u32
//! 48 begun u64 | 56 crc32c u32 of bytes 0..56 | zeros to 4096
//! ```
//! `begun` is the wall time in ms: a witness besides the events' timestamps, which never go back. If its checksum is wrong, as
//! in segments of earlier versions, it is unknown.
//!
//! The header is durable before the file gets its name: a segment without a header is damaged.

use std::path::Path;

use ledgerstone_format::{ByteReader, PAGE_BYTES, StoreId, checksum::crc32c};
use ledgerstone_vfs::{OpenHow, Vfs, VfsFile};

use crate::{Error, Result};

/// Frames start after the header's page.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = PAGE_BYTES;
const MAGIC: &[u8; 8] = b"LGST-EVT";
const FORMAT: u16 = 1;
pub(crate) const FIELD_BYTES: usize = 48;
pub(crate) const ALL_FIELD_BYTES: usize = 60;

/// The identity of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) store_id: StoreId,
    pub(crate) first_id: u64,
    /// Part of every checksum of the segment.
    pub(crate) salt: u64,
    /// The wall time when the segment was begun, in ms; 0 if unknown.
    pub(crate) begun_ms: u64,
}

impl SegmentHeader {
    /// A header for a new segment. The salt differs between stores, segments, and histories that diverge at a timestamp. It is
    /// the same whenever the same history is written again, so that a simulation replays byte for byte.
    pub(crate) fn new(store_id: StoreId, first_id: u64, timestamp_ms: u64) -> Self {
        let (low, high) = store_id.as_bytes().split_at(8);
        let salt = [low, high].into_iter().fold(mix(first_id) ^ mix(!timestamp_ms), |salt, half| {
            mix(salt ^ ByteReader::new(half).u64().unwrap_or_default())
        });
        Self { store_id, first_id, salt, begun_ms: 0 }
    }

    /// The same, begun at this wall time.
    pub(crate) const fn begun_at(self, begun_ms: u64) -> Self {
        Self { begun_ms, ..self }
    }

    /// The whole page.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut page = Vec::with_capacity(usize::try_from(SEGMENT_HEADER_BYTES).unwrap_or_default());
        page.extend_from_slice(MAGIC);
        page.extend_from_slice(&FORMAT.to_le_bytes());
        page.extend_from_slice(&[0; 2]);
        page.extend_from_slice(self.store_id.as_bytes());
        page.extend_from_slice(&self.first_id.to_le_bytes());
        page.extend_from_slice(&self.salt.to_le_bytes());
        page.extend_from_slice(&crc32c(&page).to_le_bytes());
        if self.begun_ms != 0 {
            page.extend_from_slice(&self.begun_ms.to_le_bytes());
            page.extend_from_slice(&crc32c(&page).to_le_bytes());
        }
        page.resize(page.capacity().max(ALL_FIELD_BYTES), 0);
        page
    }

    /// Reads the header of `file`. `Ok(None)`: none verifies.
    pub(crate) fn read(file: &dyn VfsFile) -> Result<Option<Self>> {
        let mut bytes = [0; ALL_FIELD_BYTES];
        let read = file.read_full_at(&mut bytes, 0)?;
        Self::decode(bytes.get(..read).unwrap_or_default(), file.path())
    }

    /// The header and the length of the file at `path`; `None` when it is no segment.
    pub(crate) fn at(vfs: &dyn Vfs, path: &Path) -> Result<Option<(Self, u64)>> {
        let file = vfs.open(path, OpenHow::Read)?;
        let len = file.len()?;
        Ok(Self::read(&*file)?.map(|header| (header, len)))
    }

    pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Option<Self>> {
        let mut reader = ByteReader::new(bytes);
        if reader.array() != Some(*MAGIC) {
            return Ok(None);
        }
        // A newer format may differ from here on, including its checksum.
        match reader.u16() {
            None => return Ok(None),
            Some(FORMAT) => {}
            Some(found) => return Err(Error::Format { file: path.to_path_buf(), found, supported: FORMAT }),
        }
        Ok(Self::fields(&mut reader, bytes))
    }

    fn fields(reader: &mut ByteReader<'_>, bytes: &[u8]) -> Option<Self> {
        reader.u16()?;
        let store_id = StoreId::from_bytes(reader.array()?);
        let (first_id, salt) = (reader.u64()?, reader.u64()?);
        let covered = bytes.get(..reader.position())?;
        let verifies = reader.u32()? == crc32c(covered);
        verifies.then(|| Self { store_id, first_id, salt, begun_ms: Self::begun(bytes).unwrap_or_default() })
    }

    fn begun(bytes: &[u8]) -> Option<u64> {
        let mut reader = ByteReader::new(bytes.get(FIELD_BYTES..)?);
        let (begun_ms, checksum) = (reader.u64()?, reader.u32()?);
        (checksum == crc32c(bytes.get(..ALL_FIELD_BYTES - 4)?)).then_some(begun_ms)
    }
}

/// Spreads every bit of `value` over all 64 (the finalizer of a xorshift-multiply hash).
const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let value = (value ^ (value >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    value ^ (value >> 32)
}
