//! The write-ahead journal: a commit is one frame under one checksum, appended in memory, written with its group, and flushed
//! once for all callers that wait.
//!
//! ```
//! use std::sync::Arc;
//! use ledgerstone_format::{Durability, StoreId};
//! use ledgerstone_journal::{FrameBuilder, FrameKind, Journal, JournalOptions, OpKind, Poison, Stamp};
//! use ledgerstone_vfs::{OsVfs, SystemClock};
//!
//! # fn main() -> Result<(), ledgerstone_journal::Error> {
//! # let dir = std::env::temp_dir().join(format!("ledgerstone-journal-doc-{}", std::process::id()));
//! let id = StoreId::from_random([7; 16]);
//! let (vfs, clock, poison) = (Arc::new(OsVfs), Arc::new(SystemClock::new()), Arc::new(Poison::new()));
//! let journal = Journal::create(vfs, clock, &dir, id, JournalOptions::default(), poison)?;
//! journal.spawn()?;
//!
//! let mut frame = FrameBuilder::new(FrameKind::Commit, 128, std::iter::once(&b"an event"[..]))?;
//! frame.op(OpKind::Put, 1, b"key", b"value")?;
//! journal.reserve(frame.encoded_len())?;
//! let appended = journal.append(frame, Stamp { seq: 1, first_event_id: 1, timestamp_ms: 0 })?;
//! journal.after_append();
//! journal.wait(Durability::Durable, appended.frame.seq())?;
//! assert_eq!(journal.durable(), 1);
//! journal.close()?;
//! # std::fs::remove_dir_all(&dir).ok();
//! # Ok(())
//! # }
//! ```

mod begin_behind;
mod error;
#[cfg(feature = "planted-faults")]
mod fields;
mod file_header;
mod file_name;
mod folder;
mod frame;
mod frame_builder;
mod frame_head;
mod frame_memory;
mod group_timing;
mod journal;
mod listeners;
mod open;
mod options;
mod page_buffer;
mod pending_frames;
mod poison;
mod prepared_file;
mod reader;
mod recovery;
mod stats;
mod sync;
mod thread;
mod verify;
mod watermarks;
mod writer;

pub use begin_behind::begin_behind;
pub use error::{Error, Result};
#[cfg(feature = "planted-faults")]
pub use fields::{file_fields, reseal_file};
pub use file_header::FORMAT;
pub use folder::is_journal_file;
pub use frame::{Frame, Op, OpKind, Ops};
pub use frame_builder::{FrameBuilder, Stamp};
pub use frame_head::{FrameKind, MAX_FRAME_BYTES};
pub use journal::{Appended, End, Journal, Led};
pub use listeners::{Listener, ListenerId, WrittenGroup};
pub use options::JournalOptions;
pub use poison::Poison;
pub use recovery::{Position, Promise, Scan, ScanFrom, holds_frames, scan};
pub use stats::{HISTOGRAM_BUCKETS, JournalStats};
pub use verify::{Verified, verify};
