//! The first page of a journal file: its store and its place in the chain. A file is *in use* when the number in its header
//! matches its name; otherwise it is a spare.

use ledgerstone_format::{ByteReader, PAGE_BYTES, StoreId, checksum::crc32c};

use crate::file_name::NUMBER_END;

/// Where frames begin in a file: the header has a separate page.
pub(crate) const FRAMES_START: u64 = PAGE_BYTES;

/// The format that this version writes, and the highest one that it reads.
pub const FORMAT: u16 = 1;

const MAGIC: [u8; 8] = *b"LGST-JRN";
/// Magic 8, format 2, store 16, number 8, first seq 8, salt 8, previous crc 4, header crc 4.
pub(crate) const HEADER_BYTES: usize = 58;
pub(crate) const COVERED_BYTES: usize = HEADER_BYTES - 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) store_id: StoreId,
    pub(crate) number: u64,
    pub(crate) first_seq: u64,
    pub(crate) salt: u64,
    /// The checksum of the frame before `first_seq`: the last valid one of the previous file.
    pub(crate) previous_crc: u32,
}

/// What the head of a file contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFound {
    /// A complete header.
    Valid(FileHeader),
    /// A complete header of another format.
    Foreign(u16),
    /// Never written.
    Blank,
    /// Anything else.
    Damaged,
}

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[10..26].copy_from_slice(self.store_id.as_bytes());
        bytes[26..34].copy_from_slice(&self.number.to_le_bytes());
        bytes[34..42].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[42..50].copy_from_slice(&self.salt.to_le_bytes());
        bytes[50..54].copy_from_slice(&self.previous_crc.to_le_bytes());
        let crc = crc32c(&bytes[..COVERED_BYTES]);
        bytes[54..58].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the head of a file; `bytes` is as much of it as exists.
    pub(crate) fn find(bytes: &[u8]) -> HeaderFound {
        let bytes = bytes.get(..HEADER_BYTES).unwrap_or(bytes);
        if bytes.iter().all(|byte| *byte == 0) {
            return HeaderFound::Blank;
        }
        Self::parse(bytes).unwrap_or(HeaderFound::Damaged)
    }

    fn parse(bytes: &[u8]) -> Option<HeaderFound> {
        let mut reader = ByteReader::new(bytes);
        let covered = bytes.get(..COVERED_BYTES)?;
        if reader.array()? != MAGIC {
            return None;
        }
        let format = reader.u16()?;
        let header = Self {
            store_id: StoreId::from_bytes(reader.array()?),
            number: reader.u64()?,
            first_seq: reader.u64()?,
            salt: reader.u64()?,
            previous_crc: reader.u32()?,
        };
        if reader.u32()? != crc32c(covered) || !(1..NUMBER_END).contains(&header.number) {
            return None;
        }
        Some(if format == FORMAT { HeaderFound::Valid(header) } else { HeaderFound::Foreign(format) })
    }
}

/// A salt that no earlier use of the same blocks had, because the frames of a lost future must not verify among those that
/// replace them. `base` is random and different for each opening: clocks may be set, or restart with the machine.
pub(crate) fn make_salt(header: &FileHeader, base: u64) -> u64 {
    let (low, high) = header.store_id.as_bytes().split_at(8);
    let id = [low, high].map(|half| half.try_into().map_or(0, u64::from_le_bytes));
    let parts = [id[0], id[1], header.number, header.first_seq, u64::from(header.previous_crc), base];
    parts.into_iter().fold(0x9E37_79B9_7F4A_7C15, |state, part| scramble(state ^ part))
}

/// A bijection of 64 bits in which every input bit reaches every output bit.
const fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let value = (value ^ (value >> 29)).wrapping_mul(0xA3B1_9553_5F21_7D8B).wrapping_add(0x9E37_79B9_7F4A_7C15);
    value ^ (value >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FileHeader {
        FileHeader {
            store_id: StoreId::from_random([7; 16]),
            number: 3,
            first_seq: 90,
            salt: 0x1234_5678_9abc_def0,
            previous_crc: 0xdead_beef,
        }
    }

    #[test]
    fn is_found_again_and_fits_in_one_sector() {
        let bytes = header().encode();
        assert!(bytes.len() <= 512);
        assert_eq!(FileHeader::find(&bytes), HeaderFound::Valid(header()));
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let bytes = header().encode();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FileHeader::find(&damaged), HeaderFound::Damaged, "bit {bit}");
        }
        for len in 1..bytes.len() {
            assert_eq!(FileHeader::find(&bytes[..len]), HeaderFound::Damaged, "len {len}");
        }
        assert_eq!(FileHeader::find(&[]), HeaderFound::Blank);
        assert_eq!(FileHeader::find(&[0; 4096]), HeaderFound::Blank);
    }

    #[test]
    fn a_number_that_no_name_can_have_is_damage() {
        for number in [0, NUMBER_END, u64::MAX] {
            let bytes = FileHeader { number, ..header() }.encode();
            assert_eq!(FileHeader::find(&bytes), HeaderFound::Damaged, "{number}");
        }
    }

    #[test]
    fn another_format_is_told_from_damage() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        let crc = crc32c(&bytes[..COVERED_BYTES]);
        bytes[54..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(FileHeader::find(&bytes), HeaderFound::Foreign(2));
    }

    #[test]
    fn salts_differ_by_each_ingredient() {
        let salt = make_salt(&header(), 1);
        let others = [
            make_salt(&header(), 2),
            make_salt(&FileHeader { number: 4, ..header() }, 1),
            make_salt(&FileHeader { first_seq: 91, ..header() }, 1),
            make_salt(&FileHeader { previous_crc: 0, ..header() }, 1),
        ];
        assert!(others.iter().all(|other| *other != salt));
    }
}
