//! A folder without an identity: an interrupted attempt to make a store or a log, one that has lost its identity, or a folder
//! of foreign files. The identity is prepared, durably, before anything else is made, so the files found show which it is.
//! Nothing is changed here.

use std::path::PathBuf;

use ledgerstone_format::{FolderKind, Identity};

use super::{FolderError, OwnedFolder, identity::NOT_MADE_HERE};
use crate::{FileError, Result, read_small_file};

/// What a file is in a folder without an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// It may hold data, or only a finished store or log has it.
    Data,
    /// It holds no data: it belongs to the attempt that prepared the identity.
    HalfMade,
    /// A foreign file that has the name of one of ours.
    Foreign,
    /// A file that does not concern us.
    Unknown,
}

/// An interrupted attempt that can be finished.
#[derive(Debug)]
pub struct Unfinished {
    /// Its identity.
    pub identity: Identity,
    /// The path of the prepared identity.
    pub prepared: PathBuf,
}

/// The manifest of a snapshot set: its name, and how it begins.
pub const SET_MANIFEST: (&str, &[u8; 8]) = ("MANIFEST", b"LGST-SSM");

impl OwnedFolder<'_> {
    /// Judges all that `look` finds in a folder without an identity; `look` is given the identity that was prepared there.
    /// `None`: nothing of ours is there.
    ///
    /// # Errors
    /// [`FolderError::Damaged`] for data, a foreign [`FileError`] for a foreign file.
    pub fn judge_unfinished<E: From<FolderError> + From<FileError>>(
        &self,
        look: impl FnOnce(Option<&Identity>) -> Result<Vec<(Remains, PathBuf)>, E>,
    ) -> Result<Option<Unfinished>, E> {
        self.check_not_a_snapshot_set()?;
        let prepared = self.prepared()?;
        let found = look(prepared.as_ref().map(|(identity, _)| identity))?;
        if found.iter().any(|(remains, _)| *remains == Remains::Data) {
            let what = match self.kind {
                FolderKind::Store => "the identity file is missing from a store that has data",
                FolderKind::Log => "the identity file is missing from a log that has data",
            };
            return Err(FolderError::Damaged { path: self.identity_path(), what }.into());
        }
        if let Some((_, path)) = found.iter().find(|(remains, _)| *remains == Remains::Foreign) {
            let expected = match self.kind {
                FolderKind::Store => "a file of the store, or nothing",
                FolderKind::Log => "a file of an event log",
            };
            return Err(FileError::foreign(path, NOT_MADE_HERE, expected).into());
        }
        // Without files it is unknown whether the identity was made durable: it is prepared anew.
        let has_files = found.iter().any(|(remains, _)| *remains == Remains::HalfMade);
        Ok(prepared.filter(|_| has_files).map(|(identity, prepared)| Unfinished { identity, prepared }))
    }

    /// A set would not open again beside an identity.
    fn check_not_a_snapshot_set(&self) -> Result<()> {
        let (name, magic) = SET_MANIFEST;
        match read_small_file(self.vfs, &self.path.join(name), magic.len()) {
            Ok(Some(head)) if head == magic => {}
            Err(error) if error.as_foreign().is_none() => return Err(error),
            _ => return Ok(()),
        }
        let expected = match self.kind {
            FolderKind::Store => "a folder for a store alone (the set: `FileSnapshotSet.open(folder)`)",
            FolderKind::Log => "a folder for an event log alone (the set: `FileSnapshotSet.open(folder)`)",
        };
        Err(FileError::foreign(self.path, "a snapshot set", expected))
    }
}
