//! The file that makes a folder a store. Written atomically as the last step of making one.

use std::path::Path;

use ledgerstone_format::StoreId;
use ledgerstone_vfs::{Vfs, read_small_file, write_atomically};

use crate::{
    Error,
    error::Result,
    sealed_record::{Unsealed, seal, unseal},
};

/// The on-disk format of a whole store.
pub const FORMAT_VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"LGST-STO";
const LIMIT_BYTES: usize = 4096;

/// Who a store is, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) store_id: StoreId,
    pub(crate) created_at_ms: u64,
}

impl Identity {
    pub(crate) fn write(&self, vfs: &dyn Vfs, path: &Path) -> Result<()> {
        let mut fields = self.store_id.as_bytes().to_vec();
        fields.extend_from_slice(&self.created_at_ms.to_le_bytes());
        Ok(write_atomically(vfs, path, &seal(MAGIC, FORMAT_VERSION, &fields))?)
    }

    /// `None` when there is no such file.
    pub(crate) fn read(vfs: &dyn Vfs, path: &Path) -> Result<Option<Self>> {
        let Some(bytes) = read_small_file(vfs, path, LIMIT_BYTES)? else { return Ok(None) };
        let damaged = || Error::corrupt(path, 0, "the identity file is damaged");
        let mut fields = match unseal(MAGIC, FORMAT_VERSION, &bytes) {
            Unsealed::Fields(fields) => fields,
            Unsealed::Version(found) => {
                return Err(Error::Format { found: found.to_string(), supported: FORMAT_VERSION.to_string() });
            }
            Unsealed::Damaged if bytes.len() >= MAGIC.len() && !bytes.starts_with(&MAGIC[..6]) => {
                return Err(Error::Format { found: "a foreign file".into(), supported: FORMAT_VERSION.to_string() });
            }
            Unsealed::Damaged => return Err(damaged()),
        };
        let store_id = StoreId::from_bytes(fields.array().ok_or_else(damaged)?);
        let created_at_ms = fields.u64().ok_or_else(damaged)?;
        Ok(Some(Self { store_id, created_at_ms }))
    }
}
