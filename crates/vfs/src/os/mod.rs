//! The operating system's file system.

#[cfg(unix)]
mod anchored;
mod file_system;
mod handles;
mod identity;
#[cfg(target_os = "linux")]
mod lock_holder;
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

use crate::{
    FileError, FileLock, FileSystem, OpenHow, Result, Vfs, VfsFile,
    folders::{Folders, make_folders, parent_of},
};
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
    /// Without links, if it can be resolved.
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
    /// An open store or log holds the lock of its file, and with it a share of the reserve.
    _share: Option<Share>,
}

impl FileLock for OsLock {}

impl Drop for OsLock {
    /// Closing is not enough: a process that another thread is forking holds a copy of the handle, and with it the lock, until
    /// it executes another program.
    fn drop(&mut self) {
        // If it fails, closing has to do.
        let _ = self.file.unlock();
    }
}

/// Where a file system has no locks of folders, the file `LOCK` has to do.
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
        // Network file systems may lock only files that were opened for writing, or nothing.
        Err(error) if !matches!(error.source.kind(), io::ErrorKind::Interrupted) => Ok(Some(Box::new(NoLock))),
        outcome => outcome,
    }
}

impl Folders for OsVfs {
    fn is_folder(&self, path: &Path) -> Result<bool> {
        match path.metadata() {
            Ok(metadata) => Ok(metadata.is_dir()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(failed("stat", path)(error)),
        }
    }

    fn make(&mut self, path: &Path) -> Result<()> {
        Place::anywhere(path).make_dir().map(drop)
    }

    fn sync_name(&mut self, path: &Path) -> Result<()> {
        sync_name(path)
    }
}

/// By the folder around it, or, where that may not be read (homes below a folder of 0711) or has no flush (squashfs), with all of the file system that the folder is on.
fn sync_name(folder: &Path) -> Result<()> {
    let Some(parent) = parent_of(folder) else { return Ok(()) };
    match Place::anywhere(parent).sync_dir() {
        Err(error) if is_unflushable(error.source.kind()) => Place::anywhere(folder).sync_file_system(),
        done => done,
    }
}

const fn is_unflushable(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput | io::ErrorKind::ReadOnlyFilesystem)
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
        make_folders(&mut Self, path)
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

    fn sync_name(&self, folder: &Path) -> Result<()> {
        sync_name(folder)
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

    #[cfg(target_os = "linux")]
    fn lock_holder(&self, path: &Path) -> Option<u32> {
        lock_holder::holder_of(path)
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
        // The bytes that could not be written that way are written the ordinary way.
        self.write_all_at(bytes.get(done..).unwrap_or_default(), offset.saturating_add(done as u64))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len).map_err(failed("ftruncate", &self.path))
    }

    /// `fdatasync` on Linux, `FlushFileBuffers` on Windows. On macOS std issues `F_FULLFSYNC` for both of its flushes, which a
    /// flush to the device needs there; a file system that does not know it fails the flush, and nothing weaker is tried.
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
