//! The cold calls on a store's condition: sealed or not, paused or not, and which events are kept. A call that waits for the gate
//! or the device runs off the JavaScript thread.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]
#![allow(unsafe_code, reason = "a word of memory that JavaScript reads")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64},
    },
    time::Duration,
};

use ledgerstone_canonical_store::{Level, Pause, StoreHandle};
use napi::{
    Env,
    bindgen_prelude::{BigUint64Array, Object, Uint32Array},
};
use napi_derive::napi;

use crate::{
    environment::{
        off_thread::promised_of,
        slab::Handle,
        state::{EnvState, on_state},
    },
    error::Failure,
    number::{number, safe_integer},
};

/// Takes no more writes until `unsealStore`; tells the newest event, 0 for none.
#[napi(catch_unwind, ts_return_type = "Promise<number>")]
pub fn seal_store(env: &Env, store: f64) -> napi::Result<Object<'_>> {
    promised_of(env, of_store(store), |store| {
        let sealed = store.seal()?;
        store.wait(Level::Durable, sealed.seq)?;
        Ok(number(sealed.outcome))
    })
}

/// Takes writes again.
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub fn unseal_store(env: &Env, store: f64) -> napi::Result<Object<'_>> {
    promised_of(env, of_store(store), |store| {
        let unsealed = store.unseal()?;
        Ok(store.wait(Level::Durable, unsealed.seq)?)
    })
}

/// Drops the events below an id and tells how many there were.
#[napi(catch_unwind, ts_return_type = "Promise<number>")]
pub fn trim_events(env: &Env, store: f64, before: f64) -> napi::Result<Object<'_>> {
    promised_of(env, of_store(store), move |store| {
        let trimmed = store.trim_events(safe_integer(before).unwrap_or(0))?;
        store.wait(Level::Durable, trimmed.seq)?;
        store.free_trimmed(trimmed.outcome.oldest_event_id)?;
        Ok(number(trimmed.outcome.dropped))
    })
}

/// Flushes, closes the newest segment of the event log and tells the path of the newest closed one that holds events.
#[napi(catch_unwind, ts_return_type = "Promise<string | null>")]
pub fn rotate_events(env: &Env, store: f64) -> napi::Result<Object<'_>> {
    promised_of(env, of_store(store), |store| {
        Ok(store.rotate_events()?.map(|path| path.to_string_lossy().into_owned()))
    })
}

/// Finds a store for work off this thread.
fn of_store(store: f64) -> impl FnOnce(&EnvState) -> Result<Arc<StoreHandle>, Failure> {
    move |state| state.store_handle(Handle::from_number(store))
}

/// Keeps writers of all threads out from now on, and tells the number of this pause.
#[napi(catch_unwind)]
pub fn pause_store(env: &Env, store: f64) -> napi::Result<f64> {
    on_state(env, |state| state.with_store(Handle::from_number(store), |entry| Ok(number(entry.pause()?.number()))))
}

/// Waits until no transaction is open; false when the pause has ended or the time was up.
#[napi(catch_unwind, ts_return_type = "Promise<boolean>")]
pub fn wait_idle(env: &Env, store: f64, pause: f64, timeout_ms: f64) -> napi::Result<Object<'_>> {
    let pause = Pause::of_number(safe_integer(pause).unwrap_or(u64::MAX));
    let patience = Duration::from_millis(safe_integer(timeout_ms.ceil()).unwrap_or(0));
    promised_of(env, of_store(store), move |store| Ok(store.wait_idle(pause, patience)))
}

/// Ends a pause of this handle; harmless when it has ended.
#[napi(catch_unwind)]
pub fn resume_store(env: &Env, store: f64, pause: f64) -> napi::Result<()> {
    on_state(env, |state| {
        state.with_store(Handle::from_number(store), |entry| {
            entry.resume(Pause::of_number(safe_integer(pause).unwrap_or(u64::MAX)));
            Ok(())
        })
    })
}

/// Ends all pauses, those of other threads too.
#[napi(catch_unwind)]
pub fn resume_all(env: &Env, store: f64) -> napi::Result<()> {
    on_state(env, |state| {
        state.with_store(Handle::from_number(store), |entry| {
            entry.handle().resume_all();
            Ok(())
        })
    })
}

/// Throws the error of a write that has waited for room for too long.
#[napi(catch_unwind)]
pub fn no_room(env: &Env, store: f64) -> napi::Result<()> {
    on_state(env, |state| {
        state.with_waiting_store(Handle::from_number(store), |entry| Err(entry.handle().no_room().into()))
    })
}

/// One word that says what forbids writing (2 failed, 8 sealed, 16 paused), kept current without a call.
#[napi(catch_unwind)]
pub fn store_condition(env: &Env, store: f64) -> napi::Result<Uint32Array> {
    on_state(env, |state| {
        let word = state.with_store(Handle::from_number(store), |entry| Ok(entry.condition()))?;
        let at = Arc::as_ptr(&word).cast_mut().cast::<u32>();
        // SAFETY: the memory belongs to `word`, which is given up only when JavaScript has given up the array. It is written
        // by atomic stores and read by aligned loads; JavaScript has no reason to write to it, and nothing reads it here.
        Ok(unsafe { Uint32Array::with_external_data(at, 1, move |_, _| drop::<Arc<AtomicU32>>(word)) })
    })
}

/// The newest applied seq, kept current without a call.
#[napi(catch_unwind)]
pub fn store_applied(env: &Env, store: f64) -> napi::Result<BigUint64Array> {
    on_state(env, |state| {
        let word =
            state.with_store(Handle::from_number(store), |entry| Ok(Arc::clone(entry.handle().applied_word())))?;
        let at = Arc::as_ptr(&word).cast_mut().cast::<u64>();
        // SAFETY: as for the condition. JavaScript reads it with `Atomics.load`, in order with the native calls around it.
        Ok(unsafe { BigUint64Array::with_external_data(at, 1, move |_, _| drop::<Arc<AtomicU64>>(word)) })
    })
}
