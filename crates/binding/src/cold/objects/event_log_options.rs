//! The options of an event log outside of a store as they cross, and their check.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use ledgerstone_event_log::{Opening, OwnedLogOptions};
use ledgerstone_format::Durability;
use napi_derive::napi;

use crate::{
    cold::objects::option_values::{compression, optional_size},
    error::{ErrorRecord, Failure},
};

/// The options of an event log; what is left out is absent.
#[napi(object)]
pub struct NativeLogOptions {
    /// Whether it is made, and whether it is written to.
    #[napi(ts_type = "'createOrOpen' | 'existing' | 'readOnly'")]
    pub opening: String,
    /// How durable an append is.
    #[napi(ts_type = "'applied' | 'written' | 'durable'")]
    pub durability: String,
    /// How frames are compressed.
    #[napi(ts_type = "'none' | 'lz4' | 'zstd'")]
    pub compression: String,
    /// Size of a segment.
    pub segment_bytes: Option<f64>,
    /// Longest event.
    pub max_event_bytes: Option<f64>,
    /// The first id of a log that is made.
    pub first_event_id: Option<f64>,
    /// Whether the log may be on a network file system.
    pub allow_network_file_system: bool,
}

impl NativeLogOptions {
    pub(crate) fn checked(self) -> Result<OwnedLogOptions, Failure> {
        let default = OwnedLogOptions::default();
        let size = |argument, value: Option<f64>, default| {
            Ok::<_, Failure>(optional_size(argument, value)?.unwrap_or(default))
        };
        Ok(OwnedLogOptions {
            opening: match self.opening.as_str() {
                "createOrOpen" => Opening::CreateOrOpen,
                "existing" => Opening::Existing,
                "readOnly" => Opening::ReadOnly,
                _ => return Err(ErrorRecord::invalid("opening", "no such way to open a log")),
            },
            durability: match self.durability.as_str() {
                "applied" => Durability::Applied,
                "written" => Durability::Written,
                "durable" => Durability::Durable,
                _ => return Err(ErrorRecord::invalid("durability", "no such durability")),
            },
            compression: compression("compression", &self.compression)?,
            segment_bytes: size("segmentBytes", self.segment_bytes, default.segment_bytes)?,
            max_event_bytes: size("maxEventBytes", self.max_event_bytes, default.max_event_bytes)?,
            first_event_id: size("firstEventId", self.first_event_id, default.first_event_id)?,
            allow_network_file_system: self.allow_network_file_system,
            retention: default.retention,
        })
    }
}
