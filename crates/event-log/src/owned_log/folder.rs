//! The files of a log's folder that are no segments: the lock and who holds it, marks that come and go.

use std::path::Path;

use ledgerstone_format::StoreId;
use ledgerstone_vfs::{Clock, FileLock, OpenHow, Vfs, read_small_file};

use crate::{Error, Result};

const LOCK_NAME: &str = "LOCK";
const OWNER_NAME: &str = "LOCK.owner";

/// Takes the lock of the folder.
pub(crate) fn take_lock(vfs: &dyn Vfs, clock: &dyn Clock, dir: &Path) -> Result<Box<dyn FileLock>> {
    let owner_path = dir.join(OWNER_NAME);
    let Some(lock) = vfs.try_lock(&dir.join(LOCK_NAME))? else {
        let owner = read_small_file(vfs, &owner_path, 64)?.unwrap_or_default();
        let pid = String::from_utf8_lossy(&owner).lines().next().and_then(|pid| pid.trim().parse().ok());
        return Err(Error::Locked { path: dir.to_path_buf(), pid });
    };
    // A hint for whoever is refused; nothing depends on it, so nothing waits for it to be durable.
    let owner = vfs.open(&owner_path, OpenHow::CreateOrTruncate)?;
    owner.write_all_at(format!("{}\n{}\n", std::process::id(), clock.wall_ms()).as_bytes(), 0)?;
    Ok(lock)
}

/// Removes a file if it is there; durable when this returns.
pub(crate) fn remove_durably(vfs: &dyn Vfs, dir: &Path, name: &str) -> Result<()> {
    match vfs.remove_file(&dir.join(name)) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(vfs.sync_dir(dir)?),
    }
}

/// An identity of the operating system's randomness.
pub(crate) fn random_id() -> StoreId {
    use std::hash::{BuildHasher, RandomState};
    let halves = [RandomState::new(), RandomState::new()].map(|state| state.hash_one(std::process::id()).to_le_bytes());
    let mut random = [0; 16];
    for (byte, value) in random.iter_mut().zip(halves.into_iter().flatten()) {
        *byte = value;
    }
    StoreId::from_random(random)
}
