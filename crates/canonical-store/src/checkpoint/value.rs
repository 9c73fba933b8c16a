//! A value as it rests: the seq of its last write and a checksum over key and value in front of the bytes, since LMDB's
//! pages have none.

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

fn checksum(seq: [u8; 8], key: &[u8], value: &[u8]) -> u32 {
    crc32c_append(crc32c_append(crc32c(&seq), key), value)
}
