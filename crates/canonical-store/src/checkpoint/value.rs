//! An entry's data as stored: the seq of its last write and a checksum over key and value before the bytes, since LMDB's pages have none.

use ledgerstone_format::checksum::{crc32c, crc32c_append};

/// `seq u64 | crc32c u32 over seq, key and value | value`, into `out`.
pub(super) fn encode(out: &mut Vec<u8>, key: &[u8], seq: u64, value: &[u8]) {
    out.clear();
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&checksum(seq.to_le_bytes(), key, value).to_le_bytes());
    out.extend_from_slice(value);
}

/// The value's bytes; `None` when they are not what was written under this key.
pub(super) fn decode<'a>(key: &[u8], stored: &'a [u8]) -> Option<&'a [u8]> {
    let (seq, rest) = stored.split_first_chunk::<8>()?;
    let (crc, value) = rest.split_first_chunk::<4>()?;
    (checksum(*seq, key, value) == u32::from_le_bytes(*crc)).then_some(value)
}

/// Recomputes the checksum of `stored`.
#[cfg(all(feature = "sim", feature = "planted-faults"))]
pub(super) fn reseal(key: &[u8], stored: &mut [u8]) {
    let Some((seq, rest)) = stored.split_first_chunk::<8>() else { return };
    let Some(crc) = rest.get(4..).map(|value| checksum(*seq, key, value)) else { return };
    if let Some(place) = stored.get_mut(8..12) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}

/// Shorter data is copied together first: one pass over aligned bytes takes half the time of three over unaligned ones.
const SHORT: usize = 256;

#[repr(align(8))]
struct Aligned([u8; SHORT]);

fn checksum(seq: [u8; 8], key: &[u8], value: &[u8]) -> u32 {
    let mut gathered = Aligned([0; SHORT]);
    let Some(all) = gathered.0.get_mut(..seq.len() + key.len() + value.len()) else {
        return crc32c_append(crc32c_append(crc32c(&seq), key), value);
    };
    let (head, rest) = all.split_at_mut(seq.len());
    let (to_key, to_value) = rest.split_at_mut(key.len());
    head.copy_from_slice(&seq);
    to_key.copy_from_slice(key);
    to_value.copy_from_slice(value);
    crc32c(all)
}

/// Bytes of an entry before its value.
pub(super) const HEAD_BYTES: usize = 12;

/// Checks an entry that is too large to be read as a whole.
pub(super) struct Check {
    key: Vec<u8>,
    /// The bytes of seq and checksum received so far.
    head: Vec<u8>,
    crc: u32,
}

impl Check {
    pub(super) fn new(key: &[u8]) -> Self {
        Self { key: key.to_vec(), head: Vec::with_capacity(HEAD_BYTES), crc: 0 }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        let missing = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(missing);
        self.head.extend_from_slice(head);
        if missing > 0 && self.head.len() == HEAD_BYTES {
            let seq = self.head.get(..8).unwrap_or_default();
            self.crc = crc32c_append(crc32c(seq), &self.key);
        }
        self.crc = crc32c_append(self.crc, rest);
    }

    pub(super) fn is_right(&self) -> bool {
        self.head.get(8..HEAD_BYTES).is_some_and(|crc| crc == self.crc.to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, decode, encode};

    #[test]
    fn every_flipped_bit_is_noticed_whole_or_in_pieces() {
        let mut stored = Vec::new();
        encode(&mut stored, b"key", 7, b"some value");
        assert_eq!(decode(b"key", &stored), Some(b"some value".as_slice()));
        assert_eq!(decode(b"kez", &stored), None);
        let in_pieces = |key: &[u8], stored: &[u8], bytes: usize| {
            let mut check = Check::new(key);
            stored.chunks(bytes).for_each(|piece| check.update(piece));
            check.is_right()
        };
        for bytes in 1..=stored.len() {
            assert!(in_pieces(b"key", &stored, bytes), "{bytes}");
            assert!(!in_pieces(b"kez", &stored, bytes), "{bytes}");
            assert!(!in_pieces(b"key", &stored[..11], bytes), "{bytes}");
        }
        for bit in 0..stored.len() * 8 {
            let mut damaged = stored.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(b"key", &damaged), None, "bit {bit}");
            assert!(!in_pieces(b"key", &damaged, 5), "bit {bit}");
        }
    }
}
