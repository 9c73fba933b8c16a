//! The cold calls on stores. A call that can block runs off the JavaScript thread and returns a promise, which is also rejected when
//! the call itself is wrong. The message of every `Error` is the error record as JSON.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::{path::PathBuf, sync::Arc};

use ledgerstone_canonical_store::{StoreHandle, open};
use napi::{Env, bindgen_prelude::Object};
use napi_derive::napi;

use crate::{
    cold::objects::{
        happenings::NativeHappenings,
        store_options::NativeOptions,
        store_report::{NativeMeta, NativeStats},
    },
    environment::{
        exit_hook,
        off_thread::promised,
        slab::Handle,
        state::{EnvState, on_state},
        store::{demand::NOBODY, observation::Happenings},
    },
    error::{ErrorRecord, Failure},
    number::{number, safe_integer},
};

/// What a write is checked against, in bytes.
#[napi(object)]
#[allow(clippy::struct_field_names, reason = "units stand last in names")]
pub struct NativeLimits {
    /// Longest key.
    pub key_bytes: f64,
    /// Longest value.
    pub value_bytes: f64,
    /// Longest event.
    pub event_bytes: f64,
    /// Largest write set.
    pub transaction_bytes: f64,
}

/// An open store.
#[napi(object)]
pub struct OpenedStore {
    /// Its handle.
    pub store: f64,
    /// The same for all handles of a store in this process.
    pub store_key: f64,
    /// Whether this opening has recovered the store; the others joined it.
    pub is_first: bool,
    /// The store's identity.
    pub store_id: String,
    /// The limits in force.
    pub limits: NativeLimits,
    /// The age in force at which an open snapshot or iteration is warned of.
    pub readers_warn_after_ms: f64,
}

/// Opens a store, or another handle to one that is open in this process.
#[napi(catch_unwind, ts_return_type = "Promise<OpenedStore>")]
pub fn open_store(env: &Env, path: String, options: NativeOptions) -> napi::Result<Object<'_>> {
    let (path, options) = (PathBuf::from(path), options.checked());
    let work = move || {
        exit_hook::install();
        Ok(Arc::new(open(&path, &options?)?))
    };
    promised(env, work, |env, handle| opened(&env, handle?))
}

fn opened(env: &Env, handle: Arc<StoreHandle>) -> Result<OpenedStore, Failure> {
    let limits = handle.limits();
    let (store_key, store_id) = (number(handle.key()), handle.meta().store_id);
    let limits = NativeLimits {
        key_bytes: number(limits.key_bytes),
        value_bytes: number(limits.value_bytes),
        event_bytes: number(limits.event_bytes),
        transaction_bytes: number(limits.transaction_bytes),
    };
    let is_first = handle.is_first();
    let readers_warn_after_ms = number(handle.readers_warn_after_ms());
    // An environment that has ended since then has no state: dropping the handle closes it.
    let state = EnvState::of_env(env).ok_or_else(|| ErrorRecord::closed("the environment"))?;
    let store = state.adopt(handle)?.as_number();
    Ok(OpenedStore { store, store_key, is_first, store_id, limits, readers_warn_after_ms })
}

/// Closes a handle. At once it takes no work any more and its snapshots and ranges are released; `poll` answers until the promise
/// settles, which may come before the last wake: either of them serves the waiters. It resolves with what was observed and not yet taken.
#[napi(catch_unwind, ts_return_type = "Promise<NativeHappenings>")]
pub fn close_store(env: &Env, store: f64) -> napi::Result<Object<'_>> {
    let store = Handle::from_number(store);
    let handle = on_state(env, |state| Ok(state.begin_close(store)))?;
    // A refused call must not end the closing that another one has begun.
    let has_begun = handle.is_ok();
    let work = move || Ok(handle?.close()?);
    promised(env, work, move |env, closed| {
        let happenings = match EnvState::of_env(&env) {
            Some(state) if has_begun => state.finish_close(store),
            _ => Happenings::default(),
        };
        closed.map(|()| NativeHappenings::from(happenings))
    })
}

/// Begins or ends keeping what the engine does, for `takeHappenings`. Harmless when the store is closed.
#[napi(catch_unwind)]
pub fn observe(env: &Env, store: f64, active: bool) -> napi::Result<()> {
    on_state(env, |state| {
        if let Some(entry) = state.waiting_store(Handle::from_number(store)) {
            entry.observe(active);
        }
        Ok(())
    })
}

/// What the engine has done since the last call, while it was observed. Nothing when the store is closed: its closing had
/// the last word.
#[napi(catch_unwind)]
pub fn take_happenings(env: &Env, store: f64) -> napi::Result<NativeHappenings> {
    on_state(env, |state| {
        let entry = state.waiting_store(Handle::from_number(store));
        Ok(entry.map(|entry| entry.take_happenings()).unwrap_or_default().into())
    })
}

/// What the store says of itself.
#[napi(catch_unwind)]
pub fn store_meta(env: &Env, store: f64) -> napi::Result<NativeMeta> {
    on_state(env, |state| state.with_store(Handle::from_number(store), |entry| Ok(entry.handle().meta().into())))
}

/// Counts and sizes, as of now.
#[napi(catch_unwind)]
pub fn store_stats(env: &Env, store: f64) -> napi::Result<NativeStats> {
    on_state(env, |state| state.with_store(Handle::from_number(store), |entry| Ok(entry.handle().stats().into())))
}

/// The number of a collection with these codecs, for the hot calls; the same for the same names.
#[napi(catch_unwind)]
pub fn collection_slot(
    env: &Env,
    store: f64,
    name: String,
    key_codec: String,
    value_codec: String,
) -> napi::Result<u32> {
    on_state(env, |state| {
        state.with_store(Handle::from_number(store), |entry| {
            let slot = entry.slot(name, key_codec, value_codec)?;
            u32::try_from(slot).map_err(|_| ErrorRecord::invalid("name", "too many collections"))
        })
    })
}

/// The names of the collections.
#[napi(catch_unwind)]
pub fn collections(env: &Env, store: f64) -> napi::Result<Vec<String>> {
    on_state(env, |state| state.with_store(Handle::from_number(store), |entry| Ok(entry.handle().collections()?)))
}

/// Wakes this environment when an event is applied, written, durable: the id awaited at each level, -1 for none.
#[napi(catch_unwind)]
pub fn await_events(env: &Env, store: f64, applied: f64, written: f64, durable: f64) -> napi::Result<()> {
    let awaited = |id: f64| safe_integer(id).unwrap_or(NOBODY);
    on_state(env, |state| {
        state.with_waiting_store(Handle::from_number(store), |entry| {
            entry.await_events([applied, written, durable].map(awaited));
            Ok(())
        })
    })
}

/// The id that the next event will get.
#[napi(catch_unwind)]
pub fn next_event_id(env: &Env, store: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        state.with_store(Handle::from_number(store), |entry| Ok(number(entry.handle().next_event_id())))
    })
}
