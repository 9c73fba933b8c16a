//! The flushed state. Two implementations: LMDB, and a twin on the simulated disk with the same promises.

#[cfg(all(feature = "sim", feature = "planted-faults"))]
mod any_bytes;
mod batch;
mod close_on_exec;
mod divide;
mod environment;
mod filling;
mod flush_file;
mod group_search;
mod leaf_order;
mod lmdb;
mod lmdb_read;
mod lock_file;
mod mapped_tree;
mod mapping;
mod page_walk;
mod point_search;
mod precheck;
mod prefetch;
mod purge;
mod remains;
mod space;
#[cfg(any(test, feature = "sim"))]
mod twin;
mod unfinished_flush;
mod value;
mod verify_file;

use std::{fmt, ops::Bound, ops::ControlFlow, sync::Arc};

#[cfg(all(feature = "sim", feature = "planted-faults"))]
pub use any_bytes::{StateRecord, read_record, reseal_pages, search_pages};
pub(crate) use batch::Batch;
pub use batch::Part;
pub(crate) use filling::Filling;
pub(crate) use lmdb::LmdbCheckpoint;
pub(crate) use lock_file::MAX_READERS;
pub(crate) use precheck::check_data_file;
pub(crate) use remains::{clear_half_made_state, remains_of_state};
#[cfg(any(test, feature = "sim"))]
pub(crate) use twin::TwinCheckpoint;
#[cfg(all(feature = "sim", feature = "planted-faults"))]
pub(crate) use twin::file_fields as twin_fields;
pub(crate) use verify_file::verify_unopened;

use crate::{Error, catalog::CatalogEntry, error::Result, meta::MetaRecord, verify::Report};

/// The state of a checkpoint at opening. `meta` is `None` before the first flush.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) meta: Option<MetaRecord>,
    /// How far an unfinished flush goes, which has left some of its parts without a meta record; 0 when there is none.
    pub(crate) unfinished_seq: u64,
    pub(crate) catalog: Vec<CatalogEntry>,
}

/// Sizes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckpointSize {
    pub(crate) used: u64,
    pub(crate) mapped: u64,
}

/// Called with keys and values; decides whether to continue.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Keeps idle transactions for later use.
pub(crate) trait Idle: Send + Sync + fmt::Debug {
    /// Ends those that are not in use at this moment.
    fn take_back(&self);
}

/// The flushed state: only the flusher writes it, everyone reads it.
pub(crate) trait Checkpoint: Send + Sync + fmt::Debug {
    /// Reads the result of the last completed batch.
    fn load(&self) -> Result<Loaded>;
    /// From now on `idle` is called when transactions are short, or block the map.
    fn share_with(&self, _idle: Arc<dyn Idle>) {}
    /// A consistent view of the current state.
    fn begin(&self) -> Result<Box<dyn CheckpointRead>>;
    /// Writes a batch durably. Not atomic as a whole: the meta record comes with the last part, and the frozen delta shadows
    /// the parts before it. The first of several parts records how far they go. `at` is called after each part, for tests that
    /// look in between. [`Error::Backpressure`] when it waits for readers.
    fn write(&self, batch: &Batch<'_>, at: &dyn Fn(Part)) -> Result<()>;
    /// Adds entries to a checkpoint that is being made from a backup: full keys and values, ascending, all behind those before. Durable when this
    /// returns; nothing counts before [`write`](Self::write) brings the account.
    fn fill(&self, entries: &Filling) -> Result<()>;
    /// Removes some of the entries of a dropped collection; returns whether there are more. With the last of them the
    /// collection leaves the catalogue.
    fn purge(&self, collection: u32) -> Result<bool>;
    /// Whether a failed write can be repeated when there is room.
    fn can_retry(&self, error: &Error) -> bool;
    /// Checks everything in the last completed batch, while the flusher may continue. Damage and unreadable parts are problems
    /// in the report; `Err` means that the checkpoint is closed, or that too many readers are open. Ends early, without an
    /// error, once `cancelled` returns true.
    fn verify(&self, report: &mut Report, cancelled: &dyn Fn() -> bool) -> Result<()>;
    /// Its size.
    fn size(&self) -> CheckpointSize;
    /// Releases every resource. No call may follow.
    fn close(&self);
}

/// The place where an entry was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    page: u64,
    node: usize,
}

/// One consistent view of a checkpoint. It may move between threads; one uses it at a time.
pub(crate) trait CheckpointRead: Send + fmt::Debug {
    /// Finds the places of full keys that are about to be read, and prefetches them: together, which is faster than one after
    /// another. Only hints, and none for a missing key.
    fn expect(&self, keys: &[&[u8]], places: &mut [Option<Place>]);
    /// Calls `take` with the value of a full key; returns whether there is one. `place` is where this view found it before, if it did.
    fn get(&self, key: &[u8], place: Option<Place>, take: &mut dyn FnMut(&[u8])) -> Result<bool>;
    /// Full keys, ascending, that divide what is here into `parts` or fewer of about the same size.
    fn divide(&self, parts: usize) -> Vec<Vec<u8>>;
    /// Calls `visit` with keys and values in order, until it breaks.
    fn scan(&self, bounds: (Bound<&[u8]>, Bound<&[u8]>), reverse: bool, visit: &mut Visit<'_>) -> Result<()>;
}
