//! Reading: what a reader captures, and how it finds keys, ranges and events in the capture.

mod cache;
mod capture;
mod events;
mod key_batch;
mod merge;
mod point;
mod range;
mod snapshot;

pub use cache::ReadCache;
pub(crate) use cache::ReadCaches;
pub(crate) use capture::Capture;
pub use events::Direction;
pub use key_batch::{KeyBatch, ShowValue};
pub use range::{Fill, KeyBounds, RangeCursor};
pub use snapshot::Snapshot;
pub(crate) use snapshot::{Holder, Readers};
