//! A folder that one process owns: a store's, that of an event log on its own, or a snapshot set's. All are taken in the same way, and the
//! first two are named and left in the same way.
//!
//! ```text
//! (the folder), LOCK   one owner at a time
//! LOCK.owner           a hint at the owner, for a process that is refused
//! IDENTITY             makes the folder a store or a log; prepared first, named last
//! CLEAN                everything was flushed when the owner of a store or a log left
//! ```
//! Knows nothing of the other files.

mod clean_mark;
mod error;
mod identity;
mod kind;
mod lock;
mod owner;
mod remains;

use std::path::Path;

use ledgerstone_format::{FolderKind, StoreId};

use crate::{Clock, FileSystem, Result, Vfs};
pub use clean_mark::{LastMark, NotForgotten};
pub use error::FolderError;
pub use kind::kind_of;
pub use lock::{FolderLock, LOCK_NAME, OWNER_NAME, Taken};
pub use owner::{Occupied, Owner, SnapshotSetOwner};
pub use remains::{Remains, SET_MANIFEST, Unfinished};

/// A folder as its owner sees it. One whose owner is a [`FolderKind`] has an identity and may have the mark of a clean close.
#[derive(Clone, Copy, Debug)]
pub struct OwnedFolder<'a, O = FolderKind> {
    vfs: &'a dyn Vfs,
    path: &'a Path,
    kind: O,
}

impl<'a> OwnedFolder<'a> {
    /// That of a store.
    pub const fn of_store(vfs: &'a dyn Vfs, path: &'a Path) -> Self {
        Self { vfs, path, kind: FolderKind::Store }
    }

    /// That of a log.
    pub const fn of_log(vfs: &'a dyn Vfs, path: &'a Path) -> Self {
        Self { vfs, path, kind: FolderKind::Log }
    }
}

impl<'a> OwnedFolder<'a, SnapshotSetOwner> {
    /// That of a snapshot set.
    pub const fn of_snapshot_set(vfs: &'a dyn Vfs, path: &'a Path) -> Self {
        Self { vfs, path, kind: SnapshotSetOwner }
    }
}

impl<O: Owner> OwnedFolder<'_, O> {
    /// Refuses a file system that other machines share, unless it is allowed: they see neither the lock nor what is mapped into memory,
    /// and a flush need not reach a device. Asked before anything is made or locked there.
    ///
    /// # Errors
    /// [`FolderError::Network`].
    pub fn check_file_system(&self, allow_network: bool) -> Result<(), FolderError> {
        match self.vfs.file_system(self.path) {
            FileSystem::Network { kind } if !allow_network => {
                Err(FolderError::Network { path: self.path.to_path_buf(), kind })
            }
            FileSystem::Network { .. } | FileSystem::Local => Ok(()),
        }
    }

    /// Locks the folder. Makes nothing in it where folders can be locked.
    ///
    /// # Errors
    /// [`FolderError::Taken`].
    pub fn lock(&self) -> Result<FolderLock, FolderError> {
        FolderLock::take(self.vfs, self.path)?.map_err(|by| self.taken(by))
    }

    /// Also takes the file `LOCK` and writes the hint, once the folder is known to be ours or unowned.
    ///
    /// # Errors
    /// [`FolderError::Taken`].
    pub fn announce(&self, lock: FolderLock, clock: &dyn Clock) -> Result<FolderLock, FolderError> {
        lock.announce(self.vfs, clock, self.path)?.map_err(|by| self.taken(by))
    }

    fn taken(&self, by: Taken) -> FolderError {
        FolderError::Taken { path: self.path.to_path_buf(), by }
    }

    /// Flushes the name of the folder: an earlier attempt to make it may have ended before it did so.
    ///
    /// # Errors
    /// [`crate::FileError`].
    pub fn sync_name(&self) -> Result<()> {
        self.vfs.sync_name(self.path)
    }
}

/// A new id for a store or a log.
pub fn random_id(vfs: &dyn Vfs) -> StoreId {
    let mut bytes = [0; 16];
    for half in bytes.chunks_exact_mut(8) {
        half.copy_from_slice(&vfs.random().to_le_bytes());
    }
    StoreId::from_random(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::random_id;
    use crate::{OsVfs, sim::SimDisk};

    /// The id of a log did not come from the common source of randomness, so no simulation could repeat it.
    #[test]
    fn an_id_is_as_random_as_the_disk_says() {
        let ids: BTreeSet<String> = (0..100).map(|_| random_id(&OsVfs).to_string()).collect();
        assert_eq!(ids.len(), 100);
        assert_eq!(random_id(&SimDisk::new(7)), random_id(&SimDisk::new(7)));
        assert_ne!(random_id(&SimDisk::new(7)), random_id(&SimDisk::new(8)));
    }
}
