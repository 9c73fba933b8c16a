//! The state of a set: its snapshots and their damage. Readers see the state of the last finished change.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use crate::{
    Error, FileSnapshotSet, Result, SnapshotInfo,
    folder::{Folder, Names},
    manifest::{Entry, Manifest},
    snapshot_name::SnapshotType,
};

/// A snapshot that cannot be restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotDamage {
    /// Its ordinal.
    pub ordinal: u64,
    /// Its type.
    pub kind: SnapshotType,
    /// The first of its files that is missing or damaged.
    pub file: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// What opening a set found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetRecovery {
    /// Snapshots whose publication or removal was interrupted and is finished now.
    pub finished: Vec<u64>,
    /// Snapshots whose making was interrupted and undone: no caller had received them.
    pub undone: Vec<u64>,
    /// Snapshots that are known to be damaged.
    pub damaged: Vec<SnapshotDamage>,
}

/// Why the set answers nothing any more.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// A change was interrupted and could neither be finished nor undone yet. The next change tries again.
    Unsettled(Arc<Error>),
    /// A flush of the folder failed.
    Poisoned(Arc<Error>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct SetState {
    pub(crate) manifest: Manifest,
    pub(crate) damage: BTreeMap<u64, SnapshotDamage>,
    /// Published here, or read as a whole since the opening.
    pub(crate) verified: BTreeSet<u64>,
    /// Returned to a caller since the opening: it may still write them.
    pub(crate) handed_out: BTreeSet<u64>,
    /// Pending snapshots of which a flush failed, also if that could not be recorded.
    pub(crate) spoilt: BTreeSet<u64>,
    pub(crate) foreign: Vec<String>,
    pub(crate) finished: Vec<u64>,
    pub(crate) undone: Vec<u64>,
    pub(crate) trouble: Option<Trouble>,
}

impl SetState {
    /// # Errors
    /// [`Error::Poisoned`]: the content of the device is unknown.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.trouble {
            Some(Trouble::Unsettled(cause) | Trouble::Poisoned(cause)) => Err(Error::Poisoned(Arc::clone(cause))),
            None => Ok(()),
        }
    }

    /// Snapshots of a type, newest first.
    pub(crate) fn of_type(&self, kind: SnapshotType) -> impl Iterator<Item = (u64, &Entry)> {
        let entries = self.manifest.entries.iter().rev();
        entries.filter(move |(_, entry)| entry.kind == kind).map(|(ordinal, entry)| (*ordinal, entry))
    }

    /// The newest full snapshot that is not known to be damaged.
    pub(crate) fn base(&self) -> Option<(u64, &Entry)> {
        self.of_type(SnapshotType::Full).find(|(ordinal, _)| !self.damage.contains_key(ordinal))
    }

    pub(crate) fn info(&self, folder: &Folder, ordinal: u64) -> Result<SnapshotInfo> {
        let entry = self.manifest.entries.get(&ordinal).ok_or(Error::NotFound { ordinal })?;
        let shard_paths = folder.shard_paths(ordinal, entry.kind, entry.shard_count);
        Ok(SnapshotInfo { kind: entry.kind, ordinal, shard_paths })
    }

    /// The state after the folder was read again: `found` there, plus those parts of `known` that reading does not show.
    pub(crate) fn found_again(self, known: Self, found: Self) -> Self {
        let mut state = Self {
            verified: self.verified,
            handed_out: self.handed_out,
            spoilt: known.spoilt,
            finished: self.finished,
            undone: self.undone,
            ..found
        };
        for (ordinal, damage) in known.damage {
            if state.manifest.entries.contains_key(&ordinal) {
                state.damage.entry(ordinal).or_insert(damage);
            }
        }
        state
    }

    /// The names in the folder that do not belong to the set, in order.
    pub(crate) fn foreign_of(&self, names: Names) -> Vec<String> {
        let is_known = |ordinal, kind, count| {
            self.manifest.entries.get(&ordinal).is_some_and(|entry| entry.kind == kind && entry.shard_count == count)
        };
        let strays = names.shards.into_iter().filter(|(_, name)| !is_known(name.ordinal, name.kind, name.shard_count));
        let mut foreign: Vec<String> = names.foreign.into_iter().chain(strays.map(|(text, _)| text)).collect();
        foreign.sort_unstable();
        foreign
    }
}

impl FileSnapshotSet {
    /// What opening found, and the damage found since.
    pub fn recovery(&self) -> SetRecovery {
        let state = self.state.read();
        SetRecovery {
            finished: state.finished.clone(),
            undone: state.undone.clone(),
            damaged: state.damage.values().cloned().collect(),
        }
    }
}
