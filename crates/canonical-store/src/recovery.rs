//! Opens a store in three steps: reads and judges everything; changes files (I10); replays the rest of the journal.

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    },
};

use ledgerstone_event_log::{EventLog, EventLogOptions, RetentionClock, Scan};
use ledgerstone_format::{CleanMark, Identity, PlantedFault, StoreId, planted};
use ledgerstone_journal::{Journal, JournalOptions, Poison, Promise, ScanFrom};
use ledgerstone_lock_manager::LockManager;
use ledgerstone_vfs::{Clock, FolderLock, LastMark, Unfinished, Verifications, Vfs};
use ledgerstone_write_coordinator::{Coordinator, Pacing};
use parking_lot::Mutex;

use crate::{
    Error, Store,
    catalog::SharedCatalog,
    checkpoint::{Checkpoint, Idle, Loaded, clear_half_made_state},
    error::Result,
    layout::Layout,
    listeners::{Listeners, Told},
    options::{OpenOptions, Settings},
    read::{ReadCaches, Readers},
    replay::Replayed,
    stats::RecoveryReport,
    unfinished::judge_unfinished,
    write::{CommitState, Gate},
};

/// Opens the checkpoint in a folder.
pub(crate) type OpenCheckpoint = dyn Fn(&Arc<dyn Vfs>, &Path, &Settings) -> Result<Arc<dyn Checkpoint>> + Send + Sync;

/// The environment of a store.
pub(crate) struct Ground {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) open_checkpoint: Arc<OpenCheckpoint>,
    pub(crate) journal: JournalOptions,
    /// Makes the identity of a new store.
    pub(crate) new_id: fn(&dyn Vfs) -> StoreId,
    /// Whether the engine runs its threads; otherwise the caller calls [`Store::step`].
    pub(crate) threads: bool,
}

/// The journal, the log and the checkpoint of a sound store, with the rest of the journal replayed.
struct Opened {
    identity: Identity,
    journal: Arc<Journal>,
    log: Arc<EventLog>,
    checkpoint: Arc<dyn Checkpoint>,
    loaded: Loaded,
    replayed: Replayed,
    bytes_cut: u64,
    last_mark: LastMark,
}

impl Ground {
    /// Opens the store at `path`; makes it if there is none and `options` allow that.
    pub(crate) fn open(&self, path: &Path, options: &OpenOptions) -> Result<Arc<Store>> {
        let settings = options.settings()?;
        let layout = Layout::new(path);
        let folder = layout.folder(&*self.vfs);
        if !options.create && !self.vfs.exists(&folder.identity_path())? {
            return Err(Error::StoreNotFound { path: path.to_path_buf() });
        }
        folder.check_file_system(settings.allow_network_file_system)?;
        self.vfs.create_dir_all(path)?;
        self.anchored(path)?.open_folder(&*self.vfs, layout, settings, options)
    }

    /// The same, with all files below `path` in the folder that is there now.
    pub(crate) fn anchored(&self, path: &Path) -> Result<Self> {
        Ok(Self {
            vfs: self.vfs.anchored(path)?.unwrap_or_else(|| Arc::clone(&self.vfs)),
            clock: Arc::clone(&self.clock),
            open_checkpoint: Arc::clone(&self.open_checkpoint),
            ..*self
        })
    }

    /// Opens the store in an existing folder. `around`: the file system around it.
    fn open_folder(
        &self,
        around: &dyn Vfs,
        layout: Layout,
        settings: Settings,
        options: &OpenOptions,
    ) -> Result<Arc<Store>> {
        let vfs = &*self.vfs;
        let folder = layout.folder(vfs);
        folder.check_kind()?;
        folder.check_not_part_of_store(around)?;
        let lock = folder.lock()?;
        let identity = folder.identity()?;
        let unfinished = if identity.is_none() { judge_unfinished(vfs, &layout)? } else { None };
        // From here on the folder is known to be ours or unowned.
        let lock = folder.announce(lock, &*self.clock)?;
        let poison = Arc::new(Poison::new());
        let opened = match identity {
            Some(identity) => self.recover(&layout, &settings, options, identity, &poison)?,
            None => self.make(&layout, &settings, unfinished, &poison)?,
        };
        self.assemble(layout, settings, options, poison, lock, opened)
    }

