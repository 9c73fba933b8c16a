//! Making a folder and those above it so that each name is durable before anything is made below it, and flushing the name of one that is there. The same steps for the
//! operating system and the simulated disk.

use std::path::Path;

use crate::Result;

/// What a file system does for it.
pub(crate) trait Folders {
    /// Whether there is a folder. An error where no answer would make sense, as for a path that is too long: nothing is made above it then.
    fn is_folder(&self, path: &Path) -> Result<bool>;
    /// Makes one in a folder that is there.
    fn make(&mut self, path: &Path) -> Result<()>;
    /// Flushes the name of one that is there.
    fn sync_name(&mut self, path: &Path) -> Result<()>;
}

/// Makes the folder and those above it that are missing. Of those that are there only the lowest can have a name that is not durable, by an attempt that died before it
/// flushed that, so the lowest is flushed before anything is made in it.
pub(crate) fn make_folders(folders: &mut impl Folders, path: &Path) -> Result<()> {
    if folders.is_folder(path)? {
        return Ok(());
    }
    if let Some(parent) = parent_of(path) {
        if folders.is_folder(parent)? {
            folders.sync_name(parent)?;
        } else {
            make_folders(folders, parent)?;
        }
    }
    folders.make(path)?;
    folders.sync_name(path)
}

/// The folder that has the name of this one; `None` for a root.
pub(crate) fn parent_of(path: &Path) -> Option<&Path> {
    path.parent()
        .map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
        .filter(|parent| *parent != path)
}
