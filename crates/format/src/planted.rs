//! Defects that a test puts into the engine, to show that the simulation would find them. Without the feature
//! `planted-faults` there are none: the question is a constant and the compiler removes it. The binding never has the feature.

/// A defect, by what it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedFault {
    /// The checkpoint is written before the journal is durable to the same commit (I2).
    JournalNotFlushed,
    /// The checkpoint's account comes with the first part of a batch, not with the last.
    MetaInFirstPart,
    /// The durable mark is raised before the flush that earns it (I4).
    DurableBeforeFlush,
    /// Recovery takes every frame that verifies, whatever it is chained to.
    ChainUnchecked,
    /// A flush that failed is tried again (I5).
    FlushRetried,
    /// Recovery goes on behind a torn tail in the same file.
    TornTailKept,
    /// A frame is believed whatever its checksum says.
    ChecksumUnchecked,
    /// The checkpoint is written before the event log is durable to the same commit.
    EventsNotFlushed,
    /// Journal files are given up that the checkpoint does not have yet (I7).
    RecycledTooEarly,
    /// A flush that was under way when writing failed is acknowledged all the same (I5).
    PublishedAfterFailure,
    /// Segments are unlinked before the trim that drops them is durable.
    UnlinkedBeforeDurable,
    /// Segments are unlinked that recovery may still truncate to (I2).
    UnlinkedBeforeCheckpoint,
    /// Recovery passes over seals.
    SealNotReplayed,
    /// Recovery leaves a torn frame of the event log in place that zeros behind it make whole.
    LeftOverKept,
    /// Making a store that an attempt before has begun leaves the flush of its folder's own name out.
    ParentNotFlushed,
    /// Opening builds on names that a process which died has given and not flushed.
    NamesNotFlushed,
    /// Recovery retires what was cut and begins its successor before the folder is flushed.
    RetiredNotFlushed,
    /// Recovery leaves the flush of the tail's new file out.
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
    /// A restored store is told of before its name is flushed.
    RestoredNameNotFlushed,
}

/// Whether that defect is in.
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

    /// Whether that defect is in, on this thread.
    pub fn planted(fault: PlantedFault) -> bool {
        PLANTED.get() == Some(fault)
    }

    /// Puts a defect into what this thread does from now on, in the place of the one before.
    pub fn plant(fault: Option<PlantedFault>) {
        PLANTED.set(fault);
    }
}

#[cfg(feature = "planted-faults")]
pub use planting::{plant, planted};
