//! The cold calls that back stores up and restore them. The work runs off the JavaScript thread; how far it has come can be asked at any time.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_canonical_store::{BackupGround, BackupJob, BackupOptions, StoreHandle, restore};
use napi::{Env, bindgen_prelude::Object};
use napi_derive::napi;

use crate::{
    cold::objects::backup::{NativeBackupInfo, NativeProgress, NativeRestoreInfo},
    environment::{
        off_thread::promised_of,
        slab::Handle,
        state::{EnvState, on_state},
    },
    error::{ErrorRecord, Failure},
    number::{number, safe_integer},
};

/// What a backup of a store, or a restore (`store` is left out), is known by while it runs.
#[napi(catch_unwind)]
pub fn begin_backup(env: &Env, store: Option<f64>) -> napi::Result<f64> {
    on_state(env, |state| {
        let of = store.map(Handle::from_number);
        if let Some(store) = of {
            state.with_store(store, |_| Ok(()))?;
        }
        Ok(state.add_backup(of)?.as_number())
    })
}

/// How far it has come.
#[napi(catch_unwind)]
pub fn backup_progress(env: &Env, backup: f64) -> napi::Result<NativeProgress> {
    on_state(env, |state| {
        let (phase, done_bytes, total_bytes) = state.backup(Handle::from_number(backup))?.progress();
        Ok(NativeProgress {
            phase: phase.as_str().to_owned(),
            done_bytes: number(done_bytes),
            total_bytes: number(total_bytes),
        })
    })
}

/// Gives it up, or forgets it when it has ended.
#[napi(catch_unwind)]
pub fn end_backup(env: &Env, backup: f64) -> napi::Result<()> {
    on_state(env, |state| {
        state.end_backup(Handle::from_number(backup));
        Ok(())
    })
}

/// Backs a store up; null when that was given up. `shards` and `keepFull` 0: left out.
#[napi(catch_unwind, ts_return_type = "Promise<NativeBackupInfo | null>")]
pub fn back_up(
    env: &Env,
    store: f64,
    backup: f64,
    dir: String,
    shards: f64,
    keep_full: f64,
) -> napi::Result<Object<'_>> {
    let find = |state: &EnvState| {
        let handle = state.with_store(Handle::from_number(store), |entry| Ok(Arc::clone(entry.handle())))?;
        Ok((handle, state.backup(Handle::from_number(backup))?))
    };
    let work = move |(handle, job): &(Arc<StoreHandle>, Arc<BackupJob>)| {
        let options =
            BackupOptions { shards: count("shards", shards)?, keep_full: count("keepFull", keep_full)?, threads: None };
        let made = handle.backup_to(&BackupGround::system(), &PathBuf::from(dir), options, job)?;
        Ok(made.map(NativeBackupInfo::from))
    };
    promised_of(env, find, work)
}

/// Restores a backup, or only verifies it; null when that was given up.
#[napi(catch_unwind, ts_return_type = "Promise<NativeRestoreInfo | null>")]
pub fn restore_store(env: &Env, backup: f64, from: String, to: String, verify_only: bool) -> napi::Result<Object<'_>> {
    let work = move |job: &Arc<BackupJob>| {
        let restored = restore(Path::new(&from), Path::new(&to), verify_only, job)?;
        Ok(restored.map(NativeRestoreInfo::from))
    };
    promised_of(env, |state| state.backup(Handle::from_number(backup)), work)
}

/// A count that may be left out.
fn count(argument: &'static str, count: f64) -> Result<Option<u32>, Failure> {
    let count = safe_integer(count).ok_or_else(|| ErrorRecord::invalid(argument, "no count"))?;
    Ok((count > 0).then(|| u32::try_from(count).unwrap_or(u32::MAX)))
}
