//! Small records that are stored whole: fields behind a magic and a version, under one checksum. Used by the identity
//! file, the clean mark and the meta record.

use ledgerstone_format::{ByteReader, checksum::crc32c};

/// Writes `magic | version u16 | fields | crc32c u32`.
pub(crate) fn seal(magic: [u8; 8], version: u16, fields: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(fields.len() + 14);
    record.extend_from_slice(&magic);
    record.extend_from_slice(&version.to_le_bytes());
    record.extend_from_slice(fields);
    record.extend_from_slice(&crc32c(&record).to_le_bytes());
    record
}

/// What a record turned out to be.
#[derive(Debug)]
pub(crate) enum Unsealed<'a> {
    Fields(ByteReader<'a>),
    /// Ours and whole, of a version that this code does not know.
    Version(u16),
    Damaged,
}

/// Reads what [`seal`] wrote.
pub(crate) fn unseal(magic: [u8; 8], version: u16, record: &[u8]) -> Unsealed<'_> {
    let Some((body, crc)) = record.split_last_chunk::<4>() else { return Unsealed::Damaged };
    let mut reader = ByteReader::new(body);
    if crc32c(body) != u32::from_le_bytes(*crc) || reader.array() != Some(magic) {
        return Unsealed::Damaged;
    }
    match reader.u16() {
        Some(found) if found == version => Unsealed::Fields(reader),
        Some(found) => Unsealed::Version(found),
        None => Unsealed::Damaged,
    }
}

/// A string of at most 65,535 bytes behind its length.
pub(crate) fn put_text(fields: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    fields.extend_from_slice(&len.to_le_bytes());
    fields.extend_from_slice(text.as_bytes().get(..usize::from(len)).unwrap_or_default());
}

/// Reads what [`put_text`] wrote.
pub(crate) fn text(reader: &mut ByteReader<'_>) -> Option<String> {
    let len = reader.u16()?;
    let bytes = reader.take(usize::from(len))?;
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::{Unsealed, put_text, seal, text, unseal};

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let mut fields = Vec::new();
        put_text(&mut fields, "héllo");
        let record = seal(*b"LGST-TST", 1, &fields);
        match unseal(*b"LGST-TST", 1, &record) {
            Unsealed::Fields(mut reader) => assert_eq!(text(&mut reader).unwrap(), "héllo"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(unseal(*b"LGST-TST", 2, &record), Unsealed::Version(1)));
        for bit in 0..record.len() * 8 {
            let mut damaged = record.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(unseal(*b"LGST-TST", 1, &damaged), Unsealed::Damaged), "bit {bit}");
        }
        for len in 0..record.len() {
            assert!(matches!(unseal(*b"LGST-TST", 1, &record[..len]), Unsealed::Damaged), "len {len}");
        }
    }
}
