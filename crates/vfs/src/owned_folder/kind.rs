//! The kind of a folder: a store or an event log on its own. Both have a file `IDENTITY`, finished or in the making, that says
//! so. One folder is never both, and the folders within a store are never a log or a store themselves.

use std::path::Path;

use ledgerstone_format::FolderKind;

use super::{OwnedFolder, identity::IDENTITY_NAME};
use crate::{FileError, Result, Vfs, asides_of, read_small_file};

/// The folders within a store, and the message for each that is opened as something else.
const PARTS: [(&str, &str); 3] = [
    ("events", "the folder `events` of a store"),
    ("journal", "the folder `journal` of a store"),
    ("state", "the folder `state` of a store"),
];

/// The kind of `folder`; `None`: neither, as far as can be seen.
///
/// # Errors
/// [`FileError`].
pub fn kind_of(vfs: &dyn Vfs, folder: &Path) -> Result<Option<FolderKind>> {
    let identity = folder.join(IDENTITY_NAME);
    if let Some(head) = read_small_file(vfs, &identity, FolderKind::HEAD_BYTES)? {
        return Ok(FolderKind::of_head(&head));
    }
    for path in asides_of(vfs, &identity)? {
        match read_small_file(vfs, &path, FolderKind::HEAD_BYTES) {
            Ok(head) => {
                if let Some(kind) = head.and_then(|head| FolderKind::of_head(&head)) {
                    return Ok(Some(kind));
                }
            }
            Err(error) if error.as_foreign().is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

impl OwnedFolder<'_> {
    /// Refuses a folder of the other kind, and says how to open it.
    ///
    /// # Errors
    /// A foreign [`FileError`].
    pub fn check_kind(&self) -> Result<()> {
        let (found, expected) = match (self.kind, kind_of(self.vfs, self.path)?) {
            (FolderKind::Log, Some(FolderKind::Store)) => {
                ("a store", "an event log on its own (a store and its events: `open(folder)`)")
            }
            (FolderKind::Store, Some(FolderKind::Log)) => {
                ("an event log on its own", "a store (an event log: `EventLog.open(folder)`)")
            }
            _ => return Ok(()),
        };
        Err(FileError::foreign(self.path, found, expected))
    }

    /// Refuses a folder inside a store. `around`: the file system around the folder.
    ///
    /// # Errors
    /// A foreign [`FileError`].
    pub fn check_not_part_of_store(&self, around: &dyn Vfs) -> Result<()> {
        let folder = around.real_path(self.path);
        let name = folder.file_name().and_then(|name| name.to_str());
        let part = PARTS.iter().find(|(part, _)| Some(*part) == name);
        let (Some((_, found)), Some(outer)) = (part, folder.parent()) else { return Ok(()) };
        // If the surrounding folder cannot be examined, it is no store of ours.
        if !matches!(kind_of(around, outer), Ok(Some(FolderKind::Store))) {
            return Ok(());
        }
        let expected = "a folder of its own (the store and its events: `open()` of the folder around it)";
        Err(FileError::foreign(folder, found, expected))
    }
}
