//! What can go wrong in the journal, and what a caller should make of it.

use std::{path::PathBuf, sync::Arc};

use ledgerstone_vfs::FileError;

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure. Cheap to clone: one failure is told to everyone who waits.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed. Reading changed nothing; a write that fails so has poisoned the store.
    #[error(transparent)]
    Io(FileError),
    /// The device is full. Nothing is lost and it heals by itself: free space and repeat.
    #[error("no space left for the journal: {0}")]
    NoSpace(FileError),
    /// Bytes that were promised are damaged or missing. Restore from a backup.
    #[error("journal is damaged: file={} offset={offset} {what}", file.display())]
    Corrupt {
        /// The file in which it was noticed.
        file: PathBuf,
        /// Where in that file.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The file was written in a format that this version does not know. Use a newer version.
    #[error("journal has an unknown format: file={} found={found} supported={supported}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// The number that it carries.
        found: u32,
        /// The highest number that this version reads.
        supported: u32,
    },
    /// Something that is no journal file has the name of one. Move it away.
    #[error("found {found}, expected {expected}: path={}", path.display())]
    Foreign {
        /// Where it is.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// An earlier failure stopped all writing. Close the store and open it again; only that heals.
    #[error("writing has stopped after a failure: {0}")]
    Poisoned(Arc<Error>),
    /// Something is larger than the format can hold.
    #[error("too large for a journal frame: limit={limit} size={size} max={max}")]
    Limit {
        /// What was measured.
        limit: &'static str,
        /// How large it is.
        size: u64,
        /// How large it may be.
        max: u64,
    },
    /// No file was ready in time: the device does not keep up. Nothing happened; repeat later.
    #[error("no journal file was ready in time")]
    NotInTime,
    /// The caller broke the protocol of this crate, or a thread of the store panicked: a defect, and poison.
    #[error("internal error: {0}")]
    Internal(&'static str),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

ledgerstone_vfs::from_file_error!(Error);

/// A failure of an operation that changes files, told apart by what it means for the store (I5).
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing is half done: the call is refused and may be repeated.
    Refused(Error),
    /// What is on the disk is no longer known: the store is poisoned.
    Fatal(Error),
}

impl Failure {
    /// A failed `open`, `unlink`, or anything else that leaves all as it was.
    pub(crate) fn refused(error: FileError) -> Self {
        Self::Refused(error.into())
    }

    /// A failed write or rename: lack of space, or of what the process shares, can heal; everything else is poison.
    pub(crate) fn of_write(error: FileError) -> Self {
        if error.can_heal() { Self::Refused(error.into()) } else { Self::Fatal(Error::Io(error)) }
    }

    /// A failed flush: always poison, whatever its code, and never repeated, but one that could not begin.
    pub(crate) fn of_flush(error: FileError) -> Self {
        if error.is_before_flush() { Self::refused(error) } else { Self::Fatal(Error::Io(error)) }
    }

    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) | Self::Fatal(error) => error,
        }
    }
}
