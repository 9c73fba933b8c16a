//! Where the parts of a store are in its folder.

use std::path::{Path, PathBuf};

/// The paths below a store's folder.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.root.join("IDENTITY")
    }

    pub(crate) fn clean_mark(&self) -> PathBuf {
        self.root.join("CLEAN")
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
