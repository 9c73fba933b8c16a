//! What has been applied and not yet flushed: an ordered index of operations and the events, both referring into the
//! commits' own frames.

mod bloom;
mod events;
mod key;
mod store_delta;
mod stream;

pub(crate) use key::{full_key, hash_parts};
pub(crate) use store_delta::{FrozenAt, Inserted, Lookup, NetOp, StoreDelta};
pub(crate) use stream::{DeltaItem, DeltaStream};
