//! The table of the hot calls: raw Node-API callbacks, one set per environment. A row makes the callback, the property by which
//! JavaScript calls it, its counter, and its name in `native.d.ts`, against which `HotCalls` in `src/native/binding.ts` is checked.
//!
//! All arguments are taken before anything is done: between the first use of a buffer's bytes and the end of the call there is
//! no Node-API call that could move or free them.

#![allow(unsafe_code, reason = "raw callbacks: measured at a third of the cost of generated ones")]
#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::ptr;

use napi::{
    Env, JsValue,
    bindgen_prelude::{Object, Unknown},
    sys,
};
use napi_derive::napi;

use crate::{
    environment::{
        counters::Counters,
        life_cycle,
        state::{EnvState, on_state},
    },
    error::{ErrorRecord, Failure},
    hot::{callback::answer, event_calls, event_log_calls, lock_calls, read_calls, wait_calls, write_calls},
    number::number,
};

/// A row, compiled.
struct HotCall {
    /// Ends with a zero byte.
    name: &'static str,
    /// The name that it is counted by.
    counted_as: &'static str,
    callback: sys::napi_callback,
}

macro_rules! hot_calls {
    ($($name:ident($arguments:literal) = $body:path $(, counted as $counted:ident)?;)*) => {
        /// The place of each call, which is that of its counter.
        #[allow(non_camel_case_types, reason = "JavaScript's names")]
        enum Place {
            $($name),*
        }

        const HOT_CALLS: &[HotCall] = &[$({
            unsafe extern "C" fn callback(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
                // SAFETY: Node calls this with a live environment, and `define` gave it the state.
                unsafe { answer::<$arguments, _>(env, info, Place::$name as usize, $body) }
            }
            HotCall {
                name: concat!(stringify!($name), "\0"),
                counted_as: hot_calls!(@counted $name $($counted)?),
                callback: Some(callback),
            }
        }),*];

        /// The hot calls by name; `HotCalls` has what they take and give.
        #[napi(object, object_from_js = false, object_to_js = false)]
        #[allow(missing_docs, non_snake_case, dead_code, reason = "for `native.d.ts` alone")]
        pub struct NativeHotCalls {
            $(#[napi(ts_type = "(...given: any[]) => any")] pub $name: ()),*
        }
    };
    (@counted $name:ident) => { stringify!($name) };
    (@counted $name:ident $counted:ident) => { stringify!($counted) };
}

// The name, how many arguments it takes, and what answers it.
hot_calls! {
    get(1) = read_calls::get;
    getText(0) = read_calls::get_text, counted as get;
    has(0) = read_calls::has;
    getMany(6) = read_calls::get_many;
    rangeOpen(4) = read_calls::range_open;
    rangePage(2) = read_calls::range_page;
    eventsPage(5) = event_calls::page;
    event(1) = event_calls::event;
    begin(2) = write_calls::begin;
    commit(4) = write_calls::commit;
    abort(1) = write_calls::abort;
    want(6) = wait_calls::want;
    poll(2) = wait_calls::poll;
    lock(4) = lock_calls::lock;
    unlock(2) = lock_calls::unlock;
    withdraw(4) = lock_calls::withdraw;
    grants(2) = lock_calls::grants;
    heldMs(2) = lock_calls::held_ms;
    logAppend(3) = event_log_calls::append;
    logAppendBatch(4) = event_log_calls::append_batch;
    logGet(4) = event_log_calls::get;
    logPage(4) = event_log_calls::page;
    logEnds(2) = event_log_calls::ends;
}

const _: () = assert!(HOT_CALLS.len() <= Counters::ROOM, "each hot call has a counter");

/// Makes the hot calls of this environment, once; `onWake` is called when what it waits for has happened.
#[napi(catch_unwind, ts_args_type = "onWake: () => void", ts_return_type = "NativeHotCalls")]
pub fn hot_calls<'env>(env: &'env Env, on_wake: Unknown<'env>) -> napi::Result<Unknown<'env>> {
    // SAFETY: the running call's environment and one of its arguments.
    let made = unsafe { life_cycle::install(env.raw(), on_wake.raw()) }.and_then(|state| define(env, state));
    made.map_err(|failure| failure.thrown())
}

/// The object with the hot calls, which find `state` by their data pointer.
fn define(env: &Env, state: *const EnvState) -> Result<Unknown<'_>, Failure> {
    let properties: Vec<_> = HOT_CALLS
        .iter()
        .map(|call| sys::napi_property_descriptor {
            utf8name: call.name.as_ptr().cast(),
            name: ptr::null_mut(),
            method: call.callback,
            getter: None,
            setter: None,
            value: ptr::null_mut(),
            attributes: sys::PropertyAttributes::enumerable,
            data: state.cast_mut().cast(),
        })
        .collect();
    let mut object = ptr::null_mut();
    // SAFETY: live environment; the names are static, the state outlives the functions' last call; `object` is a value of the
    // running call once both calls have succeeded.
    unsafe {
        if sys::napi_create_object(env.raw(), &raw mut object) == sys::Status::napi_ok
            && sys::napi_define_properties(env.raw(), object, properties.len(), properties.as_ptr())
                == sys::Status::napi_ok
        {
            return Ok(Unknown::from_raw_unchecked(env.raw(), object));
        }
    }
    Err(ErrorRecord::closed("the environment"))
}

/// How often each hot call was made in this environment, and `wakes`, how often it was woken: for tests that count instead of timing.
#[napi(catch_unwind, ts_return_type = "Record<string, number>")]
pub fn counters(env: &Env) -> napi::Result<Object<'_>> {
    let (counts, wakes) = on_state(env, |state| Ok((state.counters.all(), state.completion().wakes())))?;
    let mut counters = Object::new(env)?;
    for counted in HOT_CALLS.iter().map(|call| call.counted_as) {
        let of_name = HOT_CALLS.iter().zip(&counts).filter(|(call, _)| call.counted_as == counted);
        counters.set(counted, number(of_name.map(|(_, count)| count).sum()))?;
    }
    counters.set("wakes", number(wakes))?;
    Ok(counters)
}
