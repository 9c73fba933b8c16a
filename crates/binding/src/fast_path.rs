//! The hot calls: raw Node-API callbacks, one set per environment, whose types are `HotCalls` in `src/native/binding.ts`. A panic
//! never leaves a callback, an error is a record that waits for `takeError`, and every number that comes in is checked.
//!
//! All arguments are taken before anything is done: between the first use of a buffer's bytes and the end of the call there is
//! no Node-API call that could move or free them.

#![allow(
    unsafe_code,
    reason = "raw callbacks: measured at a third of the cost of generated ones (engine.md, section 9)"
)]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

use ledgerstone_canonical_store::{CommitInfo, GateEntry, Marks, Stall};
use napi::{Env, JsValue, bindgen_prelude::Unknown, sys};

use crate::{
    arguments::Arguments,
    binding_env::number,
    binding_error::{ErrorRecord, Failure},
    counters::HotCall,
    env_state::EnvState,
    event_calls, event_log_calls, lock_calls,
    page::Page,
    pool::Pool,
    read_calls,
    store_entry::Wishes,
    watch::flags,
};

/// There is no such key.
pub(crate) const MISSING: f64 = -1.0;
/// It does not fit into the pool.
const TOO_BIG: f64 = -2.0;
/// An error record waits.
const FAILED: f64 = -3.0;

/// Bytes in front of the records of a write set, where the result of the commit is written.
const WRITE_SET_HEAD: usize = 64;

pub(crate) type Answer = Result<f64, Failure>;

/// What a call answers with.
pub(crate) trait Reply {
    /// `None` leaves `undefined` to JavaScript: the answer stands elsewhere, or Node could not make it.
    fn to_value(&self, state: &EnvState, env: sys::napi_env) -> Option<sys::napi_value>;

    /// What stands for a failure.
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

/// Runs `work`; a panic ends here instead of unwinding into Node.
pub(crate) fn contain(work: impl FnOnce()) {
    // What a panic left behind is only dropped; the hook of the standard library has printed it.
    let _ = catch_unwind(AssertUnwindSafe(work));
}

/// # Safety
///
/// `env` and `info` are those of the running callback, whose data pointer is the environment's state.
unsafe fn answer<const N: usize, R: Reply>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    call: HotCall,
    body: impl Fn(&EnvState, &Arguments<N>) -> Result<R, Failure>,
) -> sys::napi_value {
    // SAFETY: the caller's promise.
    let Some((arguments, data)) = (unsafe { Arguments::<N>::of(env, info) }) else { return ptr::null_mut() };
    // SAFETY: the state is freed by the environment's cleanup hook, after which no JavaScript runs in it.
    let Some(state) = (unsafe { data.cast::<EnvState>().as_ref() }) else { return ptr::null_mut() };
    state.counters.count(call);
    // Unwinding drops every borrow of the state; its tables are changed in single steps.
    let outcome = catch_unwind(AssertUnwindSafe(|| body(state, &arguments)));
    let reply = match outcome.unwrap_or_else(|panic| Err(ErrorRecord::panicked(&*panic))) {
        Ok(reply) => reply.to_value(state, env),
        Err(failure) => {
            state.error.replace(Some(failure));
            R::failed(state, env)
        }
    };
    reply.unwrap_or(ptr::null_mut())
}

macro_rules! hot_calls {
    ($($name:literal $callback:ident = $call:ident $count:literal $body:path;)*) => {
        $(
            unsafe extern "C" fn $callback(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
                // SAFETY: Node calls this with a live environment, and `hot_calls_of` gave it the state.
                unsafe { answer::<$count, _>(env, info, HotCall::$call, $body) }
            }
        )*
        const HOT_CALLS: &[(&std::ffi::CStr, sys::napi_callback)] = &[$(($name, Some($callback))),*];
    };
}

hot_calls! {
    c"get" raw_get = Get 1 read_calls::get;
    c"getText" raw_get_text = Get 0 read_calls::get_text;
    c"has" raw_has = Has 0 read_calls::has;
    c"getMany" raw_get_many = GetMany 6 read_calls::get_many;
    c"rangeOpen" raw_range_open = RangeOpen 4 read_calls::range_open;
    c"rangePage" raw_range_page = RangePage 2 read_calls::range_page;
    c"eventsPage" raw_events_page = EventsPage 5 event_calls::page;
    c"event" raw_event = Event 1 event_calls::event;
    c"begin" raw_begin = Begin 2 begin;
    c"commit" raw_commit = Commit 4 commit;
    c"abort" raw_abort = Abort 1 abort;
    c"want" raw_want = Want 6 want;
    c"poll" raw_poll = Poll 2 poll;
    c"lock" raw_lock = Lock 4 lock_calls::lock;
    c"unlock" raw_unlock = Unlock 2 lock_calls::unlock;
    c"withdraw" raw_withdraw = Withdraw 4 lock_calls::withdraw;
    c"grants" raw_grants = Grants 2 lock_calls::grants;
    c"heldMs" raw_held_ms = HeldMs 2 lock_calls::held_ms;
    c"logAppend" raw_log_append = LogAppend 3 event_log_calls::append;
    c"logAppendBatch" raw_log_append_batch = LogAppendBatch 4 event_log_calls::append_batch;
    c"logGet" raw_log_get = LogGet 4 event_log_calls::get;
    c"logPage" raw_log_page = LogPage 4 event_log_calls::page;
    c"logEnds" raw_log_ends = LogEnds 2 event_log_calls::ends;
}

