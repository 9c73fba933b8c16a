//! The file `CLEAN`, which a clean close leaves and the first later write removes.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use ledgerstone_format::{CleanMark, StoreId, sealed_record::Unsealed};
use parking_lot::Mutex;

use super::{OwnedFolder, Remains, identity::RECORD_BYTES};
use crate::{FileError, Result, read_small_file, write_atomically};

pub(super) const MARK_NAME: &str = "CLEAN";

impl OwnedFolder<'_> {
    /// Its path.
    pub fn clean_mark_path(&self) -> PathBuf {
        self.path.join(MARK_NAME)
    }

    /// The mark of the store or log with this id. `None` when there is none, or an invalid one: one witness less, never an
    /// error.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn clean_mark(&self, id: StoreId) -> Result<Option<CleanMark>> {
        let Some(record) = read_small_file(self.vfs, &self.clean_mark_path(), RECORD_BYTES)? else { return Ok(None) };
        Ok(match CleanMark::decode(self.kind, &record) {
            Unsealed::Record((owner, mark)) if owner == id => Some(mark),
            Unsealed::Record(_) | Unsealed::Version(_) | Unsealed::Damaged => None,
        })
    }

    /// What the mark is in a folder without an identity; `None` when no file has its name.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn clean_mark_remains(&self) -> Result<Option<Remains>> {
        let head = read_small_file(self.vfs, &self.clean_mark_path(), CleanMark::HEAD_BYTES)?;
        Ok(head.map(|head| if CleanMark::is_head(self.kind, &head) { Remains::Data } else { Remains::Foreign }))
    }

    /// Whether there is a mark with bytes that we never wrote. Nothing is lost by that, but the disk has changed what was written.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn clean_mark_is_damaged(&self) -> Result<bool> {
        let record = read_small_file(self.vfs, &self.clean_mark_path(), RECORD_BYTES)?;
        Ok(record.is_some_and(|record| matches!(CleanMark::decode(self.kind, &record), Unsealed::Damaged)))
    }

    /// Writes the mark, durably.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn leave_clean_mark(&self, id: StoreId, mark: &CleanMark) -> Result<()> {
        write_atomically(self.vfs, &self.clean_mark_path(), &mark.encode(self.kind, id))
    }
}

/// The mark of the last clean close, as far as this process knows: it exists until the first write.
#[derive(Debug)]
pub struct LastMark {
    is_there: AtomicBool,
    /// Whether the opening of the folder accepted it.
    is_believed: bool,
    removing: Mutex<()>,
}

/// The mark still exists, or it is unknown whether its removal will become durable.
#[derive(Debug)]
pub struct NotForgotten {
    /// The cause.
    pub error: FileError,
    /// A flush failed. It is never repeated (I5): the next one would succeed and store nothing.
    pub is_fatal: bool,
}

impl LastMark {
    /// The mark that an opening found, and whether it was accepted. A file of that name that was not accepted is removed all
    /// the same: another version of this package may accept it.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn found(folder: OwnedFolder<'_>, is_believed: bool) -> Result<Self> {
        let is_there = folder.vfs.exists(&folder.clean_mark_path())?;
        Ok(Self { is_there: AtomicBool::new(is_there), is_believed, removing: Mutex::default() })
    }

    /// The state of a folder that was never closed.
    pub const fn none() -> Self {
        Self { is_there: AtomicBool::new(false), is_believed: false, removing: Mutex::new(()) }
    }

    /// Whether nothing was written since, so that closing need not leave another mark.
    pub fn still_stands(&self) -> bool {
        self.is_believed && self.is_there.load(Ordering::Acquire)
    }

    /// Removes the mark, durably, before the first write that it does not cover.
    ///
    /// # Errors
    /// [`NotForgotten`]: then no write is allowed.
    pub fn forget(&self, folder: OwnedFolder<'_>) -> std::result::Result<(), NotForgotten> {
        if !self.is_there.load(Ordering::Acquire) {
            return Ok(());
        }
        let _removing = self.removing.lock();
        if !self.is_there.load(Ordering::Acquire) {
            return Ok(());
        }
        match folder.vfs.remove_file(&folder.clean_mark_path()) {
            Err(error) if !error.is_not_found() => return Err(NotForgotten { error, is_fatal: false }),
            _ => {}
        }
        let flushed = folder.vfs.sync_dir(folder.path);
        flushed.map_err(|error| NotForgotten { is_fatal: !error.is_before_flush(), error })?;
        self.is_there.store(false, Ordering::Release);
        Ok(())
    }
}
