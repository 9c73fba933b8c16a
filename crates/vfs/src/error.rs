//! What a failed system call was, on which path, and why. Cheap to clone: one failure is told to everyone who waits.

use std::{io, path::PathBuf, sync::Arc};

/// The result of every file operation.
pub type Result<T> = std::result::Result<T, FileError>;

/// A system call that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{syscall} failed: path={} {source}", path.display())]
pub struct FileError {
    /// The operation, by the name of the POSIX call it stands for (`open`, `pwrite`, `fdatasync`, ...).
    pub syscall: &'static str,
    /// The file or directory it was called on.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: Arc<io::Error>,
}

impl FileError {
    /// An error of the call `syscall` on `path`.
    pub fn new(syscall: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { syscall, path: path.into(), source: Arc::new(source) }
    }

    /// The operating system's error number, where there is one.
    pub fn errno(&self) -> Option<i32> {
        self.source.raw_os_error()
    }

    /// Whether the device or the quota is full (ENOSPC, EDQUOT): the one failure that can heal by itself.
    pub fn is_no_space(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Whether there is no such file.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}
