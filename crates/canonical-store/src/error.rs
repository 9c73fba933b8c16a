//! The error type of the store, with the code, the details and the cause that cross into JavaScript. The table of codes and
//! what a caller does about each is in the package's documentation.

use std::{path::PathBuf, sync::Arc};

use ledgerstone_vfs::{FileError, FolderError, Taken};

use crate::backup::BackupReason;

/// The result of every operation of the store.
pub type Result<T> = std::result::Result<T, Error>;

/// A detail of an error.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// A count, a size or an id.
    Number(u64),
    /// A name or a path.
    Text(String),
}

/// What a refused writer waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// The flusher: the device is slower than the writers.
    Flush,
    /// Snapshots and iterations: they hold what was flushed long ago.
    Readers,
    /// Snapshots, iterations and verifications: while one is open the full map of the state cannot grow.
    Growth,
    /// A prepared journal file.
    Journal,
}

impl WaitsFor {
    const fn words(self) -> &'static str {
        match self {
            Self::Flush => "too much is waiting to be flushed",
            Self::Readers => "open snapshots and iterations hold too much that was flushed",
            Self::Growth => {
                "the map of the state is full and cannot grow while a snapshot, an iteration or a verification is open"
            }
            Self::Journal => "no journal file was ready in time",
        }
    }
}

