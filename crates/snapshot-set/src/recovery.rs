//! Brings a set to a state with nothing under way after a kill, a power cut or a failed call. Unfinished making is undone;
//! publishing and removing are finished. Needs no free space, and repeats safely when it is interrupted.

use std::ops::Bound;

use crate::{
    Result,
    folder::{Folder, Groups, Names},
    manifest::{Entry, Manifest, Step},
    set_state::SetState,
    snapshot_name::SnapshotType,
};

/// Settles every step under way in `folder`, which is locked; returns the state of the set.
pub(crate) fn recover(folder: &Folder) -> Result<SetState> {
    let found = Manifest::read(&*folder.vfs, &folder.path)?;
    let has_manifest = found.is_some();
    if has_manifest {
        // A process may have died, or a call failed, after it named the manifest and before it flushed the name. What builds on
        // it must not lose it.
        folder.sync()?;
    }
    let before = found.unwrap_or_default();
    let mut state = SetState { manifest: before.clone(), ..SetState::default() };
    settle(folder, &mut state)?;
    // Of what is left, so that the next opening finds the same.
    let names = folder.names()?;
    adopt(folder, &names, &mut state.manifest, has_manifest)?;
    if state.manifest != before {
        match state.manifest.write(&*folder.vfs, &folder.path) {
            // Without space the old manifest stays: it leads here again.
            Err(error) if error.can_heal() => {}
            written => written?,
        }
    }
    for (ordinal, entry) in &state.manifest.entries {
        if let Some(damage) = folder.inspect(*ordinal, entry)? {
            state.damage.insert(*ordinal, damage);
        }
    }
    state.foreign = state.foreign_of(names);
    Ok(state)
}

/// Adopts snapshots that the manifest does not list: copied here by hand, or with the manifest left behind. Beside a manifest
/// only complete ones count. Without one, an incomplete snapshot is damage: a restore must not skip it.
pub(crate) fn adopt(folder: &Folder, names: &Names, manifest: &mut Manifest, has_manifest: bool) -> Result<()> {
    for (ordinal, groups) in &names.groups {
        manifest.last_ordinal = manifest.last_ordinal.max(*ordinal);
        // The last of several: full before diff before pending.
        let Some(((kind, shard_count), found)) = groups.last_key_value() else { continue };
        if manifest.entries.contains_key(ordinal) {
            continue;
        }
        let entry = Entry::new(*kind, Step::Settled, *shard_count);
        let is_whole = groups.len() == 1 && found == shard_count && folder.inspect(*ordinal, &entry)?.is_none();
        if is_whole || !has_manifest {
            manifest.entries.insert(*ordinal, entry);
        }
    }
    if !has_manifest {
        manifest.diffs_gone = newest_gap(&names.groups, manifest);
    }
    Ok(())
}

/// Without a manifest it is unknown what was removed: any ordinal that is missing below the newest full snapshot may have been
/// a diff. Diffs are removed only below a full one, so without a full one none was.
fn newest_gap(groups: &Groups, manifest: &Manifest) -> u64 {
    let newest_full = manifest.entries.iter().rev().find(|(_, entry)| entry.kind == SnapshotType::Full);
    let Some((newest_full, _)) = newest_full else { return 0 };
    let mut expected = *newest_full;
    for (ordinal, _) in groups.range((Bound::Unbounded, Bound::Included(*newest_full))).rev() {
        if *ordinal != expected {
            break;
        }
        expected -= 1;
    }
    expected
}

/// Finishes or undoes every step. All of it is durable when this returns.
fn settle(folder: &Folder, state: &mut SetState) -> Result<()> {
    let mut under_way: Vec<(u64, Entry)> = Vec::new();
    for (ordinal, entry) in &state.manifest.entries {
        if !matches!(entry.step, Step::Settled | Step::Spoilt) {
            under_way.push((*ordinal, entry.clone()));
        }
    }
    if under_way.is_empty() {
        return Ok(());
    }
    for (ordinal, entry) in &under_way {
        match entry.step {
            Step::Making => {
                for path in folder.shard_paths(*ordinal, entry.kind, entry.shard_count) {
                    folder.remove_if_empty(&path)?;
                }
                state.undone.push(*ordinal);
            }
            Step::Publishing => {
                rename_shards(folder, *ordinal, entry)?;
                state.finished.push(*ordinal);
            }
            _ => {
                remove_shards(folder, *ordinal, entry)?;
                state.finished.push(*ordinal);
            }
        }
    }
    folder.sync()?;
    for (ordinal, entry) in under_way {
        state.manifest.settled(ordinal, entry);
    }
    Ok(())
}

/// Renames the files of a pending snapshot to those of a full one. A file that has appeared under such a name is not replaced:
/// then the shard counts as damaged.
pub(crate) fn rename_shards(folder: &Folder, ordinal: u64, entry: &Entry) -> Result<()> {
    for shard in 0..entry.shard_count {
        let from = folder.shard_path(ordinal, SnapshotType::Pending, entry.shard_count, shard);
        let to = folder.shard_path(ordinal, SnapshotType::Full, entry.shard_count, shard);
        if folder.vfs.exists(&from)? && !folder.vfs.exists(&to)? {
            folder.vfs.rename(&from, &to)?;
        }
    }
    Ok(())
}

/// Removes the files of a snapshot, in order.
pub(crate) fn remove_shards(folder: &Folder, ordinal: u64, entry: &Entry) -> Result<()> {
    for path in folder.shard_paths(ordinal, entry.kind, entry.shard_count) {
        folder.remove(&path)?;
    }
    Ok(())
}

impl Manifest {
    /// The step under way with a snapshot is done, durably.
    pub(crate) fn settled(&mut self, ordinal: u64, entry: Entry) {
        match entry.step {
            Step::Making | Step::Removing => {
                self.entries.remove(&ordinal);
            }
            Step::Publishing => {
                self.entries.insert(ordinal, Entry { kind: SnapshotType::Full, step: Step::Settled, ..entry });
            }
            Step::Settled | Step::Spoilt => {}
        }
    }
}
