//! The file of LMDB's table of readers. LMDB makes it by setting a length, and maps it: without allocated blocks, touching one
//! of its pages on a full device ends the process (SIGBUS). So the blocks are allocated before LMDB opens it; a lack of space
//! is `ERR_NO_SPACE`.

use std::path::Path;

use ledgerstone_vfs::{OpenHow, Vfs};

use super::remains::check_lock_file;
use crate::error::Result;

/// How many read transactions may be open at the same time: those that users hold (`read/snapshot.rs`), and the store's.
pub(crate) const MAX_READERS: u32 = 1_280;
const SLOT_BYTES: usize = 64;
/// Up to the last page of the table, but not beyond its end: LMDB derives a higher number of readers from a longer file.
static FILLED: [u8; MAX_READERS as usize * SLOT_BYTES + 1] = [0; MAX_READERS as usize * SLOT_BYTES + 1];

/// Allocates the blocks of the lock file in `dir`. It has no other user: the store's lock keeps others out, and LMDB, when
/// alone, starts the file anew.
pub(super) fn fill_lock_file(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    let path = dir.join("lock.mdb");
    let file = match vfs.open(&path, OpenHow::ReadWrite) {
        Err(error) if error.is_not_found() => vfs.open(&path, OpenHow::CreateNew)?,
        file => {
            check_lock_file(vfs, &path)?;
            file?
        }
    };
    if file.len()? > FILLED.len() as u64 {
        file.set_len(FILLED.len() as u64)?;
    }
    Ok(file.write_all_at(&FILLED, 0)?)
}
