//! From a write set to an applied commit: the gate orders the writers, the commit assigns numbers and becomes visible.

mod commit;
mod control;
mod gate;
mod owner;
mod write_set;

pub use commit::{CommitInfo, GateEntry, Stall};
pub(crate) use commit::{CommitState, EVENT_CODEC_KEY};
pub(crate) use control::OLDEST_EVENT_KEY;
pub use control::{Controlled, Trimmed};
pub(crate) use gate::{Gate, GateError};
pub use owner::{Owner, Pause};
pub(crate) use write_set::{Record, RecordKind, Summary, events, ops, summarize};
