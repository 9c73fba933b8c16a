//! The raw callback around every hot call. A panic never leaves it, and an error is a record that waits for `takeError`.

#![allow(unsafe_code, reason = "raw Node-API callbacks")]

use std::ptr;

use napi::sys;

use crate::{
    contain::contained,
    environment::state::EnvState,
    error::Failure,
    hot::{arguments::Arguments, reply::Reply},
};

/// One call: its arguments are taken, it is counted, `body` runs, and its reply or its failure is left to JavaScript.
///
/// # Safety
///
/// `env` and `info` are those of the running callback, whose data pointer is the environment's state.
pub(crate) unsafe fn answer<const N: usize, R: Reply>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    counter: usize,
    body: impl Fn(&EnvState, &Arguments<N>) -> Result<R, Failure>,
) -> sys::napi_value {
    // SAFETY: the caller's promise.
    let Some((arguments, data)) = (unsafe { Arguments::<N>::of(env, info) }) else { return ptr::null_mut() };
    // SAFETY: the state is freed by the environment's cleanup hook, after which no JavaScript runs in it.
    let Some(state) = (unsafe { data.cast::<EnvState>().as_ref() }) else { return ptr::null_mut() };
    state.counters.count(counter);
    // Unwinding drops every borrow of the state; its tables are changed in single steps.
    let outcome = contained(|| body(state, &arguments));
    let reply = match outcome {
        Ok(reply) => reply.to_value(state, env),
        Err(failure) => {
            state.error.replace(Some(failure));
            R::failed(state, env)
        }
    };
    reply.unwrap_or(ptr::null_mut())
}
