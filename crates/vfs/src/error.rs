//! A failed system call: which one, on which path, and why. Cheap to clone: every caller that waits for it gets the same failure.

use std::{fmt, io, path::PathBuf, sync::Arc};

/// The result of every file operation.
pub type Result<T, E = FileError> = std::result::Result<T, E>;

/// A failed system call.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{syscall} failed: path={} {source}", path.display())]
pub struct FileError {
    /// The operation, by the name of its POSIX call (`open`, `pwrite`, `fdatasync`, ...).
    pub syscall: &'static str,
    /// The file or directory it was called on.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: Arc<io::Error>,
}

/// Something has the name of one of our files and cannot be one.
#[derive(Debug)]
struct Foreign {
    found: &'static str,
    expected: &'static str,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found {}, expected {}", self.found, self.expected)
    }
}

impl std::error::Error for Foreign {}

impl FileError {
    /// Something other than `expected` is at `path`: a link, a queue, a device, a folder, a file with other contents.
    pub fn foreign(path: impl Into<PathBuf>, found: &'static str, expected: &'static str) -> Self {
        Self::new("open", path, io::Error::new(io::ErrorKind::InvalidData, Foreign { found, expected }))
    }

    /// What was found and what was expected, of an error made by [`foreign`](Self::foreign).
    pub fn as_foreign(&self) -> Option<(&'static str, &'static str)> {
        let foreign = self.source.get_ref()?.downcast_ref::<Foreign>()?;
        Some((foreign.found, foreign.expected))
    }

    /// The file that is open under `path` is no longer the one at that path: nobody will read what is written to it.
    pub fn gone(path: impl Into<PathBuf>) -> Self {
        let what =
            "it is no longer there: it, or a folder above it, was removed, renamed or replaced while it was open";
        Self::new("stat", path, io::Error::new(io::ErrorKind::StaleNetworkFileHandle, what))
    }

    /// The process got no memory for the data of `syscall`.
    pub fn no_memory(syscall: &'static str, path: impl Into<PathBuf>) -> Self {
        Self::new(syscall, path, io::ErrorKind::OutOfMemory.into())
    }

    /// An error of the call `syscall` on `path`.
    pub fn new(syscall: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { syscall, path: path.into(), source: Arc::new(source) }
    }

    /// The operating system's error number, if there is one.
    pub fn errno(&self) -> Option<i32> {
        self.source.raw_os_error()
    }

    /// Whether the device or the quota is full (ENOSPC, EDQUOT).
    pub fn is_no_space(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Whether the process or the system lacks a resource that it shares: file handles, memory, threads (EMFILE, ENFILE,
    /// ENOMEM, EAGAIN). Others may release some.
    pub fn is_shortage(&self) -> bool {
        is_out_of_handles(&self.source)
            || matches!(self.source.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock)
    }

    /// Whether the same call can succeed later without opening anything anew: the device is full, or a resource is short.
    pub fn can_heal(&self) -> bool {
        self.is_no_space() || self.is_shortage()
    }

    /// Whether a flush failed because there was no handle for it: nothing was flushed, and nothing is lost.
    pub fn is_before_flush(&self) -> bool {
        self.syscall == "open" && self.is_shortage()
    }

    /// Whether there is no such file.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

/// No handles left: for this process (EMFILE, on Windows `ERROR_TOO_MANY_OPEN_FILES`) or for the system (ENFILE).
pub(crate) fn is_out_of_handles(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(23 | 24) => cfg!(unix),
        Some(4) => cfg!(windows),
        _ => false,
    }
}
