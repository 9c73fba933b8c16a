//! The calls on snapshot sets. None is hot: all but the lists run off the JavaScript thread.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::{cell::RefCell, path::PathBuf, sync::Arc};

use ledgerstone_snapshot_set::{
    FileSnapshotSet, Ground, Prune, Purge, ShardCheck, SnapshotInfo, SnapshotSetOptions, SnapshotType,
};
use napi::{Env, bindgen_prelude::Object};
use napi_derive::napi;

use crate::{
    binding_env::{number, on_state},
    binding_error::{ErrorRecord, Failure},
    env_state::EnvState,
    off_thread::{promised, promised_of},
    slab::{Handle, Slab, safe_integer},
};

/// The sets that are open in an environment.
pub(crate) struct OpenSets(RefCell<Slab<Arc<FileSnapshotSet>>>);

impl OpenSets {
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(Slab::new()))
    }

    fn add(&self, set: Arc<FileSnapshotSet>) -> Result<Handle, Failure> {
        const MAX: u64 = 1 << 20;
        let added = self.0.borrow_mut().insert(set);
        added.ok_or_else(|| ErrorRecord::limit("too many snapshot sets are open", "snapshotSets", MAX + 1, MAX))
    }

    fn get(&self, id: Handle) -> Result<Arc<FileSnapshotSet>, Failure> {
        self.0.borrow().get(id).map(Arc::clone).ok_or_else(|| ErrorRecord::closed("the snapshot set"))
    }

    fn take(&self, id: Handle) -> Result<Arc<FileSnapshotSet>, Failure> {
        self.0.borrow_mut().remove(id).ok_or_else(|| ErrorRecord::closed("the snapshot set"))
    }

    /// The environment ends.
    pub(crate) fn close(&self) {
        let all = self.0.borrow_mut().remove_where(|_| true);
        for set in all {
            set.close();
        }
    }
}

/// One snapshot.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeSnapshotInfo {
    #[napi(ts_type = "'diff' | 'full' | 'pending'")]
    pub r#type: String,
    pub ordinal: f64,
    pub shard_paths: Vec<String>,
}

/// All that is in a set's folder.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeListing {
    pub snapshots: Vec<NativeSnapshotInfo>,
    pub foreign: Vec<String>,
}

/// A snapshot that cannot be restored from.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeSnapshotDamage {
    pub ordinal: f64,
    #[napi(ts_type = "'diff' | 'full' | 'pending'")]
    pub r#type: String,
    pub file: String,
    pub message: String,
}

/// What opening a set found.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeSetRecovery {
    pub finished: Vec<f64>,
    pub undone: Vec<f64>,
    pub damaged: Vec<NativeSnapshotDamage>,
}

impl From<SnapshotInfo> for NativeSnapshotInfo {
    fn from(info: SnapshotInfo) -> Self {
        let shard_paths = info.shard_paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        Self { r#type: info.kind.as_str().to_owned(), ordinal: number(info.ordinal), shard_paths }
    }
}

fn infos(snapshots: Vec<SnapshotInfo>) -> Vec<NativeSnapshotInfo> {
    snapshots.into_iter().map(NativeSnapshotInfo::from).collect()
}

/// Opens a snapshot set; its handle.
#[napi(catch_unwind, ts_return_type = "Promise<number>")]
pub fn open_snapshot_set(
    env: &Env,
    path: String,
    reads_contents: bool,
    allow_network_file_system: bool,
) -> napi::Result<Object<'_>> {
    let check = if reads_contents { ShardCheck::Contents } else { ShardCheck::Lengths };
    let options = SnapshotSetOptions { check, allow_network_file_system };
    let work = move || Ok(Arc::new(FileSnapshotSet::open(&Ground::system(), &PathBuf::from(path), options)?));
    promised(env, work, |env, set| {
        let set = set?;
        // When the environment has ended meanwhile there is no state, and dropping the set gives its lock back.
        let state = EnvState::of_env(&env).ok_or_else(|| ErrorRecord::closed("the environment"))?;
        Ok(state.snapshot_sets.add(set)?.as_number())
    })
}

