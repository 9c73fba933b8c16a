//! A disk that does one thing wrong on purpose: the simulation is worth something only if it notices.

use std::{
    ffi::OsString,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ledgerstone_vfs::{FileLock, OpenHow, Result, Vfs, VfsFile, sim::SimDisk};

/// What it skips, as a defect in the journal would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    Nothing,
    /// Flushes of files in use return success and do nothing: as if durable were published before the flush.
    NoFlush,
    /// Skips only every third of those flushes: as if a completed file were not flushed (I4).
    SomeFlushes,
    /// Files in the making are renamed into place without their flush.
    NoFlushOfSpares,
    /// Folders are never flushed.
    NoFolderFlush,
    /// A failed flush is hidden by a second one (I5).
    RetriedFlush,
}

#[derive(Clone, Debug)]
pub(crate) struct Saboteur {
    disk: SimDisk,
    sabotage: Sabotage,
    flushes: Arc<AtomicU64>,
}

impl Saboteur {
    pub(crate) fn new(disk: &SimDisk, sabotage: Sabotage) -> Self {
        Self { disk: disk.clone(), sabotage, flushes: Arc::default() }
    }
}

#[derive(Debug)]
struct SabotagedFile {
    file: Arc<dyn VfsFile>,
    saboteur: Saboteur,
}

impl Vfs for Saboteur {
    fn open(&self, path: &Path, how: OpenHow) -> Result<Arc<dyn VfsFile>> {
        let file = self.disk.open(path, how)?;
        Ok(Arc::new(SabotagedFile { file, saboteur: self.clone() }))
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<OsString>> {
        self.disk.read_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        self.disk.create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.disk.remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        if self.sabotage == Sabotage::NoFolderFlush { Ok(()) } else { self.disk.sync_dir(path) }
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.disk.exists(path)
    }

    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        self.disk.try_lock(path)
    }

    fn random(&self) -> u64 {
        self.disk.random()
    }

    fn try_lock_folder(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        self.disk.try_lock_folder(path)
    }
}

impl VfsFile for SabotagedFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<()> {
        let unfinished = self.path().extension().is_some_and(|extension| extension == "tmp");
        let nth = self.saboteur.flushes.fetch_add(1, Ordering::Relaxed);
        match self.saboteur.sabotage {
            Sabotage::NoFlush if !unfinished => Ok(()),
            Sabotage::SomeFlushes if !unfinished && nth.is_multiple_of(3) => Ok(()),
            Sabotage::NoFlushOfSpares if unfinished => Ok(()),
            Sabotage::RetriedFlush => self.file.sync_data().or_else(|_| self.file.sync_data()),
            _ => self.file.sync_data(),
        }
    }
}
