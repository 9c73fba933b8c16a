//! A folder without an identity: an attempt to make a store or a log that was cut short, one that has lost its identity, or somebody else's
//! files. The identity is prepared, durably, before anything else is made, so what is found tells which. Nothing is changed here.

use std::path::PathBuf;

use ledgerstone_format::{FolderKind, Identity};

use super::{FolderError, OwnedFolder, identity::NOT_MADE_HERE};
use crate::{FileError, Result, read_small_file};

/// What a file is that is found in a folder without an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// It could hold data, or only a finished store or log has it.
    Data,
    /// It holds no data: of the attempt that has prepared the identity.
    HalfMade,
    /// Not ours, and in the way of a file of ours.
    Foreign,
    /// Nothing that we look at.
    Unknown,
}

/// An attempt that can be finished.
#[derive(Debug)]
pub struct Unfinished {
    /// Whose it is.
    pub identity: Identity,
    /// Where the identity is in the making.
    pub prepared: PathBuf,
}

/// The manifest of a snapshot set: its name, and how it begins.
pub const SET_MANIFEST: (&str, &[u8; 8]) = ("MANIFEST", b"LGST-SSM");

impl OwnedFolder<'_> {
    /// Looks at all that is found by `look` in a folder without an identity, which is given the identity that was prepared there. `None`:
    /// there is nothing of ours.
    ///
    /// # Errors
    /// [`FolderError::Damaged`] for data, a foreign [`FileError`] for what is in the way.
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
        // Without files nobody knows whether the identity was made durable: it is prepared anew.
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
