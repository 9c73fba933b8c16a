//! The folder of a log on its own: its lock, what it is before it has an identity, marks that come and go.

use std::path::{Path, PathBuf};

use ledgerstone_format::StoreId;
use ledgerstone_vfs::{FolderLock, Taken, Vfs};

use super::record::{CleanMark, Identity};
use crate::{
    Error, Result,
    remains::{NOT_MADE_HERE, Remains},
};

/// What [`FolderLock`] says, as an error of the log.
pub(crate) fn owned(taken: Result<FolderLock, Taken>, dir: &Path) -> Result<FolderLock> {
    taken.map_err(|by| Error::Locked { path: dir.to_path_buf(), by })
}

/// An attempt to make the log that was cut short.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) identity: Identity,
    /// Where the identity is in the making.
    pub(crate) prepared: PathBuf,
}

/// Looks at a folder without an identity: an attempt that may be finished, or nothing of ours. The identity is prepared, durably,
/// before anything else is made, so a file of ours without one is of a log that had an identity.
///
/// # Errors
/// [`Error::Corrupt`] for data, [`Error::Foreign`] for a file that is in the way.
pub(crate) fn judge_unfinished(vfs: &dyn Vfs, dir: &Path) -> Result<Option<Unfinished>> {
    let prepared = Identity::prepared(vfs, dir)?;
    let making = prepared.as_ref().map(|(identity, _)| identity.log_id);
    let mut found = Vec::new();
    for name in vfs.read_dir(dir)? {
        let remains = match Remains::of(vfs, dir, &name, making)? {
            Remains::Unknown if name == CleanMark::NAME => {
                if CleanMark::is_ours(vfs, dir)? {
                    Remains::Data
                } else {
                    Remains::Foreign
                }
            }
            remains => remains,
        };
        found.push((remains, dir.join(name)));
    }
    if found.iter().any(|(remains, _)| *remains == Remains::Data) {
        let what = "the identity file is missing from a log that has data".to_owned();
        return Err(Error::Corrupt { file: dir.join(Identity::NAME), offset: 0, what });
    }
    if let Some((_, path)) = found.iter().find(|(remains, _)| *remains == Remains::Foreign) {
        return Err(Error::foreign(path, NOT_MADE_HERE, "a file of an event log"));
    }
    let has_files = found.iter().any(|(remains, _)| *remains == Remains::HalfMade);
    // Without files nobody knows whether the identity was made durable: it is prepared anew.
    Ok(prepared.filter(|_| has_files).map(|(identity, prepared)| Unfinished { identity, prepared }))
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
