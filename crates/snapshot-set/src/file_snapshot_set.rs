//! An open set: its owner's lock, its state, and how a change is made. Changes run one after another; readers never wait for one.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ledgerstone_vfs::{Clock, FolderLock, OsVfs, OwnedFolder, SystemClock, Vfs};
use parking_lot::{Mutex, RwLock};

use crate::{
    Error, Result, ShardCheck,
    folder::Folder,
    manifest::Manifest,
    recovery::recover,
    set_state::{SetState, Trouble},
    snapshot_name::SnapshotType,
};

/// The environment of a set.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The file system that holds its files.
    pub vfs: Arc<dyn Vfs>,
    /// For the hint that the lock's holder leaves.
    pub clock: Arc<dyn Clock>,
}

impl Ground {
    /// The operating system's files and clock.
    pub fn system() -> Self {
        Self { vfs: Arc::new(OsVfs), clock: Arc::new(SystemClock::new()) }
    }
}

/// How to open a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotSetOptions {
    /// How published files are checked.
    pub check: ShardCheck,
    /// Whether the set may be on a file system that other machines share.
    pub allow_network_file_system: bool,
}

/// One snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// What it is.
    pub kind: SnapshotType,
    /// Its number, from 1.
    pub ordinal: u64,
    /// Its files, by the numbers of the shards.
    pub shard_paths: Vec<PathBuf>,
}

/// The contents of a set's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// By ordinal, damaged ones included.
    pub snapshots: Vec<SnapshotInfo>,
    /// Names that do not belong to the set, in order. These files are never touched.
    pub foreign: Vec<String>,
}

/// An open set. Any thread may call it.
#[derive(Debug)]
pub struct FileSnapshotSet {
    pub(crate) folder: Folder,
    /// Locked during a change; `None` once the set is closed.
    writer: Mutex<Option<FolderLock>>,
    pub(crate) state: RwLock<SetState>,
    closing: AtomicBool,
}

/// A change under way.
pub(crate) struct Change<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) stop: &'a AtomicBool,
    /// Becomes the set's state when the change is complete.
    pub(crate) state: SetState,
    /// Whether files may have been changed.
    pub(crate) touched: bool,
}

impl Change<'_> {
    /// Writes `state` to the manifest.
    pub(crate) fn write_manifest(&mut self) -> Result<()> {
        self.touched = true;
        self.state.manifest.write(&*self.folder.vfs, &self.folder.path)
    }
}

impl FileSnapshotSet {
    /// Opens the set in `folder`, makes the folder and its parents if they are missing, and settles unfinished steps. Blocks;
    /// with [`ShardCheck::Contents`] for as long as reading the newest full snapshot takes.
    ///
    /// # Errors
    /// [`Error::Locked`] when it is open elsewhere, in this process or another; [`Error::Foreign`] for the folder of a store or an event
    /// log; [`Error::Corrupt`] for a damaged manifest; [`Error::Format`]; [`Error::FileSystem`]; [`Error::Io`], [`Error::NoSpace`].
    pub fn open(ground: &Ground, folder: &Path, options: SnapshotSetOptions) -> Result<Self> {
        let vfs = &ground.vfs;
        let owned = OwnedFolder::of_snapshot_set(&**vfs, folder);
        owned.check_file_system(options.allow_network_file_system)?;
        vfs.create_dir_all(folder)?;
        owned.check_not_part_of_store(&**vfs)?;
        let anchored = vfs.anchored(folder)?.unwrap_or_else(|| Arc::clone(vfs));
        let folder = Folder { vfs: anchored, path: folder.to_path_buf() };
        let owned = OwnedFolder::of_snapshot_set(&*folder.vfs, &folder.path);
        let lock = owned.lock()?;
        owned.check_kind()?;
        // Before anything is made: the manifest may be a foreign one.
        let is_new = Manifest::read(&*folder.vfs, &folder.path)?.is_none();
        let lock = owned.announce(lock, &*ground.clock)?;
        if is_new {
            owned.sync_name()?;
        }
        let state = RwLock::new(recover(&folder)?);
        let set = Self { folder, writer: Mutex::new(Some(lock)), state, closing: AtomicBool::new(false) };
        if options.check == ShardCheck::Contents {
            set.change(|change| {
                change.verify_newest(1)?;
                Ok(())
            })?;
        }
        Ok(set)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder.path
    }

    /// Every snapshot, and every name that does not belong to the set. Reads the names anew, unless a change is under way.
    pub fn list(&self) -> Result<Listing> {
        self.check_open()?;
        if let Some(_writer) = self.writer.try_lock() {
            let names = self.folder.names()?;
            let mut state = self.state.write();
            state.foreign = state.foreign_of(names);
        }
        let state = self.state.read();
        state.check()?;
        let ordinals = state.manifest.entries.keys();
        let snapshots = ordinals.map(|ordinal| state.info(&self.folder, *ordinal)).collect::<Result<_>>()?;
        Ok(Listing { snapshots, foreign: state.foreign.clone() })
    }

    /// Releases the folder. A change under way ends first, and its reading is cut short. A second call does nothing.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        let lock = self.writer.lock().take();
        drop(lock);
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closing.load(Ordering::Relaxed) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Makes a change, after all changes before it. When it fails half way, its steps are finished or undone at once, as the
    /// next opening would do.
    pub(crate) fn change<R>(&self, work: impl FnOnce(&mut Change<'_>) -> Result<R>) -> Result<R> {
        let writer = self.writer.lock();
        self.check_open()?;
        if writer.is_none() {
            return Err(Error::Closed);
        }
        self.folder.vfs.check_in_place()?;
        let trouble = self.state.read().trouble.clone();
        match trouble {
            Some(Trouble::Poisoned(cause)) => return Err(Error::Poisoned(cause)),
            Some(Trouble::Unsettled(_)) => {
                let known = self.state.read().clone();
                self.settle(known)?;
            }
            None => {}
        }
        let state = self.state.read().clone();
        let mut change = Change { folder: &self.folder, stop: &self.closing, state, touched: false };
        let outcome = work(&mut change);
        match &outcome {
            Ok(_) => *self.state.write() = change.state,
            Err(error) if change.touched => {
                let trouble = Trouble::of(error);
                let is_lost = matches!(trouble, Trouble::Poisoned(_));
                self.state.write().trouble = Some(trouble);
                if !is_lost {
                    // If this fails, the next change tries again.
                    let _ = self.settle(change.state);
                }
            }
            // Damage that was found stays known.
            Err(_) => self.state.write().damage.clone_from(&change.state.damage),
        }
        outcome
    }

    /// `known`: what is known about the files so far.
    fn settle(&self, known: SetState) -> Result<()> {
        let settled = recover(&self.folder);
        let mut state = self.state.write();
        match settled {
            Ok(found) => {
                let before = std::mem::take(&mut *state);
                *state = before.found_again(known, found);
                Ok(())
            }
            Err(error) => {
                state.spoilt = known.spoilt;
                state.trouble = Some(Trouble::of(&error));
                Err(error)
            }
        }
    }
}

impl Trouble {
    fn of(error: &Error) -> Self {
        let cause = Arc::new(error.clone());
        if is_folder_flush(error) { Self::Poisoned(cause) } else { Self::Unsettled(cause) }
    }
}

/// Whether the failed call is the flush of a folder: no later flush of it can be trusted.
fn is_folder_flush(error: &Error) -> bool {
    match error {
        Error::Io(error) | Error::NoSpace(error) => error.syscall == "fsync",
        _ => false,
    }
}
