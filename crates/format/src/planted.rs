//! Defects that a test plants in the engine, to show that the simulation finds them. Without the feature `planted-faults` there
//! are none: the check is a constant and the compiler removes it. The binding never has the feature.

/// A defect, by what it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedFault {
    /// The checkpoint is written before the journal is durable to the same commit (I2).
    JournalNotFlushed,
    /// The meta record of the checkpoint comes with the first part of a batch, not with the last.
    MetaInFirstPart,
    /// The durable mark is raised before the flush that earns it (I4).
    DurableBeforeFlush,
    /// Recovery accepts every frame that verifies, whatever it is chained to.
    ChainUnchecked,
    /// A flush that failed is tried again (I5).
    FlushRetried,
    /// Recovery appends behind a torn tail in the same file.
    TornTailKept,
    /// A frame is accepted whatever its checksum says.
    ChecksumUnchecked,
    /// The checkpoint is written before the event log is durable to the same commit.
    EventsNotFlushed,
    /// Journal files that the checkpoint still needs are recycled (I7).
    RecycledTooEarly,
    /// A flush that was under way when writing failed is acknowledged all the same (I5).
    PublishedAfterFailure,
    /// Segments are unlinked before the trim that drops them is durable.
    UnlinkedBeforeDurable,
    /// Segments to which recovery may still truncate are unlinked (I2).
    UnlinkedBeforeCheckpoint,
    /// Recovery ignores seals.
    SealNotReplayed,
    /// Recovery keeps a torn frame of the event log that zeros behind it make whole.
    LeftOverKept,
    /// Making a store that an earlier attempt has begun skips the flush of its folder's name.
    ParentNotFlushed,
    /// Opening builds on names that a dead process gave and did not flush.
    NamesNotFlushed,
    /// Recovery retires the file that it cut and begins its successor before the folder is flushed.
    RetiredNotFlushed,
    /// Recovery skips the flush of the tail's new file.
    TailNotFlushed,
    /// A flush does not record how far it goes before it changes the state.
    FlushNotWitnessed,
    /// A pending snapshot is published without a flush of its files.
    ShardsNotFlushed,
    /// The files of a pending snapshot are renamed before the manifest says that it is published.
    RenamedBeforeManifest,
    /// Diffs are removed before the snapshot that makes them obsolete is published.
    PurgedBeforePublished,
    /// A backup is published before the journal is durable up to its last commit.
    BackupAheadOfJournal,
    /// A restore is acknowledged before the store's name is flushed.
    RestoredNameNotFlushed,
}

/// Whether this defect is planted.
#[cfg(not(feature = "planted-faults"))]
pub const fn planted(_fault: PlantedFault) -> bool {
    false
}

#[cfg(feature = "planted-faults")]
mod planting {
    use std::cell::Cell;

    use super::PlantedFault;

    thread_local! {
        static PLANTED: Cell<Option<PlantedFault>> = const { Cell::new(None) };
    }

    /// Whether this defect is planted on this thread.
    pub fn planted(fault: PlantedFault) -> bool {
        PLANTED.get() == Some(fault)
    }

    /// Plants a defect on this thread, in place of the one before.
    pub fn plant(fault: Option<PlantedFault>) {
        PLANTED.set(fault);
    }
}

#[cfg(feature = "planted-faults")]
pub use planting::{plant, planted};
