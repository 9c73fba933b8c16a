//! The open stores of the process. One folder, by any name and from any thread, is one store; it closes with its last handle.
//!
//! Invariant: no device is used under the registry's lock. A place where a store is being opened or closed is marked. Another
//! opening of that place waits; openings of other places continue, however long it takes.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use ledgerstone_journal::JournalOptions;
use ledgerstone_vfs::{Clock as _, FileError, OsVfs, OwnedFolder, SystemClock, Vfs as _, random_id};
use parking_lot::{Condvar, Mutex};

use crate::{Error, Store, checkpoint::LmdbCheckpoint, error::Result, options::OpenOptions, recovery::Ground};

#[derive(Debug)]
struct Entry {
    store: Arc<Store>,
    handles: u64,
    key: u64,
}

/// The state of a place.
#[derive(Debug)]
enum Slot {
    Open(Entry),
    /// A thread is opening or closing the store there.
    Changing,
}

#[derive(Debug, Default)]
struct Registry {
    places: Mutex<HashMap<Place, Slot>>,
    /// A place has stopped changing.
    changed: Condvar,
}

/// How long an opening waits for another opening or closing of the same store.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Identifies a folder, whatever its name: device and inode, or the resolved path on systems without them.
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

fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(Registry::default)
}

/// Marks a place as changing. When dropped, also after a failure or panic, the next opening gets the place.
struct Change {
    place: Place,
    becomes: Option<Slot>,
}

impl Drop for Change {
    fn drop(&mut self) {
        let mut places = registry().places.lock();
        match self.becomes.take() {
            Some(slot) => places.insert(self.place.clone(), slot),
            None => places.remove(&self.place),
        };
        registry().changed.notify_all();
    }
}

/// The result of looking up a place.
enum Found {
    Joined(StoreHandle),
    Nothing(Change),
}

/// Joins the store at `place`, or reserves the place for opening it.
fn find(place: &Place, options: &OpenOptions, patience: Duration) -> Result<Found> {
    let (registry, clock) = (registry(), SystemClock::new());
    let deadline = clock.monotonic().saturating_add(patience);
    let mut places = registry.places.lock();
    loop {
        match places.get_mut(place) {
            Some(Slot::Open(entry)) => return entry.join(place, options).map(Found::Joined),
            Some(Slot::Changing) => {
                let left = deadline.saturating_sub(clock.monotonic());
                if left.is_zero() {
                    let waited_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
                    return Err(Error::Changing { waited_ms });
                }
                registry.changed.wait_for(&mut places, left);
            }
            None => {
                places.insert(place.clone(), Slot::Changing);
                return Ok(Found::Nothing(Change { place: place.clone(), becomes: None }));
            }
        }
    }
}

impl Entry {
    fn join(&mut self, place: &Place, options: &OpenOptions) -> Result<StoreHandle> {
        if let Some(failure) = self.store.failure() {
            return Err(failure);
        }
        options.agree_with(&self.store.settings)?;
        agree_on_event_codec(&self.store, options)?;
        self.handles += 1;
        let (store, key) = (Arc::clone(&self.store), self.key);
        Ok(StoreHandle { store, place: place.clone(), key, is_first: false, closed: AtomicBool::new(false) })
    }
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

/// The operating system's files and time, with engine threads.
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

/// Opens the store in the folder `path`, or joins the one that this process has open there. Blocks, also while another thread
/// opens or closes the same store; `ERR_BUSY` when that takes a minute.
pub fn open(path: &Path, options: &OpenOptions) -> Result<StoreHandle> {
    open_on(ground, path, options)
}

/// The ground is asked for once the place is reserved.
fn open_on(ground: impl FnOnce() -> Ground, path: &Path, options: &OpenOptions) -> Result<StoreHandle> {
    static NEXT_KEY: AtomicU64 = AtomicU64::new(1);
    let settings = options.settings()?;
    if options.create && !path.exists() {
        OwnedFolder::of_store(&OsVfs, path).check_file_system(settings.allow_network_file_system)?;
        OsVfs.create_dir_all(path)?;
    }
    let not_found = |_| Error::StoreNotFound { path: path.to_path_buf() };
    // The process may change its working directory while the store is open.
    let path = &path.canonicalize().map_err(not_found)?;
    let place = Place::of(path).map_err(not_found)?;
    let mut change = match find(&place, options, PATIENCE)? {
        Found::Joined(handle) => return Ok(handle),
        Found::Nothing(change) => change,
    };
    for displaced in displaced_from(path) {
        displaced.give_way();
    }
    let store = ground().open(path, options)?;
    check_place(path, &place, &store)?;
    let key = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
    change.becomes = Some(Slot::Open(Entry { store: Arc::clone(&store), handles: 1, key }));
    drop(change);
    Ok(StoreHandle { store, place, key, is_first: true, closed: AtomicBool::new(false) })
}

/// Between the first look and the opening, which may have waited for another one, the path may have come to lead elsewhere. A
/// store must not be registered at a place where it is not.
fn check_place(path: &Path, place: &Place, store: &Store) -> Result<()> {
    let is_there = Place::of(path).is_ok_and(|found| found == *place) && store.vfs.check_in_place().is_ok();
    if is_there {
        return Ok(());
    }
    // Nothing was written to it yet.
    let _ = store.shut_down();
    Err(Error::Io(FileError::gone(path)))
}

/// The stores that were opened by this path, but whose folder has been replaced by another.
fn displaced_from(path: &Path) -> Vec<Arc<Store>> {
    let is_displaced = |store: &Arc<Store>| store.path == *path && store.vfs.check_in_place().is_err();
    all_open().into_iter().filter(is_displaced).collect()
}

/// Without stores that are being opened or closed.
fn all_open() -> Vec<Arc<Store>> {
    let places = registry().places.lock();
    let stores = places.values().filter_map(|slot| match slot {
        Slot::Open(entry) => Some(Arc::clone(&entry.store)),
        Slot::Changing => None,
    });
    stores.collect()
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
    /// The same for all handles of one open store, different for different stores.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Whether this opening opened the store and recovered it; later ones have joined it.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Closes the handle. The last one makes everything durable, flushes it and ends the store. After any other, observing
    /// listeners have been notified of everything that was written and flushed when it began. Blocks; a second call does nothing.
    pub fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        {
            let mut places = registry().places.lock();
            let Some(slot) = places.get_mut(&self.place) else { return Ok(()) };
            let Slot::Open(entry) = slot else { return Ok(()) };
            entry.handles -= 1;
            if entry.handles == 0 {
                *slot = Slot::Changing;
            } else {
                drop(places);
                self.store.tell_of_what_is_done();
                return Ok(());
            }
        }
        let _change = Change { place: self.place.clone(), becomes: None };
        self.store.shut_down()
    }
}

impl Drop for StoreHandle {
    fn drop(&mut self) {
        // A caller that needs the error closes explicitly.
        let _ = self.close();
    }
}

/// Called when the process is about to exit: hands over what every open store has applied to the operating system.
pub fn hand_over_all() {
    // A store that is being opened or closed hands over by itself.
    for store in all_open() {
        store.hand_over();
    }
}

#[cfg(test)]
mod tests;
