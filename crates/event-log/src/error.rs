//! The errors of an event log. Cheap to clone: every later call gets the first failure.

use std::{path::PathBuf, sync::Arc};

use ledgerstone_vfs::{FileError, Taken};

/// The result of every operation of the log.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed. On the write path it poisons the log: only opening it again heals.
    #[error(transparent)]
    Io(FileError),
    /// The device is full. After [`crate::EventLog::restore_end`] succeeds, the log ends at its last whole frame; repeat the
    /// append from [`crate::EventLog::next_event_id`] on.
    #[error("no space left: {0}")]
    NoSpace(FileError),
    /// A checksum or a structure is wrong in promised data.
    #[error("event log is damaged: {what}: file={} offset={offset}", file.display())]
    Corrupt {
        /// The damaged segment (or the folder, when a segment is missing).
        file: PathBuf,
        /// Where the damage begins in it, in bytes.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// A segment of a format that this version does not know.
    #[error("segment format is not supported: found={found} supported={supported} file={}", file.display())]
    Format {
        /// The segment.
        file: PathBuf,
        /// Its format number.
        found: u16,
        /// The newest supported format number.
        supported: u16,
    },
    /// Something other than the file or the folder of a log is at this path. It was left unchanged.
    #[error("found {found}, expected {expected}: path={}", path.display())]
    Foreign {
        /// Where it is.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// An append or a truncation that does not fit the ids of the log.
    #[error("event id does not continue the log: expected={expected} actual={actual}")]
    EventIdGap {
        /// The id that would have been right.
        expected: u64,
        /// The given id.
        actual: u64,
    },
    /// An event or an id exceeds its limit.
    #[error("event is over a limit: limit=`{limit}` size={size} max={max}")]
    Limit {
        /// Which limit: `eventBytes` or `eventId`.
        limit: &'static str,
        /// The requested value.
        size: u64,
        /// The maximum.
        max: u64,
    },
    /// An event older than the one before it: timestamps never go back.
    #[error("event timestamp goes back: event={event_id} timestamp={actual_ms} last={last_ms}")]
    TimestampOrder {
        /// The refused event.
        event_id: u64,
        /// The timestamp of the event before it, in milliseconds.
        last_ms: u64,
        /// Its own timestamp, in milliseconds.
        actual_ms: u64,
    },
    /// A read below the oldest event: the requested events were trimmed.
    #[error("events were trimmed: requested={requested} oldest={oldest}")]
    Trimmed {
        /// The first requested id.
        requested: u64,
        /// The oldest id in the log.
        oldest: u64,
    },
    /// The call is wrong; nothing was done.
    #[error("{message}")]
    InvalidArgument {
        /// Which argument.
        argument: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Another process, or another owner in this one, has the log open.
    #[error("the event log is open {by} path={}", path.display())]
    Locked {
        /// The log's folder.
        path: PathBuf,
        /// Its owner.
        by: Taken,
    },
    /// There is no log, and the caller did not allow making one.
    #[error("there is no event log: path={}", path.display())]
    NotFound {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is on a file system that other machines share, and the caller did not allow that.
    #[error("a network file system is not allowed, unless by `allowNetworkFileSystem`: path={} type={kind}", path.display())]
    FileSystem {
        /// The log's folder.
        path: PathBuf,
        /// The type of the file system.
        kind: String,
    },
    /// The log was closed.
    #[error("the event log is closed")]
    Closed,
    /// An earlier write or flush failed half way; nothing more is written. Reads continue.
    #[error("event log is poisoned by an earlier failure: {0}")]
    Poisoned(#[source] Arc<Error>),
}

impl Error {
    /// The stable code, `ERR_…`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "ERR_IO",
            Self::NoSpace(_) => "ERR_NO_SPACE",
            Self::Corrupt { .. } => "ERR_CORRUPT",
            Self::Format { .. } | Self::Foreign { .. } => "ERR_FORMAT",
            Self::EventIdGap { .. } => "ERR_EVENT_ID_GAP",
            Self::Limit { .. } => "ERR_LIMIT",
            // A log on its own sets the timestamps itself: no caller can cause the first.
            Self::TimestampOrder { .. } | Self::InvalidArgument { .. } => "ERR_INVALID_ARGUMENT",
            Self::Trimmed { .. } => "ERR_EVENTS_TRIMMED",
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

/// A failure on the write path, and whether it was a flush: a failed flush always poisons, whatever its code (I5).
#[derive(Debug)]
pub(crate) struct WriteFailure {
    pub(crate) error: Error,
    pub(crate) in_flush: bool,
}

impl WriteFailure {
    pub(crate) fn flush(error: FileError) -> Self {
        Self { in_flush: !error.is_before_flush(), error: error.into() }
    }

    /// Whether the same write may be repeated once there is space, or the missing resource.
    pub(crate) fn can_heal(&self) -> bool {
        !self.in_flush && self.error.can_heal()
    }
}

impl From<FileError> for WriteFailure {
    fn from(error: FileError) -> Self {
        Self { error: error.into(), in_flush: false }
    }
}

impl From<Error> for WriteFailure {
    fn from(error: Error) -> Self {
        Self { error, in_flush: false }
    }
}
