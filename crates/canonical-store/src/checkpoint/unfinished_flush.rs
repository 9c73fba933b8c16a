//! The record of how far a flush of several parts goes. It is written with the first part and removed with the last. While it
//! exists the state is ahead of its meta record, and the journal must reach that far: otherwise an opening would show a state
//! that never existed.

use ledgerstone_format::{
    ByteReader,
    sealed_record::{Unsealed, seal, unseal},
};

const MAGIC: [u8; 8] = *b"LGST-FLU";
const VERSION: u16 = 1;

/// Its key, beside that of the meta record.
pub(super) const UNFINISHED_KEY: &[u8] = b"flush";

/// The record of a flush up to the commit `seq`.
pub(super) fn encode(seq: u64) -> Vec<u8> {
    seal(MAGIC, VERSION, &seq.to_le_bytes())
}

/// Reads a record of [`encode`]: `Ok(None)` when damaged, `Err(version)` when of an unknown version.
pub(super) fn decode(bytes: &[u8]) -> Result<Option<u64>, u16> {
    match unseal(MAGIC, VERSION, bytes, ByteReader::u64) {
        Unsealed::Record(seq) => Ok(Some(seq)),
        Unsealed::Version(found) => Err(found),
        Unsealed::Damaged => Ok(None),
    }
}
