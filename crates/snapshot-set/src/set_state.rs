//! What is known of a set: its snapshots and what is wrong with them. Readers have the state of the last finished change.

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
    /// Which one.
    pub ordinal: u64,
    /// What it is.
    pub kind: SnapshotType,
    /// The first of its files that is missing or damaged.
    pub file: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// What opening a set found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetRecovery {
    /// Snapshots whose publication or removal was cut short, and is finished now.
    pub finished: Vec<u64>,
    /// Snapshots whose making was cut short, and was taken back: nobody had heard of them.
    pub undone: Vec<u64>,
    /// Snapshots that are damaged, as far as is known by now.
    pub damaged: Vec<SnapshotDamage>,
}

/// Why nothing is answered any more.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// A change was cut short and could neither be finished nor undone yet. The next change tries again.
    Unsettled(Arc<Error>),
    /// A flush of the folder failed.
    Poisoned(Arc<Error>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct SetState {
    pub(crate) manifest: Manifest,
    pub(crate) damage: BTreeMap<u64, SnapshotDamage>,
    /// Published here, or read whole since the opening.
    pub(crate) verified: BTreeSet<u64>,
    /// Given to the caller since the opening: somebody may be writing them.
    pub(crate) handed_out: BTreeSet<u64>,
    /// Pending snapshots of which a flush has failed, also where that could not be written down.
    pub(crate) spoilt: BTreeSet<u64>,
    pub(crate) foreign: Vec<String>,
    pub(crate) finished: Vec<u64>,
    pub(crate) undone: Vec<u64>,
    pub(crate) trouble: Option<Trouble>,
}

impl SetState {
    /// # Errors
    /// [`Error::Poisoned`]: what the device holds is not known.
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

    /// What is known after the folder was looked at again: `found` there, and `known` from before, which a look does not tell.
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

    /// Which of the names in the folder are none of the set's, in order.
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
    /// What opening found, and what was found to be damaged since.
    pub fn recovery(&self) -> SetRecovery {
        let state = self.state.read();
        SetRecovery {
            finished: state.finished.clone(),
            undone: state.undone.clone(),
            damaged: state.damage.values().cloned().collect(),
        }
    }
}
