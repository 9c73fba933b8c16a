//! The options of a log on its own.

use ledgerstone_format::{Durability, compression::Compression};

use crate::{
    Error, EventLogOptions, Result, RetentionPolicy,
    frame::{MAX_EVENT_BYTES, MAX_EVENT_ID},
};

/// How to open the folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Opening {
    /// Writes and reads; makes a log if there is none.
    #[default]
    CreateOrOpen,
    /// Writes and reads; [`Error::NotFound`] if there is no log.
    Existing,
    /// Reads any contiguous segments in the folder and changes nothing: takes no lock, cuts nothing. For archives.
    ReadOnly,
}

/// The options of [`crate::OwnedLog::open`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedLogOptions {
    /// How to open the folder.
    pub opening: Opening,
    /// A segment is closed before its frames would exceed this; from 16 KiB to 1 TiB. 64 MiB by default.
    pub segment_bytes: u64,
    /// Larger events are refused; from 1 byte to 1 GiB. 16 MiB by default.
    pub max_event_bytes: u64,
    /// The first id of a new log; 1 by default. An existing one keeps its ids.
    pub first_event_id: u64,
    /// The level of an event when its append returns. No events are buffered in memory, so `Applied` is `Written`.
    pub durability: Durability,
    /// Compression for frames that become smaller by it.
    pub compression: Compression,
    /// Which events to keep; applied when the log is opened and whenever a segment is closed.
    pub retention: RetentionPolicy,
    /// Whether a log may be written on a file system that other machines share, where they may not see the lock and a flush may
    /// not reach a device. Not by default.
    pub allow_network_file_system: bool,
}

impl Default for OwnedLogOptions {
    fn default() -> Self {
        Self {
            opening: Opening::default(),
            segment_bytes: 64 << 20,
            max_event_bytes: 16 << 20,
            first_event_id: 1,
            durability: Durability::Written,
            compression: Compression::None,
            retention: RetentionPolicy { max_events: None, max_age_ms: None, max_bytes: None },
            allow_network_file_system: false,
        }
    }
}

impl OwnedLogOptions {
    pub(crate) fn check(&self) -> Result<()> {
        let within = |argument, value, min, max| {
            if (min..=max).contains(&value) {
                return Ok(());
            }
            let message = format!("option is out of range: {argument}={value} min={min} max={max}");
            Err(Error::InvalidArgument { argument, message })
        };
        within("segmentBytes", self.segment_bytes, 16 << 10, 1 << 40)?;
        within("maxEventBytes", self.max_event_bytes, 1, MAX_EVENT_BYTES)?;
        within("firstEventId", self.first_event_id, 0, MAX_EVENT_ID)
    }

    pub(crate) const fn log(&self) -> EventLogOptions {
        EventLogOptions {
            segment_bytes: self.segment_bytes,
            max_event_bytes: self.max_event_bytes,
            compression: self.compression,
        }
    }
}
