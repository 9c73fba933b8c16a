//! How the engine's threads wake JavaScript: one threadsafe function per environment. It is called at most once until JavaScript
//! has looked (`pending`), and never after the environment's cleanup hook has detached it.

#![allow(
    unsafe_code,
    reason = "raw threadsafe functions: napi's own wrapper allocates at each call and drops on any thread"
)]

use std::{
    ptr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use napi::sys;
use parking_lot::Mutex;

use crate::error::{ErrorRecord, Failure};

/// The function, as long as its environment lives.
struct Function(sys::napi_threadsafe_function);

// SAFETY: threadsafe functions are made to be called from any thread; all uses are under the mutex of `Completion`.
unsafe impl Send for Function {}

/// The part that the engine's threads share.
pub(crate) struct Completion {
    /// `None` once detached. The call is made under this lock, so that it cannot overtake the detaching.
    function: Mutex<Option<Function>>,
    /// A call is under way that JavaScript has not answered by looking.
    pending: AtomicBool,
    wakes: AtomicU64,
}

impl Completion {
    /// `deliver` runs on the environment's thread after a [`wake`](Self::wake); it says that JavaScript is [`looking`](Self::looking).
    ///
    /// # Safety
    ///
    /// On the environment's thread, with `on_wake` a live value of `env`.
    pub(crate) unsafe fn new(
        env: sys::napi_env,
        on_wake: sys::napi_value,
        deliver: sys::napi_threadsafe_function_call_js,
    ) -> Result<Self, Failure> {
        const NAME: &[u8] = b"ledgerstone";
        let refused = || ErrorRecord::invalid("onWake", "a function is needed");
        let mut kind = 0;
        // SAFETY: live environment and value; the result is ours.
        if unsafe { sys::napi_typeof(env, on_wake, &raw mut kind) } != sys::Status::napi_ok
            || kind != sys::ValueType::napi_function
        {
            return Err(refused());
        }
        let mut name = ptr::null_mut();
        // SAFETY: the name is valid for its length.
        let status =
            unsafe { sys::napi_create_string_utf8(env, NAME.as_ptr().cast(), NAME.len().cast_signed(), &raw mut name) };
        let mut function = ptr::null_mut();
        if status == sys::Status::napi_ok {
            // SAFETY: live values; an unbounded queue, one thread count (ours), no context and so nothing to finalize.
            unsafe {
                sys::napi_create_threadsafe_function(
                    env,
                    on_wake,
                    ptr::null_mut(),
                    name,
                    0,
                    1,
                    ptr::null_mut(),
                    None,
                    ptr::null_mut(),
                    deliver,
                    &raw mut function,
                );
            }
        }
        if function.is_null() {
            return Err(refused());
        }
        // SAFETY: just made, on its thread. An idle environment may end.
        unsafe { sys::napi_unref_threadsafe_function(env, function) };
        Ok(Self {
            function: Mutex::new(Some(Function(function))),
            pending: AtomicBool::new(false),
            wakes: AtomicU64::new(0),
        })
    }

    /// Makes JavaScript look, from any thread.
    pub(crate) fn wake(&self) {
        // Both sides swap: a caller that finds `true` here is seen by the look that takes it away (AcqRel on one variable).
        if self.pending.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut function = self.function.lock();
        let Some(Function(raw)) = *function else { return };
        self.wakes.fetch_add(1, Ordering::Relaxed);
        // SAFETY: not detached, hence not finalized, and cannot be while the lock is held. Nonblocking on an unbounded queue:
        // it returns at once, also when JavaScript itself is the caller.
        let status = unsafe {
            sys::napi_call_threadsafe_function(raw, ptr::null_mut(), sys::ThreadsafeFunctionCallMode::nonblocking)
        };
        if status == sys::Status::napi_closing {
            // The environment is ending; Node has counted this thread out.
            *function = None;
        }
    }

    /// JavaScript is about to look: what is published from now on needs a new call.
    pub(crate) fn looking(&self) {
        self.pending.swap(false, Ordering::AcqRel);
    }

    pub(crate) fn wakes(&self) -> u64 {
        self.wakes.load(Ordering::Relaxed)
    }

    /// Nothing calls into the environment after this.
    pub(crate) fn detach(&self) {
        let function = self.function.lock().take();
        if let Some(Function(raw)) = function {
            // SAFETY: taken out under the lock, so this is its last use; the count of one is given back. Node closes it.
            unsafe { sys::napi_release_threadsafe_function(raw, sys::ThreadsafeFunctionReleaseMode::release) };
        }
    }

    /// Keeps the environment's event loop alive, or lets it go. On the environment's thread.
    ///
    /// # Safety
    ///
    /// `env` is the environment this was made in, on its thread.
    pub(crate) unsafe fn set_reference(&self, env: sys::napi_env, referenced: bool) {
        let function = self.function.lock();
        let Some(Function(raw)) = *function else { return };
        // SAFETY: not detached, on the environment's thread. Cannot fail with valid arguments.
        unsafe {
            if referenced {
                sys::napi_ref_threadsafe_function(env, raw);
            } else {
                sys::napi_unref_threadsafe_function(env, raw);
            }
        }
    }
}
