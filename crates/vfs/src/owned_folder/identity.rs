//! The file `IDENTITY`. It is written aside as the first step of making a store or a log and gets its name as the last, so a folder that has
//! it is complete, and in one that has it aside the files are known to be of that attempt.

use std::path::{Path, PathBuf};

use ledgerstone_format::{FORMAT_VERSION, FolderKind, Identity, sealed_record::Unsealed};

use super::{FolderError, OwnedFolder};
use crate::{Aside, FileError, Result, asides_of, read_small_file};

pub(super) const IDENTITY_NAME: &str = "IDENTITY";
/// What is read of a record, in bytes: room for the longer ones of later versions, whose version is to be told.
pub(super) const RECORD_BYTES: usize = 4096;
/// What is found where a file is in the way.
pub(super) const NOT_MADE_HERE: &str = "a file that was not made here";

impl OwnedFolder<'_> {
    /// Where the identity is.
    pub fn identity_path(&self) -> PathBuf {
        self.path.join(IDENTITY_NAME)
    }

    /// Whose the folder is; `None` when there is no such file.
    ///
    /// # Errors
    /// [`FolderError::Damaged`], [`FolderError::Version`], [`FolderError::File`] also for somebody else's file.
    pub fn identity(&self) -> Result<Option<Identity>, FolderError> {
        self.identity_at(&self.identity_path())
    }

    /// What an attempt to make the store or log has prepared, and where that is.
    pub(super) fn prepared(&self) -> Result<Option<(Identity, PathBuf)>, FolderError> {
        for path in asides_of(self.vfs, &self.identity_path())? {
            match self.identity_at(&path) {
                Ok(Some(identity)) => return Ok(Some((identity, path))),
                Ok(None) | Err(FolderError::Damaged { .. } | FolderError::Version { .. }) => {}
                Err(FolderError::File(error)) if error.as_foreign().is_some() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn identity_at(&self, path: &Path) -> Result<Option<Identity>, FolderError> {
        let Some(record) = read_small_file(self.vfs, path, RECORD_BYTES)? else { return Ok(None) };
        match Identity::decode(self.kind, &record) {
            Unsealed::Record(identity) => Ok(Some(identity)),
            Unsealed::Version(found) => {
                Err(FolderError::Version { path: path.to_path_buf(), found, supported: FORMAT_VERSION })
            }
            Unsealed::Damaged if Identity::is_foreign(self.kind, &record) => {
                let expected = match self.kind {
                    FolderKind::Store => "the identity of a store",
                    FolderKind::Log => "the identity of an event log",
                };
                Err(FileError::foreign(path, NOT_MADE_HERE, expected).into())
            }
            Unsealed::Damaged => {
                Err(FolderError::Damaged { path: path.to_path_buf(), what: "the identity file is damaged" })
            }
        }
    }

    /// Writes an identity aside, durably: what is made in the folder from then on is known to be of that store or log. Where it is.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn prepare(&self, identity: &Identity) -> Result<PathBuf> {
        let aside = Aside::create(self.vfs, &self.identity_path())?;
        aside.file.write_all_at(&identity.encode(), 0)?;
        aside.file.sync_data()?;
        self.vfs.sync_dir(self.path)?;
        Ok(aside.path().to_path_buf())
    }

    /// Gives what was prepared its name, durably: the store or log exists.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn establish(&self, prepared: &Path) -> Result<()> {
        self.vfs.rename(prepared, &self.identity_path())?;
        self.vfs.sync_dir(self.path)
    }
}
