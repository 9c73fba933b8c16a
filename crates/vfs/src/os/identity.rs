//! Which file is open, whatever has its name by now. Only on Unix can an open file lose its name.

use std::{
    fs::{File, Metadata},
    path::Path,
};

use crate::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

#[cfg(unix)]
impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Checks that `real_path` leads to it. If that cannot be checked (the rights to look there are gone), it is enough that
    /// the file has a name.
    pub(super) fn check_at(self, real_path: &Path, path: &Path, file: &File) -> Result<()> {
        use std::{io::ErrorKind, os::unix::fs::MetadataExt};

        use crate::FileError;

        let is_there = match real_path.symlink_metadata() {
            Ok(found) => Self::of(&found) == self,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => false,
            Err(_) => file.metadata().is_ok_and(|metadata| metadata.nlink() > 0),
        };
        if is_there { Ok(()) } else { Err(FileError::gone(path)) }
    }
}

#[cfg(not(unix))]
impl Identity {
    pub(super) fn of(_metadata: &Metadata) -> Self {
        Self {}
    }

    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "the same shape on every platform")]
    pub(super) fn check_at(self, _real_path: &Path, _path: &Path, _file: &File) -> Result<()> {
        Ok(())
    }
}
