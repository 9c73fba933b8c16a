//! The options of a store as they cross, and their check.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use ledgerstone_canonical_store::{OpenOptions, RetentionPolicy};
use napi_derive::napi;

use crate::{
    cold::objects::option_values::{compression, optional_size},
    error::Failure,
};

/// The options of a store; what is left out is absent.
#[napi(object)]
pub struct NativeOptions {
    /// Make the store when there is none.
    pub create: bool,
    /// Name of the codec of the event payloads.
    pub event_codec: String,
    /// Longest key.
    pub key_bytes: Option<f64>,
    /// Longest value.
    pub value_bytes: Option<f64>,
    /// Longest event.
    pub event_bytes: Option<f64>,
    /// Largest write set.
    pub transaction_bytes: Option<f64>,
    /// A delta of this size is flushed.
    pub flush_bytes: Option<f64>,
    /// A delta of this age is flushed.
    pub flush_interval_ms: Option<f64>,
    /// Whether few awaited commits may flush on their own thread.
    pub inline_flush: Option<bool>,
    /// LMDB's address space.
    pub map_size_bytes: Option<f64>,
    /// Size of an event-log segment.
    pub segment_bytes: Option<f64>,
    /// `none`, `lz4` or `zstd`.
    pub event_compression: Option<String>,
    /// Retention: how many of the newest events stay.
    pub retention_max_events: Option<f64>,
    /// Retention: events younger than this stay.
    pub retention_max_age_ms: Option<f64>,
    /// Retention: how many bytes the log's files may take.
    pub retention_max_bytes: Option<f64>,
    /// Age at which an open snapshot or iteration is warned of.
    pub readers_warn_after_ms: Option<f64>,
    /// Whether the store may be on a network file system.
    pub allow_network_file_system: Option<bool>,
    /// Lock stripes, a power of two.
    pub stripes: Option<f64>,
}

impl NativeOptions {
    pub(crate) fn checked(self) -> Result<OpenOptions, Failure> {
        Ok(OpenOptions {
            create: self.create,
            event_codec: self.event_codec,
            key_bytes: optional_size("limits.keyBytes", self.key_bytes)?,
            value_bytes: optional_size("limits.valueBytes", self.value_bytes)?,
            event_bytes: optional_size("limits.eventBytes", self.event_bytes)?,
            transaction_bytes: optional_size("limits.transactionBytes", self.transaction_bytes)?,
            flush_bytes: optional_size("flush.bytes", self.flush_bytes)?,
            flush_interval_ms: optional_size("flush.intervalMs", self.flush_interval_ms)?,
            inline_flush: self.inline_flush,
            map_size_bytes: optional_size("mapSizeBytes", self.map_size_bytes)?,
            segment_bytes: optional_size("segmentBytes", self.segment_bytes)?,
            event_compression: self
                .event_compression
                .as_deref()
                .map(|name| compression("eventCompression", name))
                .transpose()?,
            retention: RetentionPolicy {
                max_events: optional_size("retention.maxEvents", self.retention_max_events)?,
                max_age_ms: optional_size("retention.maxAgeMs", self.retention_max_age_ms)?,
                max_bytes: optional_size("retention.maxBytes", self.retention_max_bytes)?,
            },
            readers_warn_after_ms: optional_size("readers.warnAfterMs", self.readers_warn_after_ms)?,
            allow_network_file_system: self.allow_network_file_system,
            stripes: optional_size("stripes", self.stripes)?,
        })
    }
}
