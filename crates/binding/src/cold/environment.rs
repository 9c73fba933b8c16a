//! The cold calls of an environment as a whole: its version, the memory of hot reads, what hot calls leave to be taken, and the end
//! of the event loop and of the process.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::sync::Arc;

use napi::{
    Env,
    bindgen_prelude::{BufferSlice, Object, Uint8Array},
};
use napi_derive::napi;

use crate::{
    environment::{call_memory::CallMemory, state::on_state, threads},
    error::ErrorRecord,
    number::number,
};

/// The version of this binary.
#[napi(catch_unwind)]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// How many threads this room has started in the process: for tests that count instead of timing.
#[napi(catch_unwind)]
pub fn threads_started() -> f64 {
    number(threads::started())
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
