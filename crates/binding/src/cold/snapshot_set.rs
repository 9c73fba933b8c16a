//! The cold calls on snapshot sets. All but the lists run off the JavaScript thread.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::{path::PathBuf, sync::Arc};

use ledgerstone_snapshot_set::{FileSnapshotSet, Ground, Prune, Purge, ShardCheck, SnapshotSetOptions, SnapshotType};
use napi::{Env, bindgen_prelude::Object};
use napi_derive::napi;

use crate::{
    cold::objects::snapshot_set::{NativeListing, NativeSetRecovery, NativeSnapshotDamage, NativeSnapshotInfo, infos},
    environment::{
        off_thread::{promised, promised_of},
        slab::Handle,
        state::{EnvState, on_state},
    },
    error::ErrorRecord,
    number::{number, safe_integer},
};

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
        Ok(state.add_snapshot_set(set)?.as_number())
    })
}

/// Closes a snapshot set. At once it takes no work any more.
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub fn close_snapshot_set(env: &Env, set: f64) -> napi::Result<Object<'_>> {
    let set = on_state(env, |state| Ok(state.take_snapshot_set(Handle::from_number(set))))?;
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
    promised_of(env, |state| state.snapshot_set(Handle::from_number(set)), work)
}

/// Publishes a pending snapshot.
#[napi(catch_unwind, ts_return_type = "Promise<NativeSnapshotInfo>")]
pub fn set_publish(env: &Env, set: f64, ordinal: f64, diffs: bool, pendings: bool) -> napi::Result<Object<'_>> {
    let work = move |set: &Arc<FileSnapshotSet>| {
        let ordinal = safe_integer(ordinal).ok_or_else(|| ErrorRecord::invalid("ordinal", "no ordinal"))?;
        Ok(NativeSnapshotInfo::from(set.publish(ordinal, Purge { diffs, pendings })?))
    };
    promised_of(env, |state| state.snapshot_set(Handle::from_number(set)), work)
}

/// Removes what is not needed; `keep_full` 0: all full ones stay.
#[napi(catch_unwind, ts_return_type = "Promise<Array<NativeSnapshotInfo>>")]
pub fn set_prune(env: &Env, set: f64, keep_full: f64, pendings: bool) -> napi::Result<Object<'_>> {
    let work = move |set: &Arc<FileSnapshotSet>| {
        let count = safe_integer(keep_full).ok_or_else(|| ErrorRecord::invalid("keepFull", "no count"))?;
        let keep_full = (count > 0).then(|| u32::try_from(count).unwrap_or(u32::MAX));
        Ok(infos(set.prune(Prune { keep_full, pendings })?))
    };
    promised_of(env, |state| state.snapshot_set(Handle::from_number(set)), work)
}

/// All that is in the folder.
#[napi(catch_unwind)]
pub fn set_list(env: &Env, set: f64) -> napi::Result<NativeListing> {
    on_state(env, |state| {
        let listing = state.snapshot_set(Handle::from_number(set))?.list()?;
        Ok(NativeListing { snapshots: infos(listing.snapshots), foreign: listing.foreign })
    })
}

/// What is to be restored, in order.
#[napi(catch_unwind)]
pub fn set_snapshots_to_restore(env: &Env, set: f64) -> napi::Result<Vec<NativeSnapshotInfo>> {
    on_state(env, |state| Ok(infos(state.snapshot_set(Handle::from_number(set))?.snapshots_to_restore()?)))
}

/// What opening found, and what was found to be damaged since.
#[napi(catch_unwind)]
pub fn set_recovery(env: &Env, set: f64) -> napi::Result<NativeSetRecovery> {
    on_state(env, |state| {
        let recovery = state.snapshot_set(Handle::from_number(set))?.recovery();
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
