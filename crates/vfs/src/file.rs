//! The two traits that stand between the engine and a disk. Positioned I/O only: no cursor, no append mode, no mmap.

use std::{
    ffi::OsString,
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{FileError, FileSystem, Result};

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
    /// Whether it keeps anybody out: not where there are no locks of this kind.
    fn is_exclusive(&self) -> bool {
        true
    }
}

/// A file system. The path to a folder may lead through links; the names that are opened may not be any: whatever is no regular
/// file is an error by [`FileError::foreign`], and is neither waited for nor changed. What is made is the owner's alone (0600,
/// folders 0700), and no child process inherits a handle.
pub trait Vfs: Send + Sync + fmt::Debug {
    /// Opens a file. A new file's name is durable only after `sync_dir` on its folder.
    fn open(&self, path: &Path, how: OpenHow) -> Result<Arc<dyn VfsFile>>;
    /// The names in a folder, in no particular order.
    fn read_dir(&self, path: &Path) -> Result<Vec<OsString>>;
    /// Creates a folder and its missing parents, each durable when this returns.
    fn create_dir_all(&self, path: &Path) -> Result<()>;
    /// Creates a folder in one that is there, if it is missing. Durable only after `sync_dir` on that one.
    fn create_dir(&self, path: &Path) -> Result<()> {
        self.create_dir_all(path)
    }
    /// How many bytes the device of this folder has left for us, where that can be told. Others may take them at any time.
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
    /// Whether this name is taken, by whatever.
    fn exists(&self, path: &Path) -> Result<bool>;
    /// Takes the exclusive lock of the file at `path`, which is made if need be. `None`: somebody else holds it.
    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>>;
    /// Takes the exclusive lock of the folder itself, where folders have one. `None`: somebody else holds it.
    fn try_lock_folder(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>>;

    /// The same files, with every path below `folder` leading into what is this folder now, wherever it is moved to and whatever
    /// is put in its place. `None`: paths are followed as they are.
    fn anchored(&self, _folder: &Path) -> Result<Option<Arc<dyn Vfs>>> {
        Ok(None)
    }

    /// Whether the folder of [`anchored`](Self::anchored) is still the one that its path leads to; [`FileError::gone`] if not.
    fn check_in_place(&self) -> Result<()> {
        Ok(())
    }

    /// The path without links, where that can be told.
    fn real_path(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }

    /// What `path` is on, or will be once it is made: what the nearest folder above it is on. Changes nothing.
    fn file_system(&self, _path: &Path) -> FileSystem {
        FileSystem::Local
    }

    /// A number by chance: another one for each call, process and machine. A simulation has its own.
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
    /// Reads at `offset`; fewer bytes than asked for only at the end of the file or when interrupted.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize>;
    /// Writes at `offset`, possibly fewer bytes than given; a hole before `offset` reads as zeros.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize>;
    /// Cuts or extends (with zeros) to `len` bytes.
    fn set_len(&self, len: u64) -> Result<()>;
    /// Flushes data, and of the metadata what is needed to read it (`fdatasync`).
    fn sync_data(&self) -> Result<()>;

    /// Whether the path that it was opened under still leads to it; [`FileError::gone`] if not. One call to the system.
    fn check_in_place(&self) -> Result<()> {
        Ok(())
    }

    /// Whether the file is empty.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills as much of `buffer` as the file has from `offset` on; the number of bytes read.
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

    /// Writes all of `bytes` at `offset`. A failure may leave a part of them written.
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

    /// The same, bypassing the operating system's cache where it lets us: for what is flushed right after and not read soon. Only
    /// whole pages can go that way: `bytes` should begin and end, and `offset` be, at a multiple of a page.
    fn write_all_direct_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.write_all_at(bytes, offset)
    }
}
