//! The end of a sealed segment: the sparse index and, in the file's last bytes, the footer that describes both.
//!
//! ```text
//! index  on the first page after the frames: (id u64, offset u64, timestamp u64) * entries
//! footer 0 magic "LGST-EVF" | 8 index offset u64 | 16 index entries u32 | 20 index crc32c u32 | 24 first id u64 | 32 next id u64
//!        | 40 first timestamp u64 | 48 last timestamp u64 | 56 frames' end u64 | 64 frames u64 | 72 zero u32 | 76 crc32c u32
//! ```
//! Both checksums are seeded with the salt and the part's offset, as a frame's is. A footer that does not verify, or does not
//! fit its file, counts as missing.

use ledgerstone_format::{ByteReader, PAGE_BYTES, align_up, checksum::crc32c_append};
use ledgerstone_vfs::VfsFile;

use super::{
    header::{SEGMENT_HEADER_BYTES, SegmentHeader},
    index::{INDEX_ENTRY_BYTES, IndexEntry, SegmentIndex},
};
use crate::{Result, frame::Place};

const MAGIC: &[u8; 8] = b"LGST-EVF";
pub(crate) const FOOTER_BYTES: usize = 80;
/// Bytes of an index per read: whole entries.
const PIECE_BYTES: u64 = 40_000 * INDEX_ENTRY_BYTES;
/// The offset of its checksum, and of the index's.
pub(crate) const CRC_OFFSET: usize = 76;
#[cfg(feature = "planted-faults")]
pub(crate) const INDEX_CRC_OFFSET: usize = 20;

/// A verified footer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) index_offset: u64,
    pub(crate) index_entries: u32,
    pub(crate) index_crc: u32,
    pub(crate) first_timestamp_ms: u64,
    /// Next id, end of the frames, last timestamp.
    pub(crate) end: IndexEntry,
    pub(crate) frames: u64,
}

impl Footer {
    /// The bytes that seal a segment with this index: write them at the returned footer's `index_offset`.
    pub(crate) fn seal(header: &SegmentHeader, index: &SegmentIndex) -> (Self, Vec<u8>) {
        let mut bytes = index.encode();
        let end = index.end();
        let index_offset = align_up(end.offset, PAGE_BYTES);
        let footer = Self {
            index_offset,
            index_entries: u32::try_from(index.entries().len()).unwrap_or(u32::MAX),
            index_crc: crc32c_append(Place { salt: header.salt, offset: index_offset }.seed(), &bytes),
            first_timestamp_ms: index.entries().first().map_or(0, |entry| entry.timestamp_ms),
            end,
            frames: index.frames(),
        };
        let footer_offset = index_offset.saturating_add(bytes.len() as u64);
        bytes.extend_from_slice(&footer.encode(header, footer_offset));
        (footer, bytes)
    }

    /// The length of a file that ends with this footer.
    pub(crate) fn file_bytes(&self) -> u64 {
        let index_bytes = u64::from(self.index_entries) * INDEX_ENTRY_BYTES;
        self.index_offset.saturating_add(index_bytes).saturating_add(FOOTER_BYTES as u64)
    }

