//! What has been applied and not yet flushed: a log of operations that can be searched by key and sorted on demand, and the
//! events. Both refer to the commits' frames.

mod bloom;
mod dead;
mod events;
mod expected;
mod key;
mod log;
mod net;
mod ordered;
mod store_delta;
mod stream;
mod table;

pub(crate) use dead::successor;
pub(crate) use expected::Expected;
pub(crate) use key::{full_key, hash_parts};
pub(crate) use net::NetOp;
pub(crate) use store_delta::{FrozenAt, Inserted, Lookup, StoreDelta};
pub(crate) use stream::{DeltaItem, DeltaStream};
