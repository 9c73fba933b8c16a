//! Completes LMDB's flush where it is not durable.

use std::path::Path;

#[cfg(target_os = "macos")]
use ledgerstone_vfs::FileError;

use crate::error::Result;

/// On macOS LMDB's flush stops at the drive's cache; one more of the kind that does not makes it durable.
#[cfg(target_os = "macos")]
#[allow(clippy::disallowed_methods, reason = "LMDB's file is not the Vfs's")]
pub(super) fn flush_file(path: &Path) -> Result<()> {
    let flushed = std::fs::File::open(path).and_then(|file| file.sync_all());
    flushed.map_err(|error| FileError::new("fcntl(F_FULLFSYNC)", path, error).into())
}

#[cfg(not(target_os = "macos"))]
#[allow(clippy::unnecessary_wraps, reason = "the same shape on every platform")]
pub(super) fn flush_file(_path: &Path) -> Result<()> {
    Ok(())
}