/// Closes a snapshot set. At once it takes no work any more.
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub fn close_snapshot_set(env: &Env, set: f64) -> napi::Result<Object<'_>> {
    let set = on_state(env, |state| Ok(state.snapshot_sets.take(Handle::from_number(set))))?;
    let work = move || {
        set?.close();
        Ok(())
    };
    promised(env, work, |_, closed| closed)
}

/// Makes a snapshot, or goes on with one.
#[napi(catch_unwind, ts_return_type = "Promise<NativeSnapshotInfo>")]
pub fn set_create_or_get(
    env: &Env,
    set: f64,
    kind: String,
    shard_count: f64,
    may_append_existing: bool,
) -> napi::Result<Object<'_>> {
    let work = move |set: &Arc<FileSnapshotSet>| {
        let kind: SnapshotType = kind.parse().map_err(|()| ErrorRecord::invalid("type", "no such type of snapshot"))?;
        let shard_count = safe_integer(shard_count).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let shard_count = shard_count.ok_or_else(|| ErrorRecord::invalid("shardCount", "no count"))?;
        Ok(NativeSnapshotInfo::from(set.create_or_get(kind, shard_count, may_append_existing)?))
    };
    promised_of(env, |state| state.snapshot_sets.get(Handle::from_number(set)), work)
}

/// Publishes a pending snapshot.
#[napi(catch_unwind, ts_return_type = "Promise<NativeSnapshotInfo>")]
pub fn set_publish(env: &Env, set: f64, ordinal: f64, diffs: bool, pendings: bool) -> napi::Result<Object<'_>> {
    let work = move |set: &Arc<FileSnapshotSet>| {
        let ordinal = safe_integer(ordinal).ok_or_else(|| ErrorRecord::invalid("ordinal", "no ordinal"))?;
        Ok(NativeSnapshotInfo::from(set.publish(ordinal, Purge { diffs, pendings })?))
    };
    promised_of(env, |state| state.snapshot_sets.get(Handle::from_number(set)), work)
}

/// Removes what is not needed; `keep_full` 0: all full ones stay.
#[napi(catch_unwind, ts_return_type = "Promise<Array<NativeSnapshotInfo>>")]
pub fn set_prune(env: &Env, set: f64, keep_full: f64, pendings: bool) -> napi::Result<Object<'_>> {
    let work = move |set: &Arc<FileSnapshotSet>| {
        let count = safe_integer(keep_full).ok_or_else(|| ErrorRecord::invalid("keepFull", "no count"))?;
        let keep_full = (count > 0).then(|| u32::try_from(count).unwrap_or(u32::MAX));
        Ok(infos(set.prune(Prune { keep_full, pendings })?))
    };
    promised_of(env, |state| state.snapshot_sets.get(Handle::from_number(set)), work)
}

/// All that is in the folder.
#[napi(catch_unwind)]
pub fn set_list(env: &Env, set: f64) -> napi::Result<NativeListing> {
    on_state(env, |state| {
        let listing = state.snapshot_sets.get(Handle::from_number(set))?.list()?;
        Ok(NativeListing { snapshots: infos(listing.snapshots), foreign: listing.foreign })
    })
}

/// What is to be restored, in order.
#[napi(catch_unwind)]
pub fn set_snapshots_to_restore(env: &Env, set: f64) -> napi::Result<Vec<NativeSnapshotInfo>> {
    on_state(env, |state| Ok(infos(state.snapshot_sets.get(Handle::from_number(set))?.snapshots_to_restore()?)))
}

/// What opening found, and what was found to be damaged since.
#[napi(catch_unwind)]
pub fn set_recovery(env: &Env, set: f64) -> napi::Result<NativeSetRecovery> {
    on_state(env, |state| {
        let recovery = state.snapshot_sets.get(Handle::from_number(set))?.recovery();
        let numbers = |ordinals: Vec<u64>| ordinals.into_iter().map(number).collect();
        let damaged = recovery.damaged.into_iter().map(|damage| NativeSnapshotDamage {
            ordinal: number(damage.ordinal),
            r#type: damage.kind.as_str().to_owned(),
            file: damage.file.to_string_lossy().into_owned(),
            message: damage.what,
        });
        Ok(NativeSetRecovery {
            finished: numbers(recovery.finished),
            undone: numbers(recovery.undone),
            damaged: damaged.collect(),
        })
    })
}
