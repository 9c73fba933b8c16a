//! Says that the store was closed cleanly, everything flushed, and where its journal and its log ended then. It vouches for the bytes up to
//! there only, and is removed before the next write.

use std::path::Path;

use ledgerstone_format::StoreId;
use ledgerstone_vfs::{Vfs, read_small_file, write_atomically};

use crate::{
    error::Result,
    sealed_record::{Unsealed, seal, unseal},
};

const MAGIC: [u8; 8] = *b"LGST-CLN";
const VERSION: u16 = 1;
const LIMIT_BYTES: usize = 4096;

/// The ends that a clean close has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CleanMark {
    pub(crate) seq: u64,
    pub(crate) next_event_id: u64,
}

impl CleanMark {
    pub(crate) fn write(&self, vfs: &dyn Vfs, path: &Path, store_id: StoreId) -> Result<()> {
        let mut fields = store_id.as_bytes().to_vec();
        fields.extend_from_slice(&self.seq.to_le_bytes());
        fields.extend_from_slice(&self.next_event_id.to_le_bytes());
        Ok(write_atomically(vfs, path, &seal(MAGIC, VERSION, &fields))?)
    }

    /// `None` when there is none, or none that can be believed: a witness less, never an error.
    pub(crate) fn read(vfs: &dyn Vfs, path: &Path, store_id: StoreId) -> Result<Option<Self>> {
        let Some(bytes) = read_small_file(vfs, path, LIMIT_BYTES)? else { return Ok(None) };
        let Unsealed::Fields(mut fields) = unseal(MAGIC, VERSION, &bytes) else { return Ok(None) };
        if fields.array() != Some(*store_id.as_bytes()) {
            return Ok(None);
        }
        let (Some(seq), Some(next_event_id)) = (fields.u64(), fields.u64()) else { return Ok(None) };
        Ok(Some(Self { seq, next_event_id }))
    }

    /// Whether a file of this format, of whatever store and sound or not, is there.
    pub(crate) fn is_ours(vfs: &dyn Vfs, path: &Path) -> Result<bool> {
        Ok(read_small_file(vfs, path, MAGIC.len())?.is_some_and(|head| head == MAGIC))
    }

    /// Whether there is a mark that no store has written so.
    pub(crate) fn is_damaged(vfs: &dyn Vfs, path: &Path) -> Result<bool> {
        let Some(bytes) = read_small_file(vfs, path, LIMIT_BYTES)? else { return Ok(false) };
        Ok(matches!(unseal(MAGIC, VERSION, &bytes), Unsealed::Damaged))
    }

    /// Takes its name away; durable only when the folder is flushed.
    pub(crate) fn remove(vfs: &dyn Vfs, path: &Path) -> Result<()> {
        match vfs.remove_file(path) {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }
}
