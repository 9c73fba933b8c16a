//! The calls on a store's own condition: sealed or not, paused or not, which events are kept. What waits for the gate or the
//! device runs off the JavaScript thread.

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

use ledgerstone_canonical_store::{Controlled, Level, Pause, StoreHandle};
use napi::{
    Env, Task,
    bindgen_prelude::{AsyncTask, BigUint64Array, Uint32Array},
};
use napi_derive::napi;

use crate::{
    binding_env::{number, on_state},
    binding_error::Failure,
    binding_store::off_thread,
    slab::{Handle, safe_integer},
};

/// What is to become of the store.
enum Change {
    Seal,
    Unseal,
    TrimBefore(u64),
}

/// A change that is applied, and durable when the promise resolves.
pub struct ChangeStore {
    handle: Result<Arc<StoreHandle>, Failure>,
    change: Change,
}

impl Task for ChangeStore {
    type Output = f64;
    type JsValue = f64;

    fn compute(&mut self) -> napi::Result<f64> {
        let handle = self.handle.as_ref().map_err(|failure| failure.thrown())?;
        off_thread(|| {
            let (done, trimmed) = match self.change {
                Change::Seal => (handle.seal()?, None),
                Change::Unseal => {
                    let Controlled { seq, .. } = handle.unseal()?;
                    (Controlled { outcome: 0, seq }, None)
                }
                Change::TrimBefore(id) => {
                    let Controlled { outcome, seq } = handle.trim_events(id)?;
                    (Controlled { outcome: outcome.dropped, seq }, Some(outcome.oldest_event_id))
                }
            };
            handle.wait(Level::Durable, done.seq)?;
            if let Some(oldest) = trimmed {
                handle.free_trimmed(oldest)?;
            }
            Ok(number(done.outcome))
        })
    }

    fn resolve(&mut self, _env: Env, output: f64) -> napi::Result<f64> {
        Ok(output)
    }
}

fn change(env: &Env, store: f64, change: Change) -> napi::Result<AsyncTask<ChangeStore>> {
    on_state(env, |state| {
        let handle = state.with_store(Handle::from_number(store), |entry| Ok(Arc::clone(entry.handle())));
        Ok(AsyncTask::new(ChangeStore { handle, change }))
    })
}

/// Takes no more writes until `unsealStore`; tells the newest event, 0 for none.
#[napi(catch_unwind, ts_return_type = "Promise<number>")]
pub fn seal_store(env: &Env, store: f64) -> napi::Result<AsyncTask<ChangeStore>> {
    change(env, store, Change::Seal)
}

/// Takes writes again.
#[napi(catch_unwind, ts_return_type = "Promise<number>")]
pub fn unseal_store(env: &Env, store: f64) -> napi::Result<AsyncTask<ChangeStore>> {
    change(env, store, Change::Unseal)
}

/// Drops the events below an id and tells how many there were.
#[napi(catch_unwind, ts_return_type = "Promise<number>")]
pub fn trim_events(env: &Env, store: f64, before: f64) -> napi::Result<AsyncTask<ChangeStore>> {
    change(env, store, Change::TrimBefore(safe_integer(before).unwrap_or(0)))
}

/// The closing of a segment.
pub struct RotateEvents {
    handle: Result<Arc<StoreHandle>, Failure>,
}

impl Task for RotateEvents {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> napi::Result<String> {
        let handle = self.handle.as_ref().map_err(|failure| failure.thrown())?;
        off_thread(|| Ok(handle.rotate_events()?.to_string_lossy().into_owned()))
    }

    fn resolve(&mut self, _env: Env, output: String) -> napi::Result<String> {
        Ok(output)
    }
}

/// Flushes, closes the newest segment of the event log and tells its path.
#[napi(catch_unwind, ts_return_type = "Promise<string>")]
pub fn rotate_events(env: &Env, store: f64) -> napi::Result<AsyncTask<RotateEvents>> {
    on_state(env, |state| {
        let handle = state.with_store(Handle::from_number(store), |entry| Ok(Arc::clone(entry.handle())));
        Ok(AsyncTask::new(RotateEvents { handle }))
    })
}

/// Keeps writers of all threads out from now on, and tells the number of this pause.
#[napi(catch_unwind)]
pub fn pause_store(env: &Env, store: f64) -> napi::Result<f64> {
    on_state(env, |state| state.with_store(Handle::from_number(store), |entry| Ok(number(entry.pause()?.number()))))
}

/// The wait for the last open transaction.
pub struct WaitIdle {
    handle: Result<Arc<StoreHandle>, Failure>,
    pause: Pause,
    patience: Duration,
}

impl Task for WaitIdle {
    type Output = bool;
    type JsValue = bool;

    fn compute(&mut self) -> napi::Result<bool> {
        let handle = self.handle.as_ref().map_err(|failure| failure.thrown())?;
        off_thread(|| Ok(handle.wait_idle(self.pause, self.patience)))
    }

    fn resolve(&mut self, _env: Env, output: bool) -> napi::Result<bool> {
        Ok(output)
    }
}

/// Waits until no transaction is open; false when the pause has ended or the time was up.
#[napi(catch_unwind, ts_return_type = "Promise<boolean>")]
pub fn wait_idle(env: &Env, store: f64, pause: f64, timeout_ms: f64) -> napi::Result<AsyncTask<WaitIdle>> {
    on_state(env, |state| {
        let handle = state.with_store(Handle::from_number(store), |entry| Ok(Arc::clone(entry.handle())));
        let pause = Pause::of_number(safe_integer(pause).unwrap_or(u64::MAX));
        let patience = Duration::from_millis(safe_integer(timeout_ms.ceil()).unwrap_or(0));
        Ok(AsyncTask::new(WaitIdle { handle, pause, patience }))
    })
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
