//! Where flushed state rests. Two implementations: LMDB, and a twin on the simulated disk that has the same promises.

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

/// What a checkpoint knows when it is opened. `meta` is `None` before the first flush.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) meta: Option<MetaRecord>,
    /// How far the flush goes that has left some of its parts and no account of them; 0 when there is none.
    pub(crate) unfinished_seq: u64,
    pub(crate) catalog: Vec<CatalogEntry>,
}

/// Sizes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckpointSize {
    pub(crate) used: u64,
    pub(crate) mapped: u64,
}

/// Is shown keys and values; says whether to go on.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Who keeps transactions for later.
pub(crate) trait Idle: Send + Sync + fmt::Debug {
    /// Ends those that are not in use at this moment.
    fn take_back(&self);
}

/// Flushed state: written by the flusher alone, read by everyone.
pub(crate) trait Checkpoint: Send + Sync + fmt::Debug {
    /// Reads what the last completed batch has left.
    fn load(&self) -> Result<Loaded>;
    /// From now on `idle` is asked when transactions are short, or in the way.
    fn share_with(&self, _idle: Arc<dyn Idle>) {}
    /// A consistent view of now.
    fn begin(&self) -> Result<Box<dyn CheckpointRead>>;
    /// Writes a batch durably. Not atomic as a whole: the meta record comes with the last part, and what came before is
    /// shadowed by the frozen delta. The first of several parts records how far they go. `at` is told each part's end, for tests that look in between.
    /// [`Error::Backpressure`] when it waits for readers.
    fn write(&self, batch: &Batch<'_>, at: &dyn Fn(Part)) -> Result<()>;
    /// Adds entries to a checkpoint that is being made from a backup: full keys and values, ascending, all behind those before. Durable when this
    /// returns; nothing counts before [`write`](Self::write) brings the account.
    fn fill(&self, entries: &Filling) -> Result<()>;
    /// Removes some of the entries of a dropped collection; whether there are more. With the last of them the collection
    /// leaves the catalogue.
    fn purge(&self, collection: u32) -> Result<bool>;
    /// Whether a failed write can be tried again when there is room.
    fn can_retry(&self, error: &Error) -> bool;
    /// Looks everything through that the last completed batch has left, while the flusher may go on. Damage, and what cannot be
    /// read, are problems in the report; `Err` says that the checkpoint is closed, or that too many readers are open. Ends
    /// early, without an error, once `cancelled` says so.
    fn verify(&self, report: &mut Report, cancelled: &dyn Fn() -> bool) -> Result<()>;
    /// How much it takes.
    fn size(&self) -> CheckpointSize;
    /// Releases every resource. The last call.
    fn close(&self);
}

/// Where an entry was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    page: u64,
    node: usize,
}

/// One consistent view of a checkpoint. Moves between threads, is used by one at a time.
pub(crate) trait CheckpointRead: Send + fmt::Debug {
    /// Looks where full keys are that are about to be asked for, and asks for their memory: together, which takes less time than one after
    /// the other. Only hints, and none for a key that is not there.
    fn expect(&self, keys: &[&[u8]], places: &mut [Option<Place>]);
    /// Shows the value of a full key to `take`; whether there is one. `place` is where this view has seen it, if it has.
    fn get(&self, key: &[u8], place: Option<Place>, take: &mut dyn FnMut(&[u8])) -> Result<bool>;
    /// Full keys, ascending, that divide what is here into `parts` or fewer of about the same size.
    fn divide(&self, parts: usize) -> Vec<Vec<u8>>;
    /// Shows keys and values in order, until `visit` breaks.
    fn scan(&self, bounds: (Bound<&[u8]>, Bound<&[u8]>), reverse: bool, visit: &mut Visit<'_>) -> Result<()>;
}