    pub(crate) fn log_options(settings: &Settings) -> EventLogOptions {
        EventLogOptions {
            segment_bytes: settings.segment_bytes,
            max_event_bytes: settings.limits.event_bytes.max(1 << 30),
            compression: settings.event_compression,
        }
    }

    /// Makes the store: the identity is prepared first, and gets its name when the folder is complete.
    ///
    /// Flushes, each before what must not exist without it: the store's name in its parent; the prepared identity and its name,
    /// before anything else is made; the names of the three folders, and the first segment with its name, before the identity
    /// is renamed; that rename. LMDB adds a flush of `data.mdb`, and of its name.
    fn make(
        &self,
        layout: &Layout,
        settings: &Settings,
        unfinished: Option<Unfinished>,
        poison: &Arc<Poison>,
    ) -> Result<Opened> {
        let vfs = &self.vfs;
        let folder = layout.folder(&**vfs);
        // The names in it are flushed with the identity file's.
        if !planted(PlantedFault::ParentNotFlushed) {
            folder.sync_name()?;
        }
        let (identity, prepared) = if let Some(Unfinished { identity, prepared }) = unfinished {
            clear_half_made_state(&**vfs, &layout.state())?;
            (identity, prepared)
        } else {
            // Files that an earlier attempt made and removed must not come back beside an identity that does not know them.
            for folder in [layout.journal(), layout.events(), layout.state()] {
                if vfs.exists(&folder)? {
                    vfs.sync_dir(&folder)?;
                }
            }
            let identity = Identity::of_store((self.new_id)(&**vfs), self.clock.wall_ms());
            let prepared = folder.prepare(&identity)?;
            (identity, prepared)
        };
        for folder in [layout.journal(), layout.events(), layout.state()] {
            vfs.create_dir(&folder)?;
        }
        // The identity must not exist without them.
        vfs.sync_dir(&layout.root)?;
        let id = identity.id;
        let checkpoint = (self.open_checkpoint)(vfs, &layout.state(), settings)?;
        let held = checkpoint.load()?;
        if held.meta.is_some() || held.unfinished_seq > 0 {
            let what = "the identity file is missing from a store that has data";
            return Err(Error::corrupt(folder.identity_path(), 0, what));
        }
        let log = EventLog::create(Arc::clone(vfs), &layout.events(), id, Self::log_options(settings), 1)?;
        let journal = Journal::create(
            Arc::clone(vfs),
            Arc::clone(&self.clock),
            &layout.journal(),
            id,
            self.journal,
            Arc::clone(poison),
        )?;
        folder.establish(&prepared)?;
        let loaded = Loaded { meta: None, unfinished_seq: 0, catalog: Vec::new() };
        let replayed = Replayed::start(&loaded, settings);
        Ok(Opened { identity, journal, log, checkpoint, loaded, replayed, bytes_cut: 0, last_mark: LastMark::none() })
    }

    fn recover(
        &self,
        layout: &Layout,
        settings: &Settings,
        options: &OpenOptions,
        identity: Identity,
        poison: &Arc<Poison>,
    ) -> Result<Opened> {
        let (vfs, id) = (&self.vfs, identity.id);
        let state = layout.state();
        if !vfs.exists(&state)? {
            return Err(Error::corrupt(state, 0, "the folder of the state is missing"));
        }
        let checkpoint = (self.open_checkpoint)(vfs, &state, settings)?;
        let loaded = checkpoint.load()?;
        if loaded.meta.as_ref().is_some_and(|meta| meta.store_id != id) {
            return Err(Error::corrupt(state, 0, "the state belongs to another store"));
        }
        let mark = layout.folder(&**vfs).clean_mark(id)?;
        let mut log = ledgerstone_event_log::scan(vfs, &layout.events(), id)?;
        if let Some(mark) = mark {
            log.was_closed_at(mark.next_event_id);
        }
        let next_event_id = loaded.meta.as_ref().map_or(1, |meta| meta.next_event_id);
        let log_end = log.next_event_id();
        let from = scan_from(&loaded, mark, log_end);
        let journal = ledgerstone_journal::scan(Arc::clone(vfs), &layout.journal(), id, from)?;
        judge(layout, next_event_id, log_end, journal.next_event_id)?;
        judge_time(layout, &loaded, &log)?;
        let mut replayed = Replayed::start(&loaded, settings);
        for frame in &journal.frames {
            replayed.add(frame, layout)?;
        }
        // A trim frame may be the only explanation for missing segments.
        replayed.oldest_event_id = replayed.oldest_event_id.max(log.horizon().unwrap_or_default());
        judge_beginning(layout, replayed.oldest_event_id, log.first_stored_id())?;
        judge_trim(layout, replayed.oldest_event_id, replayed.next_event_id)?;
        if !replayed.event_codec.is_empty() && replayed.event_codec != options.event_codec {
            return Err(Error::CodecMismatch {
                collection: None,
                expected: replayed.event_codec,
                actual: options.event_codec.clone(),
            });
        }
        // All checks have passed. From here on files are changed.
        if !from.promised.is_end {
            flush_names(&**vfs, layout)?;
        }
        let bytes_cut = journal.bytes_cut + log.torn_bytes();
        let log = log.open(Self::log_options(settings), Some(next_event_id))?;
        let journal = journal.open(Arc::clone(&self.clock), self.journal, Arc::clone(poison))?;
        let last_mark = LastMark::found(layout.folder(&**vfs), mark.is_some())?;
        Ok(Opened { identity, journal, log, checkpoint, loaded, replayed, bytes_cut, last_mark })
    }

