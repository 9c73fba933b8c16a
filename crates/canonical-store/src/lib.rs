//! State and events in one commit: the store that composes ledgerstone's parts. The journal is the database; LMDB and the event
//! log are its checkpoints; a commit costs one flush.
//!
//! [`open`] returns a handle to a [`Store`]. Writers fill a write set and [`commit`](Store::commit) it; readers use
//! [`get`](Store::get), [`range`](Store::range), [`read_events`](Store::read_events) or a [`Snapshot`].

mod archive;
mod backup;
mod cache_line;
mod catalog;
mod checkpoint;
mod delta;
mod error;
mod flush;
mod layout;
mod listeners;
mod meta;
mod options;
mod read;
mod recovery;
mod registry;
mod replay;
mod shutdown;
mod stats;
mod store;
#[cfg(any(test, feature = "sim"))]
pub mod testing;
mod unfinished;
mod verify;
mod write;

pub use archive::HeldSegments;
pub use backup::{BackupInfo, BackupJob, BackupOptions, BackupReason, JobPhase, RestoreInfo, restore};
pub use ledgerstone_event_log::{RetentionPolicy, SegmentInfo};
pub use ledgerstone_format::compression::Compression;

pub use catalog::{CollectionRef, STATE_COLLECTION};
pub use checkpoint::Part;
pub use error::{Detail, Error, Result, WaitsFor};
pub use flush::{FlushProbe, FlushStage};
pub use ledgerstone_format::FORMAT_VERSION;
pub use ledgerstone_journal::WrittenGroup;
pub use ledgerstone_snapshot_set::Ground as BackupGround;
pub use listeners::{Listener, ListenerId};
pub use options::{Limits, OpenOptions};
pub use read::{Direction, Fill, KeyBatch, KeyBounds, RangeCursor, ReadCache, ShowValue, Snapshot};
pub use registry::{StoreHandle, hand_over_all, open};
pub use stats::{FlushReport, Meta, RecoveryReport, Stats};
pub use store::{Level, Marks, Store};
pub use verify::{Checked, Problem, ProblemKind, Report, Verification, verify_closed};
pub use write::{CommitInfo, Controlled, GateEntry, Owner, Pause, Stall, Trimmed};
