//! The life of an environment's state: it is made with the hot calls, wakes JavaScript while it lives, and ends in the environment's
//! cleanup hook, which Node runs before the threadsafe function is closed.

#![allow(
    unsafe_code,
    reason = "the environment's instance data, its cleanup hook, and the call of a JavaScript function"
)]

use std::{ffi::c_void, ptr};

use napi::sys;

use crate::{
    contain::contain,
    environment::{completion::Completion, state::EnvState},
    error::{ErrorRecord, Failure},
};

/// Makes the state of `env`; once.
///
/// # Safety
///
/// On the thread of `env`, with `on_wake` a live value of it.
pub(crate) unsafe fn install(env: sys::napi_env, on_wake: sys::napi_value) -> Result<*const EnvState, Failure> {
    // SAFETY: on the environment's thread.
    if unsafe { EnvState::of(env) }.is_some() {
        return Err(ErrorRecord::invalid("onWake", "the hot calls of this environment exist already"));
    }
    // SAFETY: the caller's promise.
    let completion = unsafe { Completion::new(env, on_wake, Some(deliver)) }?;
    let state = Box::into_raw(Box::new(EnvState::new(env, completion)));
    // SAFETY: the hook is added after the threadsafe function was made, so it runs before that is closed (last in, first
    // out), and it is the only one to free the state.
    let statuses = unsafe {
        [
            sys::napi_set_instance_data(env, state.cast(), None, ptr::null_mut()),
            sys::napi_add_env_cleanup_hook(env, Some(end), state.cast()),
        ]
    };
    if statuses != [sys::Status::napi_ok; 2] {
        // SAFETY: the hook was not added; the state is forgotten, not freed, because instance data may name it.
        unsafe { sys::napi_set_instance_data(env, ptr::null_mut(), None, ptr::null_mut()) };
        return Err(ErrorRecord::closed("the environment"));
    }
    Ok(state)
}

/// The environment's cleanup hook.
unsafe extern "C" fn end(data: *mut c_void) {
    contain(|| {
        // SAFETY: `install` gave the state to this hook alone, which runs once.
        let state = unsafe { Box::from_raw(data.cast::<EnvState>()) };
        // SAFETY: the environment lives until its hooks have run. What completes later finds no state.
        unsafe { sys::napi_set_instance_data(state.env(), ptr::null_mut(), None, ptr::null_mut()) };
        state.end();
    });
}

/// Runs `onWake` on the environment's thread.
unsafe extern "C" fn deliver(
    env: sys::napi_env,
    on_wake: sys::napi_value,
    _context: *mut std::ffi::c_void,
    _data: *mut std::ffi::c_void,
) {
    // What is queued when an environment ends arrives without one.
    if env.is_null() || on_wake.is_null() {
        return;
    }
    contain(|| {
        // SAFETY: a live environment on its own thread.
        let Some(state) = (unsafe { EnvState::of(env) }) else { return };
        state.completion().looking();
        // SAFETY: as above.
        unsafe { call(env, on_wake) };
        // SAFETY: as above. Looked up anew: JavaScript ran.
        if let Some(state) = unsafe { EnvState::of(env) } {
            state.settle_keep_alive();
        }
    });
}

/// Calls `function` without arguments. What it throws is an uncaught exception, as of any other callback of the event loop.
///
/// # Safety
///
/// On the thread of `env`, with a live `function` of it.
unsafe fn call(env: sys::napi_env, function: sys::napi_value) {
    let mut receiver = ptr::null_mut();
    let mut result = ptr::null_mut();
    // SAFETY: live environment and values.
    unsafe {
        if sys::napi_get_undefined(env, &raw mut receiver) != sys::Status::napi_ok {
            return;
        }
        let status = sys::napi_call_function(env, receiver, function, 0, ptr::null(), &raw mut result);
        if status != sys::Status::napi_pending_exception {
            return;
        }
        let mut thrown = ptr::null_mut();
        // While a worker is being terminated there is no exception, and nothing to report.
        if sys::napi_get_and_clear_last_exception(env, &raw mut thrown) == sys::Status::napi_ok && !thrown.is_null() {
            sys::napi_fatal_exception(env, thrown);
        }
    }
}
