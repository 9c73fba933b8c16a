//! The cold calls of an environment as a whole: its hot calls, what they leave to be taken, the end of the process, the counters.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::sync::Arc;

use napi::{
    Env,
    bindgen_prelude::{BufferSlice, Object, Uint8Array, Unknown},
};
use napi_derive::napi;

use crate::{
    binding_error::{ErrorRecord, Failure},
    call_memory::CallMemory,
    counters::HotCall,
    env_state::EnvState,
};

/// How often each hot call was made in this environment, and how often it was woken.
#[napi(object)]
#[allow(missing_docs, reason = "named after the calls")]
pub struct HotCallCounters {
    pub get: f64,
    pub has: f64,
    pub get_many: f64,
    pub range_open: f64,
    pub range_page: f64,
    pub events_page: f64,
    pub event: f64,
    pub begin: f64,
    pub commit: f64,
    pub abort: f64,
    pub want: f64,
    pub poll: f64,
    pub lock: f64,
    pub unlock: f64,
    pub withdraw: f64,
    pub grants: f64,
    pub held_ms: f64,
    pub log_append: f64,
    pub log_append_batch: f64,
    pub log_get: f64,
    pub log_page: f64,
    pub log_ends: f64,
    pub wakes: f64,
}

#[allow(clippy::cast_precision_loss, reason = "seqs, ids and sizes are safe integers")]
pub(crate) fn number(value: u64) -> f64 {
    value as f64
}

fn no_state() -> napi::Error {
    ErrorRecord::invalid("onWake", "the hot calls of this environment are made first").thrown()
}

/// Runs `work` on the state of `env`; a failure is thrown.
pub(crate) fn on_state<R>(env: &Env, work: impl FnOnce(&EnvState) -> Result<R, Failure>) -> napi::Result<R> {
    let state = EnvState::of_env(env).ok_or_else(no_state)?;
    work(state).map_err(|failure| failure.thrown())
}

/// The version of this binary.
#[napi(catch_unwind)]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// What all copies of the package's JavaScript in this thread find each other by: an object of the thread's main realm, which is
/// none of theirs. A copy may have been evaluated in a context of its own that is torn down long before the thread ends.
const THREAD_HOME: &str = "(() => {
  const key = Symbol.for('ledgerstone.thread')
  if (globalThis[key] === undefined) {
    const { setImmediate } = globalThis
    const home = {
      joined: undefined,
      wakes: new Set(),
      ends: new Set(),
      stores: new Map(),
      wake() { for (const wake of home.wakes) wake() },
    }
    Object.defineProperty(globalThis, key, { value: home })
    globalThis.process?.on?.('beforeExit', () => {
      home.joined?.cold.loopEnds(true)
      setImmediate?.(() => home.joined?.cold.loopEnds(false))?.unref?.()
    })
    globalThis.process?.on?.('exit', () => {
      home.joined?.cold.handOver()
      for (const end of home.ends) end()
    })
  }
  return globalThis[key]
})()";

/// The same object for every copy of this package in the thread, whichever file of native code each has loaded.
#[napi(catch_unwind, ts_return_type = "any")]
pub fn thread_home(env: &Env) -> napi::Result<Unknown<'_>> {
    env.run_script(THREAD_HOME)
}

/// Makes the hot calls of this environment, once; `onWake` is called when what it waits for has happened.
#[napi(catch_unwind, ts_args_type = "onWake: () => void", ts_return_type = "any")]
pub fn hot_calls<'env>(env: &'env Env, on_wake: Unknown<'env>) -> napi::Result<Unknown<'env>> {
    crate::fast_path::hot_calls(env, on_wake).map_err(|failure| failure.thrown())
}

/// Where the arguments of a hot read are put, and its answer is found.
#[napi(catch_unwind)]
#[allow(unsafe_code, reason = "memory that both sides see")]
pub fn call_memory(env: &Env) -> napi::Result<Uint8Array> {
    on_state(env, |state| {
        let memory = Arc::clone(&state.call);
        let at = Arc::as_ptr(&memory).cast_mut().cast::<u8>();
        // SAFETY: it is given up only when JavaScript has given up the array. All of it is atomic, and touched on this thread alone.
        Ok(unsafe { Uint8Array::with_external_data(at, CallMemory::BYTES, move |_, _| drop(memory)) })
    })
}

/// The error record that a hot call has left.
#[napi(
    catch_unwind,
    ts_return_type = "{ code: string; message: string; details: Record<string, number | string>; cause?: any }"
)]
pub fn take_error(env: &Env) -> napi::Result<Object<'_>> {
    let record = on_state(env, |state| Ok(state.error.take()))?;
    record.unwrap_or_else(|| ErrorRecord::invalid("call", "no hot call has failed")).to_object(env)
}

/// The value that was too big for its pool.
#[napi(catch_unwind)]
pub fn take_value(env: &Env) -> napi::Result<BufferSlice<'_>> {
    let value = on_state(env, |state| Ok(state.value.take()))?;
    let value = value.ok_or_else(|| ErrorRecord::invalid("call", "no value waits").thrown())?;
    BufferSlice::copy_from(env, value)
}

/// The process ends: what is applied goes to the operating system.
#[napi(catch_unwind)]
pub fn hand_over(env: &Env) -> napi::Result<()> {
    on_state(env, |state| {
        state.hand_over();
        Ok(())
    })
}

/// Nothing keeps the event loop alive any more: commits that are not yet durable do until they are, also those that are made before
/// this is taken back.
#[napi(catch_unwind)]
pub fn loop_ends(env: &Env, ends: bool) -> napi::Result<()> {
    on_state(env, |state| {
        state.loop_ends(ends);
        Ok(())
    })
}

/// For tests that count instead of timing.
#[napi(catch_unwind)]
pub fn counters(env: &Env) -> napi::Result<HotCallCounters> {
    on_state(env, |state| {
        let of = |call| state.counters.of(call);
        Ok(HotCallCounters {
            get: of(HotCall::Get),
            has: of(HotCall::Has),
            get_many: of(HotCall::GetMany),
            range_open: of(HotCall::RangeOpen),
            range_page: of(HotCall::RangePage),
            events_page: of(HotCall::EventsPage),
            event: of(HotCall::Event),
            begin: of(HotCall::Begin),
            commit: of(HotCall::Commit),
            abort: of(HotCall::Abort),
            want: of(HotCall::Want),
            poll: of(HotCall::Poll),
            lock: of(HotCall::Lock),
            unlock: of(HotCall::Unlock),
            withdraw: of(HotCall::Withdraw),
            grants: of(HotCall::Grants),
            held_ms: of(HotCall::HeldMs),
            log_append: of(HotCall::LogAppend),
            log_append_batch: of(HotCall::LogAppendBatch),
            log_get: of(HotCall::LogGet),
            log_page: of(HotCall::LogPage),
            log_ends: of(HotCall::LogEnds),
            wakes: number(state.completion().wakes()),
        })
    })
}
