//! The cold calls on locks: making and ending a lock client, and its figures. Nothing here waits.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::sync::Arc;

use ledgerstone_lock_manager::{LockManager, MAX_STRIPES};
use napi::Env;
use napi_derive::napi;

use crate::{
    cold::objects::store_report::NativeLockStats,
    environment::{slab::Handle, state::on_state},
    error::ErrorRecord,
    number::safe_integer,
};

/// Makes a lock manager of this environment's own; its id.
#[napi(catch_unwind)]
pub fn open_locks(env: &Env, stripes: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        let manager = safe_integer(stripes)
            .and_then(LockManager::by_system_clock)
            .ok_or_else(|| ErrorRecord::invalid("stripes", &format!("a power of two up to {MAX_STRIPES} is needed")))?;
        Ok(state.add_locks(&Arc::new(manager), None)?.as_number())
    })
}

/// The locks of a store, as this handle takes them; their id. They end with the handle.
#[napi(catch_unwind)]
pub fn store_locks(env: &Env, store: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        let id = Handle::from_number(store);
        let manager = state.with_store(id, |entry| Ok(Arc::clone(entry.handle().locks())))?;
        Ok(state.add_locks(&manager, Some(id))?.as_number())
    })
}

/// Gives back all that is held by this id, and waits for nothing more. Harmless twice.
#[napi(catch_unwind)]
pub fn close_locks(env: &Env, locks: f64) -> napi::Result<()> {
    on_state(env, |state| {
        state.drop_locks(Handle::from_number(locks));
        Ok(())
    })
}

/// Counts and times of the whole lock manager, as of now.
#[napi(catch_unwind)]
pub fn lock_stats(env: &Env, locks: f64) -> napi::Result<NativeLockStats> {
    on_state(env, |state| {
        let stats = state.with_locks(Handle::from_number(locks), |entry| entry.client.manager().stats());
        Ok(stats.ok_or_else(|| ErrorRecord::closed("the lock manager"))?.into())
    })
}
