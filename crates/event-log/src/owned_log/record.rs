//! The two small records of a log's folder: who the log is, and that it was closed cleanly. Each is replaced whole.
//!
//! ```text
//! magic 8 bytes | format u16 | log id 16 bytes | field u64 | field u64 | crc32c u32
//! ```

use std::path::{Path, PathBuf};

use ledgerstone_format::{ByteReader, StoreId, checksum::crc32c};
use ledgerstone_vfs::{Aside, Vfs, asides_of, read_small_file, write_atomically};

use crate::{Error, Result, remains::NOT_MADE_HERE};

const FORMAT: u16 = 1;
const RECORD_BYTES: usize = 46;
/// What damage leaves of a magic of ours, mostly.
const OURS: &[u8] = b"LGST-E";

/// Makes a folder a log: written as the last step of making one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) log_id: StoreId,
    /// The first id that the log has ever had.
    pub(crate) first_event_id: u64,
    pub(crate) created_at_ms: u64,
}

/// Says that the log was closed, and where it ended then: up to there nothing is torn, only damaged. Removed before the
/// next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CleanMark {
    pub(crate) next_event_id: u64,
    pub(crate) closed_at_ms: u64,
}

impl Identity {
    pub(crate) const NAME: &str = "IDENTITY";
    const MAGIC: [u8; 8] = *b"LGST-EVI";

    /// Writes it aside, durably: whatever is made in the folder from then on is known to be this log's.
    pub(crate) fn prepare(&self, vfs: &dyn Vfs, dir: &Path) -> Result<PathBuf> {
        let aside = Aside::create(vfs, &dir.join(Self::NAME))?;
        aside.file.write_all_at(&encode(Self::MAGIC, self.log_id, [self.first_event_id, self.created_at_ms]), 0)?;
        aside.file.sync_data()?;
        vfs.sync_dir(dir)?;
        Ok(aside.path().to_path_buf())
    }

    /// Gives what was prepared its name: the log is there.
    pub(crate) fn establish(vfs: &dyn Vfs, dir: &Path, prepared: &Path) -> Result<()> {
        vfs.rename(prepared, &dir.join(Self::NAME))?;
        Ok(vfs.sync_dir(dir)?)
    }

    /// `None` when there is no such file.
    pub(crate) fn read(vfs: &dyn Vfs, dir: &Path) -> Result<Option<Self>> {
        Self::read_at(vfs, &dir.join(Self::NAME))
    }

    /// The one that was prepared by an attempt to make the log, and where it is.
    pub(crate) fn prepared(vfs: &dyn Vfs, dir: &Path) -> Result<Option<(Self, PathBuf)>> {
        for path in asides_of(vfs, &dir.join(Self::NAME))? {
            match Self::read_at(vfs, &path) {
                Ok(Some(identity)) => return Ok(Some((identity, path))),
                Ok(None) => {}
                // Torn, or not ours.
                Err(Error::Corrupt { .. } | Error::Foreign { .. } | Error::Format { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn read_at(vfs: &dyn Vfs, path: &Path) -> Result<Option<Self>> {
        let Some(bytes) = read_small_file(vfs, path, RECORD_BYTES + 1)? else { return Ok(None) };
        let Some((log_id, [first_event_id, created_at_ms])) = decode(Self::MAGIC, &bytes, path)? else {
            // Of the right length it is ours, and damaged wherever it may be.
            if bytes.len() != RECORD_BYTES && bytes.len() >= Self::MAGIC.len() && !bytes.starts_with(OURS) {
                return Err(Error::foreign(path, NOT_MADE_HERE, "the identity of an event log"));
            }
            return Err(Error::Corrupt {
                file: path.to_path_buf(),
                offset: 0,
                what: "the identity file is damaged".to_owned(),
            });
        };
        Ok(Some(Self { log_id, first_event_id, created_at_ms }))
    }
}

impl CleanMark {
    pub(crate) const NAME: &str = "CLEAN";
    const MAGIC: [u8; 8] = *b"LGST-EVC";

    /// Whether a file of this format, of whatever log and sound or not, is in `dir`.
    pub(crate) fn is_ours(vfs: &dyn Vfs, dir: &Path) -> Result<bool> {
        let head = read_small_file(vfs, &dir.join(Self::NAME), Self::MAGIC.len())?;
        Ok(head.is_some_and(|head| head == Self::MAGIC))
    }

    pub(crate) fn write(&self, vfs: &dyn Vfs, dir: &Path, log_id: StoreId) -> Result<()> {
        let bytes = encode(Self::MAGIC, log_id, [self.next_event_id, self.closed_at_ms]);
        Ok(write_atomically(vfs, &dir.join(Self::NAME), &bytes)?)
    }

    /// `None` when there is none, or none that can be believed: a witness less, never an error.
    pub(crate) fn read(vfs: &dyn Vfs, dir: &Path, log_id: StoreId) -> Result<Option<Self>> {
        let path = dir.join(Self::NAME);
        let Some(bytes) = read_small_file(vfs, &path, RECORD_BYTES + 1)? else { return Ok(None) };
        let record = decode(Self::MAGIC, &bytes, &path).ok().flatten().filter(|(owner, _)| *owner == log_id);
        Ok(record.map(|(_, [next_event_id, closed_at_ms])| Self { next_event_id, closed_at_ms }))
    }
}

fn encode(magic: [u8; 8], log_id: StoreId, fields: [u64; 2]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RECORD_BYTES);
    bytes.extend_from_slice(&magic);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(log_id.as_bytes());
    bytes.extend(fields.into_iter().flat_map(u64::to_le_bytes));
    bytes.extend_from_slice(&crc32c(&bytes).to_le_bytes());
    bytes
}

/// `None`: the record is damaged.
fn decode(magic: [u8; 8], bytes: &[u8], path: &Path) -> Result<Option<(StoreId, [u64; 2])>> {
    let Some((covered, crc)) = bytes.split_last_chunk::<4>() else { return Ok(None) };
    let mut reader = ByteReader::new(covered);
    if crc32c(covered) != u32::from_le_bytes(*crc) || reader.array() != Some(magic) {
        return Ok(None);
    }
    match reader.u16() {
        Some(FORMAT) => {}
        Some(found) => return Err(Error::Format { file: path.to_path_buf(), found, supported: FORMAT }),
        None => return Ok(None),
    }
    let fields =
        |reader: &mut ByteReader<'_>| Some((StoreId::from_bytes(reader.array()?), [reader.u64()?, reader.u64()?]));
    Ok(fields(&mut reader).filter(|_| reader.remaining() == 0))
}

/// Reads a record's integers, whichever of the two it is.
#[cfg(feature = "planted-faults")]
pub(crate) fn record_integers(bytes: &[u8]) -> Option<[u64; 2]> {
    Some(decode(*bytes.first_chunk()?, bytes, Path::new("")).ok()??.1)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ledgerstone_format::StoreId;

    use super::{Identity, decode, encode};

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let id = StoreId::from_random([3; 16]);
        let mut bytes = encode(Identity::MAGIC, id, [7, 8]);
        let read = |bytes: &[u8]| decode(Identity::MAGIC, bytes, Path::new("IDENTITY")).unwrap();
        assert_eq!(read(&bytes), Some((id, [7, 8])));
        for len in 0..bytes.len() {
            assert_eq!(read(&bytes[..len]), None, "cut to {len}");
        }
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&bytes), None, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
