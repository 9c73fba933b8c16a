//! An open set: its owner's lock, what is known of it, and how a change is made. Changes come one after the other; readers never
//! wait for one.

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

/// What a set stands on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Where its files are.
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
    /// How published files are looked at.
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

/// All that is in a set's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// By ordinal, damaged ones included.
    pub snapshots: Vec<SnapshotInfo>,
    /// Names that are none of the set's, in order. These files are never touched.
    pub foreign: Vec<String>,
}

/// An open set. Any thread may call it.
#[derive(Debug)]
pub struct FileSnapshotSet {
    pub(crate) folder: Folder,
    /// Held for as long as a change takes; `None` once the set is closed.
    writer: Mutex<Option<FolderLock>>,
    pub(crate) state: RwLock<SetState>,
    closing: AtomicBool,
}

/// A change under way.
pub(crate) struct Change<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) stop: &'a AtomicBool,
    /// Becomes the set's when the change is complete.
    pub(crate) state: SetState,
    /// Whether files may have been changed.
    pub(crate) touched: bool,
}

impl Change<'_> {
    /// Makes the manifest what `state` has.
    pub(crate) fn write_manifest(&mut self) -> Result<()> {
        self.touched = true;
        self.state.manifest.write(&*self.folder.vfs, &self.folder.path)
    }
}

impl FileSnapshotSet {
    /// Opens the set in `folder`, making the folder and its parents if need be, and settles what was left under way. Blocks; with
    /// [`ShardCheck::Contents`] for as long as reading the newest full snapshot takes.
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
        // Before anything is made: this may be somebody else's manifest.
        Manifest::read(&*folder.vfs, &folder.path)?;
        let lock = owned.announce(lock, &*ground.clock)?;
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

    /// Every snapshot, and every name that is none of the set's. The names are read anew, unless a change is under way.
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

    /// Gives the folder back. A change under way ends first; what it reads it stops reading. The second time it does nothing.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        let lock = self.writer.lock().take();
        drop(lock);
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closing.load(Ordering::Relaxed) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Makes a change, after all changes before it. When it fails half way, what it has begun is finished or undone at once, as the next
    /// opening would.
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
                    // If it cannot be settled now, the next change tries again.
                    let _ = self.settle(change.state);
                }
            }
            // What was learnt about the files stays known.
            Err(_) => self.state.write().damage.clone_from(&change.state.damage),
        }
        outcome
    }

    /// `known`: what was learnt of the files by now.
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

/// Whether what failed is the flush of a folder: none after it can be trusted.
fn is_folder_flush(error: &Error) -> bool {
    match error {
        Error::Io(error) | Error::NoSpace(error) => error.syscall == "fsync",
        _ => false,
    }
}
