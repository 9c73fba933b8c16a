//! The cold calls on event logs outside of a store. A call that touches many files or flushes runs off the JavaScript thread.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::{path::PathBuf, sync::Arc};

use ledgerstone_event_log::{Ground, OwnedLog};
use napi::{Env, bindgen_prelude::Object};
use napi_derive::napi;

use crate::{
    cold::objects::{event_log_options::NativeLogOptions, segment::NativeSegment},
    environment::{
        off_thread::{promised, promised_of},
        slab::Handle,
        state::{EnvState, on_state},
    },
    error::{ErrorRecord, Failure},
    number::{number, safe_integer},
};

/// An open event log.
#[napi(object)]
pub struct OpenedLog {
    /// Its handle.
    pub log: f64,
    /// Whether it had been closed, or is new.
    pub was_closed: bool,
    /// The segment with a torn end, if there was one.
    pub torn_file: Option<String>,
    /// Where its last whole frame ends.
    pub torn_offset: Option<f64>,
    /// Bytes behind it.
    pub torn_bytes: Option<f64>,
}

/// An event log in numbers.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeLogStats {
    pub event_count: f64,
    pub oldest_event_id: f64,
    pub newest_event_id: f64,
    pub total_bytes: f64,
    pub file_count: f64,
}

/// Opens an event log outside of a store.
#[napi(catch_unwind, ts_return_type = "Promise<OpenedLog>")]
pub fn open_event_log(env: &Env, path: String, options: NativeLogOptions) -> napi::Result<Object<'_>> {
    let (path, options) = (PathBuf::from(path), options.checked());
    let work = move || Ok(Arc::new(OwnedLog::open(&Ground::system(), &path, options?)?));
    promised(env, work, |env, log| opened(&env, log?))
}

fn opened(env: &Env, log: Arc<OwnedLog>) -> Result<OpenedLog, Failure> {
    let recovery = log.recovery();
    let (was_closed, torn) = (recovery.was_closed, recovery.torn.clone());
    // When the environment has ended meanwhile there is no state, and dropping the log gives its lock back.
    let state = EnvState::of_env(env).ok_or_else(|| ErrorRecord::closed("the environment"))?;
    let log = state.add_log(log)?.as_number();
    Ok(OpenedLog {
        log,
        was_closed,
        torn_file: torn.as_ref().map(|torn| torn.file.to_string_lossy().into_owned()),
        torn_offset: torn.as_ref().map(|torn| number(torn.offset)),
        torn_bytes: torn.as_ref().map(|torn| number(torn.bytes)),
    })
}

/// Closes an event log. At once it takes no work any more.
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub fn close_event_log(env: &Env, log: f64) -> napi::Result<Object<'_>> {
    let close = on_state(env, |state| Ok(state.take_log(Handle::from_number(log))))?;
    promised(env, move || close?(), |_, closed| closed)
}

/// Flushes what was appended.
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub fn log_sync(env: &Env, log: f64) -> napi::Result<Object<'_>> {
    let syncs = on_state(env, |state| Ok(state.log_syncs(Handle::from_number(log))))?;
    let (deferred, promise) = env.create_deferred()?;
    let told = move |outcome: Result<(), Failure>| deferred.resolve(|_| outcome.map_err(|failure| failure.thrown()));
    match syncs {
        Ok(syncs) => syncs.ask(Box::new(told)),
        Err(failure) => told(Err(failure)),
    }
    Ok(promise)
}

/// Closes the segment that is written; the path of the newest closed one that holds events.
#[napi(catch_unwind, ts_return_type = "Promise<string | null>")]
pub fn log_rotate(env: &Env, log: f64) -> napi::Result<Object<'_>> {
    let find = |state: &EnvState| state.log(Handle::from_number(log));
    promised_of(env, find, |log| Ok(log.rotate()?.map(|path| path.to_string_lossy().into_owned())))
}

/// Takes the events from `start` to `end`, included, away; how many there were.
#[napi(catch_unwind, ts_return_type = "Promise<number>")]
pub fn log_delete_range(env: &Env, log: f64, start: f64, end: f64) -> napi::Result<Object<'_>> {
    let find = |state: &EnvState| state.log(Handle::from_number(log));
    promised_of(env, find, move |log| {
        let id = |id, argument| safe_integer(id).ok_or_else(|| ErrorRecord::invalid(argument, "no event id"));
        Ok(number(log.delete_range(id(start, "start")?, id(end, "end")?)?))
    })
}

/// The CRC-32C of the file of the closed segment with this first event.
#[napi(catch_unwind, ts_return_type = "Promise<number>")]
pub fn log_checksum(env: &Env, log: f64, first_event_id: f64) -> napi::Result<Object<'_>> {
    let find = |state: &EnvState| state.log(Handle::from_number(log));
    promised_of(env, find, move |log| {
        let first_id = safe_integer(first_event_id);
        let segment = log.sealed_segments().into_iter().find(|segment| Some(segment.first_id) == first_id);
        let segment =
            segment.ok_or_else(|| ErrorRecord::invalid("segment", "no closed segment begins with this event"))?;
        Ok(log.checksum_of(&segment)?)
    })
}

/// The closed segments, oldest first.
#[napi(catch_unwind)]
pub fn log_segments(env: &Env, log: f64) -> napi::Result<Vec<NativeSegment>> {
    on_state(env, |state| {
        let segments = state.log(Handle::from_number(log))?.sealed_segments();
        Ok(segments.iter().map(NativeSegment::from).collect())
    })
}

/// Counts and sizes, as of now.
#[napi(catch_unwind)]
pub fn log_stats(env: &Env, log: f64) -> napi::Result<NativeLogStats> {
    on_state(env, |state| {
        let stats = state.log(Handle::from_number(log))?.stats();
        Ok(NativeLogStats {
            event_count: number(stats.event_count),
            oldest_event_id: number(stats.oldest_event_id),
            newest_event_id: number(stats.newest_event_id),
            total_bytes: number(stats.total_bytes),
            file_count: number(stats.file_count),
        })
    })
}
