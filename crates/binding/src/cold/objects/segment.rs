//! A closed segment of an event log, a store's or another, as a plain object.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use ledgerstone_event_log::SegmentInfo;
use napi_derive::napi;

use crate::number::number;

/// A closed segment.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeSegment {
    pub path: String,
    pub first_event_id: f64,
    pub last_event_id: f64,
    pub last_timestamp: f64,
    pub bytes: f64,
}

impl From<&SegmentInfo> for NativeSegment {
    fn from(segment: &SegmentInfo) -> Self {
        Self {
            path: segment.path.to_string_lossy().into_owned(),
            first_event_id: number(segment.first_id),
            last_event_id: number(segment.last_id),
            last_timestamp: number(segment.last_timestamp_ms),
            bytes: number(segment.bytes),
        }
    }
}
