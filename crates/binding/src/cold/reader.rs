//! The cold calls on snapshots and ranges, and on the events of a reader.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::rc::Rc;

use napi::Env;
use napi_derive::napi;

use crate::{
    environment::{reader::Reader, slab::Handle, state::on_state},
    error::ErrorRecord,
    number::{number, safe_integer},
};

/// A point in time that is held until it is released.
#[napi(object)]
pub struct OpenedSnapshot {
    /// Its reader id.
    pub reader: f64,
    /// The newest commit in it.
    pub seq: f64,
    /// The id that the next event had.
    pub next_event_id: f64,
}

/// Holds what is applied now.
#[napi(catch_unwind)]
pub fn open_snapshot(env: &Env, store: f64) -> napi::Result<OpenedSnapshot> {
    on_state(env, |state| {
        let entry = state.with_store(Handle::from_number(store), |entry| Ok(Rc::clone(entry)))?;
        let snapshot = entry.handle().snapshot()?;
        let (seq, next_event_id) = (number(snapshot.seq()), number(snapshot.next_event_id()));
        let reader = state.add_reader(Reader::Snapshot { entry, snapshot })?.as_number();
        Ok(OpenedSnapshot { reader, seq, next_event_id })
    })
}

/// Releases a snapshot and its ranges. Harmless when done before; a store is closed by `closeStore`.
#[napi(catch_unwind)]
pub fn release_reader(env: &Env, reader: f64) -> napi::Result<()> {
    on_state(env, |state| {
        state.release_snapshot(Handle::from_number(reader));
        Ok(())
    })
}

/// Closes a range. Harmless when done before.
#[napi(catch_unwind)]
pub fn close_cursor(env: &Env, cursor: f64) -> napi::Result<()> {
    on_state(env, |state| {
        let closed = state.cursors.borrow_mut().remove(Handle::from_number(cursor));
        drop(closed);
        Ok(())
    })
}

/// How many entries a range has; closes it.
#[napi(catch_unwind)]
pub fn range_count(env: &Env, cursor: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        let cursor = state.cursors.borrow_mut().remove(Handle::from_number(cursor));
        let mut cursor = cursor.ok_or_else(|| ErrorRecord::closed("the range"))?;
        Ok(number(cursor.range.count()?))
    })
}

/// The first event at or after a time; the next id when there is none.
#[napi(catch_unwind)]
pub fn first_event_at(env: &Env, reader: f64, timestamp_ms: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        // Times before the epoch and fractions are times, too.
        let timestamp_ms = if timestamp_ms < 0.0 { 0.0 } else { timestamp_ms.ceil() };
        let timestamp_ms = safe_integer(timestamp_ms)
            .ok_or_else(|| ErrorRecord::invalid("timestampMs", "milliseconds since the epoch are needed"))?;
        state.with_reader(Handle::from_number(reader), |reader| Ok(number(reader.first_event_at(timestamp_ms)?)))
    })
}

/// The first event that is kept, or was when the snapshot was taken; the next id when there is none.
#[napi(catch_unwind)]
pub fn oldest_event_id(env: &Env, reader: f64) -> napi::Result<f64> {
    on_state(env, |state| state.with_reader(Handle::from_number(reader), |reader| Ok(number(reader.oldest_event_id()))))
}
