//! The files below one folder, by the folder's own handle: when it is renamed, and another one put at its path, nothing that is
//! done here reaches the other one.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{OsFile, file_system, identity::Identity, lock_file, lock_folder, make_folders, place::Place};
use crate::{FileError, FileLock, FileSystem, OpenHow, Result, Vfs, VfsFile};

#[derive(Debug)]
pub(super) struct AnchoredVfs {
    /// As it is named by whoever uses it.
    path: PathBuf,
    /// The same without links, and wherever the process goes.
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

    /// What is not found in a folder that is gone itself is told so: nothing will ever be found there.
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
            Err(_) => make_folders(path),
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

    /// Folders of a store are on the device that it is on.
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
