//! The cold calls for archives: the closed segments of a store's event log, whose files stay until they are released.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use napi::{Env, bindgen_prelude::Object};
use napi_derive::napi;

use crate::{
    cold::objects::segment::NativeSegment,
    environment::{
        off_thread::promised_of,
        slab::Handle,
        state::{EnvState, on_state},
    },
    error::ErrorRecord,
    number::safe_integer,
};

/// Closed segments, oldest first, whose files stay until they are released.
#[napi(object)]
pub struct NativeHeldSegments {
    /// Stands for them in later calls.
    pub held: f64,
    /// What they are.
    pub segments: Vec<NativeSegment>,
}

/// Holds the closed segments of a store.
#[napi(catch_unwind)]
pub fn hold_segments(env: &Env, store: f64) -> napi::Result<NativeHeldSegments> {
    on_state(env, |state| {
        state.with_store(Handle::from_number(store), |entry| {
            let (held, segments) = entry.hold_segments()?;
            let segments = segments.segments().iter().map(NativeSegment::from).collect();
            Ok(NativeHeldSegments { held: held.as_number(), segments })
        })
    })
}

/// Lets the files go. Harmless when done before.
#[napi(catch_unwind)]
pub fn release_segments(env: &Env, store: f64, held: f64) -> napi::Result<()> {
    on_state(env, |state| {
        state.with_store(Handle::from_number(store), |entry| {
            entry.release_segments(Handle::from_number(held));
            Ok(())
        })
    })
}

/// CRC-32C over the file of the held segment that begins with this event.
#[napi(catch_unwind, ts_return_type = "Promise<number>")]
pub fn segment_checksum(env: &Env, store: f64, held: f64, first_event_id: f64) -> napi::Result<Object<'_>> {
    let find = |state: &EnvState| {
        let held =
            state.with_store(Handle::from_number(store), |entry| entry.held_segments(Handle::from_number(held)))?;
        let first = safe_integer(first_event_id);
        let segment = held.segments().iter().find(|segment| Some(segment.first_id) == first).cloned();
        let segment = segment.ok_or_else(|| ErrorRecord::invalid("segment", "it is none of those that are held"))?;
        Ok((held, segment))
    };
    promised_of(env, find, |(held, segment)| Ok(held.checksum_of(segment)?))
}