    fn encode(&self, header: &SegmentHeader, offset: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FOOTER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.index_offset.to_le_bytes());
        bytes.extend_from_slice(&self.index_entries.to_le_bytes());
        bytes.extend_from_slice(&self.index_crc.to_le_bytes());
        let (end, first) = (self.end, self.first_timestamp_ms);
        for field in [header.first_id, end.id, first, end.timestamp_ms, end.offset, self.frames] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&[0; 4]);
        let crc = crc32c_append(Place { salt: header.salt, offset }.seed(), &bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the footer of a file of `file_len` bytes; `None`: there is no trustworthy one.
    pub(crate) fn read(file: &dyn VfsFile, file_len: u64, header: &SegmentHeader) -> Result<Option<Self>> {
        let Some(offset) = file_len.checked_sub(FOOTER_BYTES as u64) else { return Ok(None) };
        if offset <= SEGMENT_HEADER_BYTES {
            return Ok(None);
        }
        let mut bytes = [0; FOOTER_BYTES];
        if file.read_full_at(&mut bytes, offset)? != FOOTER_BYTES {
            return Ok(None);
        }
        Ok(Self::decode(&bytes, header, offset))
    }

    pub(crate) fn decode(bytes: &[u8; FOOTER_BYTES], header: &SegmentHeader, offset: u64) -> Option<Self> {
        let mut reader = ByteReader::new(bytes);
        if reader.array() != Some(*MAGIC) {
            return None;
        }
        let (index_offset, index_entries, index_crc) = (reader.u64()?, reader.u32()?, reader.u32()?);
        let (first_id, next_id) = (reader.u64()?, reader.u64()?);
        let (first_timestamp_ms, timestamp_ms) = (reader.u64()?, reader.u64()?);
        let (frames_end, frames) = (reader.u64()?, reader.u64()?);
        reader.u32()?;
        let crc = crc32c_append(Place { salt: header.salt, offset }.seed(), bytes.get(..CRC_OFFSET)?);
        let index_bytes = u64::from(index_entries) * INDEX_ENTRY_BYTES;
        let fits = reader.u32()? == crc
            && first_id == header.first_id
            && next_id > first_id
            // Each frame has at least one event, and each entry of the index is a frame.
            && (u64::from(index_entries).max(1)..=next_id - first_id).contains(&frames)
            && timestamp_ms >= first_timestamp_ms
            && frames_end > SEGMENT_HEADER_BYTES
            && index_offset == align_up(frames_end, PAGE_BYTES)
            && index_offset.checked_add(index_bytes)? == offset;
        let end = IndexEntry { id: next_id, offset: frames_end, timestamp_ms };
        fits.then_some(Self { index_offset, index_entries, index_crc, first_timestamp_ms, end, frames })
    }

    /// Reads the index that this footer describes; `None`: it does not verify.
    pub(crate) fn read_index(&self, file: &dyn VfsFile, header: &SegmentHeader) -> Result<Option<SegmentIndex>> {
        let index_bytes = u64::from(self.index_entries) * INDEX_ENTRY_BYTES;
        let mut crc = Place { salt: header.salt, offset: self.index_offset }.seed();
        let (mut entries, mut piece, mut done) = (Vec::new(), Vec::new(), 0);
        while done < index_bytes {
            piece.resize(usize::try_from((index_bytes - done).min(PIECE_BYTES)).unwrap_or_default(), 0);
            if file.read_full_at(&mut piece, self.index_offset.saturating_add(done))? != piece.len() {
                return Ok(None);
            }
            crc = crc32c_append(crc, &piece);
            if SegmentIndex::decode_piece(&mut entries, header.first_id, &piece).is_none() {
                return Ok(None);
            }
            done += piece.len() as u64;
        }
        let index = SegmentIndex::of_entries(entries, self.end, self.frames);
        Ok(index.filter(|_| crc == self.index_crc))
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_format::StoreId;

    use super::{FOOTER_BYTES, Footer};
    use crate::{
        frame::FrameFacts,
        segment::{header::SegmentHeader, index::SegmentIndex},
    };

    #[test]
    fn a_footer_is_read_back_and_not_with_any_bit_flipped_nor_in_another_place() {
        let header = SegmentHeader::new(StoreId::from_random([1; 16]), 5, 77);
        let mut index = SegmentIndex::empty(5, 70);
        index.push(&FrameFacts {
            offset: 4_096,
            stored_bytes: 5_000,
            raw_bytes: 4_950,
            first_id: 5,
            count: 3,
            first_timestamp_ms: 77,
            last_timestamp_ms: 80,
            flushed_upto: 5,
        });
        let (footer, bytes) = Footer::seal(&header, &index);
        let mut bytes: [u8; FOOTER_BYTES] = bytes[bytes.len() - FOOTER_BYTES..].try_into().unwrap();
        let offset = footer.file_bytes() - FOOTER_BYTES as u64;
        assert_eq!(Footer::decode(&bytes, &header, offset), Some(footer));
        assert_eq!(Footer::decode(&bytes, &header, offset + 8), None);
        let other = SegmentHeader::new(StoreId::from_random([1; 16]), 5, 78);
        assert_eq!(Footer::decode(&bytes, &other, offset), None);
        for bit in 0..FOOTER_BYTES * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Footer::decode(&bytes, &header, offset), None, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