/// A failure. Cheap to clone: every caller that waits gets the same one.
#[derive(Clone, Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are what the message names")]
pub enum Error {
    /// The call is wrong; nothing was done.
    #[error("{message}")]
    InvalidArgument { argument: &'static str, message: String },
    /// Something exceeds its limit; nothing was applied.
    #[error("{what}: limit=`{limit}` size={size} max={max}")]
    Limit { what: &'static str, limit: &'static str, size: u64, max: u64 },
    /// A collection, or the event log (`None`), was made with another codec.
    #[error("{} was made with another codec: expected={expected} actual={actual}", describe(collection.as_deref()))]
    CodecMismatch { collection: Option<String>, expected: String, actual: String },
    /// There is no store, and the caller did not allow making one.
    #[error("there is no store: path={}", path.display())]
    StoreNotFound { path: PathBuf },
    /// There is no such collection.
    #[error("there is no such collection: name={name}")]
    CollectionNotFound { name: String },
    /// Another owner has the store open.
    #[error("the store is open {by} path={}", path.display())]
    Locked { path: PathBuf, by: Taken },
    /// The store is open in this process with another value of this option.
    #[error("the store is open with another value of an option: option={option} expected={expected} actual={actual}")]
    OptionsMismatch {
        /// The option's name.
        option: &'static str,
        /// The value in force.
        expected: String,
        /// The requested value.
        actual: String,
    },
    /// The handle has been closed or released.
    #[error("{what} is closed")]
    Closed { what: &'static str },
    /// Flushing cannot keep up, or readers hold what it needs; then with the age of the oldest one.
    #[error("{}: pendingBytes={pending_bytes}{}", waits_for.words(), since(*oldest_reader_ms))]
    Backpressure { pending_bytes: u64, oldest_reader_ms: Option<u64>, waits_for: WaitsFor },
    /// Another thread's transaction did not end in time.
    #[error("another thread's transaction did not end in time: waitedMs={waited_ms}")]
    Busy { waited_ms: u64 },
    /// Another opening or closing of the same store in this process did not end in time.
    #[error("the store is being opened or closed by another thread, which did not end in time: waitedMs={waited_ms}")]
    Changing { waited_ms: u64 },
    /// This thread has a transaction open.
    #[error("a transaction is open on this thread")]
    TransactionOpen,
    /// The transaction has ended.
    #[error("the transaction has ended")]
    TransactionFinished,
    /// The store is sealed: no writes until it is unsealed.
    #[error("the store is sealed: eventId={event_id}")]
    Sealed { event_id: u64 },
    /// Ingestion is paused.
    #[error("ingestion is paused")]
    Paused,
    /// The requested events are no longer kept.
    #[error("the events asked for are no longer kept: requested={requested} oldest={oldest}")]
    EventsTrimmed { requested: u64, oldest: u64 },
    /// Promised bytes are damaged.
    #[error("{what}: file={} offset={offset}", file.display())]
    Corrupt { file: PathBuf, offset: u64, what: String },
    /// The file is not ours, or newer than this version.
    #[error("the format is not supported: found={found} supported={supported}")]
    Format { found: String, supported: String },
    /// Something other than a file or folder of ours is at this path. It was left unchanged.
    #[error("found {found}, expected {expected}: path={}", path.display())]
    Foreign { path: PathBuf, found: String, expected: String },
    /// The device is full, or the process's address space.
    #[error("{}", no_space(_0))]
    NoSpace(FileError),
    /// The folder is on a file system that other machines share, and the caller did not allow that.
    #[error("a network file system is not allowed, unless by `allowNetworkFileSystem`: path={} type={kind}", path.display())]
    FileSystem { path: PathBuf, kind: String },
    /// Another system call failed.
    #[error("{0}")]
    Io(FileError),
    /// A backup cannot be made there, or is not acceptable; nothing was left behind.
    #[error("{what}: path={} reason={}", path.display(), reason.as_str())]
    Backup {
        /// What is wrong.
        reason: BackupReason,
        /// The file or the folder.
        path: PathBuf,
        /// The same in words.
        what: String,
        /// The failure behind it, if there is one.
        cause: Option<Arc<Error>>,
    },
    /// Writing has stopped after a failure; reads continue, opening again heals.
    #[error("the store stopped writing after a failure: {0}")]
    Poisoned(Arc<Error>),
}

fn no_space(failure: &FileError) -> String {
    let place = if failure.syscall == "mmap" { "in the process's address space" } else { "on the device" };
    format!("no space is left {place}: {failure}")
}

/// All `max` slots for readers are taken.
pub(crate) fn too_many_readers(max: u64) -> Error {
    Error::Limit { what: "too many snapshots and iterations are open", limit: "readers", size: max + 1, max }
}

fn since(oldest_reader_ms: Option<u64>) -> String {
    oldest_reader_ms.map_or_else(String::new, |ms| format!(" oldestReaderMs={ms}"))
}

/// A version's number, or the text found in its place.
fn number_or_text(found: &str) -> Detail {
    found.parse().map_or_else(|_| Detail::Text(found.to_owned()), Detail::Number)
}

fn describe(collection: Option<&str>) -> String {
    collection.map_or_else(|| "the event log".to_owned(), |name| format!("the collection {name}"))
}

impl Error {
    /// Whether it can pass by itself: the device was full, or the process lacked handles or memory.
    pub(crate) fn can_heal(&self) -> bool {
        match self {
            Self::NoSpace(_) => true,
            Self::Io(error) => error.is_shortage(),
            _ => false,
        }
    }

    /// The stable code, `ERR_…`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidArgument { .. } => "ERR_INVALID_ARGUMENT",
            Self::Limit { .. } => "ERR_LIMIT",
            Self::CodecMismatch { .. } => "ERR_CODEC_MISMATCH",
            Self::StoreNotFound { .. } | Self::CollectionNotFound { .. } => "ERR_NOT_FOUND",
            Self::Locked { by: Taken::ByVersion(_), .. } => "ERR_VERSION_MISMATCH",
            Self::Locked { .. } => "ERR_LOCKED",
            Self::OptionsMismatch { .. } => "ERR_OPTIONS_MISMATCH",
            Self::Closed { .. } => "ERR_CLOSED",
            Self::Backpressure { .. } => "ERR_BACKPRESSURE",
            Self::Busy { .. } | Self::Changing { .. } => "ERR_BUSY",
            Self::TransactionOpen => "ERR_TRANSACTION_OPEN",
            Self::TransactionFinished => "ERR_TRANSACTION_FINISHED",
            Self::Sealed { .. } => "ERR_SEALED",
            Self::Paused => "ERR_PAUSED",
            Self::EventsTrimmed { .. } => "ERR_EVENTS_TRIMMED",
            Self::Corrupt { .. } => "ERR_CORRUPT",
            Self::Format { .. } | Self::Foreign { .. } => "ERR_FORMAT",
            Self::NoSpace(_) => "ERR_NO_SPACE",
            Self::FileSystem { .. } => "ERR_FILE_SYSTEM",
            Self::Io(_) => "ERR_IO",
            Self::Backup { .. } => "ERR_BACKUP",
            Self::Poisoned(_) => "ERR_POISONED",
        }
    }

