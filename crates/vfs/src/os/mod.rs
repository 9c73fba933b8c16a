//! The operating system's file system.

#[cfg(unix)]
mod anchored;
mod file_system;
mod handles;
mod identity;
#[cfg(target_os = "linux")]
mod magic;
#[cfg(target_os = "linux")]
mod mount_table;
mod page_cache;
#[cfg_attr(not(unix), path = "place_by_path.rs")]
mod place;
mod process;

use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{FileError, FileLock, FileSystem, OpenHow, Result, Vfs, VfsFile};
use handles::Share;
use identity::Identity;
use page_cache::DirectHandle;
use place::Place;
pub(crate) use process::process_birth;

/// The real disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsVfs;

#[derive(Debug)]
struct OsFile {
    file: File,
    path: PathBuf,
    /// Without links, where that is known.
    real_path: PathBuf,
    identity: Identity,
    direct: DirectHandle,
}

impl OsFile {
    fn new(file: File, path: &Path, real_path: PathBuf, how: OpenHow) -> Result<Self> {
        let identity = Identity::of(&file.metadata().map_err(failed("fstat", path))?);
        let direct = DirectHandle::new(how != OpenHow::Read);
        Ok(Self { file, path: path.to_path_buf(), real_path, identity, direct })
    }
}

#[derive(Debug)]
struct OsLock {
    file: File,
    /// Whoever has a store or log open has the lock of its file.
    _share: Option<Share>,
}

impl FileLock for OsLock {}

impl Drop for OsLock {
    /// Closing is not enough: a process that another thread is just forking holds a copy of the handle until it becomes
    /// another program, and with it the lock.
    fn drop(&mut self) {
        // If it fails, closing is what is left.
        let _ = self.file.unlock();
    }
}

/// Where a file system has no locks of this kind, the file `LOCK` is what is left.
#[derive(Debug)]
struct NoLock;

impl FileLock for NoLock {
    fn is_exclusive(&self) -> bool {
        false
    }
}

fn lock_file(place: &Place<'_>, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
    let share = Share::take().map_err(failed("open", path))?;
    locked(place.open_lock()?, Some(share), path)
}

fn locked(file: File, share: Option<Share>, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(Box::new(OsLock { file, _share: share }))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(FileError::new("flock", path, error)),
    }
}

#[cfg(unix)]
fn lock_folder(folder: File, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
    match locked(folder, None, path) {
        // Network file systems may lock only what was opened for writing, or nothing.
        Err(error) if !matches!(error.source.kind(), io::ErrorKind::Interrupted) => Ok(Some(Box::new(NoLock))),
        outcome => outcome,
    }
}

fn make_folders(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if parent != path {
        make_folders(parent)?;
    }
    Place::anywhere(path).make_dir()?;
    Place::anywhere(parent).sync_dir()
}

fn failed<'a>(syscall: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> FileError + 'a {
    move |source| FileError::new(syscall, path, source)
}

impl Vfs for OsVfs {
    fn open(&self, path: &Path, how: OpenHow) -> Result<Arc<dyn VfsFile>> {
        let file = Place::anywhere(path).open(how)?;
        Ok(Arc::new(OsFile::new(file, path, path.to_path_buf(), how)?))
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<OsString>> {
        Place::anywhere(path).read_dir()
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        make_folders(path)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        Place::anywhere(path).make_dir().map(drop)
    }

    fn free_bytes(&self, folder: &Path) -> Option<u64> {
        file_system::free_bytes(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        Place::anywhere(from).rename(&Place::anywhere(to))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        Place::anywhere(path).remove_file()
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        Place::anywhere(path).remove_dir()
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        Place::anywhere(path).sync_dir()
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        Place::anywhere(path).exists()
    }

    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        lock_file(&Place::anywhere(path), path)
    }

    #[cfg(unix)]
    fn try_lock_folder(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        lock_folder(Place::anywhere(path).folder()?, path)
    }

    /// Windows locks files only; the file `LOCK` cannot be removed while it is open there.
    #[cfg(not(unix))]
    fn try_lock_folder(&self, _path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        Ok(Some(Box::new(NoLock)))
    }

    #[cfg(unix)]
    fn anchored(&self, folder: &Path) -> Result<Option<Arc<dyn Vfs>>> {
        Ok(Some(Arc::new(anchored::AnchoredVfs::new(folder)?)))
    }

    fn real_path(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
    }

    fn file_system(&self, path: &Path) -> FileSystem {
        file_system::file_system(path)
    }
}

impl VfsFile for OsFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> Result<u64> {
        self.file.metadata().map(|metadata| metadata.len()).map_err(failed("fstat", &self.path))
    }

    fn check_in_place(&self) -> Result<()> {
        self.identity.check_at(&self.real_path, &self.path, &self.file)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        retry_interrupted(|| positioned::read_at(&self.file, buffer, offset)).map_err(failed("pread", &self.path))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        retry_interrupted(|| positioned::write_at(&self.file, bytes, offset)).map_err(failed("pwrite", &self.path))
    }

    fn write_all_direct_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let direct = |rest: &[u8], offset| self.direct.write_at(&self.file, &self.path, rest, offset);
        let done = retry_interrupted(|| direct(bytes, offset)).map_err(failed("pwrite", &self.path))?;
        // What could not go that way, if anything, goes the ordinary one.
        self.write_all_at(bytes.get(done..).unwrap_or_default(), offset.saturating_add(done as u64))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len).map_err(failed("ftruncate", &self.path))
    }

    /// `fdatasync` on Linux, `FlushFileBuffers` on Windows. On macOS std issues `F_FULLFSYNC` for both of its flushes, which is
    /// what a flush to the device takes there; a file system that does not know it fails the flush, nothing weaker is tried.
    fn sync_data(&self) -> Result<()> {
        self.file.sync_data().map_err(failed("fdatasync", &self.path))
    }
}

/// An interrupted read or write has done nothing and may be repeated; a flush never is.
fn retry_interrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

#[cfg(unix)]
mod positioned {
    use std::{fs::File, io, os::unix::fs::FileExt};

    pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buffer, offset)
    }

    pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(bytes, offset)
    }
}

#[cfg(windows)]
mod positioned {
    use std::{fs::File, io, os::windows::fs::FileExt};

    pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match file.seek_read(buffer, offset) {
            // Windows reports a read at the end of a file as an error.
            Err(error) if error.raw_os_error() == Some(38) => Ok(0),
            done => done,
        }
    }

    pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.seek_write(bytes, offset)
    }
}
