//! The small file that records how far a log was trimmed. Replaced as a whole; durable before anything below it is unlinked.
//!
//! ```text
//! 0 magic "LGST-EVH" | 8 format u16 | 10 zero u16 | 12 store id 16 bytes | 28 horizon u64 | 36 unlinkable u64 | 44 next id u64
//! | 52 last timestamp u64 | 60 crc32c u32
//! ```
//! For a log on its own it is the truth. Inside a store the journal is, and this file is a cache: on a full device one segment
//! may be removed before it is written, to make room.

use std::path::Path;

use ledgerstone_format::{ByteReader, StoreId, checksum::crc32c};
use ledgerstone_vfs::{Aside, Vfs, read_small_file};

use crate::{Error, Result, error::WriteFailure};

/// The file's name.
pub(crate) const HORIZON_NAME: &str = "horizon";
const MAGIC: &[u8; 8] = b"LGST-EVH";
const FORMAT: u16 = 1;
const FILE_BYTES: usize = 64;

/// How far a log was trimmed, and what the remaining segments do not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Horizon {
    /// Events below it are trimmed.
    pub(crate) id: u64,
    /// Segments that end at or below it may be missing. At most `id`, and nothing that recovery may still truncate to.
    pub(crate) unlinkable: u64,
    /// The id after the last event at the time of writing, and that event's timestamp.
    pub(crate) next_id: u64,
    pub(crate) last_timestamp_ms: u64,
}

/// What the file's name holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HorizonFile {
    Missing,
    Known(Horizon),
    Damaged,
}

impl HorizonFile {
    pub(crate) const fn known(self) -> Option<Horizon> {
        match self {
            Self::Known(horizon) => Some(horizon),
            Self::Missing | Self::Damaged => None,
        }
    }

    /// Reads the file in `dir`. One of another store counts as damaged.
    ///
    /// # Errors
    /// [`Error::Format`] for a newer one.
    pub(crate) fn read(vfs: &dyn Vfs, dir: &Path, store_id: StoreId) -> Result<Self> {
        let path = dir.join(HORIZON_NAME);
        let Some(bytes) = read_small_file(vfs, &path, FILE_BYTES + 1)? else { return Ok(Self::Missing) };
        let mut reader = ByteReader::new(&bytes);
        if reader.array() != Some(*MAGIC) {
            return Ok(Self::Damaged);
        }
        match reader.u16() {
            Some(FORMAT) => {}
            Some(found) if bytes.len() >= FILE_BYTES => {
                return Err(Error::Format { file: path, found, supported: FORMAT });
            }
            _ => return Ok(Self::Damaged),
        }
        Ok(Self::fields(&mut reader, &bytes, store_id).map_or(Self::Damaged, Self::Known))
    }

    /// Whether a file of this format, of any log, sound or not, is in `dir`.
    pub(crate) fn is_ours(vfs: &dyn Vfs, dir: &Path) -> Result<bool> {
        Ok(read_small_file(vfs, &dir.join(HORIZON_NAME), MAGIC.len())?.is_some_and(|head| head == MAGIC))
    }

    /// Reads the integers of any log's file.
    #[cfg(feature = "planted-faults")]
    pub(crate) fn read_fields(bytes: &[u8]) -> Option<Horizon> {
        let mut reader = ByteReader::new(bytes);
        reader.take(MAGIC.len())?;
        reader.u16()?;
        Self::fields(&mut reader, bytes, StoreId::from_random([0; 16]))
    }

    fn fields(reader: &mut ByteReader<'_>, bytes: &[u8], store_id: StoreId) -> Option<Horizon> {
        reader.u16()?;
        let owner = StoreId::from_bytes(reader.array()?);
        let (id, unlinkable) = (reader.u64()?, reader.u64()?);
        let (next_id, last_timestamp_ms) = (reader.u64()?, reader.u64()?);
        let covered = bytes.get(..reader.position())?;
        let verifies = reader.u32()? == crc32c(covered) && reader.remaining() == 0;
        let fits = owner == store_id && unlinkable <= id;
        (verifies && fits).then_some(Horizon { id, unlinkable, next_id, last_timestamp_ms })
    }
}

impl Horizon {
    /// Replaces the file in `dir`: writes it aside, flushes it, renames it, flushes the folder.
    pub(crate) fn write(&self, vfs: &dyn Vfs, dir: &Path, store_id: StoreId) -> Result<(), WriteFailure> {
        let path = dir.join(HORIZON_NAME);
        Aside::fill_and_place(vfs, &path, |file| {
            file.write_all_at(&self.encode(store_id), 0)?;
            file.sync_data().map_err(WriteFailure::flush)
        })?;
        vfs.sync_dir(dir).map_err(WriteFailure::flush)
    }

    fn encode(&self, store_id: StoreId) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FILE_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(store_id.as_bytes());
        for field in [self.id, self.unlinkable, self.next_id, self.last_timestamp_ms] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32c(&bytes).to_le_bytes());
        bytes
    }
}