    /// The fields that belong to the code, by their public names.
    pub fn details(&self) -> Vec<(&'static str, Detail)> {
        let text = |value: &dyn ToString| Detail::Text(value.to_string());
        match self {
            Self::InvalidArgument { argument, .. } => vec![("argument", text(argument))],
            Self::Limit { limit, size, max, .. } => {
                vec![("limit", text(limit)), ("size", Detail::Number(*size)), ("max", Detail::Number(*max))]
            }
            Self::CodecMismatch { collection, expected, actual } => {
                let mut details = vec![("expected", text(expected)), ("actual", text(actual))];
                details.extend(collection.as_ref().map(|name| ("collection", text(name))));
                details
            }
            Self::StoreNotFound { path } => vec![("path", text(&path.display()))],
            Self::CollectionNotFound { name } => vec![("name", text(name))],
            Self::Locked { path, by } => {
                let mut details = vec![("path", text(&path.display()))];
                match by.versions() {
                    Some((expected, actual)) => {
                        details.extend([("expected", text(&expected)), ("actual", text(&actual))]);
                    }
                    None => details.extend(by.pid().map(|pid| ("pid", Detail::Number(u64::from(pid))))),
                }
                details
            }
            Self::OptionsMismatch { option, expected, actual } => {
                vec![
                    ("option", text(option)),
                    ("expected", number_or_text(expected)),
                    ("actual", number_or_text(actual)),
                ]
            }
            Self::Backpressure { pending_bytes, .. } => vec![("pendingBytes", Detail::Number(*pending_bytes))],
            Self::Busy { waited_ms } | Self::Changing { waited_ms } => vec![("waitedMs", Detail::Number(*waited_ms))],
            Self::Sealed { event_id } => vec![("eventId", Detail::Number(*event_id))],
            Self::EventsTrimmed { requested, oldest } => {
                vec![("requested", Detail::Number(*requested)), ("oldest", Detail::Number(*oldest))]
            }
            Self::Corrupt { file, offset, .. } => {
                vec![("file", text(&file.display())), ("offset", Detail::Number(*offset))]
            }
            Self::Format { found, supported } => {
                vec![("found", number_or_text(found)), ("supported", number_or_text(supported))]
            }
            Self::Foreign { found, expected, .. } => vec![("found", text(found)), ("supported", text(expected))],
            Self::Backup { reason, .. } => vec![("reason", text(&reason.as_str()))],
            Self::FileSystem { path, kind } => vec![("path", text(&path.display())), ("type", text(kind))],
            Self::NoSpace(error) | Self::Io(error) => {
                let mut details = vec![("syscall", text(&error.syscall)), ("path", text(&error.path.display()))];
                let errno = error.errno().and_then(|errno| u64::try_from(errno).ok());
                details.extend(errno.map(|errno| ("errno", Detail::Number(errno))));
                details
            }
            Self::Closed { .. }
            | Self::Paused
            | Self::TransactionOpen
            | Self::TransactionFinished
            | Self::Poisoned(_) => Vec::new(),
        }
    }

    /// The failure behind this one, if it is one of ours.
    pub fn cause(&self) -> Option<&Error> {
        match self {
            Self::Poisoned(cause) | Self::Backup { cause: Some(cause), .. } => Some(cause),
            _ => None,
        }
    }

    /// A defect of ours, reported as a failed call.
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        Self::Io(FileError::new("ledgerstone", "", std::io::Error::other(what.into())))
    }

    pub(crate) fn foreign(path: impl Into<PathBuf>, found: &str, expected: &str) -> Self {
        Self::Foreign { path: path.into(), found: found.to_owned(), expected: expected.to_owned() }
    }

    pub(crate) fn corrupt(file: impl Into<PathBuf>, offset: u64, what: impl Into<String>) -> Self {
        Self::Corrupt { file: file.into(), offset, what: what.into() }
    }
}