/// Makes the object with the hot calls, and the state of the environment behind them.
pub(crate) fn hot_calls<'env>(env: &'env Env, on_wake: Unknown<'env>) -> Result<Unknown<'env>, Failure> {
    // SAFETY: the running call's environment and one of its arguments.
    let state = unsafe { EnvState::install(env.raw(), on_wake.raw()) }?;
    let descriptors: Vec<_> = HOT_CALLS
        .iter()
        .map(|(name, callback)| sys::napi_property_descriptor {
            utf8name: name.as_ptr(),
            name: ptr::null_mut(),
            method: *callback,
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
            && sys::napi_define_properties(env.raw(), object, descriptors.len(), descriptors.as_ptr())
                == sys::Status::napi_ok
        {
            return Ok(Unknown::from_raw_unchecked(env.raw(), object));
        }
    }
    Err(ErrorRecord::closed("the environment"))
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

/// `begin(store, stall)`
fn begin(state: &EnvState, arguments: &Arguments<2>) -> Answer {
    let store = arguments.handle(0, "store")?;
    let stall = if arguments.flag(1, "stall")? { Stall::Yes } else { Stall::No };
    state.with_store(store, |entry| Ok(number(entry.begin(state.owner, stall)?)))
}

/// `commit(store, writeSet, length, mode)`
fn commit(state: &EnvState, arguments: &Arguments<4>) -> Answer {
    let store = arguments.handle(0, "store")?;
    let entry = if arguments.flag(3, "mode")? { GateEntry::Held } else { GateEntry::Blind };
    state.with_store(store, |store| {
        let committed = write_set(arguments).and_then(|(buffer, end)| {
            // SAFETY: the memory is not shared, and no JavaScript and no `put` runs while the engine reads the records.
            let records = unsafe { buffer.slice(WRITE_SET_HEAD, end) };
            let records =
                records.ok_or_else(|| ErrorRecord::invalid("length", "the length is beyond the write set"))?;
            Ok((buffer, store.commit(state.owner, entry, records)?))
        });
        if committed.is_err() && matches!(entry, GateEntry::Held) {
            store.abort(state.owner);
        }
        let (buffer, info) = committed?;
        state.committed(store);
        write_result(buffer, &info);
        Ok(0.0)
    })
}

fn write_set(arguments: &Arguments<4>) -> Result<(Pool, usize), Failure> {
    let buffer = arguments.own_bytes(1, "writeSet")?;
    let end = arguments.index(2, "length")?;
    if end < WRITE_SET_HEAD || end > buffer.len() {
        return Err(ErrorRecord::invalid("length", "the length is not that of a write set in this buffer"));
    }
    Ok((buffer, end))
}

/// `f64 seq | f64 timestamp | f64 firstEventId | u32 eventsWritten | u32 keysWritten | u32 keysDeleted | u32 flags`. The
/// buffer holds at least the head.
fn write_result(buffer: Pool, info: &CommitInfo) {
    const CROWDED: u32 = 1;
    let numbers = [info.seq, info.timestamp_ms, info.first_event_id.unwrap_or(0)].map(number);
    let words = [info.events_written, info.keys_written, info.keys_deleted, if info.crowded { CROWDED } else { 0 }];
    let all_put = numbers.iter().enumerate().all(|(place, number)| buffer.put_f64(place * 8, *number))
        && words.iter().enumerate().all(|(place, word)| buffer.put_u32(24 + place * 4, *word));
    debug_assert!(all_put, "the head of a write set was checked before the commit");
}

/// `abort(store)`
fn abort(state: &EnvState, arguments: &Arguments<1>) -> Answer {
    let store = arguments.handle(0, "store")?;
    state.with_store(store, |entry| {
        entry.abort(state.owner);
        Ok(0.0)
    })
}

/// `want(store, written, durable, flushed, room, few)`
fn want(state: &EnvState, arguments: &Arguments<6>) -> Answer {
    let store = arguments.handle(0, "store")?;
    let wishes = Wishes {
        written: arguments.integer(1, "written")?,
        durable: arguments.integer(2, "durable")?,
        flushed: arguments.integer(3, "flushed")?,
        room: arguments.flag(4, "room")?,
        few: arguments.flag(5, "few")?,
    };
    let answer = state.with_waiting_store(store, |entry| Ok(number(entry.want(wishes)?)));
    state.settle_keep_alive();
    answer
}

/// `poll(store, marks)`
fn poll(state: &EnvState, arguments: &Arguments<2>) -> Answer {
    let store = arguments.handle(0, "store")?;
    let into = arguments.float64s(1, "marks")?;
    if into.len() < 8 * 8 {
        return Err(ErrorRecord::invalid("marks", "a Float64Array of 8 is needed"));
    }
    let marks = state.with_waiting_store(store, |entry| Ok(entry.poll()))?;
    let Marks { applied, written, durable, flushed, .. } = marks;
    state.settle_keep_alive();
    let [applied_events, written_events, durable_events] = marks.events().map(number);
    let numbers = [
        number(applied),
        number(written),
        number(durable),
        number(flushed),
        f64::from(flags(&marks)),
        applied_events,
        written_events,
        durable_events,
    ];
    let all_put = numbers.iter().enumerate().all(|(place, number)| into.put_f64(place * 8, *number));
    debug_assert!(all_put, "the length was checked");
    Ok(0.0)
}
