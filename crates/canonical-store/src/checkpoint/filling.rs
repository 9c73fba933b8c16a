//! Entries on their way into a checkpoint that is being made: as they rest, one behind the other in one piece of memory.

use std::path::Path;

use heed::{PutFlags, types::Bytes};
use ledgerstone_vfs::FileError;

use super::{environment::Environment, lmdb::failed, value};
use crate::error::Result;

/// Of one transaction, in bytes.
const PART_BYTES: usize = 16 << 20;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    bytes: Vec<u8>,
    /// Where each entry ends: its key, its stored value.
    ends: Vec<(usize, usize)>,
    stored: Vec<u8>,
}

impl Filling {
    /// Adds an entry that the commit `seq` has written.
    pub(crate) fn push(&mut self, full_key: &[u8], seq: u64, value: &[u8]) -> Result<()> {
        let no_memory = |_| FileError::no_memory("mdb_put", "");
        self.stored.try_reserve(value::HEAD_BYTES + value.len()).map_err(no_memory)?;
        value::encode(&mut self.stored, full_key, seq, value);
        self.bytes.try_reserve(full_key.len() + self.stored.len()).map_err(no_memory)?;
        self.bytes.extend_from_slice(full_key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(&self.stored);
        self.ends.push((key_end, self.bytes.len()));
        Ok(())
    }

    /// Whether it is enough for one transaction.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= PART_BYTES
    }

    /// Its size in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Keys and stored values, in the order in which they were added.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        starts.zip(&self.ends).map(|(start, (key_end, end))| {
            let part = |from, to| self.bytes.get(from..to).unwrap_or_default();
            (part(start, *key_end), part(*key_end, *end))
        })
    }

    /// Appends them in one transaction.
    #[allow(unsafe_code, reason = "a cursor that puts")]
    pub(super) fn put_into(&self, environment: &Environment, path: &Path) -> Result<()> {
        let Environment { env, databases } = environment;
        let failed = failed(path, "mdb_put");
        let mut transaction = env.write_txn().map_err(&failed)?;
        let mut cursor = databases.state.iter_mut(&mut transaction).map_err(&failed)?;
        for (key, stored) in self.entries() {
            // SAFETY: key and value are our own memory, nothing borrowed from the database.
            unsafe { cursor.put_current_with_options::<Bytes>(PutFlags::APPEND, key, stored) }.map_err(&failed)?;
        }
        drop(cursor);
        transaction.commit().map_err(&failed)
    }

    /// Makes it empty. A large value's memory is given back.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(2 * PART_BYTES);
        self.stored.clear();
        self.stored.shrink_to(PART_BYTES);
        self.ends.clear();
    }
}
