//! The errors of the journal, and what a caller should do about each.

use std::{path::PathBuf, sync::Arc};

use ledgerstone_vfs::FileError;

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure. Cheap to clone: every caller that waits gets the same one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed. A failed read changed nothing; a failed write has poisoned the store.
    #[error(transparent)]
    Io(FileError),
    /// The device is full. Nothing is lost: free space and repeat the call.
    #[error("no space left for the journal: {0}")]
    NoSpace(FileError),
    /// Promised bytes are damaged or missing. Restore from a backup.
    #[error("journal is damaged: file={} offset={offset} {what}", file.display())]
    Corrupt {
        /// The file in which the damage was found.
        file: PathBuf,
        /// The offset in that file, in bytes.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The file has a format that this version does not know. Use a newer version.
    #[error("journal has an unknown format: file={} found={found} supported={supported}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// Its format number.
        found: u32,
        /// The highest number that this version reads.
        supported: u32,
    },
    /// Something that is no journal file has a journal file's name. Move it away.
    #[error("found {found}, expected {expected}: path={}", path.display())]
    Foreign {
        /// Its path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// An earlier failure stopped all writing. Close the store and open it again; nothing else heals it.
    #[error("writing has stopped after a failure: {0}")]
    Poisoned(Arc<Error>),
    /// Something is larger than the format allows.
    #[error("too large for a journal frame: limit={limit} size={size} max={max}")]
    Limit {
        /// What was measured.
        limit: &'static str,
        /// Its size.
        size: u64,
        /// The maximum.
        max: u64,
    },
    /// No file was ready in time: the device is too slow. Nothing happened; repeat later.
    #[error("no journal file was ready in time")]
    NotInTime,
    /// The caller violated the protocol of this crate, or a thread of the store panicked: a defect, and poison.
    #[error("internal error: {0}")]
    Internal(&'static str),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

ledgerstone_vfs::from_file_error!(Error);

/// A failure of an operation that changes files, by its meaning for the store (I5).
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing was half done: the call is refused and may be repeated.
    Refused(Error),
    /// The content of the disk is unknown: the store is poisoned.
    Fatal(Error),
}

impl Failure {
    /// A failed `open`, `unlink`, or another call that left everything unchanged.
    pub(crate) fn refused(error: FileError) -> Self {
        Self::Refused(error.into())
    }

    /// A failed write or rename: a lack of space or of a shared resource can heal; anything else is poison.
    pub(crate) fn of_write(error: FileError) -> Self {
        if error.can_heal() { Self::Refused(error.into()) } else { Self::Fatal(Error::Io(error)) }
    }

    /// A failed flush: always poison, whatever its code, and never repeated; except one that could not begin.
    pub(crate) fn of_flush(error: FileError) -> Self {
        if error.is_before_flush() { Self::refused(error) } else { Self::Fatal(Error::Io(error)) }
    }

    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) | Self::Fatal(error) => error,
        }
    }
}
