//! The two traits between the engine and a disk. Positioned I/O only: no cursor, no append mode, no mmap.

use std::{
    ffi::OsString,
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{FileError, FileSystem, Result, folders::parent_of};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenHow {
    /// For reading; the file must exist.
    Read,
    /// For reading and writing; the file must exist.
    ReadWrite,
    /// For reading and writing; the name must be free.
    CreateNew,
}

/// Held until dropped. The operating system drops it too when the process dies.
pub trait FileLock: Send + Sync + fmt::Debug {
    /// Whether it excludes other owners; `false` where such locks do not exist.
    fn is_exclusive(&self) -> bool {
        true
    }
}

/// A file system. The path to a folder may lead through links; the opened names themselves must not be links. Anything but a
/// regular file is an error by [`FileError::foreign`]; opening it neither waits nor changes it. New files belong to the owner
/// alone (0600, folders 0700), and no child process inherits a handle.
pub trait Vfs: Send + Sync + fmt::Debug {
    /// Opens a file. A new file's name is durable only after `sync_dir` on its folder.
    fn open(&self, path: &Path, how: OpenHow) -> Result<Arc<dyn VfsFile>>;
    /// The names in a folder, in no particular order.
    fn read_dir(&self, path: &Path) -> Result<Vec<OsString>>;
    /// Creates a folder and its missing parents, all durable when this returns.
    fn create_dir_all(&self, path: &Path) -> Result<()>;
    /// Creates a folder in an existing one, if it is missing. Durable only after `sync_dir` on the existing one.
    fn create_dir(&self, path: &Path) -> Result<()> {
        self.create_dir_all(path)
    }
    /// How many bytes the device of this folder has free for us, if known. Others may take them at any time.
    fn free_bytes(&self, _folder: &Path) -> Option<u64> {
        None
    }
    /// Renames a file, replacing the target, or a folder to a name that is free. Durable only after `sync_dir`.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file. Durable only after `sync_dir`.
    fn remove_file(&self, path: &Path) -> Result<()>;
    /// Removes a folder that is empty. Durable only after `sync_dir` on the folder around it.
    fn remove_dir(&self, path: &Path) -> Result<()> {
        Err(FileError::new("rmdir", path, io::ErrorKind::Unsupported.into()))
    }
    /// Flushes a folder: the names created, renamed and removed in it.
    fn sync_dir(&self, path: &Path) -> Result<()>;
    /// Flushes the name of a folder that is there, as an attempt to make it may have died before it did so.
    fn sync_name(&self, folder: &Path) -> Result<()> {
        parent_of(folder).map_or(Ok(()), |parent| self.sync_dir(parent))
    }
    /// Whether something has this name, of whatever type.
    fn exists(&self, path: &Path) -> Result<bool>;
    /// Takes the exclusive lock of the file at `path`, which is made if it is missing. `None`: another owner holds it.
    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>>;
    /// Takes the exclusive lock of the folder itself, where folders have one. `None`: another owner holds it.
    fn try_lock_folder(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>>;

    /// The process that has the file or folder locked, where the system tells.
    fn lock_holder(&self, _path: &Path) -> Option<u32> {
        None
    }

    /// The same files, with every path below `folder` leading into what is this folder now, wherever it is moved to and whatever
    /// is put in its place. `None`: paths are followed as they are.
    fn anchored(&self, _folder: &Path) -> Result<Option<Arc<dyn Vfs>>> {
        Ok(None)
    }

    /// Whether the folder of [`anchored`](Self::anchored) is still the one that its path leads to; [`FileError::gone`] if not.
    fn check_in_place(&self) -> Result<()> {
        Ok(())
    }

    /// The path without links, if it can be resolved.
    fn real_path(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }

    /// The file system of `path`, or the one it will be on: that of the nearest existing folder above it. Changes nothing.
    fn file_system(&self, _path: &Path) -> FileSystem {
        FileSystem::Local
    }

    /// A random number, different for each call, process and machine. A simulation has its own source.
    fn random(&self) -> u64 {
        RandomState::new().build_hasher().finish()
    }
}

/// An open file. Every method may be called from any thread.
pub trait VfsFile: Send + Sync + fmt::Debug {
    /// The path it was opened under.
    fn path(&self) -> &Path;
    /// Its length in bytes.
    fn len(&self) -> Result<u64>;
    /// Reads at `offset`; returns fewer bytes than requested only at the end of the file or when interrupted.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize>;
    /// Writes at `offset`, possibly fewer bytes than given; a hole before `offset` reads as zeros.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize>;
    /// Cuts or extends (with zeros) to `len` bytes.
    fn set_len(&self, len: u64) -> Result<()>;
    /// Flushes the data, and the metadata that is needed to read it (`fdatasync`).
    fn sync_data(&self) -> Result<()>;

    /// Checks that its path still leads to it; [`FileError::gone`] if not. One system call.
    fn check_in_place(&self) -> Result<()> {
        Ok(())
    }

    /// Whether the file is empty.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills as much of `buffer` as the file has from `offset` on; returns the number of bytes read.
    fn read_full_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.read_at(rest, offset.saturating_add(done as u64))? {
                0 => break,
                n => done += n,
            }
        }
        Ok(done)
    }

    /// Writes all of `bytes` at `offset`. A failure may leave them partly written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            match self.write_at(rest, offset.saturating_add(done as u64))? {
                0 => return Err(FileError::new("pwrite", self.path(), io::ErrorKind::WriteZero.into())),
                n => done += n,
            }
        }
        Ok(())
    }

    /// The same, bypassing the operating system's cache if possible: for bytes that are flushed right after and not read soon.
    /// Works only with whole pages: `offset` and the memory of `bytes` should be aligned to a page, and its length a multiple of one.
    fn write_all_direct_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.write_all_at(bytes, offset)
    }
}
