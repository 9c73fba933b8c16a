//! Why a backup cannot be made or is not acceptable, in one word.

use std::{path::Path, sync::Arc};

use ledgerstone_vfs::FileError;

use crate::Error;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupReason {
    /// There is no backup, or one of its files is gone.
    Missing,
    /// A link, a folder, a device or a queue is in the place of a file.
    NotAFile,
    /// It is not a backup of a store, or one of a later version.
    Format,
    /// A file is longer or shorter than it was.
    Size,
    /// A file is not what was written.
    Checksum,
    /// There are more or fewer records than the manifest says.
    Count,
    /// Keys, ids or times are out of order, or not where they belong.
    Order,
    /// Something is larger than it can be.
    Limit,
    /// The device does not give a file's bytes.
    Unreadable,
    /// The set holds backups of another store.
    OtherStore,
    /// The place where the store is to be made is taken.
    Target,
}

impl BackupReason {
    /// Its name in JavaScript.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotAFile => "not-a-file",
            Self::Format => "format",
            Self::Size => "size",
            Self::Checksum => "checksum",
            Self::Count => "count",
            Self::Order => "order",
            Self::Limit => "limit",
            Self::Unreadable => "unreadable",
            Self::OtherStore => "other-store",
            Self::Target => "target",
        }
    }

    /// An error for this reason.
    pub(super) fn error(self, path: &Path, what: impl Into<String>) -> Error {
        Error::Backup { reason: self, path: path.to_path_buf(), what: what.into(), cause: None }
    }
}

/// What keeps a file of a backup from being read. A shortage passes, and says nothing of the backup.
pub(super) fn unreadable(path: &Path, error: FileError) -> Error {
    if error.is_shortage() {
        return error.into();
    }
    let (reason, what) = match error.as_foreign() {
        Some((found, _)) => (BackupReason::NotAFile, format!("{found} is in the place of a file of the backup")),
        None if error.is_not_found() => (BackupReason::Missing, "a file of the backup is missing".to_owned()),
        None => (BackupReason::Unreadable, "a file of the backup cannot be read".to_owned()),
    };
    Error::Backup { reason, path: path.to_path_buf(), what, cause: Some(Arc::new(error.into())) }
}
