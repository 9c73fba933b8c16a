//! What has been applied and not yet flushed: a log of operations that is found in by key and put in order when
//! somebody asks for it, and the events. Both refer into the commits' own frames.

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
