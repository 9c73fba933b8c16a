//! What a folder is: a store or an event log on its own. Both have a file `IDENTITY`, which tells, finished or in the making. One folder
//! is never both, and the folders of a store are never a log or a store themselves.

use std::path::Path;

use ledgerstone_vfs::{Vfs, asides_of, read_small_file};

use crate::{Error, Result};

/// The folders within a store.
const PARTS: [&str; 3] = ["events", "journal", "state"];
const STORE: &[u8] = b"LGST-STO";
const LOG: &[u8] = b"LGST-EVI";

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// A store.
    Store,
    /// An event log on its own.
    Log,
}

impl FolderKind {
    /// What `folder` is; `None`: neither, as far as can be told.
    pub fn of(vfs: &dyn Vfs, folder: &Path) -> Result<Option<Self>> {
        let identity = folder.join("IDENTITY");
        if let Some(head) = read_small_file(vfs, &identity, STORE.len())? {
            return Ok(Self::told_by(&head));
        }
        for path in asides_of(vfs, &identity)? {
            match read_small_file(vfs, &path, STORE.len()) {
                Ok(None) => {}
                Ok(Some(head)) if Self::told_by(&head).is_some() => return Ok(Self::told_by(&head)),
                Ok(Some(_)) => {}
                Err(error) if error.as_foreign().is_some() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    fn told_by(head: &[u8]) -> Option<Self> {
        match head {
            STORE => Some(Self::Store),
            LOG => Some(Self::Log),
            _ => None,
        }
    }

    /// Refuses a folder that is of the other kind, and says how to open it.
    ///
    /// # Errors
    /// [`Error::Foreign`].
    pub fn check(self, vfs: &dyn Vfs, folder: &Path) -> Result<()> {
        match (self, Self::of(vfs, folder)?) {
            (Self::Log, Some(Self::Store)) => Err(Error::foreign(
                folder,
                "a store",
                "an event log on its own (a store and its events: `open(folder)`)",
            )),
            (Self::Store, Some(Self::Log)) => Err(Error::foreign(
                folder,
                "an event log on its own",
                "a store (an event log: `EventLog.open(folder)`)",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a folder that a store has made for itself.
    ///
    /// # Errors
    /// [`Error::Foreign`].
    pub fn check_not_part_of_store(vfs: &dyn Vfs, folder: &Path) -> Result<()> {
        let folder = vfs.real_path(folder);
        let name = folder.file_name().and_then(|name| name.to_str()).filter(|name| PARTS.contains(name));
        let (Some(name), Some(around)) = (name, folder.parent()) else { return Ok(()) };
        // Where nothing can be told of the folder around, it is none of ours.
        if !matches!(Self::of(vfs, around), Ok(Some(Self::Store))) {
            return Ok(());
        }
        let found = format!("the folder `{name}` of a store");
        let expected = "a folder of its own (the store and its events: `open()` of the folder around it)";
        Err(Error::foreign(folder, &found, expected))
    }
}