    fn assemble(
        &self,
        layout: Layout,
        settings: Settings,
        options: &OpenOptions,
        poison: Arc<Poison>,
        lock: FolderLock,
        opened: Opened,
    ) -> Result<Arc<Store>> {
        let Opened { identity, journal, log, checkpoint, loaded, replayed, bytes_cut, last_mark } = opened;
        let epoch = loaded.meta.as_ref().map_or(0, |meta| meta.epoch) + 1;
        let flushed_seq = loaded.meta.as_ref().map_or(0, |meta| meta.applied_seq);
        let unfinished_seq = loaded.unfinished_seq;
        let flushed_events = loaded.meta.as_ref().map_or(1, |meta| meta.next_event_id);
        log.set_horizon(replayed.oldest_event_id);
        let position = journal.end().position.or_else(|| loaded.meta.and_then(|meta| meta.position));
        let stored_event_codec = OnceLock::new();
        if !replayed.event_codec.is_empty() {
            let _ = stored_event_codec.set(replayed.event_codec);
        }
        let active = Arc::new(replayed.delta);
        let pacing = Pacing { flush_bytes: settings.flush_bytes, flush_interval: settings.flush_interval };
        let coordinator = Coordinator::new(Arc::clone(&self.clock), pacing, Arc::clone(&active), epoch, flushed_seq);
        let listeners = Arc::new(Listeners::default());
        listeners.tell(|told| *told = Told { written: journal.written(), flushed: flushed_seq });
        journal.add_listener(Arc::clone(&listeners) as Arc<dyn ledgerstone_journal::Listener>);
        let caches = Arc::new(ReadCaches::default());
        checkpoint.share_with(Arc::clone(&caches) as Arc<dyn Idle>);
        let locks = LockManager::new(settings.stripes, Arc::clone(&self.clock))
            .ok_or_else(|| Error::internal("the number of stripes was checked"))?;
        let retention_clock = RetentionClock::new(&*self.clock, replayed.last_timestamp_ms);
        let store = Arc::new(Store {
            path: layout.root.clone(),
            layout,
            identity,
            settings,
            event_codec: options.event_codec.clone(),
            stored_event_codec,
            vfs: Arc::clone(&self.vfs),
            clock: Arc::clone(&self.clock),
            poison,
            journal,
            log,
            retention_clock,
            retention_due: Mutex::default(),
            checkpoint,
            coordinator: Arc::new(coordinator),
            gate: Gate::default(),
            commit: Mutex::new(CommitState {
                last_seq: replayed.last_seq,
                last_timestamp_ms: replayed.last_timestamp_ms,
                next_event_id: replayed.next_event_id,
                oldest_event_id: replayed.oldest_event_id,
                sealed_event_id: replayed.sealed_event_id,
                position,
                active,
            }),
            applied: Arc::new(AtomicU64::new(replayed.last_seq)),
            next_event_id: AtomicU64::new(replayed.next_event_id),
            oldest_event_id: AtomicU64::new(replayed.oldest_event_id),
            flushed_events: AtomicU64::new(flushed_events),
            sealed: AtomicU64::new(replayed.sealed_event_id.map_or(0, |id| id + 1)),
            catalog: SharedCatalog::new(replayed.catalog),
            purged: Mutex::default(),
            caches,
            readers: Readers::default(),
            listeners,
            applied_watchers: AtomicUsize::new(0),
            unfinished_seq,
            recovery: RecoveryReport { epoch, frames: replayed.frames, bytes_cut },
            last_mark,
            closing: AtomicBool::new(false),
            probe: Mutex::default(),
            verifications: Verifications::default(),
            lock: Mutex::new(Some(lock)),
            locks: Arc::new(locks),
        });
        if self.threads {
            store.start_threads().inspect_err(|_| store.give_up_opening())?;
        }
        Ok(store)
    }
}