ledgerstone_vfs::from_file_error!(Error);

impl From<FolderError> for Error {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::File(error) => error.into(),
            FolderError::Network { path, kind } => Self::FileSystem { path, kind },
            FolderError::Taken { path, by } => Self::Locked { path, by },
            FolderError::Damaged { path, what } => Self::corrupt(path, 0, what),
            FolderError::Version { found, supported, .. } => {
                Self::Format { found: found.to_string(), supported: supported.to_string() }
            }
        }
    }
}

impl From<ledgerstone_journal::Error> for Error {
    fn from(error: ledgerstone_journal::Error) -> Self {
        use ledgerstone_journal::Error as Journal;
        match error {
            Journal::Io(error) => Self::Io(error),
            Journal::NoSpace(error) => Self::NoSpace(error),
            Journal::Corrupt { file, offset, what } => Self::Corrupt { file, offset, what },
            Journal::Format { found, supported, .. } => {
                Self::Format { found: found.to_string(), supported: supported.to_string() }
            }
            Journal::Foreign { path, found, expected } => Self::foreign(path, found, expected),
            Journal::Poisoned(cause) => Self::Poisoned(Arc::new((*cause).clone().into())),
            Journal::Limit { limit, size, max } => {
                Self::Limit { what: "the commit is too large for the journal", limit, size, max }
            }
            Journal::NotInTime => {
                Self::Backpressure { pending_bytes: 0, oldest_reader_ms: None, waits_for: WaitsFor::Journal }
            }
            Journal::Internal(what) => Self::internal(what),
            Journal::Closed => Self::Closed { what: "the store" },
        }
    }
}

impl From<ledgerstone_event_log::Error> for Error {
    fn from(error: ledgerstone_event_log::Error) -> Self {
        use ledgerstone_event_log::Error as Log;
        match error {
            Log::Io(error) => Self::Io(error),
            Log::NoSpace(error) => Self::NoSpace(error),
            Log::Corrupt { file, offset, what } => Self::Corrupt { file, offset, what },
            Log::Format { found, supported, .. } => {
                Self::Format { found: found.to_string(), supported: supported.to_string() }
            }
            Log::Foreign { path, found, expected } => Self::Foreign { path, found, expected },
            Log::Limit { limit, size, max } => Self::Limit { what: "the event is over a limit", limit, size, max },
            Log::Poisoned(cause) => Self::Poisoned(Arc::new((*cause).clone().into())),
            Log::Trimmed { requested, oldest } => Self::EventsTrimmed { requested, oldest },
            Log::InvalidArgument { argument, message } => Self::InvalidArgument { argument, message },
            Log::Closed => Self::Closed { what: "the event log" },
            defect @ (Log::EventIdGap { .. }
            | Log::TimestampOrder { .. }
            | Log::Locked { .. }
            | Log::FileSystem { .. }
            | Log::NotFound { .. }) => Self::internal(defect.to_string()),
        }
    }
}

impl From<ledgerstone_snapshot_set::Error> for Error {
    fn from(error: ledgerstone_snapshot_set::Error) -> Self {
        use ledgerstone_snapshot_set::Error as Set;
        match error {
            Set::Io(error) => Self::Io(error),
            Set::NoSpace(error) => Self::NoSpace(error),
            Set::Corrupt { file, offset, what } => Self::Corrupt { file, offset, what },
            Set::Format { found, supported, .. } => {
                Self::Format { found: found.to_string(), supported: supported.to_string() }
            }
            Set::Foreign { path, found, expected } => Self::Foreign { path, found, expected },
            Set::Limit { limit, size, max } => Self::Limit { what: "the set of backups has a limit", limit, size, max },
            Set::InvalidArgument { argument, message } => Self::InvalidArgument { argument, message },
            Set::Locked { path, by } => Self::Locked { path, by },
            Set::FileSystem { path, kind } => Self::FileSystem { path, kind },
            Set::Closed => Self::Closed { what: "the set of backups" },
            Set::Poisoned(cause) => Self::Poisoned(Arc::new((*cause).clone().into())),
            defect @ Set::NotFound { .. } => Self::internal(defect.to_string()),
        }
    }
}
