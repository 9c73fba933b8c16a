//! The file in which LMDB keeps its table of readers. LMDB makes it by setting a length and maps it: without blocks of its own, a
//! page of it that is touched on a full device ends the process (SIGBUS). So the blocks are there before LMDB looks; what is
//! missing is `ERR_NO_SPACE`.

use std::path::Path;

use ledgerstone_vfs::{OpenHow, Vfs};

use super::remains::check_lock_file;
use crate::error::Result;

/// So many read transactions may be open at the same time: those that users hold (`read/snapshot.rs`), and those of the store itself.
pub(crate) const MAX_READERS: u32 = 1_280;
const SLOT_BYTES: usize = 64;
/// Up to the last page of the table, and not beyond its end: from a longer file LMDB takes a higher number of readers.
static FILLED: [u8; MAX_READERS as usize * SLOT_BYTES + 1] = [0; MAX_READERS as usize * SLOT_BYTES + 1];

/// Gives the lock file in `dir` its blocks. Nobody else uses it: the store's own lock keeps everybody out, and LMDB, when it is
/// alone, begins the file anew.
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
