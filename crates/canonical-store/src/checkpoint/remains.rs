//! The content of the state's folder while the store has no identity.

use std::{ffi::OsStr, path::Path};

use ledgerstone_vfs::{OpenHow, Remains, Vfs, aside_of};

use super::{
    page_walk::Finding,
    precheck::{first_finding, open_data_file},
};
use crate::{Error, error::Result, verify::ProblemKind};

const LMDB_MAGIC: u32 = 0xBEEF_C0DE;
/// A state without its first record has only a few pages.
const HALF_MADE_BYTES: u64 = 1 << 20;

/// Judges a file in the folder of the state. `is_making`: a store was being made here.
pub(crate) fn remains_of_state(vfs: &dyn Vfs, dir: &Path, name: &OsStr, is_making: bool) -> Result<Remains> {
    let path = dir.join(name);
    let ours = if is_making { Remains::HalfMade } else { Remains::Data };
    match name.to_str() {
        Some("data.mdb") => data_file(vfs, &path, is_making),
        Some("lock.mdb") => Ok(if is_lock_file(vfs, &path)? { ours } else { Remains::Foreign }),
        #[cfg(any(test, feature = "sim"))]
        Some("twin") => Ok(Remains::Data),
        _ if aside_of(name).is_some() && is_making => Ok(Remains::HalfMade),
        _ => Ok(Remains::Foreign),
    }
}

/// Removes a data file that a kill left torn, and makes the folder's names durable. Called after [`remains_of_state`] has
/// judged it half made.
pub(crate) fn clear_half_made_state(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    let path = dir.join("data.mdb");
    if let Some(file) = open_data_file(vfs, &path)?
        && first_finding(&*file)?.is_some()
    {
        vfs.remove_file(&path)?;
    }
    match vfs.sync_dir(dir) {
        Err(error) if error.is_not_found() => Ok(()),
        done => Ok(done?),
    }
}

fn data_file(vfs: &dyn Vfs, path: &Path, is_making: bool) -> Result<Remains> {
    let file = vfs.open(path, OpenHow::Read)?;
    let (mut head, len) = ([0; 20], file.len()?);
    let read = file.read_full_at(&mut head, 0)?;
    let is_blank = head.iter().all(|byte| *byte == 0);
    let is_lmdb = read == head.len() && head.ends_with(&LMDB_MAGIC.to_ne_bytes());
    if !(is_lmdb || is_blank && is_making) {
        return Ok(Remains::Foreign);
    }
    Ok(match first_finding(&*file)? {
        Some(Finding::Damage { kind: ProblemKind::Foreign, .. }) => Remains::Foreign,
        Some(Finding::Unreadable { error, .. }) => return Err(error.into()),
        _ if is_making && len <= HALF_MADE_BYTES => Remains::HalfMade,
        _ => Remains::Data,
    })
}

/// Whether it is a table of readers, of any length, or was never written.
fn is_lock_file(vfs: &dyn Vfs, path: &Path) -> Result<bool> {
    let mut head = [0; 4];
    let read = vfs.open(path, OpenHow::Read)?.read_full_at(&mut head, 0)?;
    Ok(head == [0; 4] || (read == head.len() && u32::from_ne_bytes(head) == LMDB_MAGIC))
}

/// Refuses a file that only has the name of LMDB's table of readers.
pub(super) fn check_lock_file(vfs: &dyn Vfs, path: &Path) -> Result<()> {
    match is_lock_file(vfs, path) {
        Ok(false) => Err(Error::foreign(path, "a file of somebody else", "LMDB's table of readers")),
        Err(error) => Err(error),
        Ok(true) => Ok(()),
    }
}
