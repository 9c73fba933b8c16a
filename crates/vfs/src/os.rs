//! The operating system's file system.

mod direct;
mod file_system;
mod handles;
#[cfg(target_os = "linux")]
mod magic;
#[cfg(target_os = "linux")]
mod mount_table;

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{FileError, FileLock, FileSystem, OpenHow, Result, Vfs, VfsFile};
use direct::DirectHandle;
use handles::Share;

/// The real disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsVfs;

#[derive(Debug)]
struct OsFile {
    file: File,
    path: PathBuf,
    direct: DirectHandle,
}

#[derive(Debug)]
struct OsLock {
    file: File,
    /// Whoever has a store or log open has its lock.
    _share: Share,
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

fn failed<'a>(syscall: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> FileError + 'a {
    move |source| FileError::new(syscall, path, source)
}

#[allow(clippy::disallowed_methods, reason = "the one place that touches the operating system's files")]
impl Vfs for OsVfs {
    fn open(&self, path: &Path, how: OpenHow) -> Result<Arc<dyn VfsFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match how {
            OpenHow::Read => &mut options,
            OpenHow::ReadWrite => options.write(true),
            OpenHow::CreateNew => options.write(true).create_new(true),
            OpenHow::CreateOrTruncate => options.write(true).create(true).truncate(true),
        };
        let file = handles::open(&options, path).map_err(failed("open", path))?;
        Ok(Arc::new(OsFile { file, path: path.to_path_buf(), direct: DirectHandle::new(how != OpenHow::Read) }))
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<OsString>> {
        let entries = fs::read_dir(path).map_err(failed("opendir", path))?;
        entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(failed("readdir", path))).collect()
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if parent != path {
            self.create_dir_all(parent)?;
        }
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            done => done.map_err(failed("mkdir", path))?,
        }
        self.sync_dir(parent)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to).map_err(failed("rename", from))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        fs::remove_file(path).map_err(failed("unlink", path))
    }

    #[cfg(unix)]
    fn sync_dir(&self, path: &Path) -> Result<()> {
        let folder = handles::open(OpenOptions::new().read(true), path).map_err(failed("open", path))?;
        folder.sync_all().map_err(failed("fsync", path))
    }

    /// Windows has no flush for folders: NTFS journals their changes itself.
    #[cfg(not(unix))]
    fn sync_dir(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        path.try_exists().map_err(failed("stat", path))
    }

    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        let mut options = OpenOptions::new();
        let share = Share::take().map_err(failed("open", path))?;
        let file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed("open", path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(OsLock { file, _share: share }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(FileError::new("flock", path, error)),
        }
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
