//! The places of a store's parts in its folder.

use std::path::{Path, PathBuf};

use ledgerstone_vfs::{OwnedFolder, Vfs};

/// The paths below a store's folder.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// The folder with its identity files.
    pub(crate) fn folder<'a>(&'a self, vfs: &'a dyn Vfs) -> OwnedFolder<'a> {
        OwnedFolder::of_store(vfs, &self.root)
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    pub(crate) fn events(&self) -> PathBuf {
        self.root.join("events")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("state")
    }
}
