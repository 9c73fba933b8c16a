//! The errors of a snapshot set. Cheap to clone: one failure is the cause of all later refusals.

use std::{path::PathBuf, sync::Arc};

use ledgerstone_vfs::{FileError, Taken};

/// The result of every operation of a set.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed. The step was finished or undone: [`crate::FileSnapshotSet::list`] shows which.
    #[error(transparent)]
    Io(FileError),
    /// The device is full. Nothing was changed; pruning works without free space.
    #[error("no space left: {0}")]
    NoSpace(FileError),
    /// A file is missing, or is not what was published.
    #[error("snapshot set is damaged: {what}: file={} offset={offset}", file.display())]
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// Where the damage begins in it, in bytes.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// A manifest of a format that this version does not know.
    #[error("manifest format is not supported: found={found} supported={supported} file={}", file.display())]
    Format {
        /// The manifest.
        file: PathBuf,
        /// Its format number.
        found: u16,
        /// The newest supported format number.
        supported: u16,
    },
    /// Something other than a file or the folder of a set is at this path. It was left unchanged.
    #[error("found {found}, expected {expected}: path={}", path.display())]
    Foreign {
        /// Where it is.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// A count or a number exceeds its limit.
    #[error("the snapshot set has a limit: limit=`{limit}` size={size} max={max}")]
    Limit {
        /// Which limit: `shardCount`, `ordinal` or `manifestBytes`.
        limit: &'static str,
        /// The requested value.
        size: u64,
        /// The maximum.
        max: u64,
    },
    /// The call is wrong; nothing was done.
    #[error("{message}: argument=`{argument}`")]
    InvalidArgument {
        /// Which argument.
        argument: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Another process, or another owner in this one, has the set open.
    #[error("the snapshot set is open {by} path={}", path.display())]
    Locked {
        /// The set's folder.
        path: PathBuf,
        /// Its owner, if known.
        by: Taken,
    },
    /// No snapshot has this ordinal.
    #[error("there is no such snapshot: ordinal={ordinal}")]
    NotFound {
        /// The requested ordinal.
        ordinal: u64,
    },
    /// The folder is on a file system that other machines share, and the caller did not allow that.
    #[error("a network file system is not allowed, unless by `allowNetworkFileSystem`: path={} type={kind}", path.display())]
    FileSystem {
        /// The set's folder.
        path: PathBuf,
        /// The type of the file system.
        kind: String,
    },
    /// The set was closed.
    #[error("the snapshot set is closed")]
    Closed,
    /// A flush of the folder failed, so the content of the device is unknown. Opening the set again resolves it.
    #[error("the snapshot set is poisoned by an earlier failure: {0}")]
    Poisoned(#[source] Arc<Error>),
}

impl Error {
    pub(crate) fn corrupt(file: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::Corrupt { file: file.into(), offset: 0, what: what.into() }
    }

    /// The stable code, `ERR_…`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "ERR_IO",
            Self::NoSpace(_) => "ERR_NO_SPACE",
            Self::Corrupt { .. } => "ERR_CORRUPT",
            Self::Format { .. } | Self::Foreign { .. } => "ERR_FORMAT",
            Self::Limit { .. } => "ERR_LIMIT",
            Self::InvalidArgument { .. } => "ERR_INVALID_ARGUMENT",
            Self::Locked { by: Taken::ByVersion(_), .. } => "ERR_VERSION_MISMATCH",
            Self::Locked { .. } => "ERR_LOCKED",
            Self::NotFound { .. } => "ERR_NOT_FOUND",
            Self::FileSystem { .. } => "ERR_FILE_SYSTEM",
            Self::Closed => "ERR_CLOSED",
            Self::Poisoned(_) => "ERR_POISONED",
        }
    }
}

ledgerstone_vfs::from_file_error!(Error);
ledgerstone_vfs::from_folder_error!(Error);
