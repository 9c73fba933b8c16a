//! The files below one folder, reached by the folder's own handle: when the folder is renamed and another one gets its path,
//! nothing done here reaches the other one.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{OsFile, OsVfs, file_system, identity::Identity, lock_file, lock_folder, place::Place, sync_name};
use crate::{FileError, FileLock, FileSystem, OpenHow, Result, Vfs, VfsFile};

#[derive(Debug)]
pub(super) struct AnchoredVfs {
    /// The path that the caller uses.
    path: PathBuf,
    /// The same without links, and independent of the process's working directory.
    real_path: PathBuf,
    folder: File,
    identity: Identity,
}

impl AnchoredVfs {
    pub(super) fn new(path: &Path) -> Result<Self> {
        let failed = |source: io::Error| FileError::new("open", path, source);
        let real_path = path.canonicalize().map_err(failed)?;
        let folder = Place::anywhere(&real_path).folder()?;
        let identity = Identity::of(&folder.metadata().map_err(failed)?);
        Ok(Self { path: path.to_path_buf(), real_path, folder, identity })
    }

    fn place<'a>(&'a self, path: &'a Path) -> Result<Place<'a>> {
        match path.strip_prefix(&self.path) {
            Ok(names) => Place::below(&self.folder, names, path),
            Err(_) => Ok(Place::anywhere(path)),
        }
    }

    /// If the folder itself is gone, a missing file becomes [`FileError::gone`]: nothing will ever be found there.
    fn told<T>(&self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Err(error) if error.is_not_found() => self.check_in_place().and(Err(error)),
            outcome => outcome,
        }
    }
}

impl Vfs for AnchoredVfs {
    fn open(&self, path: &Path, how: OpenHow) -> Result<Arc<dyn VfsFile>> {
        let file = self.told(self.place(path).and_then(|place| place.open(how)))?;
        Ok(Arc::new(OsFile::new(file, path, self.real_path(path), how)?))
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<OsString>> {
        self.told(self.place(path).and_then(|place| place.read_dir()))
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        match path.strip_prefix(&self.path) {
            Err(_) => OsVfs.create_dir_all(path),
            Ok(names) => {
                let mut made = self.path.clone();
                for name in names {
                    let parent = made.clone();
                    made.push(name);
                    if self.place(&made)?.make_dir()? {
                        self.sync_dir(&parent)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.place(path)?.make_dir().map(drop)
    }

    /// The folders of a store are on one device.
    fn free_bytes(&self, folder: &Path) -> Option<u64> {
        match folder.strip_prefix(&self.path) {
            Ok(_) => file_system::free_bytes_of(&self.folder),
            Err(_) => file_system::free_bytes(folder),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.told(self.place(from).and_then(|from| from.rename(&self.place(to)?)))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.told(self.place(path).and_then(|place| place.remove_file()))
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.told(self.place(path).and_then(|place| place.remove_dir()))
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.told(self.place(path).and_then(|place| place.sync_dir()))
    }

    /// Of the folder itself, or of one around it.
    fn sync_name(&self, folder: &Path) -> Result<()> {
        sync_name(folder)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        match self.place(path) {
            Err(error) if error.is_not_found() => Ok(false),
            place => place?.exists(),
        }
    }

    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        lock_file(&self.place(path)?, path)
    }

    fn try_lock_folder(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        lock_folder(self.place(path)?.folder()?, path)
    }

    #[cfg(target_os = "linux")]
    fn lock_holder(&self, path: &Path) -> Option<u32> {
        super::lock_holder::holder_of(path)
    }

    fn anchored(&self, folder: &Path) -> Result<Option<Arc<dyn Vfs>>> {
        Ok(Some(Arc::new(Self::new(folder)?)))
    }

    fn check_in_place(&self) -> Result<()> {
        self.identity.check_at(&self.real_path, &self.path, &self.folder)
    }

    fn real_path(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.path).map_or_else(|_| path.to_path_buf(), |names| self.real_path.join(names))
    }

    fn file_system(&self, path: &Path) -> FileSystem {
        file_system::file_system(path)
    }
}
