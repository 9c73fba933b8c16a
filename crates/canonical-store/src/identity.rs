//! The file that makes a folder a store. Written aside as the first step of making one, put in place as the last.

use std::path::{Path, PathBuf};

use ledgerstone_format::StoreId;
use ledgerstone_vfs::{Aside, Vfs, asides_of, read_small_file};

use crate::{
    Error,
    error::{NOT_MADE_HERE, Result},
    layout::Layout,
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
    /// Writes it aside, durably: whatever is made in the folder from then on is known to be this store's.
    pub(crate) fn prepare(&self, vfs: &dyn Vfs, layout: &Layout) -> Result<PathBuf> {
        let mut fields = self.store_id.as_bytes().to_vec();
        fields.extend_from_slice(&self.created_at_ms.to_le_bytes());
        let aside = Aside::create(vfs, &layout.identity())?;
        aside.file.write_all_at(&seal(MAGIC, FORMAT_VERSION, &fields), 0)?;
        aside.file.sync_data()?;
        vfs.sync_dir(&layout.root)?;
        Ok(aside.path().to_path_buf())
    }

    /// Gives what was prepared its name: the store is there.
    pub(crate) fn establish(vfs: &dyn Vfs, layout: &Layout, prepared: &Path) -> Result<()> {
        vfs.rename(prepared, &layout.identity())?;
        Ok(vfs.sync_dir(&layout.root)?)
    }

    /// The one that was prepared by an attempt to make the store, and where it is.
    pub(crate) fn prepared(vfs: &dyn Vfs, identity: &Path) -> Result<Option<(Self, PathBuf)>> {
        for path in asides_of(vfs, identity)? {
            match Self::read(vfs, &path) {
                Ok(Some(identity)) => return Ok(Some((identity, path))),
                Ok(None) => {}
                // Torn, or not ours.
                Err(Error::Corrupt { .. } | Error::Foreign { .. } | Error::Format { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Reads the integers of a record that [`seal`] made, be it this or the mark of a clean close.
    #[cfg(all(feature = "sim", feature = "planted-faults"))]
    pub(crate) fn integers(record: &[u8]) -> Option<u64> {
        let Unsealed::Fields(mut fields) = unseal(*record.first_chunk()?, FORMAT_VERSION, record) else { return None };
        fields.take(16)?;
        while fields.u64().is_some() {}
        None
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
                return Err(Error::foreign(path, NOT_MADE_HERE, "the identity of a store"));
            }
            Unsealed::Damaged => return Err(damaged()),
        };
        let store_id = StoreId::from_bytes(fields.array().ok_or_else(damaged)?);
        let created_at_ms = fields.u64().ok_or_else(damaged)?;
        Ok(Some(Self { store_id, created_at_ms }))
    }
}