/// A process may have died after it named a file and before it flushed the folder: everything found becomes durable before
/// anything builds on it. After a clean close all names are durable.
fn flush_names(vfs: &dyn Vfs, layout: &Layout) -> Result<()> {
    if planted(PlantedFault::NamesNotFlushed) {
        return Ok(());
    }
    for folder in [&layout.root, &layout.journal(), &layout.events(), &layout.state()] {
        vfs.sync_dir(folder)?;
    }
    Ok(())
}

/// Where to start reading the journal, and what it must contain.
pub(crate) fn scan_from(loaded: &Loaded, mark: Option<CleanMark>, log_end: u64) -> ScanFrom {
    let meta = loaded.meta.as_ref();
    let applied_seq = meta.map_or(0, |meta| meta.applied_seq);
    let next_event_id = meta.map_or(1, |meta| meta.next_event_id);
    let promised = Promise {
        seq: applied_seq.max(loaded.unfinished_seq).max(mark.map_or(0, |mark| mark.seq)),
        next_event_id: next_event_id.max(log_end).max(mark.map_or(0, |mark| mark.next_event_id)),
        is_end: mark.is_some_and(|mark| mark.seq >= applied_seq),
    };
    ScanFrom { applied_seq, next_event_id, position: meta.and_then(|meta| meta.position), promised }
}

/// Checks that the log begins at or before the oldest kept event according to the meta record, the trims in the journal and the
/// horizon file: segments are unlinked only after all three are written.
pub(crate) fn judge_beginning(layout: &Layout, oldest_event_id: u64, first_stored_id: u64) -> Result<()> {
    if first_stored_id <= oldest_event_id {
        return Ok(());
    }
    let what = format!("the event log begins too late: oldest={first_stored_id} promised={oldest_event_id}");
    Err(Error::corrupt(layout.events(), 0, what))
}

/// Checks that trimmed events had been committed: the horizon file is written when the journal is durable beyond them.
pub(crate) fn judge_trim(layout: &Layout, oldest_event_id: u64, next_event_id: u64) -> Result<()> {
    if oldest_event_id <= next_event_id {
        return Ok(());
    }
    let what = format!("the journal lost what was trimmed: next={next_event_id} oldest={oldest_event_id}");
    Err(Error::corrupt(layout.journal(), 0, what))
}

/// Checks times: an event is no later than its commit, and the next commit gets no earlier time than either.
fn judge_time(layout: &Layout, loaded: &Loaded, log: &Scan) -> Result<()> {
    let meta = loaded.meta.as_ref();
    let (next_event_id, committed) = meta.map_or((1, 0), |meta| (meta.next_event_id, meta.last_timestamp_ms));
    let appended = log.last_timestamp_ms();
    if log.next_event_id() > next_event_id || appended <= committed {
        return Ok(());
    }
    let what = format!("the last event is later than the last commit: event_ms={appended} commit_ms={committed}");
    Err(Error::corrupt(layout.events(), 0, what))
}

/// The log's end is a promise too: events beyond the meta record must be in the journal, and the log must not end before it.
pub(crate) fn judge(layout: &Layout, next_event_id: u64, log_end: u64, journal_next_event_id: u64) -> Result<()> {
    let events = layout.events();
    if log_end < next_event_id {
        let what = format!("the event log ends too early: next={log_end} promised={next_event_id}");
        return Err(Error::corrupt(events, 0, what));
    }
    if log_end > next_event_id && journal_next_event_id < log_end {
        let what = format!("the journal lost what the event log has: journal={journal_next_event_id} log={log_end}");
        return Err(Error::corrupt(layout.journal(), 0, what));
    }
    Ok(())
}
