//! The event log: immutable events with contiguous ids, in segment files of checksummed frames.
//!
//! One thread appends, any number read. Readers see what was published: whole frames, ids below [`EventLog::next_event_id`].
//! Damage is always [`Error::Corrupt`], never "the end"; only unverified bytes at the very end of the newest segment are a torn
//! tail, which [`Scan::open`] cuts.
//!
//! ```
//! use std::{ops::ControlFlow, path::Path, sync::Arc};
//! use ledgerstone_event_log::{Direction, EventIn, EventLog, EventLogOptions};
//! use ledgerstone_format::{StoreId, compression::Compression};
//! use ledgerstone_vfs::{Vfs, sim::SimDisk};
//!
//! # fn main() -> Result<(), ledgerstone_event_log::Error> {
//! let disk: Arc<dyn Vfs> = Arc::new(SimDisk::new(1));
//! let options = EventLogOptions { segment_bytes: 64 << 20, max_event_bytes: 1 << 20, compression: Compression::Lz4 };
//! let log = EventLog::create(disk, Path::new("/store/events"), StoreId::from_random([7; 16]), options, 1)?;
//! let mut events = [b"first".as_slice(), b"second"].into_iter().map(|bytes| EventIn { timestamp_ms: 5, bytes });
//! log.append(&mut events, 1)?;
//! log.sync()?;
//! assert_eq!(log.get(2)?, Some((5, b"second".to_vec())));
//! log.read(1, 3, Direction::Backward, &mut |id, _timestamp_ms, bytes| {
//!     println!("{id}: {bytes:?}");
//!     ControlFlow::Continue(())
//! })?;
//! # Ok(())
//! # }
//! ```

mod append;
mod error;
mod event_log;
#[cfg(feature = "planted-faults")]
mod fields;
mod frame;
mod frame_builder;
mod horizon;
mod iterate;
mod owned_log;
mod pin;
mod recovery;
mod remains;
mod retention;
mod retention_clock;
mod rotate;
mod segment;
mod segment_info;
mod stats;
mod trim;
mod truncate;
mod verify;

pub use error::{Error, Result};
pub use event_log::{EventLog, EventLogOptions};
#[cfg(feature = "planted-faults")]
pub use fields::{file_fields, reseal_file};
pub use frame::EventIn;
pub use iterate::Direction;
pub use owned_log::{
    Event, Events, Ground, LogReport, LogVerification, Opening, OwnedLog, OwnedLogOptions, OwnedLogStats, Recovery,
};
pub use pin::Pin;
pub use recovery::{Scan, TornTail, holds_events, scan};
pub use remains::remains_of_events;
pub use retention::{Kept, RetentionPolicy};
pub use retention_clock::RetentionClock;
pub use segment_info::SegmentInfo;
pub use stats::EventLogStats;
pub use verify::{Verified, verify};
