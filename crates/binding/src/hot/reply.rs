//! What a hot call answers with: a number, or one that is noted in the call's memory. Negative numbers say why there is none.

#![allow(unsafe_code, reason = "raw Node-API values")]

use std::ptr;

use napi::sys;

use crate::{environment::state::EnvState, error::Failure, hot::page::Page, number::number};

/// There is no such key.
pub(crate) const MISSING: f64 = -1.0;
/// It does not fit into the pool.
const TOO_BIG: f64 = -2.0;
/// An error record waits.
const FAILED: f64 = -3.0;

pub(crate) type Answer = Result<f64, Failure>;

/// What a call answers with.
pub(crate) trait Reply {
    /// `None` leaves `undefined` to JavaScript: the answer is noted in the call's memory, or Node could not make it.
    fn to_value(&self, state: &EnvState, env: sys::napi_env) -> Option<sys::napi_value>;

    /// The answer of a call that has failed.
    fn failed(state: &EnvState, env: sys::napi_env) -> Option<sys::napi_value>;
}

/// An answer that is written into the call's memory, where it costs no value of Node's.
#[derive(Clone, Copy)]
pub(crate) struct Noted(i32);

impl Noted {
    pub(crate) const NO: Self = Self(0);
    pub(crate) const YES: Self = Self(1);
    pub(crate) const MISSING: Self = Self::of(MISSING);

    /// The length of what lies in a pool, whose offsets are no larger, or one of the numbers that say why not.
    #[allow(clippy::cast_possible_truncation, reason = "an integer, and far smaller")]
    pub(crate) const fn of(answer: f64) -> Self {
        Self(answer as i32)
    }
}

impl Reply for Noted {
    fn to_value(&self, state: &EnvState, _: sys::napi_env) -> Option<sys::napi_value> {
        state.call.answer(self.0);
        None
    }

    fn failed(state: &EnvState, env: sys::napi_env) -> Option<sys::napi_value> {
        Self::of(FAILED).to_value(state, env)
    }
}

impl Reply for f64 {
    fn failed(state: &EnvState, env: sys::napi_env) -> Option<sys::napi_value> {
        FAILED.to_value(state, env)
    }

    fn to_value(&self, _: &EnvState, env: sys::napi_env) -> Option<sys::napi_value> {
        let mut value = ptr::null_mut();
        #[allow(clippy::cast_possible_truncation, reason = "compared with what it came from")]
        let small = *self as i32;
        // SAFETY: the running call's environment. Most answers are small integers, which cost no allocation this way.
        let status = unsafe {
            if f64::from(small).to_bits() == self.to_bits() {
                sys::napi_create_int32(env, small, &raw mut value)
            } else {
                sys::napi_create_double(env, *self, &raw mut value)
            }
        };
        (status == sys::Status::napi_ok).then_some(value)
    }
}

fn length(bytes: usize) -> f64 {
    number(bytes as u64)
}

/// What a call answers that has put one value into its pool; one that did not fit waits for `takeValue`.
pub(crate) fn value_answer(state: &EnvState, is_put: bool, value: &[u8]) -> f64 {
    if is_put {
        length(value.len())
    } else {
        state.value.replace(Some(value.to_vec()));
        TOO_BIG
    }
}

pub(crate) fn page_answer(page: &Page) -> f64 {
    match page {
        Page::Filled(used) => length(*used),
        Page::TooSmall => TOO_BIG,
    }
}
