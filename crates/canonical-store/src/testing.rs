//! Tools for tests and simulations: write sets made by hand, and stores on a simulated disk whose engine the test steps.

use std::{path::Path, sync::Arc};

use ledgerstone_format::StoreId;
use ledgerstone_journal::JournalOptions;
use ledgerstone_vfs::{
    Clock, Vfs,
    sim::{SimClock, SimDisk},
};
pub use ledgerstone_write_coordinator::Step;

#[cfg(feature = "planted-faults")]
pub use crate::checkpoint::{StateRecord, read_record, reseal_pages, search_pages};

use crate::{
    OpenOptions, Report, Store,
    checkpoint::{LmdbCheckpoint, TwinCheckpoint, verify_unopened},
    error::Result,
    recovery::Ground,
};

/// A write set in the making, as JavaScript would fill it.
#[derive(Clone, Debug, Default)]
pub struct WriteSet {
    bytes: Vec<u8>,
}

impl WriteSet {
    fn record(mut self, kind: u8, slot: u32, key: &[u8], value: &[u8]) -> Self {
        self.bytes.extend_from_slice(&[kind, 0]);
        self.bytes.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.bytes.extend_from_slice(&slot.to_le_bytes());
        self.bytes.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Sets a key.
    #[must_use]
    pub fn put(self, slot: u32, key: &[u8], value: &[u8]) -> Self {
        self.record(1, slot, key, value)
    }

    /// Removes a key.
    #[must_use]
    pub fn delete(self, slot: u32, key: &[u8]) -> Self {
        self.record(2, slot, key, &[])
    }

    /// Appends an event.
    #[must_use]
    pub fn event(self, payload: &[u8]) -> Self {
        self.record(3, 0, &[], payload)
    }

    /// Drops a collection.
    #[must_use]
    pub fn drop_collection(self, slot: u32) -> Self {
        self.record(4, slot, &[], &[])
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Small journal files, so that a few commits cross many files.
fn small_journal() -> JournalOptions {
    JournalOptions { first_file_bytes: 16 << 10, max_file_bytes: 64 << 10, ..JournalOptions::default() }
}

fn simulated_ground(disk: &SimDisk, clock: &SimClock) -> Ground {
    Ground {
        vfs: Arc::new(disk.clone()),
        clock: Arc::new(clock.clone()),
        open_checkpoint: Arc::new(|vfs, dir, _| Ok(Arc::new(TwinCheckpoint::open(Arc::clone(vfs), dir)?))),
        journal: small_journal(),
        new_id: |_| StoreId::from_random([42; 16]),
        threads: false,
    }
}

/// Opens a store entirely on a simulated disk, with the checkpoint's twin. No threads: the caller steps it.
pub fn open_simulated(disk: &SimDisk, clock: &SimClock, path: &Path, options: &OpenOptions) -> Result<Arc<Store>> {
    simulated_ground(disk, clock).open(path, options)
}

/// Opens a store on a simulated disk, with the checkpoint's twin and with the engine's threads. [`close_threaded`] ends it.
pub fn open_simulated_with_threads(
    disk: &SimDisk,
    clock: &SimClock,
    path: &Path,
    options: &OpenOptions,
) -> Result<Arc<Store>> {
    Ground { threads: true, ..simulated_ground(disk, clock) }.open(path, options)
}

/// Opens a store whose journal and log are on a simulated disk and whose state is in LMDB in the real folder `state`, written
/// in parts of `part_operations`. No threads: the caller steps it.
pub fn open_simulated_over_lmdb(
    disk: &SimDisk,
    clock: &SimClock,
    path: &Path,
    options: &OpenOptions,
    state: &Path,
    part_operations: u32,
) -> Result<Arc<Store>> {
    let state = state.to_path_buf();
    let ground = Ground {
        open_checkpoint: Arc::new(move |_, _, settings| {
            let real: Arc<dyn ledgerstone_vfs::Vfs> = Arc::new(ledgerstone_vfs::OsVfs);
            let checkpoint = LmdbCheckpoint::open(&real, &state, settings.map_size_bytes)?;
            Ok(Arc::new(checkpoint.with_part_operations(part_operations)))
        }),
        ..simulated_ground(disk, clock)
    };
    ground.open(path, options)
}

/// Restores a backup on a simulated disk, with the checkpoint's twin.
pub fn restore_simulated(
    disk: &SimDisk,
    clock: &SimClock,
    from: &Path,
    to: &Path,
    verify_only: bool,
    job: &crate::BackupJob,
) -> Result<Option<crate::RestoreInfo>> {
    simulated_ground(disk, clock).restore(from, to, verify_only, job)
}

/// What runs the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Its threads.
    Threads,
    /// The test, by [`step_journal`] and [`step_flusher`].
    Stepped,
}

/// Opens a store on the real disk with LMDB, without threads: the caller steps it.
pub fn open_stepped(path: &Path, options: &OpenOptions) -> Result<Arc<Store>> {
    open_in_parts(path, options, Engine::Stepped, LmdbCheckpoint::PART_OPERATIONS)
}

/// Opens a store on the real disk with LMDB whose flushes have parts of `part_operations`.
pub fn open_in_parts(path: &Path, options: &OpenOptions, engine: Engine, part_operations: u32) -> Result<Arc<Store>> {
    let ground = real_ground(Arc::new(ledgerstone_vfs::OsVfs), Arc::new(ledgerstone_vfs::SystemClock::new()));
    let in_parts = Ground {
        open_checkpoint: Arc::new(move |vfs, dir, settings| {
            let checkpoint = LmdbCheckpoint::open(vfs, dir, settings.map_size_bytes)?;
            Ok(Arc::new(checkpoint.with_part_operations(part_operations)))
        }),
        threads: engine == Engine::Threads,
        ..ground
    };
    in_parts.open(path, options)
}

/// Opens a store with the engine's threads, whose journal and log go through `vfs`, which leads to the real disk, and whose
/// state is in LMDB. [`close_threaded`] ends it.
pub fn open_on(vfs: Arc<dyn Vfs>, clock: Arc<dyn Clock>, path: &Path, options: &OpenOptions) -> Result<Arc<Store>> {
    real_ground(vfs, clock).open(path, options)
}

fn real_ground(vfs: Arc<dyn Vfs>, clock: Arc<dyn Clock>) -> Ground {
    Ground {
        vfs,
        clock,
        open_checkpoint: Arc::new(|vfs, dir, settings| {
            Ok(Arc::new(LmdbCheckpoint::open(vfs, dir, settings.map_size_bytes)?))
        }),
        journal: small_journal(),
        new_id: ledgerstone_vfs::random_id,
        threads: true,
    }
}

/// One round of the journal thread's work; returns whether anything was done.
pub fn step_journal(store: &Store) -> Result<bool> {
    Ok(store.journal.step()?)
}

/// One round of the flusher's work.
pub fn step_flusher(store: &Store) -> Step {
    store.coordinator.step(store)
}

/// The number of collections that a store keeps in memory, including `state` and dropped ones.
pub fn known_collections(store: &Store) -> usize {
    store.catalog.with(|catalog| catalog.ids().count())
}

/// Verifies the checkpoint of an open store.
pub fn verify_checkpoint(store: &Store) -> Result<Report> {
    let mut report = Report::default();
    store.checkpoint.verify(&mut report, &|| false)?;
    Ok(report)
}

/// Verifies LMDB's file while it is not open.
pub fn verify_state_file(vfs: &dyn Vfs, path: &Path) -> Result<Report> {
    let mut report = Report::default();
    verify_unopened(vfs, path, &mut report, &|| false)?;
    Ok(report)
}

/// Looks at LMDB's file as an opening does before LMDB maps it.
pub fn check_state_file(vfs: &dyn Vfs, path: &Path) -> Result<()> {
    crate::checkpoint::check_data_file(vfs, path)
}

/// The integers of the file at `path` of a simulated store, for tests that set each to its extremes.
#[cfg(feature = "planted-faults")]
pub fn file_fields(path: &Path, file: &[u8]) -> Vec<ledgerstone_format::FileField> {
    use ledgerstone_format::record_fields;

    let name = path.file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
    match &*name {
        _ if file.starts_with(b"LGST-EV") => ledgerstone_event_log::file_fields(&name, file),
        "twin" => crate::checkpoint::twin_fields(file),
        "IDENTITY" => record_fields("identity", file),
        "CLEAN" => record_fields("mark", file),
        _ if name.ends_with(".wal") => ledgerstone_journal::file_fields(file),
        _ => Vec::new(),
    }
}

/// The number of writers that wait for the gate.
pub fn waiting_writers(store: &Store) -> usize {
    store.gate.waiting()
}

/// Ends a store that was opened here with threads: they flush everything first.
pub fn close_threaded(store: &Store) -> Result<()> {
    store.shut_down()
}

/// Ends a store that was opened here without threads: flushes everything first, as its threads would.
pub fn close_stepped(store: &Store) -> Result<()> {
    store.want(crate::Level::Flushed, store.marks().applied);
    // A failure is reported by the next step, which releases everything all the same.
    while store.step().is_ok_and(|worked| worked) {}
    store.shut_down()
}

/// Collection, key, value or deletion.
#[cfg(test)]
pub(crate) type TestOp<'a> = (u32, &'a [u8], Option<&'a [u8]>);

/// Makes frames as a journal does, for tests of code that refers to frames.
#[cfg(test)]
pub(crate) struct Frames {
    journal: Arc<ledgerstone_journal::Journal>,
    seq: u64,
    next_event_id: u64,
}

#[cfg(test)]
impl Frames {
    pub(crate) fn new() -> Self {
        let journal = ledgerstone_journal::Journal::create(
            Arc::new(SimDisk::new(1)),
            Arc::new(SimClock::new(0)),
            Path::new("/"),
            StoreId::from_random([1; 16]),
            small_journal(),
            Arc::new(ledgerstone_journal::Poison::new()),
        );
        Self { journal: journal.unwrap(), seq: 0, next_event_id: 1 }
    }

    /// The next commit: events, and (collection, key, value or deletion).
    pub(crate) fn next(&mut self, events: &[&[u8]], ops: &[TestOp<'_>]) -> ledgerstone_journal::Frame {
        use ledgerstone_journal::{FrameBuilder, FrameKind, OpKind, Stamp};
        let mut builder = FrameBuilder::new(FrameKind::Commit, 0, events.iter().copied()).unwrap();
        for (collection, key, value) in ops {
            let kind = if value.is_some() { OpKind::Put } else { OpKind::Delete };
            builder.op(kind, *collection, key, value.unwrap_or_default()).unwrap();
        }
        self.journal.reserve(builder.encoded_len()).unwrap();
        self.seq += 1;
        let stamp = Stamp { seq: self.seq, first_event_id: self.next_event_id, timestamp_ms: self.seq };
        self.next_event_id += events.len() as u64;
        let frame = self.journal.append(builder, stamp).unwrap().frame;
        self.journal.step().unwrap();
        frame
    }
}
