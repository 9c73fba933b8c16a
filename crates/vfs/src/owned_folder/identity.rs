//! The file `IDENTITY`. It is written aside in the first step of making a store or a log, and renamed in the last. So a folder
//! that has it is complete, and in a folder that has it aside all files belong to that attempt.

use std::path::{Path, PathBuf};

use ledgerstone_format::{FORMAT_VERSION, FolderKind, Identity, sealed_record::Unsealed};

use super::{FolderError, OwnedFolder};
use crate::{Aside, FileError, Result, asides_of, read_small_file};

pub(super) const IDENTITY_NAME: &str = "IDENTITY";
/// Bytes read of a record: room for longer ones of later versions, so that their version can be reported.
pub(super) const RECORD_BYTES: usize = 4096;
/// Found where a foreign file is in the way.
pub(super) const NOT_MADE_HERE: &str = "a file that was not made here";

impl OwnedFolder<'_> {
    /// Its path.
    pub fn identity_path(&self) -> PathBuf {
        self.path.join(IDENTITY_NAME)
    }

    /// The identity of the folder; `None` when there is no such file.
    ///
    /// # Errors
    /// [`FolderError::Damaged`], [`FolderError::Version`], [`FolderError::File`] also for a foreign file.
    pub fn identity(&self) -> Result<Option<Identity>, FolderError> {
        self.identity_at(&self.identity_path())
    }

    /// The identity that an attempt to make the store or log has prepared, and its path.
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

    /// Writes an identity aside, durably: whatever is made in the folder afterwards belongs to that store or log. Returns its path.
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

    /// Renames the prepared identity to its name, durably: the store or log exists.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn establish(&self, prepared: &Path) -> Result<()> {
        self.vfs.rename(prepared, &self.identity_path())?;
        self.vfs.sync_dir(self.path)
    }
}
