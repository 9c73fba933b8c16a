//! The open stores of the process. The same folder, however it is named and from whatever thread, is one store; it closes
//! with its last handle.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use ledgerstone_journal::JournalOptions;
use ledgerstone_vfs::{OsVfs, SystemClock, Vfs};
use parking_lot::Mutex;

use crate::{
    Error, Store,
    checkpoint::LmdbCheckpoint,
    error::Result,
    options::OpenOptions,
    recovery::{Ground, check_file_system, random_id},
};

#[derive(Debug)]
struct Entry {
    store: Arc<Store>,
    handles: u64,
    key: u64,
}

#[derive(Debug, Default)]
struct Registry {
    open: HashMap<Place, Entry>,
}

/// What a folder is, however it is named: device and inode, or where there are none the resolved path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    #[cfg(unix)]
    Inode { device: u64, inode: u64 },
    #[cfg(not(unix))]
    Path(std::path::PathBuf),
}

impl Place {
    #[cfg(unix)]
    fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = path.metadata()?;
        Ok(Self::Inode { device: metadata.dev(), inode: metadata.ino() })
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> std::io::Result<Self> {
        path.canonicalize().map(Self::Path)
    }
}

/// Held across opening and closing, which is why neither belongs on a JavaScript thread.
fn registry() -> &'static Mutex<Registry> {
    static REGISTRY: OnceLock<Mutex<Registry>> = OnceLock::new();
    REGISTRY.get_or_init(Mutex::default)
}

/// One opening of a store. Closes when dropped.
#[derive(Debug)]
pub struct StoreHandle {
    store: Arc<Store>,
    place: Place,
    key: u64,
    is_first: bool,
    closed: AtomicBool,
}

impl std::ops::Deref for StoreHandle {
    type Target = Arc<Store>;

    fn deref(&self) -> &Self::Target {
        &self.store
    }
}

/// The operating system's files, threads and time.
pub(crate) fn ground() -> Ground {
    Ground {
        vfs: Arc::new(OsVfs),
        clock: Arc::new(SystemClock::new()),
        open_checkpoint: Arc::new(|vfs, dir, settings| {
            Ok(Arc::new(LmdbCheckpoint::open(vfs, dir, settings.map_size_bytes)?))
        }),
        journal: JournalOptions::default(),
        new_id: random_id,
        threads: true,
    }
}

/// Opens the store in the folder `path`, or joins the one that this process has open there. Blocks.
pub fn open(path: &Path, options: &OpenOptions) -> Result<StoreHandle> {
    static NEXT_KEY: AtomicU64 = AtomicU64::new(1);
    let settings = options.settings()?;
    let mut registry = registry().lock();
    if options.create && !OsVfs.exists(path)? {
        check_file_system(&OsVfs, path, &settings)?;
        OsVfs.create_dir_all(path)?;
    }
    let not_found = |_| Error::StoreNotFound { path: path.to_path_buf() };
    // The process may change its working directory while the store is open.
    let path = &path.canonicalize().map_err(not_found)?;
    let place = Place::of(path).map_err(not_found)?;
    if let Some(entry) = registry.open.get_mut(&place) {
        if let Some(failure) = entry.store.failure() {
            return Err(failure);
        }
        options.agree_with(&entry.store.settings)?;
        agree_on_event_codec(&entry.store, options)?;
        entry.handles += 1;
        let (store, key) = (Arc::clone(&entry.store), entry.key);
        return Ok(StoreHandle { store, place, key, is_first: false, closed: AtomicBool::new(false) });
    }
    let store = ground().open(path, options)?;
    let key = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
    registry.open.insert(place.clone(), Entry { store: Arc::clone(&store), handles: 1, key });
    Ok(StoreHandle { store, place, key, is_first: true, closed: AtomicBool::new(false) })
}

fn agree_on_event_codec(store: &Store, options: &OpenOptions) -> Result<()> {
    match store.stored_event_codec.get() {
        Some(stored) if *stored != options.event_codec => Err(Error::CodecMismatch {
            collection: None,
            expected: stored.clone(),
            actual: options.event_codec.clone(),
        }),
        None if store.event_codec != options.event_codec => Err(Error::OptionsMismatch {
            option: "events",
            expected: store.event_codec.clone(),
            actual: options.event_codec.clone(),
        }),
        _ => Ok(()),
    }
}

impl StoreHandle {
    /// The same for all handles of one open store, different for different ones.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Whether this opening is the one that opened the store, and recovered it; the others have joined it.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Gives the handle back. The last one makes everything durable, flushes it and ends the store. Blocks; harmless twice.
    pub fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let mut registry = registry().lock();
        let Some(entry) = registry.open.get_mut(&self.place) else { return Ok(()) };
        entry.handles -= 1;
        if entry.handles > 0 {
            return Ok(());
        }
        let outcome = self.store.shut_down();
        registry.open.remove(&self.place);
        outcome
    }
}

impl Drop for StoreHandle {
    fn drop(&mut self) {
        // Whoever wants to know closes by hand.
        let _ = self.close();
    }
}

/// The process is about to exit: what every open store has applied is handed to the operating system.
pub fn hand_over_all() {
    // An open or a close that is under way does its own handing over.
    let Some(registry) = registry().try_lock() else { return };
    for entry in registry.open.values() {
        entry.store.hand_over();
    }
}
